"""The scaling laws of a run: one for each way in each setting, with intervals, and with errors on what it has not seen.

The unit of replication is the pass, as everywhere: each pass has a law of its own, and intervals are over passes. They
say how well the three numbers are known, not how well the law holds; that, cells tell that were held out of its fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.cases import FIELDS, Case
from bench.law import PARTS, Floats, Law, Point, but, determined, fit, point_of, why_not
from bench.results import Run
from bench.stats import Estimate, interval_of_mean
from bench.summary import pass_seconds

SETTING = tuple(name for name in FIELDS if name not in ("input_size", "hidden_size", "seq_len"))
"""What one law holds for. The batch is among them although its size counts in the products: at batch 1 each weight is
read for a single multiply-add, in a larger batch for many, so that a product has another price."""


@dataclass(frozen=True, eq=False)
class Fit:
    """The law of one implementation in one setting, the fields SETTING of Case.

    `seconds` has one row for each pass that measured every point, one column for each point; `laws` are those of the
    passes, `without` those fitted to all points but one.
    """

    implementation: str
    setting: Mapping[str, Any]
    points: tuple[Point, ...]
    passes: tuple[int, ...]
    seconds: Floats
    laws: tuple[Law, ...]
    without: Mapping[Point, tuple[Law, ...]]

    @cached_property
    def parts(self) -> dict[str, Estimate]:
        """The mean over passes of each of PARTS, with Student's interval cut off at 0, which none can be below."""
        means = [interval_of_mean(values) for values in zip(*self.laws, strict=True)]
        kept = [replace(mean, low=float(np.maximum(mean.low, 0.0))) for mean in means]
        return dict(zip(PARTS, kept, strict=True))

    @cached_property
    def errors(self) -> Floats:
        """By how much of its time each point is missed by the laws without it: 0.1 is 10 % too much."""
        told = [np.mean([law.seconds(point) for law in self.without[point]]) for point in self.points]
        return np.array(told) / _means(self.seconds) - 1

    @property
    def held_out_error(self) -> float:
        """Median over points of the size of `errors`."""
        return float(np.median(np.abs(self.errors)))

    @property
    def worst(self) -> tuple[Point, float]:
        """The point missed by most, and its error."""
        k = int(np.argmax(np.abs(self.errors)))
        return self.points[k], float(self.errors[k])

    def beyond(self, size: Callable[[Point], int]) -> float:
        """Median error on the points of the greatest size, fitted to the others alone: what extrapolating costs.

        NaN where the others do not determine a law.
        """
        last = max(map(size, self.points))
        seen = [k for k, point in enumerate(self.points) if size(point) < last]
        if not determined([self.points[k] for k in seen]):
            return float("nan")
        times = _means(self.seconds)
        law = fit([self.points[k] for k in seen], times[seen])
        unseen = [k for k in range(len(times)) if k not in seen]
        return float(np.median([abs(law.seconds(self.points[k]) / times[k] - 1) for k in unseen]))


class Unfitted(NamedTuple):
    """An implementation without a law in a setting, of how many cells, and why."""

    implementation: str
    setting: Mapping[str, Any]
    cells: int
    reason: str


class Laws(NamedTuple):
    """Every law that a run's cells allow, and the rest with reasons."""

    fits: list[Fit]
    unfitted: list[Unfitted]


def laws(run: Run) -> Laws:
    """The laws of a run, in the order of its cells."""
    groups: dict[tuple[Any, ...], dict[Point, pd.Series]] = {}
    for (name, implementation), seconds in pass_seconds(run).items():
        case = Case.parse(name)
        key = (implementation, *(getattr(case, field) for field in SETTING))
        groups.setdefault(key, {})[point_of(case)] = seconds
    found = Laws([], [])
    for (implementation, *values), columns in groups.items():
        setting = dict(zip(SETTING, values, strict=True))
        whole = pd.concat(list(columns.values()), axis=1, keys=range(len(columns))).dropna().sort_index()
        if reason := why_not(list(columns)) or ("" if len(whole) else "no pass measured all of them"):
            found.unfitted.append(Unfitted(implementation, setting, len(columns), reason))
        else:
            found.fits.append(fit_way(implementation, setting, tuple(columns), whole))
    return found


def fit_way(implementation: str, setting: Mapping[str, Any], points: tuple[Point, ...], times: pd.DataFrame) -> Fit:
    """The laws of these points, from seconds by pass (rows, by number) and point (columns)."""
    seconds = times.to_numpy(float)
    without = {
        point: tuple(fit(but(points, k), row) for row in np.delete(seconds, k, axis=1))
        for k, point in enumerate(points)
    }
    by_pass = tuple(fit(points, row) for row in seconds)
    return Fit(implementation, setting, points, tuple(times.index), seconds, by_pass, without)


def _means(seconds: Floats) -> Floats:
    """The geometric mean over passes, as in the table of cells."""
    means: Floats = np.exp(np.log(seconds).mean(axis=0))
    return means
