"""Estimates: against hand calculations, against scipy, and by how often their intervals hold a planted truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.table.stats import (
    Estimate,
    coefficient_of_variation,
    interval_of_mean,
    interval_of_ratio,
    passes_needed,
    weighted_mean,
    weights,
)

T_975 = {1: 12.706204736, 2: 4.302652730, 4: 2.776445105}
"""Student's t at 97.5 % by degrees of freedom, from printed tables."""

TRUTH = math.log(4.2)
SPREAD = 0.05
RUNS = 2000


def half_width_of(estimate: Estimate) -> float:
    """Half the interval relative to the value, on the logarithmic scale: 0.03 is roughly ±3 %."""
    return math.log(estimate.high / estimate.low) / 2 if estimate.low > 0 else math.nan


def test_interval_by_hand() -> None:
    """Ratios e^1, e^2, e^3: mean 2, spread 1, half width t(2) / sqrt(3), all on the logarithmic scale."""
    estimate = interval_of_ratio([1.0, 2.0, 3.0])
    half = T_975[2] / math.sqrt(3)
    assert estimate.value == pytest.approx(math.exp(2))
    assert estimate.low == pytest.approx(math.exp(2 - half))
    assert estimate.high == pytest.approx(math.exp(2 + half))
    assert half_width_of(estimate) == pytest.approx(half)
    assert estimate.passes == 3


def test_interval_of_a_mean_by_hand() -> None:
    """Values -1, 0, 1 in their own unit: mean 0, spread 1, half width t(2) / sqrt(3); one pass gives no interval."""
    half = T_975[2] / math.sqrt(3)
    estimate = interval_of_mean([-1.0, 0.0, 1.0])
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0, -half, half))
    alone = interval_of_mean([3.0])
    assert (alone.value, alone.passes) == (3.0, 1) and math.isnan(alone.low) and math.isnan(alone.high)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_interval_is_scipys(confidence: float) -> None:
    """Student's interval as scipy computes it, at any confidence."""
    values = np.random.default_rng(1).normal(TRUTH, SPREAD, 7)
    wanted = scipy_stats.ttest_1samp(values, 0).confidence_interval(confidence)
    estimate = interval_of_ratio(values.tolist(), confidence=confidence)
    assert (math.log(estimate.low), math.log(estimate.high)) == pytest.approx((wanted.low, wanted.high))


def test_interval_of_an_inverse_is_the_inverse() -> None:
    """Twice as fast and half as long say the same: nothing depends on which side is the denominator."""
    values = [0.1, 0.2, 0.4]
    estimate, inverse = interval_of_ratio(values), interval_of_ratio([-value for value in values])
    assert (inverse.value, inverse.low, inverse.high) == pytest.approx(
        (1 / estimate.value, 1 / estimate.high, 1 / estimate.low)
    )


def test_steins_interval_takes_the_spread_from_the_first_passes() -> None:
    """Two passes planned, two added: the mean of all four, the spread and t of the first two, over sqrt(4)."""
    estimate = interval_of_ratio([1.0, 2.0, 10.0, 11.0], first=2)
    half = T_975[1] * math.sqrt(0.5) / 2
    wanted = (math.exp(6), math.exp(6 - half), math.exp(6 + half))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(wanted)
    assert estimate.passes == 4


@pytest.mark.parametrize("first", [None, 0, 3, 9])
def test_without_added_passes_steins_interval_is_students(first: int | None) -> None:
    """All, or more than there are, or nothing said of the first: the ordinary interval."""
    values = [0.1, 0.3, 0.2]
    assert interval_of_ratio(values, first) == interval_of_ratio(values)


@pytest.mark.parametrize(("values", "first"), [([0.5], None), ([0.5, 0.7, 0.6], 1)])
def test_one_planned_pass_gives_no_interval(values: list[float], first: int | None) -> None:
    """The value is there, its ends are NaN, and so is the half width."""
    estimate = interval_of_ratio(values, first)
    assert estimate.value == pytest.approx(math.exp(sum(values) / len(values)))
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert math.isnan(half_width_of(estimate))
    assert estimate.passes == len(values)


def test_equal_passes_give_a_point() -> None:
    """No spread, no width: a baseline's ratio to itself is 1 exactly."""
    assert interval_of_ratio([0.0] * 5) == Estimate(1.0, 1.0, 1.0, 5)


def test_passes_needed_by_hand() -> None:
    """ceil((t s / d)^2): five values of spread 1 for a half width of 1 need ceil(2.776^2) = 8."""
    values = [-math.sqrt(2), 0.0, 0.0, 0.0, math.sqrt(2)]
    assert np.std(values, ddof=1) == pytest.approx(1)
    assert passes_needed(values, 1.0) == math.ceil(T_975[4] ** 2) == 8
    assert passes_needed(values, 0.5) == math.ceil(4 * T_975[4] ** 2)
    assert passes_needed(values, 100.0) == 5, "never fewer than there are"


@pytest.mark.parametrize("half_width", [0.01, 0.03, 0.1])
def test_as_many_passes_as_needed_are_enough_and_one_fewer_is_not(half_width: float) -> None:
    """The interval over that many passes is as narrow as asked, whatever the later ones say."""
    first = [1.0, 1.02, 0.97, 1.05, 0.99]
    count = passes_needed(first, half_width)
    later = np.random.default_rng(2).normal(0, 5, 10_000).tolist()
    assert half_width_of(interval_of_ratio((first + later)[:count], first=5)) <= half_width * (1 + 1e-9)
    if count > 5:
        assert half_width_of(interval_of_ratio((first + later)[: count - 1], first=5)) > half_width


@pytest.mark.parametrize("values", [[], [1.0]])
def test_passes_needed_refuses_fewer_than_two(values: list[float]) -> None:
    """One pass shows no spread."""
    with pytest.raises(ValueError, match="fewer than 2 passes"):
        passes_needed(values, 0.03)


def test_coefficient_of_variation_by_hand() -> None:
    """Spread 1 over mean 2."""
    assert coefficient_of_variation([1.0, 2.0, 3.0]) == pytest.approx(0.5)


def coverage(held: int) -> float:
    """Give the share of the simulated runs whose interval held the truth."""
    return held / RUNS


def holds(estimate: Estimate) -> bool:
    """Tell whether the interval holds the planted ratio."""
    return estimate.low <= math.exp(TRUTH) <= estimate.high


def test_intervals_of_five_passes_hold_the_truth() -> None:
    """95 % of 2,000 simulated runs of five passes, give or take two."""
    draw = np.random.default_rng(3)
    held = sum(holds(interval_of_ratio(draw.normal(TRUTH, SPREAD, 5).tolist())) for _ in range(RUNS))
    assert 0.93 <= coverage(held) <= 0.97


@pytest.mark.parametrize("half_width", [0.02, 0.05])
def test_intervals_of_two_stage_runs_hold_the_truth(half_width: float) -> None:
    """Five passes, then as many as they say are needed: still 95 %, and every interval as narrow as asked."""
    draw = np.random.default_rng(4)
    held, added = 0, 0
    for _ in range(RUNS):
        first = draw.normal(TRUTH, SPREAD, 5)
        more = draw.normal(TRUTH, SPREAD, passes_needed(first.tolist(), half_width) - 5)
        estimate = interval_of_ratio([*first, *more], first=5)
        assert half_width_of(estimate) <= half_width * (1 + 1e-9)
        held, added = held + holds(estimate), added + len(more)
    assert 0.93 <= coverage(held) <= 0.97
    assert added > RUNS, "the second stage must have been put to use"


def test_adding_passes_until_the_interval_looks_narrow_promises_too_much() -> None:
    """The reason for Stein: the usual interval, looked at after each pass until it is narrow, holds too rarely."""
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(RUNS):
        values = draw.normal(TRUTH, SPREAD, 3).tolist()
        while half_width_of(interval_of_ratio(values)) > 0.05:
            values.append(float(draw.normal(TRUTH, SPREAD)))
        held += holds(interval_of_ratio(values))
    assert coverage(held) < 0.93


# Passes that are less sure


def test_equal_errors_weigh_alike() -> None:
    """Then the estimate is the plain one, to the last digit that counts."""
    values = [1.0, 1.3, 0.9, 1.2]
    assert weights(values, [0.1] * 4).tolist() == pytest.approx([1.0] * 4)
    assert interval_of_ratio(values, errors=[0.1] * 4).high == pytest.approx(interval_of_ratio(values).high)


def test_a_pass_in_a_storm_weighs_little() -> None:
    """Four passes agree within their errors; the fifth is far off, and its rounds say so."""
    values, errors = [1.10, 1.11, 1.09, 1.10, 0.20], [0.01, 0.01, 0.01, 0.01, 0.9]
    assert weights(values, errors)[-1] < 0.01
    estimate = interval_of_mean(values, errors=errors)
    assert estimate.value == pytest.approx(1.10, abs=0.005)
    assert interval_of_mean(values).value == pytest.approx(0.92)


def test_a_pass_far_off_that_is_sure_counts() -> None:
    """Processes differ: without an error of its own a pass is no worse than the others, and the interval is wide."""
    values = [1.10, 1.11, 1.09, 1.10, 0.20]
    estimate = interval_of_mean(values, errors=[0.01] * 5)
    assert estimate.value == pytest.approx(0.92)
    assert estimate.high - estimate.low > 0.9


def test_no_pass_weighs_more_for_a_small_error() -> None:
    """Errors of few rounds come out small by luck: below the median they count as the median."""
    found = weights([1.0, 1.1, 0.9], [1e-9, 0.1, 0.1])
    assert found.tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("errors", [None, [math.nan, 0.1, 0.1], [0.0, 0.0, 0.0]])
def test_unknown_errors_weigh_alike(errors: list[float] | None) -> None:
    """One that is not known, or none at all, says nothing of the others."""
    assert weights([1.0, 2.0, 4.0], errors).tolist() == [1.0] * 3


def test_weighted_mean_by_hand() -> None:
    """Mean, standard error and degrees of freedom, by Hartung and Knapp's formula written out."""
    values, errors = [1.0, 2.0, 1.0], [0.1, 10.0, 0.1]
    weight = weights(values, errors)
    mean, error, freedom = weighted_mean(values, errors=errors)
    wanted = sum(w * v for w, v in zip(weight, values, strict=True)) / weight.sum()
    variance = sum(w * (v - wanted) ** 2 for w, v in zip(weight, values, strict=True)) / (2 * weight.sum())
    assert (mean, error) == pytest.approx((wanted, math.sqrt(variance)))
    assert freedom == 2


def test_intervals_hold_the_truth_though_a_pass_in_five_meets_a_storm() -> None:
    """95 % of 2,000 planted runs, each pass with an error that is told; unweighted they would be far wider."""
    draw = np.random.default_rng(7)
    held, wide, narrow = 0, [], []
    for _ in range(RUNS):
        errors = np.where(draw.random(5) < 0.2, 0.4, 0.01)
        values = draw.normal(TRUTH, np.hypot(0.02, errors)).tolist()
        estimate = interval_of_ratio(values, errors=errors.tolist())
        held += holds(estimate)
        narrow.append(half_width_of(estimate))
        wide.append(half_width_of(interval_of_ratio(values)))
    assert 0.93 <= held / RUNS <= 0.975
    assert np.mean(narrow) < np.mean(wide) / 2
