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
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95

STORM = 2.0
"""Times the median of the passes' errors: a pass beyond met a storm."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `low` and `high` are NaN where fewer than two passes give none."""

    value: float
    low: float
    high: float
    passes: int


def interval_of_ratio(
    log_ratios: Sequence[float],
    first: int | None = None,
    confidence: float = CONFIDENCE,
    errors: Sequence[float] | None = None,
) -> Estimate:
    """Geometric mean over passes, with Student's t interval on the logarithms.

    `first` and `errors` are as in `interval_of_mean`.
    """
    logs = interval_of_mean(log_ratios, first, confidence, errors)
    return Estimate(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high), logs.passes)


def interval_of_mean(
    values: Sequence[float],
    first: int | None = None,
    confidence: float = CONFIDENCE,
    errors: Sequence[float] | None = None,
) -> Estimate:
    """Mean over passes with Student's t interval, in the unit of the values, which may lie on either side of 0.

    `errors` is the standard error of each value within its pass, NaN where it is not known: passes that are less sure
    weigh less, see `weights`. Without them all weigh alike.

    `first` is how many passes were planned before any was seen. Passes added afterwards because the interval was
    still wide would make the usual interval promise too much; so the spread is taken from those first passes alone,
    with their degrees of freedom, and the later ones only move the mean: Stein's two-stage procedure, exact for
    normal values of one variance whatever the number added (C. Stein, Annals of Mathematical Statistics 16, 1945,
    243-258).
    """
    mean, error, freedom = weighted_mean(values, first, errors)
    if not freedom:
        return Estimate(mean, math.nan, math.nan, len(values))
    half = _quantile(freedom, confidence) * error
    return Estimate(mean, mean - half, mean + half, len(values))


def weighted_mean(
    values: Sequence[float], first: int | None = None, errors: Sequence[float] | None = None
) -> tuple[float, float, int]:
    """The mean over passes, its standard error (NaN from fewer than 2) and degrees of freedom; as in
    `interval_of_mean`."""
    array, weight = np.asarray(values, float), weights(values, errors, first)
    mean = float(np.average(array, weights=weight))
    planned, their = array[: first or len(array)], weight[: first or len(array)]
    if len(planned) < 2:
        return mean, math.nan, 0
    return mean, _spread(planned, their) / math.sqrt(float(weight.sum() / their.mean())), len(planned) - 1


def weights(
    values: Sequence[float], errors: Sequence[float] | None = None, first: int | None = None
) -> NDArray[np.float64]:
    """What each pass weighs: 1 / (variance between passes + its own error squared), 1 for all where an error is not
    known. A pass that met a storm has rounds that disagree, and so a large error. Errors below the median count as the
    median: from few rounds an error may come out small by luck, and no pass should weigh more for that.

    The variance between passes is that of Paule and Mandel, which makes the weighted squares of the `first` passes add
    up to what they should (Journal of Research of the NBS 87, 1982, 377-385); how much processes differ is asked of the
    passes that met no storm. With these weights the t interval of `interval_of_mean` is that of Hartung and Knapp
    (Statistics in Medicine 20, 2001, 3875-3889), which holds its 95 % also for few values of unequal errors.

    The weights are 1 on average.
    """
    array, own = np.asarray(values, float), np.asarray([math.nan] if errors is None else errors, float) ** 2
    if len(array) < 2 or not np.isfinite(own).all() or not own.any():
        return np.ones(len(array))
    usual = float(np.median(own)) or float(own[own > 0].min())
    own = np.maximum(own, usual)
    planned, calm = slice(first), own[:first] <= STORM**2 * usual
    between = _between(array[planned][calm], own[planned][calm])
    weight = 1 / (own + between)
    return np.asarray(weight / weight.mean(), float)


def _between(values: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Paule and Mandel's variance between passes, by bisection; 0 where their own errors explain the scatter."""

    def squares(between: float) -> float:
        weight = 1 / (variances + between)
        return float((weight * (values - np.average(values, weights=weight)) ** 2).sum())

    if len(values) < 2 or squares(0.0) <= len(values) - 1:
        return 0.0
    low, high = 0.0, 10 * float(values.var(ddof=1))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if squares(middle) > len(values) - 1 else (low, middle)
    return high


def _spread(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """The standard deviation of a value of mean weight."""
    deviations = values - np.average(values, weights=weight)
    return math.sqrt(float((weight / weight.mean() * deviations**2).sum()) / (len(values) - 1))


def passes_needed(
    log_ratios: Sequence[float],
    half_width: float,
    errors: Sequence[float] | None = None,
) -> int:
    """How many passes in all make the interval's half width at most `half_width`, judged by these first ones.

    Stein's second stage: n = ceil((t s / d)^2), never fewer than there are. Raises ValueError for fewer than 2.
    """
    if len(log_ratios) < 2:
        raise ValueError("the spread between passes cannot be seen in fewer than 2 passes")
    spread = _spread(np.asarray(log_ratios, float), weights(log_ratios, errors))
    needed = (_quantile(len(log_ratios) - 1, CONFIDENCE) * spread / half_width) ** 2
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
