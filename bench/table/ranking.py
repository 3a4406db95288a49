"""Implementations at a size by their laws: the fastest first, which of them may be the fastest, how often that is true.

Intervals of laws are over passes. A law can be well known and still not hold, so that one counts as slower than another
only where the interval of their ratio leaves out more than the errors of both laws. An error is the one that nine in
ten of the cells held out of a fit stay below. Tried on the 24 cases of the reference run, each left out in turn and
ranked by the others' laws (`held_out`):

    error of a law              fastest ruled out    ruled out in all    of these faster than the first
    median                      1                    81                  2
    nine in ten                 0                    52                  0
    nine in ten, of the ratio   1                    72                  2
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.table import law
from bench.table.law import Fit, Floats, Point, but, fit_law
from bench.table.stats import Estimate, interval_of_ratio

SHARE = 0.9
"""Of the cells held out of a fit, those whose error is no larger than the one that counts."""


class Ranking(NamedTuple):
    """Laws at a size, the fastest first, and those of them that may be the fastest, the first among them."""

    order: list[Fit]
    fastest: list[Fit]


def ranked(fits: Sequence[Fit], point: Point) -> Ranking:
    """What at least one law says of a point."""
    order = sorted(fits, key=lambda fit: seconds(fit, point).value)
    first = order[0]
    return Ranking(order, [first, *(fit for fit in order[1:] if not _behind(fit, first, point))])


def seconds(fit: Fit, point: Point) -> Estimate:
    """The time of a call, with its interval over passes."""
    return interval_of_ratio([math.log(law.seconds(point)) for law in fit.laws])


def ratio(one: Fit, other: Fit, point: Point) -> Estimate | None:
    """The one's time over the other's at a point, over the passes of both; None where they share none."""
    times = {number: law.seconds(point) for number, law in zip(one.passes, one.laws, strict=True)}
    logs = [
        math.log(times[number] / law.seconds(point))
        for number, law in zip(other.passes, other.laws, strict=True)
        if number in times
    ]
    return interval_of_ratio(logs) if logs else None


def error(fit: Fit, point: Point) -> float:
    """The share of the time by which a law may miss this point: what SHARE of the cells held out of its fit stay below,
    and beyond their range no less than what extrapolating in that direction costs; NaN where that is not known."""
    parts = [_most(np.abs(fit.errors))]
    if not within(point.steps, [each.steps for each in fit.points]):
        parts.append(fit.beyond(lambda each: each.steps))
    if not within(point.products, [each.products for each in fit.points]):
        parts.append(fit.beyond(lambda each: each.products))
    return math.nan if any(map(math.isnan, parts)) else max(parts)


def within(value: int, values: Sequence[int]) -> bool:
    """Whether a size lies between the least and the greatest of others."""
    return min(values) <= value <= max(values)


def _behind(one: Fit, best: Fit, point: Point) -> bool:
    """Whether the one is surely slower than the best; never where an error is not known."""
    found = ratio(one, best, point)
    return found is not None and found.low > (1 + error(one, point)) * (1 + error(best, point))


def _most(errors: Floats) -> float:
    """What one more of n exchangeable errors stays below with a probability of SHARE: the ceil(SHARE (n + 1))-th, or
    the largest of fewer than nine (V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005,
    chapter 2)."""
    rank = min(len(errors), math.ceil(SHARE * (len(errors) + 1)))
    return float(np.sort(errors)[rank - 1])


CLOSE = 0.03
"""One that is slower by less than this is as good an answer as the fastest."""


@dataclass(frozen=True)
class HeldOut:
    """What became of predicted rankings where the truth is known.

    `losses` has, for each case that was left out, by which share of the time of the measured fastest the one named
    first was slower: 0 where it was the fastest. `among` counts the cases whose measured fastest was not ruled out,
    `ruled_out` those that were called slower than the one named first, `wrongly` those of them that were faster.
    """

    losses: list[float]
    among: int
    ruled_out: int
    wrongly: int

    @property
    def cases(self) -> int:
        """How many were left out."""
        return len(self.losses)

    @property
    def close(self) -> int:
        """In how many the one named first was the fastest, or slower by less than CLOSE."""
        return sum(loss < CLOSE for loss in self.losses)

    @property
    def median_loss(self) -> float:
        """Of the cases in which the one named first was not the fastest; 0 where there are none."""
        missed = [loss for loss in self.losses if loss > 0]
        return float(np.median(missed)) if missed else 0.0


def held_out(fits: Sequence[Fit]) -> HeldOut | None:
    """Of the laws of one setting; None where no case can be left out.

    Everything is done anew without the case: fits, their errors on what is held out of them, and which of them are
    relied on. Cases with fewer than two implementations left say nothing.
    """
    losses, among, ruled_out, wrongly = list[float](), 0, 0, 0
    for point in sorted({point for fit in fits for point in fit.points}):
        without = {fit.implementation: each for fit in fits if (each := _without(fit, point)) and each.trusted}
        if len(without) < 2:
            continue
        order, may_be = ranked(list(without.values()), point)
        measured = {fit.implementation: _seconds(fit, point) for fit in fits if fit.implementation in without}
        first, fastest = order[0].implementation, min(measured, key=lambda name: measured[name])
        out = set(measured) - {fit.implementation for fit in may_be}
        losses.append(measured[first] / measured[fastest] - 1)
        among += fastest not in out
        ruled_out += len(out)
        wrongly += sum(measured[name] < measured[first] for name in out)
    return HeldOut(losses, among, ruled_out, wrongly) if losses else None


def _without(fit: Fit, point: Point) -> Fit | None:
    """The law of all points but this one; None where it isn't among them, or the others give no law."""
    if point not in fit.points:
        return None
    k = fit.points.index(point)
    rest = tuple(but(fit.points, k))
    if law.why_not(rest):
        return None
    return fit_law(fit.implementation, fit.setting, rest, pd.DataFrame(np.delete(fit.seconds, k, 1), fit.passes))


def _seconds(fit: Fit, point: Point) -> float:
    """The geometric mean over passes of what was measured."""
    return float(np.exp(np.log(fit.seconds[:, fit.points.index(point)]).mean()))
