"""The finding that compares CPU and GPU, in absolute time: there is no ratio from the same rounds across devices."""

from __future__ import annotations

import pandas as pd

from bench.report.comparisons import apart, counted, of_all, place
from bench.report.context import Context, Finding
from bench.report.trends import along, matched
from bench.report.units import duration


def crossover(context: Context) -> list[Finding]:
    """Where the GPU overtakes the CPU, in absolute time, for the focus or else the first implementation on both."""
    if not {"cpu", "cuda"} <= set(context.devices):
        return []
    name = context.focus or context.names[0]
    frame = context.cells[(context.cells["implementation"] == name) & context.cells["seconds_low"].notna()]
    both = matched(frame, "device", "cpu", "cuda")
    if not both:
        return []
    cases = pd.DataFrame([cpu for cpu, _ in both]).reset_index(drop=True)
    verdicts = pd.Series([apart(cpu, gpu, "seconds") for cpu, gpu in both])
    first, second = (1, -1) if (verdicts == 1).any() else (-1, 1)
    names = {1: "the GPU is faster than the CPU", -1: "the CPU is faster than the GPU"}
    text = f"For {context.phrase(name)} {names[first]} {of_all(cases[verdicts == first], cases)}"
    if len(rest := cases[verdicts == second]):
        text += f", the CPU in {counted(rest, cases)}"
    if len(rest := cases[verdicts == 0]):
        text += f"; in {counted(rest, cases)} the intervals of the two times overlap"
    return [Finding("device", f"{text}. {_overtakes(context, name, both)}".strip())]


def _overtakes(context: Context, name: str, both: list[tuple[pd.Series, pd.Series]]) -> str:
    """From which hidden size on the GPU is ahead, at the usual length, where there is one such point."""
    wanted = {row["case"] for row in along(context, name, "hidden_size")}
    line = sorted((pair for pair in both if pair[0]["case"] in wanted), key=lambda pair: pair[0]["hidden_size"])
    ahead = [apart(cpu, gpu, "seconds") == 1 for cpu, gpu in line]
    if not any(ahead) or all(ahead) or ahead != sorted(ahead):
        return ""
    cpu, gpu = line[ahead.index(True)]
    where = place(cpu, context.varying, without=["hidden_size"])
    times_of_both = f"{duration(gpu['seconds'])} against {duration(cpu['seconds'])}"
    return f"At {where}, it is ahead from hidden {cpu['hidden_size']} on ({times_of_both} there)."
