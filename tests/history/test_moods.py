"""What all cells of a machine share, and what they don't."""

from __future__ import annotations

import numpy as np
import pytest

from bench.history.moods import FEWEST, steadied
from bench.history.shifts import Values, likeness, shifts


def cells(count: int, shared: Values, seed: int = 1) -> list[Values]:
    """Cells at levels of their own, with what they share and noise of half a percent."""
    rng = np.random.default_rng(seed)
    return [k + shared + rng.normal(0, 0.005, len(shared)) for k in range(count)]


def found(series: list[Values]) -> list[list[int]]:
    """Places of the changes of each cell."""
    steady = steadied(series)
    return [[shift.at for shift in shifts(each, likeness(steady))] for each in steady]


def step(length: int, at: int, size: float) -> Values:
    """From a run on."""
    return np.where(np.arange(length) >= at, size, 0.0)


def test_a_mood_that_lasts_is_no_change() -> None:
    """Two percent for half of the runs, in all cells alike."""
    series = cells(8, step(30, 15, 0.02))
    assert found(series) == [[]] * 8
    assert all(shifts(each) for each in series), "each by itself would be given one"


def test_what_moves_all_cells_far_is_a_change_of_each() -> None:
    """Ten percent is no mood."""
    assert found(cells(8, step(30, 15, 0.1))) == [[15]] * 8


def test_what_moves_most_cells_is_no_change_of_the_others() -> None:
    """Five of eight rise by a tenth: the other three did not fall."""
    series = [*cells(5, step(30, 15, 0.1)), *cells(3, np.zeros(30), seed=2)]
    assert found(series) == [[15]] * 5 + [[]] * 3


def test_a_small_change_of_one_cell_shows_once_moods_are_off() -> None:
    """Two percent in moods of as much."""
    mood = 0.02 * np.sin(np.arange(40))
    series = cells(8, mood)
    series[3] += step(40, 20, 0.02)
    assert found(series) == [[], [], [], [20], [], [], [], []]


def test_a_level_stays_where_it_is() -> None:
    """What is taken off has no mean."""
    series = cells(8, 0.02 * np.sin(np.arange(40)))
    for before, after in zip(series, steadied(series), strict=True):
        assert after.mean() == pytest.approx(before.mean(), abs=1e-3)


def test_few_cells_keep_their_moods() -> None:
    """They are too few to tell them from changes."""
    series = cells(FEWEST - 1, step(30, 15, 0.02))
    assert all((before == after).all() for before, after in zip(series, steadied(series), strict=True))


def test_runs_that_a_cell_is_missing_in_do_no_harm() -> None:
    """Each cell is held against the mood of its own runs."""
    mood = 0.02 * np.sin(np.arange(40))
    series = cells(8, mood)
    runs = [list(range(40)) for _ in series]
    runs[2] = list(range(10, 40))
    series[2] = series[2][10:]
    steady = steadied(series, runs)
    assert [len(each) for each in steady] == [len(own) for own in runs]
    assert all(each.std() < 0.008 for each in steady)
