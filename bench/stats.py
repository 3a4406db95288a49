"""Estimates and their intervals: pure functions of arrays.

The unit of replication is the pass, one fresh process. Everything here takes one value per pass and assumes that
passes are independent and that the logarithms of ratios are roughly normal; the accuracy command checks both.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `low` and `high` are NaN where fewer than two passes give none."""

    value: float
    low: float
    high: float
    passes: int

    @property
    def half_width(self) -> float:
        """Half the interval relative to the value, on the logarithmic scale: 0.03 is roughly ±3 %."""
        return math.log(self.high / self.low) / 2 if self.low > 0 else math.nan


def median_log_ratio(numerator: ArrayLike, denominator: ArrayLike) -> float:
    """What one pass says of a ratio: the median, over its rounds, of the log ratio of the blocks of one round.

    The two blocks of a round are milliseconds apart, so that the machine's speed cancels; the median leaves out the
    rounds in which it changed between them.
    """
    return float(np.median(np.log(np.asarray(numerator, float)) - np.log(np.asarray(denominator, float))))


def interval_of_ratio(
    log_ratios: Sequence[float], first: int | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """Geometric mean over passes, with Student's t interval on the logarithms.

    `first` is as in `interval_of_mean`.
    """
    logs = interval_of_mean(log_ratios, first, confidence)
    return Estimate(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high), logs.passes)


def interval_of_mean(values: Sequence[float], first: int | None = None, confidence: float = CONFIDENCE) -> Estimate:
    """Mean over passes with Student's t interval, in the unit of the values, which may lie on either side of 0.

    `first` is how many passes were planned before any was seen. Passes added afterwards because the interval was
    still wide would make the usual interval promise too much; so the spread is taken from those first passes alone,
    with their degrees of freedom, and the later ones only move the mean: Stein's two-stage procedure, exact for
    normal values whatever the number added (C. Stein, Annals of Mathematical Statistics 16, 1945, 243-258).
    """
    array = np.asarray(values, float)
    count = len(array)
    mean = float(array.mean())
    planned = array[: first or count]
    if len(planned) < 2:
        return Estimate(mean, math.nan, math.nan, count)
    half = _quantile(len(planned) - 1, confidence) * float(planned.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half, count)


def passes_needed(log_ratios: Sequence[float], half_width: float, confidence: float = CONFIDENCE) -> int:
    """How many passes in all make the interval's half width at most `half_width`, judged by these first ones.

    Stein's second stage: n = ceil((t s / d)^2), never fewer than there are. Raises ValueError for fewer than 2.
    """
    if len(log_ratios) < 2:
        raise ValueError("the spread between passes cannot be seen in fewer than 2 passes")
    spread = float(np.std(log_ratios, ddof=1))
    needed = (_quantile(len(log_ratios) - 1, confidence) * spread / half_width) ** 2
    return max(len(log_ratios), math.ceil(needed - 1e-9))


def p_above(mean: float, error: float, degrees_of_freedom: float, limit: float) -> float:
    """One-sided p-value of `the mean is at most limit`, by Student's t; `error` is the standard error of the mean."""
    if error == 0:
        return 0.0 if mean > limit else 1.0
    return float(stdtr(degrees_of_freedom, (limit - mean) / error))


def t_half_width(error: float, degrees_of_freedom: float, level: float) -> float:
    """How far a one-sided bound at this level lies from the mean."""
    return float(-stdtrit(degrees_of_freedom, level)) * error


def holm(p_values: Mapping[Key, float], level: float, family: int, rejected: int = 0) -> tuple[dict[Key, float], float]:
    """Holm's step-down procedure (S. Holm, Scandinavian Journal of Statistics 6, 1979, 65-70).

    The smallest p-value is held against level / m, the next against level / (m - 1), and so on until one stands; m is
    the size of the family less those that were rejected before. Returns the hypotheses that fall, each with the level
    it was held against, and the level of the first that stands (of the last there was, if none does).
    """
    fallen: dict[Key, float] = {}
    held = level / max(1, family - rejected)
    for key in sorted(p_values, key=lambda key: p_values[key]):
        held = level / (family - rejected - len(fallen))
        if p_values[key] > held:
            break
        fallen[key] = held
    return fallen, held


def coefficient_of_variation(values: ArrayLike) -> float:
    """Standard deviation over mean."""
    array = np.asarray(values, float)
    return float(array.std(ddof=1) / array.mean())


def _quantile(degrees_of_freedom: int, confidence: float) -> float:
    """Student's t that holds `confidence` of the probability between minus and plus itself."""
    return float(stdtrit(degrees_of_freedom, 0.5 + confidence / 2))
