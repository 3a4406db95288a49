"""What findings are made of: the measured cells as they see them, and Comparisons and standings in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.cases.case import FIELDS, LATER, Case
from bench.report.facets import usual_case, varying_axes
from bench.report.names import axis_value, of_torch, on_device, phrase, short_names
from bench.report.units import duration_in, percent, times
from bench.table.comparison import FASTEST, TIE, of_row
from bench.table.winners import Winner
from rnn_impls.registry import ordered


@dataclass(frozen=True)
class Finding:
    """One thing that a run says: what it is about, and the sentence, with names of code between backticks."""

    about: str
    text: str


class Context:
    """Measured cells only, with what most findings ask of them."""

    def __init__(self, cells: pd.DataFrame, baseline: str) -> None:
        self.cells = cells
        self.baseline = baseline
        self.names = ordered(cells["implementation"])
        self.short = short_names(self.names)
        self.devices = sorted(cells["device"].unique())
        self.varying = varying_axes(cells)

    @cached_property
    def compared(self) -> list[str]:
        """Implementations that have a speed-up over the baseline."""
        compared = self.cells[self.cells["speedup"].notna()]["implementation"]
        return [name for name in ordered(compared) if name != self.baseline]

    @cached_property
    def focus(self) -> str | None:
        """The one that is told of first: one call for the sequence, or else the fastest there is."""
        if "whole" in self.compared:
            return "whole"
        competing = self.cells[self.cells["standing"] != ""]
        medians = competing.groupby("implementation")["speedup"].median()
        return max((name for name in self.compared if name in medians), key=lambda name: medians[name], default=None)

    def on_several(self, device: str) -> str:
        """` on this CPU` where a sentence has to say so: with several devices."""
        return f" {on_device(device)}" if len(self.devices) > 1 else ""

    def place(self, row: pd.Series, without: Sequence[str] = ()) -> str:
        """Which case a sentence quotes: besides what `place` says, whatever else is unusual of it."""
        unusual = [axis for axis in _TOLD if axis not in self.varying and _unusual(axis, row)]
        return place(row, [*self.varying, *unusual], without)

    def of_torch(self, text: str) -> str:
        """A text about `nn.RNN`, said of what computes the networks here."""
        return of_torch(text, self.cells["network"])

    def phrase(self, name: str) -> str:
        """An implementation in a sentence."""
        return phrase(name, self.short)

    def on(self, device: str) -> pd.DataFrame:
        """The cells on a device."""
        return self.cells[self.cells["device"] == device]

    def usual_rows(self, device: str) -> list[pd.Series]:
        """The cells of the case that sentences quote, in the order of the implementations."""
        here = self.on(device)
        rows = here[here["case"] == usual_case(here)].set_index("implementation", drop=False)
        return [rows.loc[name] for name in self.names if name in rows.index]

    def against_baseline(self, name: str, device: str) -> pd.DataFrame:
        """Cells of one implementation whose speed-up has an interval, one row per case."""
        if name == self.baseline:
            return self.cells.iloc[:0]
        here = self.on(device)
        return here[(here["implementation"] == name) & here["speedup_low"].notna()].reset_index(drop=True)


WITHIN = f"within ±{percent(TIE)}"
"""What makes a tie."""

_REGION_AXES = ("seq_len", "hidden_size", "mode", "batch_size", "dtype", "num_layers", "device", "network")


def side(row: pd.Series) -> str:
    """What it is to the baseline for certain: a relation of `bench.table.comparison`."""
    return of_row(row, "speedup").relation


def prefixed(standing: str, names: Iterable[str]) -> str:
    """The name of one that is the fastest, `tie: a, b`, `undecided: a, b`."""
    return ("" if standing == FASTEST else f"{standing}: ") + ", ".join(names)


def won_by(winner: Winner, short: Mapping[str, str]) -> str:
    """Who won a case, or those that tie or that it lies between, by their short names."""
    return prefixed(winner.standing, [short[name] for name in winner.names])


def speedup(row: pd.Series) -> str:
    """A speed-up with its interval."""
    return times(row["speedup"], row["speedup_low"], row["speedup_high"])


def time_of_call(row: pd.Series) -> str:
    """Its time with its interval."""
    return duration_in(row["seconds"], row["seconds_low"], row["seconds_high"])


def slowdown(row: pd.Series) -> str:
    """How many times as long it takes as the baseline, with its interval."""
    return times(1 / row["speedup"], 1 / row["speedup_high"], 1 / row["speedup_low"])


def place(row: pd.Series, varying: Sequence[str], without: Sequence[str] = ()) -> str:
    """Which case this is: hidden size, length, and whatever else varies in the run and is not said already."""
    axes = ["hidden_size", "seq_len"] + [axis for axis in varying if axis not in ("hidden_size", "seq_len", "device")]
    said = [axis for axis in axes if axis not in without and not _goes_without_saying(axis, row)]
    return ", ".join(axis_value(axis, row[axis]) for axis in said)


_TOLD = (
    "mode", "batch_size", "num_layers", "input_size", "output_size", "network", "dtype", "threads", *LATER
)  # fmt: skip
"""What of a case changes its figures so much that a sentence says it, even where a whole run has the same."""


def _unusual(axis: str, row: pd.Series) -> bool:
    """Whether this is another value than that of a plain case."""
    return bool(row[axis] != (row["hidden_size"] if axis == "input_size" else getattr(Case, axis)))


def _goes_without_saying(axis: str, row: pd.Series) -> bool:
    """An input as wide as the hidden state, no output head, and nothing of what came later: a plain recurrence."""
    return (axis == "input_size" and row["input_size"] == row["hidden_size"]) or (
        axis in ("output_size", *LATER) and not _unusual(axis, row)
    )


def region(part: pd.DataFrame, everything: pd.DataFrame) -> str:
    """What sets these cases apart, such as `all at 8 steps or fewer`; empty where no one axis does."""
    for axis in _REGION_AXES:
        values, known = sorted(part[axis].unique()), sorted(everything[axis].unique())
        if len(values) == len(known) or len(values) > max(1, len(known) / 2):
            continue  # leaving out a few values says little
        number = axis in ("seq_len", "hidden_size", "batch_size", "num_layers")
        who = "all " if len(part) > 1 else ""
        if len(values) == 1:
            return f"{who}{'at' if number else 'in'} {axis_value(axis, values[0])}"
        if number and values == known[: len(values)]:
            return f"{who}at {axis_value(axis, values[-1])} or {'fewer' if axis == 'seq_len' else 'less'}"
        if number and values == known[-len(values) :]:
            return f"{who}at {axis_value(axis, values[0])} or more"
    return ""


def counted(part: pd.DataFrame, everything: pd.DataFrame) -> str:
    """`3 (all at 1 step)`, counting cases."""
    where = region(part, everything)
    return f"{len(part)} ({where})" if where and len(part) < len(everything) else str(len(part))


def of_all(part: pd.DataFrame, everything: pd.DataFrame) -> str:
    """`in all 24 cases`, `in 3 of 24 cases (all at 1 step)`."""
    if len(everything) == 1:
        return "in the one case measured" if len(part) else "in no case"
    if len(part) == len(everything):
        return f"in all {len(part)} cases"
    where = region(part, everything) if len(part) else ""
    return f"in {len(part)} of {len(everything)} cases" + (f" ({where})" if where else "")


def matched(frame: pd.DataFrame, axis: str, one: str, other: str) -> list[tuple[pd.Series, pd.Series]]:
    """Pairs of rows that differ in one axis alone."""
    same = [field for field in FIELDS if field != axis]
    rows = {(row[axis], *row[same]): row for _, row in frame.iterrows()}
    return [(row, rows[other, *key[1:]]) for key, row in rows.items() if key[0] == one and (other, *key[1:]) in rows]
