"""A pair of processes: how it is planned, whose turn it is, and what becomes of what goes wrong; on fake workers."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from bench.cases import Case
from bench.gate.outcome import Cell
from bench.gate.pair import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    MIN_ROUNDS_OF_LONG_CALLS,
    Pair,
    Plan,
    SideChanged,
    SideDied,
    Workers,
    measure_pair,
    plan,
    wanted_state,
)
from bench.gate.sides import Side
from bench.process import WorkerDied

CASES = [Case(hidden_size=8, input_size=8, seq_len=steps).id for steps in (2, 8)]
CELLS: list[Cell] = [(case, name) for case in CASES for name in ("manual", "whole")]


class FakeWorker:
    """Answers as a worker would; `seconds` by implementation, `state` of torch, `dies` at so many messages."""

    def __init__(self, seconds: dict[str, float], log: list[tuple[str, str]], name: str, **more: Any) -> None:
        self.seconds, self.log, self.name, self.more = seconds, log, name, more
        self.answers: list[dict[str, Any]] = [{"event": "ready"}]
        self.case = ""

    def tell(self, message: dict[str, Any]) -> None:
        """Take the answer ready."""
        if "build" in message:
            self.case = message["build"]
            broken = self.more.get("broken", {})
            self.answers.append(
                {"event": "built", "failures": {n: r for n, r in broken.items() if n in message["names"]}}
            )
        elif "block" in message:
            self.log.append((self.name, message["block"]))
            failing = self.more.get("failing", {})
            if message["block"] in failing:
                self.answers.append({"event": "block", "failure": failing[message["block"]]})
            else:
                self.answers.append({"event": "block", "seconds": self.seconds[message["block"]]})
        else:
            self.answers.append({"event": "state", **(wanted_state(self.case) | self.more.get("state", {}))})

    def hear(self, timeout: float) -> dict[str, Any]:
        """The next answer, or death."""
        if len(self.log) >= self.more.get("dies", math.inf):
            raise WorkerDied("the process was killed by SIGKILL")
        return self.answers.pop(0)

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def fought(
    monkeypatch: pytest.MonkeyPatch, plans: dict[Cell, Plan], base: dict[str, Any], head: dict[str, Any]
) -> tuple[Pair, list[tuple[str, str]]]:
    """A pair of fake workers, and the log of whose turn it was."""
    log: list[tuple[str, str]] = []
    seconds = {"manual": 2e-3, "whole": 1e-3}
    sides = (Side("base"), Side("head"))
    workers = {side.name: FakeWorker(more.pop("seconds", seconds), log, side.name, **more)
               for side, more in zip(sides, (dict(base), dict(head)), strict=True)}  # fmt: skip
    monkeypatch.setattr(Side, "start", lambda self, _log: workers[self.name])
    with Workers(sides, Path("log")) as both:
        return measure_pair(both, plans, random.Random(1), 1.0), log


def test_a_slower_head_is_a_positive_log_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Head over base, for each cell by itself."""
    pair, _ = fought(monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {}, {"seconds": {"manual": 2.2e-3, "whole": 1e-3}})
    assert pair.failures == {}
    for (case, name), log_ratio in pair.logs.items():
        assert log_ratio == pytest.approx(math.log(1.1) if name == "manual" else 0.0), case
    assert set(pair.logs) == set(CELLS)


def test_the_sides_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of one side is next to the other's of the same cell; who is first, and what, changes."""
    _, log = fought(monkeypatch, dict.fromkeys(CELLS, Plan(1, 20)), {}, {})
    turns = list(zip(log[::2], log[1::2], strict=True))
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in turns)
    assert {first[0] for first, _ in turns} == {"base", "head"}
    assert {first[1] for first, _ in turns[::2]} == {"manual", "whole"}


def test_rounds_are_those_of_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell with long calls has fewer blocks than its neighbour."""
    _, log = fought(monkeypatch, {CELLS[0]: Plan(1, 3), CELLS[1]: Plan(1, 9)}, {}, {})
    assert (log.count(("base", "manual")), log.count(("head", "whole"))) == (3, 9)


@pytest.mark.parametrize("key", ["broken", "failing"])
def test_a_failure_costs_its_cell(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """What cannot be built or raises is a reason that names the side; the other contenders are measured."""
    pair, _ = fought(monkeypatch, dict.fromkeys(CELLS[:2], Plan(1, 3)), {}, {key: {"manual": "ValueError: no"}})
    assert pair.failures == {CELLS[0]: "ValueError: no (in head)"}
    assert set(pair.logs) == {CELLS[1]}


def test_a_death_names_side_and_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a case that kills again and again can be told from an accident."""
    with pytest.raises(SideDied, match=r"^base: the process was killed by SIGKILL$") as death:
        fought(monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {"dies": 4}, {})
    assert death.value.case in CASES


def test_a_side_that_changes_torch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, TF32: the two sides would not be measured alike."""
    with pytest.raises(SideChanged, match=r"^head changes .*threads is 2, not 1, tf32_cudnn is True, not False$"):
        fought(monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {}, {"state": {"threads": 2, "tf32_cudnn": True}})


def test_plans_fill_the_pair() -> None:
    """18 cells share the time of a pair; one alone gets more rounds, up to the most; long calls get a few."""
    many = plan({(f"case {k}", "whole"): 1e-4 for k in range(18)})
    assert {how.calls for how in many.values()} == {20}
    assert MIN_ROUNDS < next(iter(many.values())).rounds < MAX_ROUNDS
    assert plan({("case", "whole"): 1e-4})["case", "whole"] == Plan(20, MAX_ROUNDS)
    assert plan({(f"case {k}", "whole"): 0.1 for k in range(18)})["case 0", "whole"] == Plan(1, MIN_ROUNDS)
    assert plan({("case", "whole"): 3.0})["case", "whole"] == Plan(1, MIN_ROUNDS_OF_LONG_CALLS)


def test_threads_wanted_are_those_of_the_case() -> None:
    """Read from the case's id."""
    assert wanted_state(Case(threads=4).id)["threads"] == 4
