"""The leader of each case, the one that none is faster than, and how far the others are behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.table.comparison import Comparison, together
from bench.table.sampled import Ratios, Sampled, nothing
from bench.table.segments import Ints
from bench.table.stats import Floats


@dataclass(frozen=True, eq=False)
class Led:
    """Of some cases, each with several cells: the number of each case's leader, and `ratios` of the other cells'
    times over its, one for each of `cells`, which belong to the cases `whose`; NaN at the leader itself."""

    leader: Ints
    cells: Ints
    whose: Ints
    ratios: Ratios


def leaders(sampled: Sampled, cases: Sequence[Sequence[int]], first: int | None = None) -> Led:
    """The leaders of cases of two cells or more, given as the numbers of their cells in `sampled`.

    The first try is the one with the shortest blocks. Whoever is faster by the value of the ratio is the next; ratios
    of incomplete passes need not agree on one, and then it is the last of as many tries as there are cells.
    """
    sizes = np.array([len(each) for each in cases], np.int64)
    whose, cells = np.repeat(np.arange(len(cases)), sizes), np.array([k for each in cases for k in each], np.int64)
    leader = _least(whose, cells, _mean_blocks(sampled)[cells], len(cases))
    led = leader.copy()
    found = nothing(len(cells))
    for tried in range(int(sizes.max(initial=0))):
        open_ = (leader >= 0) & (sizes > tried)
        led[open_] = leader[open_]
        at = np.flatnonzero(open_[whose] & (cells != leader[whose]))
        ratios = sampled.ratios(leader[whose[at]], cells[at], first)
        for name in ("value", "low", "high", "passes", "p"):
            getattr(found, name)[np.flatnonzero(open_[whose])] = 0 if name == "passes" else math.nan
            getattr(found, name)[at] = getattr(ratios, name)
        ahead = at[ratios.value < 1]
        leader = _least(whose[ahead], cells[ahead], found.value[ahead], len(cases))
    return Led(led, cells, whose, found)


def against_the_leader(case: str, samples: Mapping[str, pd.DataFrame], first: int | None = None) -> list[Comparison]:
    """The leader of a case, `one` of each, with every other implementation; nothing for fewer than two."""
    if len(samples) < 2:
        return []
    sampled, names = together(samples), list(samples)
    led = leaders(sampled, [range(len(names))], first)
    return [
        Comparison(case, names[led.leader[0]], names[k], led.ratios.at(k), p=float(led.ratios.p[k]))
        for k in led.cells
        if k != led.leader[0]
    ]


def _least(whose: Ints, cells: Ints, values: Floats, cases: int) -> Ints:
    """Of each case the cell with the least value, the first of equal ones; -1 for a case that has none."""
    found = np.full(cases, -1)
    order = np.lexsort((values, whose))
    first = order[np.diff(whose[order], prepend=-1) != 0]
    found[whose[first]] = cells[first]
    return found


def _mean_blocks(sampled: Sampled) -> Floats:
    """The mean of the blocks of each cell that count."""
    if not len(sampled.cells):
        return np.zeros(0)
    there = np.isfinite(sampled.counted)
    starts = sampled.ends[:-1]
    sums = np.add.reduceat(np.where(there, sampled.counted, 0.0), starts)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / np.add.reduceat(there, starts, dtype=float))
