"""Comparisons: the paired ratio decides what marginal intervals don't, ties are ties, and many are compared at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from bench.table.comparison import (
    FASTER,
    FASTEST,
    SLOWER,
    TIED,
    UNDECIDED,
    UNKNOWN,
    Comparison,
    compare,
    standings,
)
from bench.table.leader import against_the_leader
from bench.table.stats import CONFIDENCE, Estimate, interval_of_ratio, p_above, weighted_mean

CASE = "a case"
WOBBLE = (0.99, 1.01, 1.0, 0.995, 1.005)
"""What a pass adds to one implementation alone."""
MOODS = (1.0, 1.9, 0.6, 1.4, 0.8)
"""What a pass adds to all of them."""


def samples(passes: Sequence[float], rounds: int = 3) -> pd.DataFrame:
    """Samples of which each pass has one time, in every round."""
    return pd.DataFrame(
        [
            {"pass": number, "round": k, "counted": seconds * (1 + 0.001 * k), "evidence": True}
            for number, seconds in enumerate(passes, start=1)
            for k in range(rounds)
        ]
    )


def times(truth: Mapping[str, float], moods: Sequence[float] = MOODS) -> dict[str, pd.DataFrame]:
    """Samples of implementations with these times; each has its wobble shifted by one pass against the one before."""
    return {
        name: samples([truth[name] * mood * wobble for mood, wobble in zip(moods, np.roll(WOBBLE, k), strict=True)])
        for k, name in enumerate(truth)
    }


def judged(truth: Mapping[str, float]) -> dict[str, str]:
    """The standings of implementations with these times."""
    return standings(against_the_leader(CASE, times(truth)))


@pytest.mark.parametrize(
    ("low", "high", "relation"),
    [
        (1.2, 1.4, FASTER),
        (0.5, 0.9, SLOWER),
        (0.9, 1.2, UNDECIDED),
        (math.nan, math.nan, UNKNOWN),
        (0.98, 1.02, TIED),
        (1.002, 1.018, TIED),
        (1.002, 1.05, FASTER),
        (0.98, 1.04, UNDECIDED),
        (1 / 1.03, 1.03, TIED),
        (0.97, 1.03, UNDECIDED),
    ],
)
def test_what_an_interval_says(low: float, high: float, relation: str) -> None:
    """Within 3 % for certain is a tie even where the difference is certain, too; both ends count."""
    assert Comparison(CASE, "a", "b", Estimate(1.0, low, high, 5)).relation == relation


def test_the_paired_ratio_decides_where_marginal_intervals_overlap() -> None:
    """Times swing by a factor of three from pass to pass, and so does the baseline's own luck: the intervals of times
    and of speed-ups overlap by far. The ratio of the two is known to a percent."""
    found = times({"whole": 1.44, "stacked": 1.0})
    luck = (1.0, 1.5, 0.7, 1.2, 0.8)
    found["manual"] = samples([3.0 * mood * own for mood, own in zip(MOODS, luck, strict=True)])
    speedups = [compare(CASE, name, "manual", found, 5).ratio for name in ("whole", "stacked")]
    assert speedups[0].high > 1.2 * speedups[1].low, "overlapping intervals were what decided before"
    direct = compare(CASE, "stacked", "whole", found, 5)
    assert (direct.relation, direct.ratio.passes) == (FASTER, 5)
    assert 1.40 < direct.ratio.low < 1.44 < direct.ratio.high < 1.48
    del found["manual"]
    assert standings(against_the_leader(CASE, found, 5)) == {"stacked": FASTEST, "whole": SLOWER}


def test_it_is_over_the_rounds_that_both_have() -> None:
    """By hand: two passes of one common round, ratios 2 and 8, so 4 in the mean."""
    one = pd.DataFrame({"pass": [1, 2, 3], "round": [0, 0, 0], "counted": [1.0, 1.0, 9.0], "evidence": True})
    other = pd.DataFrame({"pass": [1, 1, 2], "round": [0, 5, 0], "counted": [2.0, 99.0, 8.0], "evidence": True})
    found = compare(CASE, "one", "other", {"one": one, "other": other})
    assert found.ratio.passes == 2 and found.ratio.value == pytest.approx(4.0)
    half = 12.706204736 * math.log(8 / 2) / 2
    assert found.ratio.low == pytest.approx(4 * math.exp(-half))
    assert found.p == pytest.approx(0.5 - math.atan(math.log(4) / (math.log(8 / 2) / 2)) / math.pi)


def test_the_leader_is_found_whatever_comes_first() -> None:
    """It is `one` of every comparison; the slowest is never it."""
    found = against_the_leader(CASE, times({"c": 3.0, "a": 1.0, "b": 2.0}))
    assert {(each.one, each.other) for each in found} == {("a", "b"), ("a", "c")}
    assert standings(found) == {"a": FASTEST, "b": SLOWER, "c": SLOWER}


def test_a_faster_machine_in_other_passes_makes_no_leader() -> None:
    """An implementation that was measured in two slow passes more has the larger mean, and is the faster one."""
    found = times({"a": 1.1, "b": 1.0})
    found["b"] = samples([mood * wobble for mood, wobble in zip((*MOODS, 30, 30), (*WOBBLE, 1, 1), strict=True)])
    assert found["b"]["counted"].mean() > found["a"]["counted"].mean()
    assert {each.one for each in against_the_leader(CASE, found)} == {"b"}


def test_a_tie_and_the_rest_slower() -> None:
    """Half a percent apart, known to one percent; who is 50 % slower is no part of it."""
    assert judged({"a": 1.0, "b": 1.005, "c": 1.5}) == {"a": TIED, "b": TIED, "c": SLOWER}


def test_undecided_names_those_not_yet_excluded() -> None:
    """1.5 percent apart and known to two: it may be a tie, or not. A tie next to it is undecided as well."""
    assert judged({"a": 1.0, "b": 1.015, "c": 1.5}) == {"a": UNDECIDED, "b": UNDECIDED, "c": SLOWER}
    assert judged({"a": 1.0, "b": 1.015, "d": 1.005}) == dict.fromkeys("abd", UNDECIDED)


def test_without_intervals_nothing_is_said() -> None:
    """One pass, no common round, one alone; and one pair without an interval leaves the case open."""
    assert standings(against_the_leader(CASE, {"a": samples([1.0]), "b": samples([2.0])})) == {}
    apart = {"a": samples([1.0, 1.1]), "b": samples([2.0, 2.1]).assign(round=lambda frame: frame["round"] + 10)}
    (found,) = against_the_leader(CASE, apart)
    assert math.isnan(found.ratio.value) and math.isnan(found.p) and standings([found]) == {}
    assert against_the_leader(CASE, {"a": samples([1.0, 1.1])}) == [] and standings([]) == {}
    known = against_the_leader(CASE, times({"a": 1.0, "b": 2.0}))
    assert standings([*known, found]) == {}


def rivals(**p_values: float) -> list[Comparison]:
    """A leader's comparisons, all of them with intervals that hold neither a tie nor, alone, 1."""
    return [Comparison(CASE, "a", name, Estimate(1.2, 1.01, 1.4, 5), p=p) for name, p in p_values.items()]


def test_many_are_compared_at_once() -> None:
    """An interval that leaves out 1 excludes the only rival, or the last one, but not one of two that are as near."""
    assert standings(rivals(b=0.02)) == {"a": FASTEST, "b": SLOWER}
    assert standings(rivals(b=0.02, c=0.001)) == {"a": FASTEST, "b": SLOWER, "c": SLOWER}
    assert standings(rivals(b=0.02, c=0.02)) == dict.fromkeys("abc", UNDECIDED)
    assert standings(rivals(b=0.012, c=0.02, d=0.001)) == {"a": FASTEST, "b": SLOWER, "c": SLOWER, "d": SLOWER}
    assert standings(rivals(b=0.013, c=0.02, d=0.001)) == {"a": UNDECIDED, "b": UNDECIDED, "c": UNDECIDED, "d": SLOWER}


def test_the_truly_fastest_is_not_lost_among_many() -> None:
    """Eight equal ones in five passes, the first by a hair the fastest: at 95 % each it is called slower than the
    luckiest in one of ten runs, by the procedure in one of fifty."""
    draw, runs = np.random.default_rng(1), 300
    lost = alone = 0
    for logs in draw.normal(0, 0.1, (runs, 5, 8)):
        leader = int(logs.mean(axis=0).argmin())
        found = []
        for other in (k for k in range(8) if k != leader):
            ratios = logs[:, other] - logs[:, leader]
            p = p_above(*weighted_mean(ratios), 0.0)
            found.append(Comparison(CASE, str(leader), str(other), interval_of_ratio(ratios), p=p))
        alone += any(each.other == "0" and each.relation == FASTER for each in found)
        lost += standings(found)["0"] == SLOWER
    assert alone / runs > 0.06 and lost / runs < 1 - CONFIDENCE
