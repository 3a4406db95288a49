"""The estimators as they are written down, one cell and one pass at a time, to hold the array forms against."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtri, stdtrit

from bench.table.observation import MOST_CLIPPED, SPIKE, STOPPED_ROUNDS_LEFT
from bench.table.stats import STORM

Floats = NDArray[np.float64]


def counting(taken: Floats, waited: Floats, stopped: Floats) -> tuple[Floats, bool]:
    """The seconds that count of the blocks of one cell in one pass, and whether anything is known of them."""
    running = np.maximum(taken - waited, taken / 100)
    if not np.isnan(running).any():
        return running, True
    if np.isnan(stopped).any():
        return taken, False
    enough = np.mean(stopped > 0) <= 1 - STOPPED_ROUNDS_LEFT
    return np.where((stopped > 0) & enough, math.nan, taken), True


def clipped(blocks: Floats, rate: float) -> Floats:
    """The blocks with so many of the largest as a rate of spikes lets expect reduced to the next largest."""
    ranked = sorted(block for block in blocks if math.isfinite(block))
    if not rate > 0 or len(ranked) < MOST_CLIPPED:
        return blocks
    expected = 0
    while pdtri(expected, 0.95) < rate * len(ranked):
        expected += 1
    return np.asarray(np.minimum(blocks, ranked[-min(len(ranked) // MOST_CLIPPED, expected) - 1]))


def spikes(blocks: Floats) -> int:
    """How many blocks are spikes."""
    return int((blocks > SPIKE * np.median(blocks)).sum())


def ratio_of_means(own: Floats, other: Floats) -> tuple[float, float]:
    """Log ratio of the means over the rounds in which both count, and its error."""
    both = np.isfinite(own) & np.isfinite(other)
    own, other = own[both], other[both]
    log = math.log(own.mean() / other.mean())
    if len(own) < 2:
        return log, math.nan
    deviations = own / own.mean() - other / other.mean()
    return log, float(deviations.std(ddof=1)) / math.sqrt(len(own))


def weights(values: Sequence[float], errors: Sequence[float], first: int) -> Floats:
    """What each pass weighs."""
    array, own = np.asarray(values, float), np.asarray(errors, float) ** 2
    if len(array) < 2 or not np.isfinite(own).all() or not own.any():
        return np.ones(len(array))
    usual = float(np.median(own)) or float(own[own > 0].min())
    own = np.maximum(own, usual)
    calm = own[:first] <= STORM**2 * usual
    weight = 1 / (own + between(array[:first][calm], own[:first][calm]))
    return np.asarray(weight / weight.mean())


def between(values: Floats, variances: Floats) -> float:
    """Paule and Mandel's variance between passes."""

    def squares(extra: float) -> float:
        weight = 1 / (variances + extra)
        return float((weight * (values - np.average(values, weights=weight)) ** 2).sum())

    if len(values) < 2 or squares(0.0) <= len(values) - 1:
        return 0.0
    low, high = 0.0, 10 * float(values.var(ddof=1))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if squares(middle) > len(values) - 1 else (low, middle)
    return high


def interval(values: Sequence[float], errors: Sequence[float], first: int) -> tuple[float, float, float]:
    """Mean over passes with its 95 % interval; NaN for the ends where fewer than two of the first are there."""
    array, weight = np.asarray(values, float), weights(values, errors, first)
    mean = float(np.average(array, weights=weight))
    planned, their = array[:first], weight[:first]
    if len(planned) < 2:
        return mean, math.nan, math.nan
    deviations = planned - np.average(planned, weights=their)
    spread = math.sqrt(float((their / their.mean() * deviations**2).sum()) / (len(planned) - 1))
    half = float(stdtrit(len(planned) - 1, 0.975)) * spread / math.sqrt(float(weight.sum() / their.mean()))
    return mean, mean - half, mean + half
