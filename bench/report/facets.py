"""How a run's cases fall into groups that one picture can show.

A picture spans hidden size and sequence length; mode has a panel of its own. Everything else that varies, such as
device, dtype or batch size, makes a Setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.cases import FIELDS
from bench.report.names import axis_value

SPANNED = ("mode", "hidden_size", "seq_len")
USUAL = {"hidden_size": 128, "seq_len": 64, "batch_size": 1, "num_layers": 1}
"""The size that people meet first; sentences quote the case nearest to it."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Cases that differ only in mode, hidden size and sequence length."""

    key: str
    title: str
    device: str
    cells: pd.DataFrame


def with_input(cells: pd.DataFrame) -> pd.DataFrame:
    """Add `input`: `hidden` where the input is as wide as the hidden state and grows with it, else its size.

    An input that equals the hidden size but keeps its size beside another hidden size is a fixed one.
    """
    others = [name for name in FIELDS if name not in (*SPANNED, "input_size")]
    hidden_per_input = cells.groupby([*others, "input_size"], sort=False)["hidden_size"].transform("nunique")
    tied = (cells["input_size"] == cells["hidden_size"]) & (hidden_per_input == 1)
    return cells.assign(input=cells["input_size"].astype(str).where(~tied, "hidden"))


def settings(cells: pd.DataFrame) -> list[Setting]:
    """The settings of these cells: by device with the CPU first, then the one with most cells first."""
    if cells.empty:
        return []
    axes = [name if name != "input_size" else "input" for name in FIELDS if name not in SPANNED]
    frame = with_input(cells)
    varying = [axis for axis in axes if frame[axis].nunique() > 1]
    found = []
    for number, (values, group) in enumerate(frame.groupby(axes, sort=True)):
        fixed = dict(zip(axes, values, strict=True))
        words = [axis_words(axis, fixed[axis]) for axis in varying]
        found.append(Setting(f"s{number}", " · ".join(words), str(fixed["device"]), group))
    return sorted(found, key=lambda setting: (setting.device, -len(setting.cells)))


def axis_words(axis: str, value: object) -> str:
    """A value of a Setting's axis in words."""
    if axis == "input":
        return "input as wide as hidden" if value == "hidden" else f"input {value}"
    return axis_value(axis, value)


def constants(cells: pd.DataFrame) -> str:
    """What all cases have in common, in words; empty when there are none."""
    if cells.empty:
        return ""
    frame = with_input(cells)
    axes = [name if name != "input_size" else "input" for name in FIELDS]
    return ", ".join(axis_words(axis, frame[axis].iloc[0]) for axis in axes if frame[axis].nunique() == 1)


def varying_axes(cells: pd.DataFrame) -> list[str]:
    """The fields of Case that have more than one value here, less an input size that follows the hidden size."""
    frame = with_input(cells) if len(cells) else cells.assign(input=[])
    found = [axis for axis in FIELDS if axis != "input_size" and cells[axis].nunique() > 1]
    return found + (["input_size"] if frame["input"].nunique() > 1 else [])


def pick(values: Sequence[int], most: int = 3) -> list[int]:
    """At most so many of the values: the first, the last, and evenly placed ones between."""
    found = sorted(set(values))
    if len(found) <= most:
        return found
    return sorted({found[math.ceil(k * (len(found) - 1) / (most - 1))] for k in range(most)})


def usual_case(cells: pd.DataFrame) -> str:
    """The id of the case that sentences quote: measured in most ways, inference, nearest to the usual sizes."""

    def distance(case: pd.Series) -> float:
        return sum(abs(math.log2(case[axis] / value)) for axis, value in USUAL.items())

    cases = cells.groupby("case", sort=True).first()
    ways = cells.groupby("case", sort=True)["implementation"].nunique()
    keys = [
        (-int(ways[name]), row["mode"] != "inference", row["dtype"] != "float32", distance(row), str(name))
        for name, row in cases.iterrows()
    ]
    return min(keys)[-1]
