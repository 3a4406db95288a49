"""What all cells of a machine share from run to run, taken off.

A shared machine has moods that a control does not follow to the last percent: interpreted code slows more than products
do, for minutes or for a day. In 30 runs of one commit beside other work, 20 cells had moods of 1.4 % in common, which
lasted for runs, and 0.8 % of their own, which did not. A mood that lasts looks like a change of level: 14 of the 20 are
given one if it is left in, none if it is taken off.

    mood = the median over cells of each run's deviation from the cell's own median
    less its own changes of level by LEAST_SHARED or more: what moved most cells so far is a change of each of them
    each cell less the mood

What moves most cells of a machine by less, for good, can't be told from a mood that lasts, and is taken for one. Where
a machine has fewer than FEWEST cells, nothing is taken off: they are too few to tell a mood from a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from bench.history.shifts import MIN_POINTS, Values, calm, likeness, shifts

FEWEST = 6
"""Cells of a run from which their median is a mood, and no cell's own."""

LEAST_SHARED = 0.05
"""Moods of up to 3 % were seen to last for five runs and longer."""


def steadied(logs: Sequence[ArrayLike], runs: Sequence[Sequence[int]] = ()) -> list[Values]:
    """The series of one machine, logarithms, less the mood of their runs. `runs` numbers the runs of each; without it
    all begin with the first. Raises ModuleNotFoundError without ruptures."""
    series = [np.asarray(each, float) for each in logs]
    numbers = runs or [range(len(each)) for each in series]
    off = _moods(series, numbers)
    return [each - np.asarray([off.get(run, 0.0) for run in own]) for each, own in zip(series, numbers, strict=True)]


def _moods(series: Sequence[Values], numbers: Sequence[Sequence[int]]) -> dict[int, float]:
    """Number of a run -> its mood; none where too few cells were measured, or in too few runs."""
    deviations: dict[int, list[float]] = {}
    for each, own in zip(series, numbers, strict=True):
        for run, deviation in zip(own, each - np.median(each), strict=True):
            deviations.setdefault(run, []).append(float(deviation))
    known = {run: float(np.median(found)) for run, found in sorted(deviations.items()) if len(found) >= FEWEST}
    if len(known) < MIN_POINTS:
        return {}
    shared = np.asarray(list(known.values()))
    return dict(zip(known, (shared - _levels(shared)).tolist(), strict=True))


def _levels(shared: Values) -> Values:
    """The level of a mood at each run: what is as large and lasts is none."""
    found = shifts(shared, likeness([shared]))
    large = [shift.at for shift in found if abs(shift.after - shift.before) >= math.log1p(LEAST_SHARED)]
    edges = [0, *large, len(shared)]
    steady = calm(shared)
    parts = [steady[begin:end] for begin, end in pairwise(edges)]
    return np.concatenate([np.full(len(part), part.mean()) for part in parts])
