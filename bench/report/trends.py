"""Findings about how something changes: with hidden size, length, mode, device.

On two devices it is absolute times that are compared: they share no rounds, so that there is no ratio.
"""

from __future__ import annotations

import pandas as pd

from bench.cases.case import FIELDS
from bench.report.comparisons import Context, Finding, counted, of_all, place, shown_below_one, speedup, time_of_call
from bench.report.names import axis_value, capital, listed, on_device
from bench.report.units import duration, duration_in, size
from bench.table.cells import with_input
from bench.table.comparison import apart

_WITH = {"hidden_size": "the hidden size", "seq_len": "the length of the sequence"}


def hidden(context: Context) -> list[Finding]:
    """How the gain changes with the hidden size."""
    return _gain(context, "hidden_size")


def length(context: Context) -> list[Finding]:
    """How the gain changes with the sequence length."""
    return _gain(context, "seq_len")


def along(context: Context, name: str, axis: str) -> list[pd.Series]:
    """The cells that differ from the usual one in this axis alone, in its order."""
    usual = context.usual_rows(context.devices[0])[0]
    frame = with_input(context.on(context.devices[0]))
    same = [field for field in FIELDS if field not in (axis, "input_size")] + ["input"]
    usual_input = frame[frame["case"] == usual["case"]]["input"].iloc[0]
    wanted = usual.drop("input", errors="ignore").to_dict() | {"input": usual_input}
    keep = (frame["implementation"] == name) & (frame[same] == [wanted[field] for field in same]).all(axis=1)
    return [row for _, row in frame[keep].sort_values(axis).iterrows()]


def _gain(context: Context, axis: str) -> list[Finding]:
    """The speed-up of the focus along an axis: from end to end, or by way of a peak or a trough."""
    if context.focus is None:
        return []
    rows = [row for row in along(context, context.focus, axis) if row["speedup_low"] > 0]
    if len(rows) < 2:
        return []
    who = f"{context.here()}{context.gain}"
    path, turn = _path(rows)
    stops = [f"{speedup(row)} at {axis_value(axis, row[axis])}" for row in path]
    where = f" ({place(rows[0], context.varying, without=[axis])}{shown_below_one(path)})"
    if turn == 0:
        text = f"{capital(who)} shows no clear change with {_WITH[axis]}: {stops[0]}, {stops[-1]}{where}."
    elif len(path) == 2:
        verb = "grows" if turn > 0 else "shrinks"
        text = f"{capital(who)} {verb} with {_WITH[axis]}, from {stops[0]} to {stops[1]}{where}."
    else:
        first, then = ("grows", "shrinks") if turn > 0 else ("shrinks", "grows")
        text = f"{capital(who)} first {first} with {_WITH[axis]}, from {stops[0]} to {stops[1]}, and then {then}, "
        text += f"to {stops[2]}{where}."
    return [Finding(axis, text)]


def _path(rows: list[pd.Series]) -> tuple[list[pd.Series], int]:
    """The rows worth quoting, and whether the first change between them is a rise (1), a fall (-1) or none (0)."""
    ends = (rows[0], rows[-1])
    for sign in (1, -1):
        turn = max(rows, key=lambda row: sign * row["speedup"])
        if all(apart(turn, end, "speedup") == sign for end in ends):
            return [rows[0], turn, rows[-1]], sign
    return list(ends), apart(rows[-1], rows[0], "speedup")


def modes(context: Context) -> list[Finding]:
    """Training against inference, over the cases that have both."""
    if context.focus is None:
        return []
    frame = context.against_baseline(context.focus, context.devices[0])
    both = matched(frame, "mode", "training", "inference")
    if not both:
        return []
    verdicts = [apart(train, infer, "speedup") for train, infer in both]
    cases = pd.DataFrame([train for train, _ in both]).reset_index(drop=True)
    parts = {sign: cases[[verdict == sign for verdict in verdicts]] for sign in (-1, 1, 0)}
    who = f"the speed-up of {context.phrase(context.focus)}"
    words = {
        -1: f"in training {who} is smaller than in inference",
        1: f"in training {who} is larger than in inference",
        0: f"training and inference show no clear difference in {who}",
    }
    short = {-1: "smaller", 1: "larger", 0: "not clearly different"}
    first, *rest = sorted((sign for sign in parts if len(parts[sign])), key=lambda sign: -len(parts[sign]))
    share = of_all(parts[first], cases)
    share = share.replace("in all", "in any of the") if first == 0 else share
    told = [f"{words[first]} {share}", *(f"{short[s]} in {counted(parts[s], cases)}" for s in rest)]
    usual = context.usual_rows(context.devices[0])[0]
    train, infer = next((pair for pair in both if usual["case"] in (pair[0]["case"], pair[1]["case"])), both[0])
    where = place(train, context.varying, without=["mode"])
    example = f"at {where} it is {speedup(train)} in training, {speedup(infer)} in inference"
    return [Finding("mode", f"{capital(context.here() + listed(told))}; {example}.")]


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


def memory(context: Context) -> list[Finding]:
    """Peak memory of the largest training case that all ran, or else of the largest case."""
    frame = context.on(context.devices[0]).dropna(subset=["peak_bytes"])
    frame = frame[frame["mode"] == "training"] if (frame["mode"] == "training").any() else frame
    if frame.empty:
        return []
    counts = frame.groupby("case")["implementation"].transform("nunique")
    widest = frame[counts == counts.max()]
    volume = widest["hidden_size"] * widest["seq_len"] * widest["batch_size"] * widest["num_layers"]
    rows = widest[widest["case"] == widest.loc[volume.idxmax(), "case"]].sort_values("peak_bytes")
    least, most = rows.iloc[0], rows.iloc[-1]
    where = place(least, [axis for axis in context.varying if axis != "mode"])
    where = f"Peak memory {on_device(context.devices[0])}, {least['mode']} at {where}"
    if len(rows) == 1 or most["peak_bytes"] <= least["peak_bytes"] * 1.05:
        same = "" if len(rows) == 1 else ", much the same for every implementation"
        return [Finding("memory", f"{where}, is {size(most['peak_bytes'])}{same}.")]
    each = [f"{size(row['peak_bytes'])} for {context.phrase(row['implementation'])}" for _, row in rows.iterrows()]
    return [Finding("memory", f"{where}, is {listed(each)}.")]


def growth(context: Context) -> list[Finding]:
    """How one implementation's time and its cost per step change with the sequence length and the hidden size."""
    found = []
    rows = [row for row in along(context, context.names[0], "seq_len") if row["seconds_low"] > 0]
    if len(rows) > 1 and apart(_step(rows[0]), _step(rows[-1]), "step"):
        ends = (rows[0], rows[-1])
        steps = [f"{duration_in(*_step(row))} at {axis_value('seq_len', row['seq_len'])}" for row in ends]
        where = place(rows[0], context.varying, without=["seq_len"])
        found.append(Finding("step", f"One step costs {steps[0]} and {steps[1]} ({where})."))
    rows = [row for row in along(context, context.names[0], "hidden_size") if row["seconds_low"] > 0]
    if len(rows) > 1:
        calls = [
            f"{time_of_call(row)} at {axis_value('hidden_size', row['hidden_size'])}" for row in (rows[0], rows[-1])
        ]
        where = place(rows[0], context.varying, without=["hidden_size"])
        found.append(Finding("hidden_size", f"A call takes {calls[0]} and {calls[1]} ({where})."))
    return found


def _step(row: pd.Series) -> pd.Series:
    """The cost per step with its interval, seconds."""
    ends = {f"step{end}": row[f"seconds{end}"] / row["seq_len"] for end in ("", "_low", "_high")}
    return pd.Series(ends)


def matched(frame: pd.DataFrame, axis: str, one: str, other: str) -> list[tuple[pd.Series, pd.Series]]:
    """Pairs of rows that differ in one axis alone."""
    same = [field for field in FIELDS if field != axis]
    rows = {(row[axis], *row[same]): row for _, row in frame.iterrows()}
    return [(row, rows[other, *key[1:]]) for key, row in rows.items() if key[0] == one and (other, *key[1:]) in rows]
