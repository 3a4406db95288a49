"""What an implementation hands over to: decided by a clock, which is planted here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.cases.case import Case
from bench.gate.comparable import Surveyed, told_choices
from bench.store.manifest import CellRecord
from rnn_impls.choice import CLEARLY, ROUNDS, fastest


class Planted:
    """A clock that each call moves on by its own time, times a mood that changes from call to call."""

    def __init__(self, moods: tuple[float, ...] = (1.0,)) -> None:
        self.now, self.moods, self.made = 0.0, moods, 0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    def call(self, seconds: float) -> Callable[[], None]:
        """Something that takes so long."""

        def made() -> None:
            self.now += seconds * self.moods[self.made % len(self.moods)]
            self.made += 1

        return made


@pytest.mark.parametrize(
    ("first", "second", "third", "chosen"),
    [
        (1e-3, 2e-3, 3e-3, "own"),
        (1e-3, 0.5e-3, 0.8e-3, "second"),
        (1e-3, 2e-3, 0.8e-3, "third"),
        (1e-3, 1e-3 / (1 + CLEARLY / 2), 1e-3, "own"),
        (1e-3, 1e-3 / (1 + 2 * CLEARLY), 1e-3, "second"),
    ],
)
def test_the_first_stays_unless_another_is_clearly_faster(
    first: float, second: float, third: float, chosen: str
) -> None:
    """Clearly is by more than 2 %."""
    clock = Planted()
    calls = {"own": clock.call(first), "second": clock.call(second), "third": clock.call(third)}
    assert fastest(calls, clock) == chosen


def test_a_neighbour_that_hits_most_blocks_changes_nothing() -> None:
    """Four of five blocks take five times as long, by a period that favours nobody for long."""
    clock = Planted((5.0, 5.0, 1.0, 5.0, 5.0))
    assert fastest({"own": clock.call(2e-3), "other": clock.call(1.6e-3)}, clock) == "other"
    assert fastest({"own": clock.call(1.6e-3), "other": clock.call(2e-3)}, clock) == "own"


def test_one_alone_is_chosen() -> None:
    """There is nothing to measure it against."""
    clock = Planted()
    assert fastest({"own": clock.call(1e-3)}, clock) == "own"


def test_long_calls_are_tried_a_few_times_only() -> None:
    """A call of a second is not made fifteen times."""
    clock = Planted()
    assert fastest({"own": clock.call(1.0), "other": clock.call(2.0)}, clock) == "own"
    assert clock.made < 2 * ROUNDS


def test_the_gate_names_choices_that_differ() -> None:
    """Of cells that both sides measured."""
    case = Case(hidden_size=8, input_size=8, seq_len=2).id

    def side(chosen: str, status: str = "measured") -> Surveyed:
        record = CellRecord(case, "fused-cpu", status=status, chosen=chosen)
        return Surveyed(records={record.cell: record})

    assert told_choices(("main", "this tree"), side("own kernel"), side("own kernel")) == []
    assert told_choices(("main", "this tree"), side("whole", "failed"), side("own kernel")) == []
    [told] = told_choices(("main", "this tree"), side("whole"), side("own kernel"))
    assert told == "`fused-cpu` at hidden 8, 2 steps, inference runs whole in main, own kernel in this tree"
