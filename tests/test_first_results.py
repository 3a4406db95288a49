"""First results as a worker takes them: each of what was never built in its process; failures are answers."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from torch import Tensor

from bench.cases.case import Case
from bench.host import machine
from bench.measure import state
from bench.worker.firsts import first, time_firsts
from rnn_impls.whole import Whole

CASE = Case(hidden_size=8, input_size=8, seq_len=2)
HERE = f"{__file__}:"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="first results are forked on Linux alone")


class OnceForAll(Whole):
    """spends 0.2 s on its class's first call"""

    warm = False

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Sleep if nobody has."""
        if not OnceForAll.warm:
            OnceForAll.warm = True
            time.sleep(0.2)
        return super().forward(inputs, hidden)


class SlowToBuild(Whole):
    """spends 0.2 s on `prepare`"""

    def prepare(self, inputs: Tensor, hidden: Any) -> None:
        """Sleep."""
        time.sleep(0.2)


class Raises(Whole):
    """raises at its first call"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Raise."""
        raise ZeroDivisionError("divided by the weather")


class Dies(Whole):
    """takes its process along"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """End by a signal."""
        os.kill(os.getpid(), signal.SIGKILL)
        return inputs, hidden


class Leaves(Whole):
    """ends its process in good order"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Exit."""
        raise SystemExit(7)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """What a first result sets this process to is set back."""
    before = state.now()
    yield
    machine.unpin()
    state.changes(before)


def told(*names: str) -> list[dict[str, Any]]:
    """What a worker answers to these, one after the other."""
    answers: list[dict[str, Any]] = []

    def tell(event: str, **found: Any) -> None:
        assert event == "first"
        answers.append(found)

    time_firsts([json.dumps({"first": f"{HERE}{name}", "case": CASE.id}) for name in names], tell)
    return answers


def own(answer: dict[str, Any]) -> float:
    """Seconds in which nobody else had the core."""
    return float(answer["seconds"]) - float(answer["waited_seconds"] or 0.0)


def test_what_is_paid_once_a_process_is_paid_each_time() -> None:
    """The second of a class finds nothing that the first has left."""
    answers = told("OnceForAll", "OnceForAll")
    assert len(answers) == 2
    assert all(own(answer) >= 0.2 for answer in answers)
    assert not OnceForAll.warm, "it was called in another process"


def test_in_this_process_only_the_first_of_a_class_pays() -> None:
    """Which is why it is forked where it can be."""
    try:
        name = f"{HERE}OnceForAll"
        assert own(first(CASE, name)) >= 0.2
        assert "failure" not in first(CASE, name)
    finally:
        OnceForAll.warm = False


def test_preparing_is_part_of_it() -> None:
    """As is compiling, which is done there."""
    (answer,) = told("SlowToBuild")
    assert own(answer) >= 0.2


def test_what_fails_is_an_answer_and_the_next_is_taken() -> None:
    """An exception, a signal, an exit: each by its name."""
    raised, died, left, sound = told("Raises", "Dies", "Leaves", "SlowToBuild")
    assert raised["failure"] == "ZeroDivisionError: divided by the weather"
    assert died["failure"] == "its process was killed by SIGKILL before it gave a first result"
    assert left["failure"] == "its process ended with exit code 1 before it gave a first result"
    assert "failure" not in sound


def test_a_name_that_is_none_is_an_answer() -> None:
    """A class that the file does not have."""
    (answer,) = told("Nobody")
    assert "Nobody" in answer["failure"]
