"""Neighbouring cases with the same winner, the same tie, or somebody in the running in all of them, as one region.

regions(cells, won)     the regions of a table
boxes(marks)            points of a grid of which the same can be said, as few boxes as merging neighbours gives
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pandas as pd

from bench.cases.case import FIELDS, MODES
from bench.table.cells import REFERENCE, with_input
from bench.table.comparison import TIED, UNDECIDED, of_row
from bench.table.stats import Estimate
from bench.table.winners import Winner

Span = tuple[int, int]
"""First and last index along one axis."""

Box = tuple[Span, ...]


Mark = tuple[str, tuple[str, ...]]
"""What a case or a box holds: its standing, and the names."""


def joined(one: Mark, other: Mark) -> Mark | None:
    """What can be said of both, if anything: the same of the same; of two that are undecided the names in the running
    in both, where there are any."""
    if one == other:
        return one
    shared = tuple(name for name in one[1] if name in other[1])
    return (UNDECIDED, shared) if one[0] == other[0] == UNDECIDED and shared else None


def boxes(marks: Mapping[tuple[int, ...], Mark]) -> dict[Box, Mark]:
    """Boxes between them of every point once, in order, each with what holds at all of its points.

    A box has no point that is not in `marks`. Two that lie side by side, of the same extent along every other axis,
    become one where they have the same mark; when no more can, where their marks can be joined. Which axis goes first
    makes a difference: the fewest boxes are kept, of as few those of the first order of axes.
    """
    single = {tuple((k, k) for k in point): mark for point, mark in marks.items()}
    axes = range(len(next(iter(single), ())))
    found = [_merged(_merged(single, order, _same), order, joined) for order in permutations(axes)]
    return dict(sorted(min(found, key=len).items(), key=lambda item: item[0]))


Join = Callable[[Mark, Mark], Mark | None]


def _same(one: Mark, other: Mark) -> Mark | None:
    return one if one == other else None


def _merged(single: Mapping[Box, Mark], order: tuple[int, ...], join: Join) -> dict[Box, Mark]:
    """Merged along each axis in turn, again and again until nothing changes."""
    found, before = dict(single), -1
    while len(found) != before:
        before = len(found)
        for axis in order:
            found = _along(found, axis, join)
    return found


def _along(before: Mapping[Box, Mark], axis: int, join: Join) -> dict[Box, Mark]:
    """Neighbours along one axis as one."""
    rows: dict[tuple[Box, Box], list[tuple[Span, Mark]]] = {}
    for box, mark in sorted(before.items(), key=lambda item: item[0]):
        spans = rows.setdefault((box[:axis], box[axis + 1 :]), [])
        (first, last), both = spans[-1][0] if spans else (0, -2), join(spans[-1][1], mark) if spans else None
        if both and last + 1 == box[axis][0]:
            spans[-1] = ((first, box[axis][1]), both)
        else:
            spans.append((box[axis], mark))
    return {(*left, span, *right): mark for (left, right), spans in rows.items() for span, mark in spans}


MERGED = ("mode", "batch_size", "hidden_size", "seq_len")
"""The axes along which neighbours are merged; cases that differ in any other are never in one region."""


@dataclass(frozen=True, eq=False)
class Region:
    """Cases, one for each combination of the values of MERGED, of one `standing`: the same implementation is the
    fastest, the same ones tie, or none is clearly ahead.

    `names` are those that are or may be the fastest in every one of them, `rows` their cells; `alone` tells that no
    other may be in any of them. `fixed` is the other axes, with `input` for the input size.
    """

    fixed: Mapping[str, Any]
    spans: Mapping[str, tuple[Any, ...]]
    standing: str
    names: tuple[str, ...]
    alone: bool
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
    found = []
    for box, (standing, names) in boxes({at: (winner.standing, winner.names) for at, winner in points.items()}).items():
        inside = [
            winner
            for point, winner in points.items()
            if all(low <= k <= high for k, (low, high) in zip(point, box, strict=True))
        ]
        spans = {axis: tuple(scales[axis][low : high + 1]) for axis, (low, high) in zip(MERGED, box, strict=True)}
        rows = pd.concat([winner.rows for winner in inside])
        alone = all(len(winner.names) == len(names) for winner in inside)
        found.append(Region(fixed, spans, standing, names, alone, rows[rows["implementation"].isin(names)]))
    return found
