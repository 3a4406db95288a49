"""Neighbouring cases with the same winner, or the same tie, as one region.

regions(cells, won)     the regions of a table
boxes(marks)            points of a grid that hold the same, as few boxes as merging neighbours gives
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pandas as pd

from bench.cases.case import FIELDS, MODES
from bench.table.cells import REFERENCE, with_input
from bench.table.comparison import TIED, of_row
from bench.table.stats import Estimate
from bench.table.winners import Winner
from rnn_impls.registry import ordered

Span = tuple[int, int]
"""First and last index along one axis."""

Box = tuple[Span, ...]


def boxes(marks: Mapping[tuple[int, ...], Hashable]) -> dict[Box, Hashable]:
    """Boxes that hold one mark each and between them every point once, in order.

    A box has no point that is not in `marks`. Two that lie side by side become one where they have the same mark and
    the same extent along every other axis. Which axis goes first makes a difference: the fewest boxes are kept, of
    as few those of the first order of axes.
    """
    single = {tuple((k, k) for k in point): mark for point, mark in marks.items()}
    axes = range(len(next(iter(single), ())))
    found = [_merged(single, order) for order in permutations(axes)]
    return dict(sorted(min(found, key=len).items(), key=lambda item: item[0]))


def _merged(single: Mapping[Box, Hashable], order: tuple[int, ...]) -> dict[Box, Hashable]:
    """Merged along each axis in turn, again and again until nothing changes."""
    found, before = dict(single), -1
    while len(found) != before:
        before = len(found)
        for axis in order:
            found = _along(found, axis)
    return found


def _along(before: Mapping[Box, Hashable], axis: int) -> dict[Box, Hashable]:
    """Neighbours along one axis as one."""
    rows: dict[tuple[Box, Box, Hashable], list[Span]] = {}
    for box, mark in sorted(before.items(), key=lambda item: item[0]):
        spans = rows.setdefault((box[:axis], box[axis + 1 :], mark), [])
        if spans and spans[-1][1] + 1 == box[axis][0]:
            spans[-1] = (spans[-1][0], box[axis][1])
        else:
            spans.append(box[axis])
    return {(*left, span, *right): mark for (left, right, mark), spans in rows.items() for span in spans}


MERGED = ("mode", "batch_size", "hidden_size", "seq_len")
"""The axes along which neighbours are merged; cases that differ in any other are never in one region."""


@dataclass(frozen=True, eq=False)
class Region:
    """Cases, one for each combination of the values of MERGED, of one `standing`: the same implementation is the
    fastest, the same ones tie, or none is clearly ahead.

    `names` are those that are or may be the fastest in any of them; `rows` their cells in the cases where they may be;
    `fixed` the other axes, with `input` for the input size.
    """

    fixed: Mapping[str, Any]
    spans: Mapping[str, tuple[Any, ...]]
    standing: str
    names: tuple[str, ...]
    rows: pd.DataFrame

    @property
    def cases(self) -> int:
        """How many it has."""
        return int(self.rows["case"].nunique())

    @property
    def gains(self) -> list[Estimate]:
        """The least and the greatest gain over REFERENCE in it, or the only one; of a tie those of the first. None
        where one of these is REFERENCE itself, or where there is none to take it over."""
        names = self.names[:1] if self.standing == TIED else self.names
        rows = self.rows[self.rows["implementation"].isin(names)].dropna(subset=["gain"])
        if rows.empty or REFERENCE in names:
            return []
        ends = [int(rows["gain"].argmin()), int(rows["gain"].argmax())]
        return [of_row(rows.iloc[k], "gain").ratio for k in (ends if len(rows) > 1 else ends[:1])]


def regions(cells: pd.DataFrame, won: Mapping[str, Winner]) -> list[Region]:
    """The regions of all cases that have a winner, by device and whatever else is never merged; of one such grid those
    with the most cases first."""
    cases = with_input(cells.drop_duplicates("case"))
    cases = cases[cases["case"].isin(list(won))]
    fixed = [axis if axis != "input_size" else "input" for axis in FIELDS if axis not in MERGED]
    found = []
    for values, part in cases.groupby(fixed, sort=True):
        found += sorted(_of_one_grid(dict(zip(fixed, values, strict=True)), part, won), key=lambda one: -one.cases)
    return found


def _of_one_grid(fixed: Mapping[str, Any], cases: pd.DataFrame, won: Mapping[str, Winner]) -> list[Region]:
    """The regions of cases that differ in MERGED alone."""
    scales: dict[str, list[Any]] = {axis: sorted(cases[axis].unique().tolist()) for axis in MERGED[1:]}
    scales = {"mode": [mode for mode in MODES if (cases["mode"] == mode).any()]} | scales
    points = {tuple(scales[axis].index(row[axis]) for axis in MERGED): won[row["case"]] for _, row in cases.iterrows()}
    marks = {point: (winner.standing, winner.names if winner.decided else ()) for point, winner in points.items()}
    found = []
    for box in boxes(marks):
        inside = [
            winner
            for point, winner in points.items()
            if all(low <= k <= high for k, (low, high) in zip(point, box, strict=True))
        ]
        spans = {axis: tuple(scales[axis][low : high + 1]) for axis, (low, high) in zip(MERGED, box, strict=True)}
        one = inside[0]
        names = one.names if one.decided else tuple(ordered(name for winner in inside for name in winner.names))
        found.append(Region(fixed, spans, one.standing, names, pd.concat([winner.rows for winner in inside])))
    return found
