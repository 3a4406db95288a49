"""The samples of a run as arrays, and every ratio and interval that is wanted of them at once.

Sampled(samples)     cells, their passes and blocks by number
    .ratios(...)     Estimates of many pairs of cells
    .over(...)       of each cell's own time, or its time over the control's

A run may have tens of thousands of cells. What is done for one pair of cells is done here for all of them, one length
of pass and one number of passes after the other (`bench.table.segments`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.cases.case import Cell
from bench.table.observation import observed
from bench.table.segments import Ints, codes, groups, spread_out
from bench.table.stats import Estimate, Floats, intervals_of_means, p_values


@dataclass(frozen=True, eq=False)
class Ratios:
    """Many Estimates, each an array with one entry for each: ratios, ends of their intervals, passes they rest on, and
    the one-sided p-value of "it is not above 1"; NaN where nothing is known."""

    value: Floats
    low: Floats
    high: Floats
    passes: Ints
    p: Floats

    def at(self, k: int) -> Estimate:
        """One of them."""
        return Estimate(float(self.value[k]), float(self.low[k]), float(self.high[k]), int(self.passes[k]))

    def scattered(self, at: Ints, count: int) -> Ratios:
        """The same as `count` Estimates, these at the places `at`; of the others nothing is known."""
        found = nothing(count)
        for name in ("value", "low", "high", "passes", "p"):
            getattr(found, name)[at] = getattr(self, name)
        return found


def nothing(count: int) -> Ratios:
    """So many Estimates of which nothing is known."""
    value, low, high, p = (np.full(count, math.nan) for _ in range(4))
    return Ratios(value, low, high, np.zeros(count, np.int64), p)


@dataclass(frozen=True, eq=False)
class Logs:
    """What passes say: whose each is, in order, the number of the pass, the log of a ratio, and its error."""

    whose: Ints
    passes: Ints
    log: Floats
    error: Floats

    def estimates(self, count: int, first: int | None = None) -> Ratios:
        """Those of `count` ratios. `first` is how many passes were planned before any was seen; those added later have
        larger numbers (`bench.table.stats.interval_of_mean`)."""
        passes = np.bincount(self.whose, minlength=count)
        planned = np.bincount(self.whose[self.passes <= (first or math.inf)], minlength=count)
        value, low, high, p = (np.full(count, math.nan) for _ in range(4))
        starts = np.cumsum(passes) - passes
        for which in groups(passes):
            if passes[which[0]]:
                lines = starts[which][:, None] + np.arange(passes[which[0]])
                found = intervals_of_means(self.log[lines], planned[which], errors=self.error[lines])
                with np.errstate(over="ignore"):
                    value[which], low[which], high[which] = map(np.exp, (found.value, found.low, found.high))
                p[which] = p_values(found.value, found.error, found.freedom, 0.0)
        return Ratios(value, low, high, passes, p)


class Sampled:
    """Samples as `bench.table.observation.with_counted` gives them, by cell, pass and round in order.

    `cells` are those of `Cell`, by number; a pass of a cell is a segment of `lengths` blocks from one of `starts` on,
    and of the cell with the number `cell`.
    """

    def __init__(self, samples: pd.DataFrame) -> None:
        case, name = (samples[column].astype("category").cat for column in ("case", "implementation"))
        cell = codes(case.codes, name.codes)
        key = codes(cell, samples["pass"], samples["round"])
        in_order = bool((np.diff(key) > 0).all())
        self.frame = samples if in_order else samples.iloc[np.argsort(key, kind="stable")]
        if not in_order:
            cell = np.sort(cell)
        passes = self.frame["pass"].to_numpy()
        edges = (np.diff(cell, prepend=-1) != 0) | (np.diff(passes, prepend=-1) != 0)
        self.starts = np.flatnonzero(edges)
        self.lengths = np.diff(self.starts, append=len(cell))
        self.passes = passes[self.starts].astype(np.int64)
        firsts = np.flatnonzero(np.diff(cell[self.starts], prepend=-1) != 0)
        self.cell = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(self.starts)))
        self.pass_starts, self.pass_counts = firsts, np.diff(firsts, append=len(self.starts))
        rows = self.frame.iloc[self.starts[firsts]]
        self.cells: list[Cell] = list(zip(rows["case"].astype(str), rows["implementation"].astype(str), strict=True))
        self.number = {each: k for k, each in enumerate(self.cells)}
        self.evidence = np.logical_and.reduceat(self.column("evidence", bool), self.starts) if len(cell) else edges
        rounds = self.frame["round"].to_numpy(np.int64)
        last = rounds[self.starts + self.lengths - 1] - rounds[self.starts]
        self._whole = (rounds[self.starts] == 0) & (last == self.lengths - 1)  # rounds 0, 1, 2, ... without a gap
        self._rounds = rounds

    def column(self, name: str, dtype: type = float) -> NDArray[Any]:
        """A column of the samples, row by row."""
        return np.asarray(self.frame[name].to_numpy(dtype))

    @cached_property
    def counted(self) -> Floats:
        """Seconds of each block that count."""
        return np.asarray(self.frame["counted"].to_numpy(float))

    @cached_property
    def ends(self) -> Ints:
        """Of the rows of each cell: where they begin, and where the last ends."""
        return np.append(self.starts[self.pass_starts], len(self.frame))

    def rows(self, number: int) -> pd.DataFrame:
        """The samples of one cell."""
        return self.frame.iloc[self.ends[number] : self.ends[number + 1]]

    def over(self, column: str, denominator: str | None = None) -> Logs:
        """Of each cell the mean of a column in each pass, or its ratio to that of another column."""
        own = self.frame[column].to_numpy(float)
        other = None if denominator is None else self.frame[denominator].to_numpy(float)
        logs, errors = np.full(len(self.starts), math.nan), np.full(len(self.starts), math.nan)
        for which in groups(self.lengths):
            rows = self.starts[which][:, None] + np.arange(self.lengths[which[0]])
            below = np.ones(rows.shape) if other is None else other[rows]
            logs[which], errors[which] = observed(own[rows], below, self.evidence[which])
        return Logs(self.cell, self.passes, logs, errors)

    def ratios(self, one: Ints, other: Ints, first: int | None = None) -> Ratios:
        """How many times as long as each of `one` its `other` takes, both the numbers of cells of one Case, over the
        passes and rounds that both have."""
        return self.logs(np.asarray(one, np.int64), np.asarray(other, np.int64)).estimates(len(one), first)

    def logs(self, one: Ints, other: Ints) -> Logs:
        """The same pass by pass."""
        whose, own = spread_out(self.pass_starts[one], self.pass_counts[one])
        keys = self.cell << 32 | self.passes
        wanted = other[whose] << 32 | self.passes[own]
        base = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        both = keys[base] == wanted
        whose, own, base = whose[both], own[both], base[both]
        logs, errors, shared = (np.full(len(own), math.nan) for _ in range(3))
        shared = np.where(self._whole[own] & self._whole[base], np.minimum(self.lengths[own], self.lengths[base]), -1)
        for which in groups(shared):
            if (count := int(shared[which[0]])) >= 0:
                rows = [self.starts[of[which]][:, None] + np.arange(count) for of in (own, base)]
                self._observe(which, rows, (own, base), logs, errors)
        for k in np.flatnonzero(shared < 0):
            at = [np.arange(self.starts[of[k]], self.starts[of[k]] + self.lengths[of[k]]) for of in (own, base)]
            _, *common = np.intersect1d(
                self._rounds[at[0]], self._rounds[at[1]], assume_unique=True, return_indices=True
            )
            shared[k] = len(common[0])
            if shared[k]:
                rows = [each[inside][None] for each, inside in zip(at, common, strict=True)]
                self._observe(np.array([k]), rows, (own, base), logs, errors)
        kept = np.isfinite(logs)  # a pass in which they share no round that counts says nothing
        return Logs(whose[kept], self.passes[own[kept]], logs[kept], errors[kept])

    def _observe(
        self, which: Ints, rows: list[Ints], segments: tuple[Ints, Ints], logs: Floats, errors: Floats
    ) -> None:
        evidence = self.evidence[segments[0][which]] & self.evidence[segments[1][which]]
        logs[which], errors[which] = observed(self.counted[rows[1]], self.counted[rows[0]], evidence)
