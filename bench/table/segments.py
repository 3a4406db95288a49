"""Rows that belong together, such as the blocks of one cell in one pass, and how to handle many such segments at once.

Segments of one length are the lines of a matrix, so that what numpy does along the last axis is done to all of them in
one call, with the very arithmetic that a single one gets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Segments:
    """`order` has the rows, those of a segment side by side; a segment begins at one of `starts` there, and has one of
    `lengths`."""

    order: Ints
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, *keys: ArrayLike) -> Segments:
        """The segments of rows that agree in all keys, each an array with a whole number for every row; segments are in
        the order of their keys, the first key counting most, their rows as they were."""
        joined = codes(*keys)
        sorted_ = bool((np.diff(joined) >= 0).all())
        order = np.arange(len(joined)) if sorted_ else np.argsort(joined, kind="stable")
        starts = np.flatnonzero(np.diff(joined[order], prepend=-1) != 0)
        return cls(order, starts, np.diff(starts, append=len(joined)))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.starts)

    @property
    def first(self) -> Ints:
        """The first row of each."""
        return self.order[self.starts]

    def by_length(self) -> Iterator[tuple[Ints, Ints]]:
        """For each length: which segments have it, and their rows as a matrix with a line for each of them."""
        for which in groups(self.lengths):
            yield which, self.order[self.starts[which][:, None] + np.arange(self.lengths[which[0]])]


def codes(*keys: ArrayLike) -> Ints:
    """One whole number for each row that is equal, and sorts, as its keys do together."""
    joined = np.zeros(len(np.asarray(keys[0])), np.int64)
    for key in keys:
        values = np.asarray(key).astype(np.int64)
        if len(values):
            values = values - values.min()
            joined = joined * (int(values.max()) + 1) + values
    return joined


def groups(values: Ints) -> list[Ints]:
    """Where each distinct value stands."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1) if len(values) else []


def spread_out(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """The members of some ranges, one range after the other: whose each is, and the member."""
    whose = np.repeat(np.arange(len(starts)), lengths)
    within = np.arange(len(whose)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return whose, np.asarray(starts)[whose] + within
