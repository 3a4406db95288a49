"""Calls until it pays off: exact counts, and honest words where there is none."""

from __future__ import annotations

import math

import pytest

from bench.table.winners import AT_ONCE, NEVER, payback

FASTER, SLOWER, UNDECIDED = (2.0, 1.9, 2.1), (0.5, 0.45, 0.55), (1.1, 0.9, 1.3)


@pytest.mark.parametrize(
    ("build", "calls"),
    [(1.0, AT_ONCE), (0.5, AT_ONCE), (1.001, 1), (1.005, 1), (1.0051, 2), (1.5, 100), (1.501, 101), (3.0, 400)],
)
def test_counts_are_exact(build: float, calls: float) -> None:
    """A call of 10 ms made twice as fast saves 5 ms: the extra build time over that, rounded up."""
    assert payback(build, 1.0, 0.01, FASTER) == calls


def test_after_so_many_calls_it_has_been_earned_back_and_not_before() -> None:
    """The count is the first at which building and calling took no longer than the reference's."""
    build, reference, seconds, gain = 14.2, 0.013, 3.3e-4, 1.7
    calls = payback(build, reference, seconds, (gain, 1.6, 1.8))

    def ahead(count: float) -> bool:
        return build + count * seconds / gain <= reference + count * seconds

    assert ahead(calls) and not ahead(calls - 1)


def test_slower_never_pays_however_cheap() -> None:
    """Not even where it builds in no time."""
    assert payback(0.0, 1.0, 0.01, SLOWER) == NEVER
    assert payback(9.0, 1.0, 0.01, SLOWER) == NEVER


@pytest.mark.parametrize(
    "figures",
    [
        (2.0, 1.0, 0.01, UNDECIDED),
        (2.0, 1.0, 0.01, (2.0, math.nan, math.nan)),
        (math.nan, 1.0, 0.01, FASTER),
        (2.0, math.nan, 0.01, FASTER),
        (2.0, 1.0, math.nan, FASTER),
    ],
)
def test_what_is_not_known_is_not_counted(figures: tuple[float, float, float, tuple[float, float, float]]) -> None:
    """An interval that holds 1, one pass, and a missing figure give no number."""
    assert math.isnan(payback(*figures))
