"""Cells of a grid that hold the same, merged into as few boxes as merging neighbours gives."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import permutations

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
