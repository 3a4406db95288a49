"""How a run's cases fall into groups: what varies, the settings, the usual case, and what is missing.

A picture spans hidden size and sequence length; mode has a panel of its own. Everything else that varies, such as
device, dtype or batch size, makes a Setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.cases.case import FIELDS, LATER
from bench.report.names import axis_value, device, in_order, listed
from bench.store.manifest import MEASURED, Manifest
from bench.table.cells import with_input, with_outcome
from bench.table.reasons import reasons

SPANNED = ("mode", "hidden_size", "seq_len")
USUAL = {"hidden_size": 128, "seq_len": 64, "batch_size": 1, "num_layers": 1}
"""The size that people meet first; sentences quote the case nearest to it."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Cases that differ only in mode, hidden size and sequence length."""

    title: str
    device: str
    cells: pd.DataFrame


def settings(cells: pd.DataFrame) -> list[Setting]:
    """The settings of these cells: by device, the CPU first; then the one with most cells first; then by network."""
    if cells.empty:
        return []
    axes = [name if name != "input_size" else "input" for name in FIELDS if name not in SPANNED]
    frame = with_input(cells)
    varying = [axis for axis in axes if frame[axis].nunique() > 1]
    found = []
    for values, group in frame.groupby(axes, sort=True):
        fixed = dict(zip(axes, values, strict=True))
        words = [axis_words(axis, fixed[axis]) for axis in varying]
        found.append(Setting(" · ".join(words), str(fixed["device"]), group))
    networks = in_order(cells["network"])
    return sorted(found, key=lambda s: (s.device, -len(s.cells), networks.index(s.cells["network"].iloc[0])))


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
    axes = [axis for axis in axes if axis not in LATER or (frame[axis] != LATER[axis]).any()]  # what all expect
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
    """The id of the case that sentences quote: of the first network, measured by most, inference, nearest to the
    usual sizes."""
    cases = cells.drop_duplicates("case")
    counts = cells.groupby("case", sort=False)["implementation"].nunique()
    place = {name: k for k, name in enumerate(in_order(cells["network"].unique()))}
    distance = sum(np.log2(cases[axis].astype(float) / value).abs() for axis, value in USUAL.items())
    keys = zip(
        cases["network"].map(place),
        -counts[cases["case"]].to_numpy(),
        cases["mode"] != "inference",
        cases["dtype"] != "float32",
        distance,
        cases["case"],
        strict=True,
    )
    return str(min(keys)[-1])


@dataclass(frozen=True)
class Skipped:
    """Cells that were skipped for the same reason: of which implementations, how many, and what their cases are."""

    implementations: list[str]
    outcome: str
    reason: str
    count: int
    cases: str


def skipped(cells: pd.DataFrame) -> list[Skipped]:
    """Everything that was not measured, and why: each reason once."""
    return [
        Skipped(
            found.implementations,
            found.outcome,
            (found.first if found.same else f"for example: {found.first}") or "no reason was recorded",
            len(found.rows),
            cases_in_words(found.rows),
        )
        for found in reasons(with_outcome(cells))
    ]


def cases_in_words(part: pd.DataFrame) -> str:
    """The range of cases: `CPU, inference and training, hidden 32 to 512, 1 to 512 steps`."""
    words = [listed([device(name) for name in sorted(part["device"].unique())])]
    words.append(listed(sorted(part["mode"].unique())))
    for axis in ("hidden_size", "seq_len", "batch_size"):
        words.append(value_range(axis, [int(value) for value in part[axis].unique()]))
    words += [listed(sorted(part[axis].unique())) for axis in ("dtype",)]
    return ", ".join(words)


def value_range(axis: str, values: Sequence[int]) -> str:
    """The least and the greatest of the values of one axis in words: `hidden 32 to 512`, `1 to 8 steps`."""
    ends = pick(values, 2)
    text = axis_value(axis, ends[-1])
    return text if len(ends) == 1 else text.replace(str(ends[-1]), f"{ends[0]} to {ends[-1]}", 1)


def notices(cells: pd.DataFrame, manifest: Manifest) -> list[str]:
    """What the reader must know before anything else: a run cut short, cells that are missing."""
    found = []
    frame = with_outcome(cells)
    passes = frame["passes"].max()
    done = 0 if pd.isna(passes) else int(passes)
    if manifest.status != "finished":
        planned = f" of {manifest.first_passes} planned" if manifest.first_passes else ""
        found.append(
            f"This run did not finish: its last state is “{manifest.status}”. What follows rests on {done}{planned} "
            f"pass{'' if done == 1 else 'es'}."
        )
    missing = frame[frame["outcome"] != MEASURED]
    if len(missing):
        counts = missing["outcome"].value_counts()
        parts = [f"{count} {outcome}" for outcome, count in counts.items()]
        has = "has" if len(missing) == 1 else "have"
        found.append(f"{len(missing)} of {len(frame)} cells {has} no result ({listed(parts)}).")
    return found
