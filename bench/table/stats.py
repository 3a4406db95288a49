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
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


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
    ends = np.exp([logs.value, logs.low, logs.high])
    return Estimate(float(ends[0]), float(ends[1]), float(ends[2]), logs.passes)


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
    found = intervals_of_means(
        np.array([values], float), first, confidence, None if errors is None else np.array([errors], float)
    )
    return Estimate(float(found.value[0]), float(found.low[0]), float(found.high[0]), len(values))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Many Estimates of the same number of passes, each an array with one entry for each; and what they come from:
    standard errors and degrees of freedom of means, or of logarithms."""

    value: Floats
    low: Floats
    high: Floats
    error: Floats
    freedom: Ints


def intervals_of_means(
    values: Floats, first: int | Ints | None = None, confidence: float = CONFIDENCE, errors: Floats | None = None
) -> Estimates:
    """`interval_of_mean` of every line of a matrix, which has a column for each pass; `first` may differ by line."""
    mean, error, freedom = weighted_means(values, first, errors)
    half = np.where(freedom > 0, stdtrit(np.maximum(freedom, 1), 0.5 + confidence / 2) * error, math.nan)
    return Estimates(mean, mean - half, mean + half, error, freedom)


def weighted_mean(
    values: Sequence[float], first: int | None = None, errors: Sequence[float] | None = None
) -> tuple[float, float, int]:
    """The mean over passes, its standard error (NaN from fewer than 2) and degrees of freedom; as in
    `interval_of_mean`."""
    mean, error, freedom = weighted_means(
        np.array([values], float), first, None if errors is None else np.array([errors], float)
    )
    return float(mean[0]), float(error[0]), int(freedom[0])


def weighted_means(
    values: Floats, first: int | Ints | None = None, errors: Floats | None = None
) -> tuple[Floats, Floats, Ints]:
    """The same of every line of a matrix."""
    planned, weight = _planned(values, first), weights(values, errors, first)
    count, mean = planned.sum(axis=-1), _average(values, weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = weight.sum(axis=-1) / (np.where(planned, weight, 0.0).sum(axis=-1) / count)
        error = np.where(count > 1, _spread(values, weight, planned) / np.sqrt(share), math.nan)
    return mean, error, np.maximum(count - 1, 0)


def weights(values: ArrayLike, errors: ArrayLike | None = None, first: int | Ints | None = None) -> Floats:
    """What each pass weighs: 1 / (variance between passes + its own error squared), 1 for all where an error is not
    known. A pass that met a storm has rounds that disagree, and so a large error. Errors below the median count as the
    median: from few rounds an error may come out small by luck, and no pass should weigh more for that.

    The variance between passes is that of Paule and Mandel, which makes the weighted squares of the `first` passes add
    up to what they should (Journal of Research of the NBS 87, 1982, 377-385); how much processes differ is asked of the
    passes that met no storm. With these weights the t interval of `interval_of_mean` is that of Hartung and Knapp
    (Statistics in Medicine 20, 2001, 3875-3889), which holds its 95 % also for few values of unequal errors.

    The weights are 1 on average. A matrix has one set of passes in each line.
    """
    array = np.asarray(values, float)
    if errors is None or array.shape[-1] < 2:
        return np.ones(array.shape)
    found, own = np.ones(array.shape), np.asarray(errors, float) ** 2
    known = np.isfinite(own).all(axis=-1) & own.any(axis=-1)
    if known.any():
        chosen = (np.atleast_2d(each)[np.atleast_1d(known)] for each in (array, own, _planned(array, first)))
        found[known] = _by_error(*chosen).reshape(found[known].shape)
    return found


def _by_error(values: Floats, own: Floats, planned: Flags) -> Floats:
    """The weights of lines whose errors are known, from their squares."""
    usual = np.median(own, axis=-1, keepdims=True)
    usual = np.where(usual > 0, usual, np.where(own > 0, own, math.inf).min(axis=-1, keepdims=True))
    own = np.maximum(own, usual)
    weight = 1 / (own + _between(values, own, planned & (own <= STORM**2 * usual))[:, None])
    return np.asarray(weight / weight.mean(axis=-1, keepdims=True), float)


def _between(values: Floats, variances: Floats, counting: Flags) -> Floats:
    """Paule and Mandel's variance between the passes that count, by bisection, line by line; 0 where their own errors
    explain the scatter."""
    count = counting.sum(axis=-1)
    found = np.zeros(len(values))

    def squares(between: Floats, lines: Ints) -> Floats:
        weight = np.where(counting[lines], 1 / (variances[lines] + between[:, None]), 0.0)
        deviations = values[lines] - _average(values[lines], weight)[:, None]
        return np.asarray((weight * deviations**2).sum(axis=-1))

    several = np.flatnonzero(count > 1)
    open_ = several[squares(np.zeros(len(several)), several) > count[several] - 1]
    if len(open_):
        where = counting[open_]
        low, high = np.zeros(len(open_)), 10 * np.var(values[open_], axis=-1, ddof=1, where=where)
        for _ in range(60):
            middle = (low + high) / 2
            above = squares(middle, open_) > count[open_] - 1
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        found[open_] = high
    return found


def _spread(values: Floats, weight: Floats, planned: Flags) -> Floats:
    """The standard deviation of a value of mean weight, among those planned of each line."""
    weight, count = np.where(planned, weight, 0.0), planned.sum(axis=-1)
    weight = weight / (weight.sum(axis=-1) / count)[..., None]
    squares = (weight * (values - _average(values, weight)[..., None]) ** 2).sum(axis=-1)
    return np.asarray(np.sqrt(squares / (count - 1)))


def _average(values: Floats, weight: Floats) -> Floats:
    return np.asarray((values * weight).sum(axis=-1) / weight.sum(axis=-1))


def _planned(values: Floats, first: int | Ints | None) -> Flags:
    """Which of the passes are among the first; None and 0 stand for all of them."""
    count = np.asarray(0 if first is None else first)[..., None]
    return np.broadcast_to((np.arange(values.shape[-1]) < count) | (count == 0), values.shape)


def passes_needed(log_ratios: Sequence[float], half_width: float, errors: Sequence[float] | None = None) -> int:
    """How many passes in all make the interval's half width at most `half_width`, judged by these first ones.

    Stein's second stage: n = ceil((t s / d)^2), never fewer than there are. Raises ValueError for fewer than 2.
    """
    if len(log_ratios) < 2:
        raise ValueError("the spread between passes cannot be seen in fewer than 2 passes")
    values = np.asarray(log_ratios, float)
    spread = float(_spread(values, weights(values, errors), np.ones(len(values), bool)))
    needed = (_quantile(len(log_ratios) - 1, CONFIDENCE) * spread / half_width) ** 2
    return max(len(log_ratios), math.ceil(needed - 1e-9))


def p_values(mean: Floats, error: Floats, freedom: Floats | Ints, limit: float) -> Floats:
    """`p_above` of many means; NaN without degrees of freedom."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(error == 0, np.where(mean > limit, 0.0, 1.0), stdtr(freedom, (limit - mean) / error))
    return np.where(freedom > 0, found, math.nan)


def p_above(mean: float, error: float, degrees_of_freedom: float, limit: float) -> float:
    """One-sided p-value of `the mean is at most limit`, by Student's t; `error` is the standard error of the mean."""
    return float(p_values(np.array([mean]), np.array([error]), np.array([degrees_of_freedom]), limit)[0])


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
