"""Where one of two laws becomes the faster one, and how surely.

Two laws differ by level + slope x, a straight line in the number of steps at a given size, and in the products of a
step at a given number of steps. Sure is only what holds whichever cell is held out of both fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bench.table.law import Fit, Law, Point
from bench.table.stats import CONFIDENCE, interval_of_mean, t_half_width

Value = TypeVar("Value")


@dataclass(frozen=True)
class Crossover:
    """Which of two is faster from one end of a measured range to the other.

    `start` and `end` say it at the two ends: -1 the one, 1 the other, 0 if that can't be told. Up to `until` the
    answer is surely that of the start, after `since` that of the end; where the ends agree, these are the limits of a
    crossover outside the range, if there is one. NaN where there is nothing to say.
    """

    start: int
    end: int
    until: float = math.nan
    since: float = math.nan


def crossover(levels: Sequence[float], slopes: Sequence[float], first: float, last: float) -> Crossover:
    """The crossover of a difference, the one's time less the other's, with one level and one slope for each pass.

    Decided are the x at which Student's interval of the difference leaves out 0. Their limits are the roots of
    (mean of level + slope x)^2 = (t x standard error)^2: E. C. Fieller, Journal of the Royal Statistical Society B 16,
    1954, 175-185. With fewer than two passes nothing is decided.
    """
    start, end = (_sign([a + b * x for a, b in zip(levels, slopes, strict=True)]) for x in (first, last))
    limits = _limits(levels, slopes)
    inside = [x for x in limits if first < x < last]
    if start * end < 0:
        return Crossover(start, end, min(inside, default=first), max(inside, default=last))
    if start and end:
        outside = len(limits) == 2 and (limits[0] > last or limits[1] < first)
        return Crossover(start, end, *limits) if outside else Crossover(start, end)
    if start:
        return Crossover(start, end, until=min(inside, default=first))
    return Crossover(start, end, since=max(inside, default=last) if end else math.nan)


def agreed(found: Sequence[Crossover], first: float, last: float) -> Crossover:
    """What all of these say of one range."""
    start, end = (signs.pop() if len(signs) == 1 else 0 for signs in ({f.start for f in found}, {f.end for f in found}))
    if start == end or start * end < 0:  # all of one kind: NaN stays NaN, for min and max below keep it
        until, since = np.min([f.until for f in found]), np.max([f.since for f in found])
        return Crossover(start, end, float(until), float(since)) if start else Crossover(0, 0)
    if start:
        return Crossover(start, 0, until=min(last if f.end == start else f.until for f in found))
    return Crossover(0, end, since=max(first if f.start == end else f.since for f in found))


def along_steps(one: Fit, other: Fit, products: int) -> Crossover:
    """The crossover in the number of steps at a size, over the lengths at which both were measured."""
    lengths = [point.steps for point in common(one, other) if point.products == products]

    def line(law: Law) -> tuple[float, float]:
        return law.fixed, law.per_step + law.per_product * products

    return _along(one, other, line, min(lengths), max(lengths))


def along_products(one: Fit, other: Fit, steps: int, first: int, last: int) -> Crossover:
    """The crossover in the products of a step at a number of steps, between two sizes of product."""
    return _along(one, other, lambda law: (law.fixed + steps * law.per_step, steps * law.per_product), first, last)


def common(one: Fit, other: Fit) -> list[Point]:
    """The points at which both were measured, in order."""
    return sorted(set(one.points) & set(other.points))


def contradicted(one: Fit, other: Fit, point: Point) -> bool:
    """Whether the laws decide a point one way and its measured times the other."""
    said = _sign([a.seconds(point) - b.seconds(point) for a, b in _paired(one, other, one.laws, other.laws)])
    times = (np.log(fit.seconds[:, fit.points.index(point)]).tolist() for fit in (one, other))
    return said * _sign([a - b for a, b in _paired(one, other, *times)]) < 0


def _along(one: Fit, other: Fit, line: Callable[[Law], tuple[float, float]], first: float, last: float) -> Crossover:
    """What the laws say, and go on saying whichever common point is held out of both; `line` gives level and slope."""
    found = []
    held_out = [(one.without[point], other.without[point]) for point in common(one, other)]
    for laws, others in [(one.laws, other.laws), *held_out]:
        lines = [(line(a), line(b)) for a, b in _paired(one, other, laws, others)]
        levels, slopes = ([a[k] - b[k] for a, b in lines] for k in (0, 1))
        found.append(crossover(levels, slopes, first, last))
    return agreed(found, first, last)


def _paired(one: Fit, other: Fit, ones: Sequence[Value], others: Sequence[Value]) -> list[tuple[Value, Value]]:
    """What the two have of the same passes."""
    by_pass = dict(zip(other.passes, others, strict=True))
    return [(value, by_pass[number]) for number, value in zip(one.passes, ones, strict=True) if number in by_pass]


def _sign(differences: Sequence[float]) -> int:
    """On which side of 0 the interval of their mean lies; 0 if it holds 0, or if there is none."""
    if len(differences) < 2:
        return 0
    mean = interval_of_mean(differences)
    return int(mean.low > 0) - int(mean.high < 0)


def _limits(levels: Sequence[float], slopes: Sequence[float]) -> list[float]:
    """The ends of Fieller's set, in order: one, two, or none."""
    count = len(levels)
    if count < 2:
        return []
    level, slope = float(np.mean(levels)), float(np.mean(slopes))
    scale = t_half_width(1.0, count - 1, (1 - CONFIDENCE) / 2) ** 2 / count
    (variance, shared), (_, of_slope) = (scale * np.cov(levels, slopes)).tolist()
    a, b, c = slope**2 - of_slope, level * slope - shared, level**2 - variance
    inner = b**2 - a * c
    if a == 0:
        return [-c / (2 * b)] if b else []
    if inner < 0:
        return []
    return sorted([(-b - math.sqrt(inner)) / a, (-b + math.sqrt(inner)) / a])
