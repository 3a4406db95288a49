"""The tables of a report: rows that the page and the Markdown summary both show, and tables of facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pandas as pd

from bench.report.facets import varying_axes
from bench.report.names import device, short_names
from bench.report.units import NOTHING, duration, duration_in, gap, missing, per_step, size, times
from bench.report.warned import short
from bench.store.manifest import MEASURED, Manifest
from bench.table.cells import REFERENCE, reached, with_outcome
from bench.table.comparison import TIED, UNDECIDED
from bench.why.floor import MARGIN

Row: TypeAlias = pd.Series | Mapping[str, Any]
"""A row of a frame: its fields by name."""


@dataclass(frozen=True)
class Column:
    """A column of the full table: its heading, what it shows of a row, and the field by whose value it sorts.

    `numeric` columns sort by a number, missing ones last; `filtered` ones get a selection above the table, of what
    they show or else of what `choice` makes of it; `wide` ones may take several lines. `level` says how much room a
    page must have to show it: 0 always, 1 from 1024 px on, 2 from 1440 px on, 3 when all columns are asked for.
    """

    title: str
    text: Callable[[Row], str]
    field: str
    numeric: bool = True
    filtered: bool = False
    hint: str = ""
    choice: Callable[[str], str] = str
    wide: bool = False
    level: int = 0


@dataclass(frozen=True)
class Entry:
    """One field of the full table: text, the value it sorts by (empty for none), what a short text stands for, and
    the choice that selects it."""

    text: str
    order: str
    hint: str = ""
    choice: str = ""


AXES = {
    "mode": "Mode", "device": "Device", "dtype": "Dtype", "network": "Network", "input_size": "Input",
    "hidden_size": "Hidden", "num_layers": "Layers", "bidirectional": "Directions", "batch_size": "Batch",
    "seq_len": "Steps", "output_size": "Output", "threads": "Threads",
    "lengths": "Lengths", "loss": "Loss", "flush_denormal": "Denormals", "tf32": "TF32",
}  # fmt: skip
_ALWAYS = ("mode", "hidden_size", "seq_len")
_LEVELS = {"seconds": 0, "speedup": 0, "fastest": 1, "gap": 1, "label": 2, "peak_bytes": 2, "warnings": 2}
_FILTERED = ("mode", "device", "dtype", "network", "hidden_size", "seq_len", "batch_size", "lengths")


def columns(cells: pd.DataFrame, precision: float | None) -> list[Column]:
    """The columns of the full table: what tells the cells apart, then what was measured of them."""
    short = short_names(cells["implementation"])
    found = [Column("Implementation", lambda row: short[row["implementation"]], "implementation", False, True)]
    varying = set(varying_axes(cells)) if len(cells) else set()
    for axis, title in AXES.items():
        if axis in varying or axis in _ALWAYS:
            numeric = cells[axis].dtype.kind in "iuf"
            found.append(Column(title, axis_text(axis), axis, numeric, axis in _FILTERED))
    gaps = len(cells) > 0 and (with_outcome(cells)["outcome"] != MEASURED).any()
    result = [Column("Result", plain("outcome"), "outcome", False, True)] if gaps else []
    reason = [Column("Reason", plain("reason"), "reason", False, level=3)] if gaps else []
    return found + result + _measures(cells, precision) + reason


def _measures(cells: pd.DataFrame, precision: float | None) -> list[Column]:
    """The measured columns; those that hold nothing in this run are left away."""

    def ratio(row: Row) -> str:
        if row["speedup"] == 1:
            return "1×"  # the baseline itself
        text = times(row["speedup"], row["speedup_low"], row["speedup_high"])
        return text + (" ◊" if precision and row["too_wide"] else "")

    def time(row: Row) -> str:
        return duration_in(row["seconds"], row["seconds_low"], row["seconds_high"])

    every = {
        "seconds": Column("Time per call", time, "seconds", hint="with its 95 % interval over passes"),
        "speedup": Column("Speed-up", ratio, "speedup", hint="with its 95 % interval over passes"),
        "fastest": Column("Fastest", plain("fastest"), "fastest", False, True,
                          hint="the one that won this case, those that tie, or those between which it is undecided",
                          choice=_standing),
        "fastest_gain": Column("Its gain", fastest_gain, "fastest_gain",
                               hint=f"of the fastest over {REFERENCE}, from the same rounds, with its 95 % interval"),
        "step_seconds": Column("Time per step", lambda row: duration(row["step_seconds"]), "step_seconds"),
        "floor_seconds": Column("Floor", lambda row: duration(row["floor_seconds"]), "floor_seconds",
                                hint="the least time any implementation needs on this machine"),
        "gap": Column("Gap", lambda row: gap(row["gap"]), "gap",
                      hint=f"time per call over the floor, which has {100 * MARGIN:.0f} % taken off"),
        "label": Column("Bound", plain("label"), "label", False, True,
                        hint="what most of the time goes into, by profile and limits"),
        "kernel": Column("Kernel", plain("kernel"), "kernel", False, True,
                         hint="what really ran, and why torch handed it to nothing faster",
                         choice=lambda text: text.partition("; ")[0]),
        "operators": Column("Operators a step", lambda row: per_step(row["operators"]), "operators",
                            hint="calls that compute or move data"),
        "event_seconds": Column("GPU events", lambda row: duration(row["event_seconds"]), "event_seconds",
                                hint="time per call between CUDA events"),
        "control_ratio": Column("× control", lambda row: times(row["control_ratio"]), "control_ratio",
                                hint="time over that of the control, from the same rounds"),
        "peak_bytes": Column("Peak memory", lambda row: size(row["peak_bytes"]), "peak_bytes"),
        "build_seconds": Column("Build", lambda row: duration(row["build_seconds"]), "build_seconds",
                                hint="construction before the first call; no part of the time per call"),
        "parity_error": Column("Parity error", lambda row: f"{row['parity_error']:.1e}", "parity_error",
                               hint="largest relative deviation from the float64 reference"),
        "passes": Column("Passes", lambda row: f"{row['passes']:.0f}", "passes"),
        "warnings": Column("Warnings", plain("warned"), "warned", False,
                           hint="what qualifies the figures of this row"),
        "why": Column("Why", plain("why"), "why", False, hint="where the time goes"),
    }  # fmt: skip
    return [
        replace(column, level=_LEVELS.get(name, 3))
        for name, column in every.items()
        if name == "seconds" or (name in cells and _said(cells[name]))
    ]


def _said(column: pd.Series) -> bool:
    """Whether any row has something to say there."""
    if column.name == "warnings":
        return bool(column.map(bool).any())
    return bool((column.notna() & (column != "")).any())


def _standing(text: str) -> str:
    """Ties are one choice, and so is what is undecided."""
    return text.partition(":")[0] if text.startswith((f"{TIED}: ", f"{UNDECIDED}: ")) else text


def fastest_gain(row: Row) -> str:
    """The gain of a case's winner, or of the first of a tie, over REFERENCE, with its interval; 1× for REFERENCE
    itself."""
    value, low, high = (row[f"fastest_gain{end}"] for end in ("", "_low", "_high"))
    return "1×" if value == low == high == 1 else times(value, low, high)


def rows(cells: pd.DataFrame, shown: list[Column], precision: float | None) -> list[list[Entry]]:
    """The full table: every cell of the run, also those without a result."""
    return entries(frame(cells, precision), shown)


def frame(cells: pd.DataFrame, precision: float | None) -> pd.DataFrame:
    """The cells with what columns show of them beside their figures: outcome, too_wide, warned."""
    frame = with_outcome(cells).assign(too_wide=~reached(cells, precision) if precision else False)
    if "warnings" in frame:
        frame["warned"] = frame["warnings"].map(short)
    return frame


def entries(frame: pd.DataFrame, shown: list[Column]) -> list[list[Entry]]:
    """One list for each row of a frame, which has a column `implementation`; one entry for each column shown."""
    return [[_entry(column, row) for column in shown] for _, row in frame.iterrows()]


def _entry(column: Column, row: pd.Series) -> Entry:
    value = row[column.field]
    empty = missing(value) or (isinstance(value, float) and not math.isfinite(value))
    order = "" if empty else repr(float(value)) if column.numeric else str(value)
    hint = row["implementation"] if column.title == "Implementation" else ""
    text = NOTHING if empty else column.text(row)
    return Entry(text, order, hint, column.choice(text))


def plain(name: str) -> Callable[[Row], str]:
    """What shows a field as it is."""
    return lambda row: str(row[name])


def axis_text(axis: str) -> Callable[[Row], str]:
    """What shows an axis of Case."""
    if axis == "bidirectional":
        return lambda row: "both" if row[axis] else "one"
    if axis == "flush_denormal":
        return lambda row: "flushed" if row[axis] else "kept"
    if axis == "tf32":
        return lambda row: "allowed" if row[axis] else "no"
    return (lambda row: device(row[axis])) if axis == "device" else plain(axis)


_LABELS = {
    "cpu": "CPU", "cores": "Cores", "memory_bytes": "Memory", "os": "Operating system", "gpu": "GPU",
    "gpu_driver": "GPU driver", "gpu_memory_bytes": "GPU memory", "gpu_capability": "GPU capability",
    "cpu_capability": "CPU capability", "onednn": "oneDNN", "l2_state": "L2 cache",
    "tf32_matmul": "TF32 in products", "tf32_cudnn": "TF32 in cuDNN", "time": "Committed",
    "physical_cores": "Physical cores", "timeout": "Silence allowed to a process", "cuda": "CUDA", "cudnn": "cuDNN",
    "tf32": "TF32", "control_cuda": "Control on CUDA", "blas": "BLAS", "mkl": "MKL", "torch": "torch",
    "pinned": "Pinned to a core", "python": "Python", "max_call": "Longest call allowed",
    "implementations": "Implementations", "budget": "Budget", "precision": "Precision asked for",
    "passes": "Passes planned", "overrides": "Axes overridden", "id": "Commit", "dirty": "Uncommitted changes",
    "other": "everything else",
}  # fmt: skip


def facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and text of each entry of a flat record, whatever its keys are."""
    return [(_LABELS.get(key, key.replace("_", " ").capitalize()), fact(key, value)) for key, value in values.items()]


def fact(key: str, value: Any) -> str:  # noqa: PLR0911 # a kind of value a return
    """One value of a record, with the unit that its key stands for."""
    if value is None or value in ("", {}, []):
        return "every one present" if key == "devices" else "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} = {fact(name, part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(fact(key, part) for part in value)
    if isinstance(value, (int, float)):
        if key.endswith("bytes"):
            return size(value)
        if key in ("max_call", "budget", "timeout") or key.endswith("seconds"):
            return f"{value:g} s"
        return f"±{100 * value:g} %" if key == "precision" else f"{value:g}" if isinstance(value, float) else str(value)
    return str(value).replace(",", ", ") if key == "implementations" else str(value)


def ledger(manifest: Manifest) -> list[tuple[str, float, float]]:
    """Where the run's own time went: activity, seconds, share of all; longest first."""
    total = sum(manifest.ledger.values())
    ranked = sorted(manifest.ledger.items(), key=lambda item: -item[1])
    return [(_LABELS.get(name, name), seconds, seconds / total if total else 0.0) for name, seconds in ranked]
