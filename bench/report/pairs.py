"""The finding that compares CPU and GPU, in absolute time: there is no ratio from the same rounds across devices.

Findings about one implementation against the baseline, over all cases of the first device.
"""

from __future__ import annotations

import pandas as pd

from bench.report.comparisons import (
    FASTER,
    SLOWER,
    TIED,
    UNDECIDED,
    WITHIN,
    Context,
    Finding,
    apart,
    counted,
    of_all,
    place,
    side,
    slowdown,
    speedup,
)
from bench.report.names import capital
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


def own(context: Context) -> list[Finding]:
    """What users brought, each against the baseline."""
    return [f for name in context.contenders if ".py:" in name for f in _pair(context, name)]


def fast_pair(context: Context) -> list[Finding]:
    """The focus, one call as a rule, against the baseline over all cases."""
    frame = context.against_baseline(context.focus or context.baseline, context.devices[0])
    if len(frame) < 2:
        return []
    low, high = (frame.loc[frame["speedup"].agg(end)] for end in ("idxmin", "idxmax"))
    who = f"{context.here()}{context.gain}"
    text = f"{capital(who)} was measured between {_span(context, low, high)}."
    sides = frame.apply(side, axis=1)
    if len(tied := frame[sides == TIED]):
        text += f" {capital(of_all(tied, frame))} the two tie {WITHIN}."
    if len(undecided := frame[sides == UNDECIDED]):
        text += f" {capital(of_all(undecided, frame))} its interval holds 1×, so that no difference can be told."
    return [Finding("range", text)]


def looped_pair(context: Context) -> list[Finding]:
    """The API in a loop, which people expect to be fast."""
    return _pair(context, "looped")


def _pair(context: Context, name: str) -> list[Finding]:
    """One implementation against the baseline: how often faster, slower, undecided, and between which extremes."""
    frame = context.against_baseline(name, context.devices[0])
    if frame.empty:
        return []
    sides = frame.apply(side, axis=1)
    who, base = context.phrase(name), context.phrase(context.baseline)
    main = FASTER if (sides == FASTER).sum() >= (sides == SLOWER).sum() else SLOWER
    part = frame[sides == main]
    if part.empty:
        told = f"can't be told apart from {base} {of_all(frame, frame)}: every interval holds 1×"
        if len(tied := frame[sides == TIED]):
            told = f"ties with {base} {WITHIN} {of_all(tied, frame)}"
            told += "; in the others no difference can be told" if len(tied) < len(frame) else ""
        return [Finding(f"pair:{name}", f"{capital(f'{context.here()}{who} {told}')}.")]
    text = capital(f"{context.here()}{who} is {main} than {base} {of_all(part, frame)}")
    other = SLOWER if main == FASTER else FASTER
    if len(rest := frame[sides == other]):
        text += f", {other} in {counted(rest, frame)}"
    if len(rest := frame[sides == TIED]):
        text += f"; they tie in {counted(rest, frame)}"
    if len(rest := frame[sides == UNDECIDED]):
        text += f"; in {counted(rest, frame)} the interval holds 1×, so that no difference can be told"
    return [Finding(f"pair:{name}", f"{text}.{_extremes(context, frame, sides, main)}")]


def _extremes(context: Context, frame: pd.DataFrame, sides: pd.Series, main: str) -> str:
    """The largest and the smallest speed-up and where they are, or slow-downs where there are only those."""
    best, worst = frame.loc[frame["speedup"].idxmax()], frame.loc[frame["speedup"].idxmin()]
    if len(frame) == 1:
        return f" It is {speedup(best) if main == FASTER else slowdown(best)}, at {place(best, context.varying)}."
    if (sides == SLOWER).all():
        low, high = (f"{slowdown(row)} ({place(row, context.varying)})" for row in (best, worst))
        return f" It takes between {low} and {high} as long."
    return f" Its speed-up was measured between {_span(context, worst, best)}."


def _span(context: Context, low: pd.Series, high: pd.Series) -> str:
    """The smallest and the largest speed-up measured; whether they differ is for their intervals to say."""
    below = ", which is slower," if side(low) == SLOWER else ""
    ends = [f"{speedup(row)} at {place(row, context.varying)}" for row in (low, high)]
    return f"{ends[0]}{below} and {ends[1]}"
