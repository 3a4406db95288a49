"""Crossovers: found where they were planted, as surely as the passes allow, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.table.crossover import Crossover, agreed, along_products, along_steps, common, contradicted, crossover
from bench.table.law import Law, point_of
from tests.planted import fitted, grid

SLOW_START = Law(25e-6, 2.5e-6, 40e-12)
SLOW_STEPS = Law(4e-6, 9.5e-6, 60e-12)
SIZE = 2 * 32**2
TRUTH = 21e-6 / (7e-6 + SIZE * 20e-12)
"""Steps at which the two are equally fast at hidden 32: about 2.98."""


def test_a_crossover_by_hand() -> None:
    """Levels -2, -3, -4 and one slope: the difference is sure where |3 - x| > t(2) / sqrt(3)."""
    half = 4.302652730 / math.sqrt(3)
    found = crossover([-2.0, -3.0, -4.0], [1.0] * 3, 0, 9)
    assert (found.start, found.end) == (-1, 1)
    assert (found.until, found.since) == pytest.approx((3 - half, 3 + half))


def test_the_limits_hold_the_truth() -> None:
    """95 % of 1000 simulated crossovers, give or take two."""
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        found = crossover(draw.normal(-20, 1, 5).tolist(), draw.normal(4, 0.2, 5).tolist(), 1, 500)
        held += found.until <= 5 <= found.since
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize(
    ("levels", "slopes", "told"),
    [
        ([1.0, 1.1], [1.0, 1.1], (1, 1)),
        ([-1.0, -1.1], [-1.0, -1.1], (-1, -1)),
        ([5.0, 5.0], [0.0, 0.0], (1, 1)),
        ([0.0, 0.0], [0.0, 0.0], (0, 0)),
        ([-1.0, 1.0], [0.0, 0.0], (0, 0)),
        ([-1.0], [1.0], (0, 0)),
        ([], [], (0, 0)),
    ],
)
def test_where_there_is_none_none_is_claimed(levels: list[float], slopes: list[float], told: tuple[int, int]) -> None:
    """Always the one, always the other, never any difference, too wide, one pass, none."""
    found = crossover(levels, slopes, 1, 512)
    assert (found.start, found.end) == told
    assert not (1 < found.until < 512 or 1 < found.since < 512)


def test_one_end_alone_may_be_sure() -> None:
    """Slopes of both signs: the start is decided, the far end is not, and the other way round."""
    found = crossover([-9.0, -10.0, -11.0], [-1.0, 0.0, 1.0], 1, 512)
    assert (found.start, found.end) == (-1, 0) and 1 < found.until < 512 and math.isnan(found.since)
    found = crossover([-9.0, 0.0, 9.0], [1.0, 1.01, 1.02], 1, 512)
    assert (found.start, found.end) == (0, 1) and 1 < found.since < 512 and math.isnan(found.until)


def test_a_crossover_outside_the_range_has_limits_outside() -> None:
    """Planted at 600, beyond the 512 that were measured."""
    found = crossover([-600.0, -601.0, -599.0], [1.0] * 3, 1, 512)
    assert (found.start, found.end) == (-1, -1)
    assert 512 < found.until < 600 < found.since


def test_agreement_is_the_weakest_of_all() -> None:
    """The limits furthest apart; an end at which they differ is not told."""
    inside = Crossover(-1, 1, 3, 4)
    assert agreed([inside, Crossover(-1, 1, 2, 3.5)], 1, 9) == Crossover(-1, 1, 2, 4)
    told = agreed([inside, Crossover(-1, -1)], 1, 9)
    assert (told.start, told.end, told.until) == (-1, 0, 3) and math.isnan(told.since)
    told = agreed([inside, Crossover(1, 1)], 1, 9)
    assert (told.start, told.end, told.since) == (0, 1, 4) and math.isnan(told.until)
    told = agreed([Crossover(-1, -1), Crossover(1, 1)], 1, 9)
    assert (told.start, told.end) == (0, 0)
    told = agreed([Crossover(-1, -1, 10, 11), Crossover(-1, -1)], 1, 9)
    assert (told.start, told.end) == (-1, -1) and math.isnan(told.until)


def test_two_cross_where_planted() -> None:
    """The one with the cheap start is ahead up to about three steps, whichever is asked first."""
    one, other = fitted(SLOW_STEPS, "manual", seed=1), fitted(SLOW_START, "whole", seed=2)
    found = along_steps(one, other, SIZE)
    assert (found.start, found.end) == (-1, 1)
    assert 0.8 * TRUTH < found.until < TRUTH < found.since < 1.2 * TRUTH
    turned = along_steps(other, one, SIZE)
    assert (turned.start, turned.end) == (1, -1)
    assert (turned.until, turned.since) == pytest.approx((found.until, found.since))


def test_the_range_is_what_both_measured() -> None:
    """Where one has no short sequences, the other's are no ground for a claim."""
    one, other = fitted(SLOW_STEPS, "manual"), fitted(SLOW_START, "whole", cases=grid(lengths=(8, 64, 512)))
    assert min(point.steps for point in common(one, other)) == 8
    found = along_steps(one, other, SIZE)
    assert (found.start, found.end) == (1, 1) and 1 < found.until < found.since < 8


def test_two_devices_cross_where_planted() -> None:
    """A device with dear steps and cheap products is ahead from the size at which these make up for those."""
    cpu = fitted(Law(5e-6, 5e-6, 50e-12), seed=1)
    gpu = fitted(Law(5e-6, 15e-6, 2e-12), cases=grid(device="cuda"), seed=2)
    found = along_products(cpu, gpu, 64, 2 * 32**2, 2 * 512**2)
    assert (found.start, found.end) == (-1, 1)
    assert found.until < 10e-6 / 48e-12 < found.since


def test_measured_times_can_contradict_the_laws() -> None:
    """A cell whose times lie the other way is seen; without passes in common nothing is."""
    odd = point_of(grid()[5])
    one = fitted(lambda point: SLOW_STEPS.seconds(point) / (2 if point == odd else 1), "manual")
    other = fitted(SLOW_START, "whole")
    assert [point for point in common(one, other) if contradicted(one, other, point)] == [odd]
    alone = fitted(SLOW_START, "whole", passes=1)
    assert not any(contradicted(one, alone, point) for point in common(one, alone))
    assert along_steps(one, alone, SIZE) == crossover([], [], 1, 512)
