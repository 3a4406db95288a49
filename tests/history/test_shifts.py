"""Changes of level in series with planted truths."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.history.shifts import MIN_POINTS, Values, calm, likeness, missing, shifts


def noise(length: int, seed: int, sigma: float = 0.01) -> Values:
    """Of runs that know nothing of each other."""
    return np.random.default_rng(seed).normal(0, sigma, length)


def moody(length: int, alike: float, seed: int) -> Values:
    """Of runs that keep some of the deviation of the one before."""
    added = noise(length + 50, seed)
    for k in range(1, len(added)):
        added[k] += alike * added[k - 1]
    return added[50:]


def stepped(length: int, seed: int, *steps: tuple[int, float]) -> Values:
    """Noise, and what is added from a run on."""
    values = noise(length, seed)
    for at, size in steps:
        values[at:] += size
    return values


def test_a_step_is_found_where_it_is() -> None:
    """With its levels, its interval around the truth, and the runs between which it lies."""
    (found,) = shifts(stepped(40, 1, (25, 0.05)))
    assert found.at == 25
    assert found.first <= 25 <= found.last
    low, high = found.ends()
    assert low < 0.05 < high
    assert high - low < 0.02
    assert found.after - found.before == pytest.approx(0.05, abs=0.01)


def test_what_was_undone_is_two_changes() -> None:
    """Although the mean of all that follows hardly moves."""
    found = shifts(stepped(40, 2, (20, 0.06), (25, -0.06)))
    assert [shift.at for shift in found] == [20, 25]
    assert found[0].after > found[0].before and found[1].after < found[1].before


def test_the_last_three_runs_are_enough_for_a_large_one() -> None:
    """One alone is an outlier as well."""
    assert [shift.at for shift in shifts(stepped(40, 3, (37, 0.08)))] == [37]
    assert shifts(stepped(40, 3, (39, 0.08))) == []


def test_a_step_between_equal_runs_is_found() -> None:
    """A series without any noise has a spread of nothing."""
    values = np.zeros(20)
    values[12:] = 0.1
    (found,) = shifts(values)
    assert (found.at, found.first, found.last, found.ends()) == (12, 12, 12, (0.1, 0.1))
    assert shifts(np.zeros(20)) == []


def test_too_few_runs_tell_nothing() -> None:
    """However large the step."""
    assert shifts(stepped(MIN_POINTS - 1, 4, (5, 1.0))) == []
    assert len(shifts(stepped(MIN_POINTS, 4, (5, 1.0)))) == 1


def test_outliers_are_no_change() -> None:
    """Single runs far off, which calming moves to where they do no harm."""
    values = noise(40, 5)
    values[[7, 20, 33]] += 0.4
    assert shifts(values) == []
    assert np.abs(calm(values)).max() < 0.1
    step = np.repeat([0.0, 1.0], 20) + noise(40, 6)
    assert calm(step) == pytest.approx(step, abs=0.06), "a step stays as it is"


def test_the_same_series_gives_the_same_answer() -> None:
    """The random orders follow from the data; nothing of numpy's global state is read."""
    values = stepped(40, 7, (18, 0.02))
    np.random.seed(1)
    first = shifts(values, 0.2)
    np.random.seed(2)
    assert shifts(values, 0.2) == first


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_unchanged_series_are_left_alone(alike: float) -> None:
    """Of 160 in histories of eight cells at most one in twenty; `bench.proof.alarms` has the rate, about 1 %."""
    false = 0
    for history in range(20):
        series = [moody(30, alike, 1000 * history + cell) for cell in range(8)]
        kept = likeness(series)
        false += sum(bool(shifts(each, kept)) for each in series)
    assert false <= 8


def test_without_likeness_moody_runs_would_cry_wolf() -> None:
    """The same series, taken for runs that know nothing of each other: what the correction is for."""
    assert sum(bool(shifts(moody(30, 0.6, seed))) for seed in range(40)) > 10


def test_likeness_is_that_of_the_process() -> None:
    """Over many cells; a step in one of them, and single outliers, hardly move it."""
    for alike in (0.0, 0.3, 0.6):
        series = [moody(60, alike, seed) for seed in range(12)]
        assert likeness(series) == pytest.approx(alike, abs=0.12)
        series[0] = series[0] + np.repeat([0.0, 0.2], 30)
        assert likeness(series) == pytest.approx(alike, abs=0.12)
    assert likeness([]) == likeness([noise(MIN_POINTS - 1, 1)]) == 0.0


def test_an_uncertain_place_is_told_as_wide_as_it_is() -> None:
    """A step no larger than the noise may lie some runs from where it fits best."""
    found = shifts(stepped(200, 8, (100, 0.012)))
    assert len(found) == 1
    assert found[0].first < found[0].at < found[0].last
    assert found[0].first - 1 <= 100 <= found[0].last + 1


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a line, where ruptures is not there."""
    assert missing() == ""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install ruptures" in missing() and "\n" not in missing()


def test_an_interval_holds_its_truth() -> None:
    """In most of 60 series, by the levels that were found."""
    held = told = 0
    for seed in range(60):
        for shift in shifts(stepped(40, 100 + seed, (20, math.log(1.05)))):
            low, high = shift.ends()
            told += 1
            held += low <= math.log(1.05) <= high
    assert told >= 58
    assert held / told > 0.85
