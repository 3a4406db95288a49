"""How good predicted rankings are: each measured case left out in turn, ranked by the others' laws, held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench import law
from bench.advice.ranking import ranked, why_not
from bench.law import Point, but
from bench.scaling import Fit, fit_way

CLOSE = 0.03
"""A way that is slower by less than this is as good an answer as the fastest."""


@dataclass(frozen=True)
class HeldOut:
    """What became of predicted rankings where the truth is known.

    `losses` has, for each case that was left out, by which share of the time of the measured fastest the one named
    first was slower: 0 where it was the fastest. `among` counts the cases whose measured fastest was not ruled out,
    `ruled_out` the ways that were called slower than the one named first, `wrongly` those of them that were faster.
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
    relied on. Cases with fewer than two ways left say nothing.
    """
    losses, among, ruled_out, wrongly = list[float](), 0, 0, 0
    for point in sorted({point for fit in fits for point in fit.points}):
        without = {fit.implementation: each for fit in fits if (each := _without(fit, point)) and not why_not(each)}
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
    return fit_way(fit.implementation, fit.setting, rest, pd.DataFrame(np.delete(fit.seconds, k, 1), fit.passes))


def _seconds(fit: Fit, point: Point) -> float:
    """The geometric mean over passes of what was measured."""
    return float(np.exp(np.log(fit.seconds[:, fit.points.index(point)]).mean()))
