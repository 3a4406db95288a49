"""Pairs of first results on a fake clock: planted truths are found, order alternates, what dies is given up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.gate import first_results, pursuit
from bench.gate.first_results import LEAST_EFFECT, LEAST_ROUNDS, FirstResults
from bench.gate.judge import LOOKS, Judge
from bench.gate.sides import Side
from bench.host.process import WorkerDied
from bench.table.outcome import FIRST, IMPROVED, INCOMPARABLE, INCONCLUSIVE, REGRESSED, UNCHANGED, News, Outcome

CASES = [Case(hidden_size=8, input_size=8, seq_len=steps).id for steps in (2, 8)]
CELLS: list[Cell] = [(case, "mine.py:Mine") for case in CASES]

Truth = Callable[[str, Cell, random.Random], dict[str, Any]]
"""What a side, by its name, answers of a cell. May raise WorkerDied."""


def steady(base: float = 0.02, head: float = 0.02, spread: float = 0.04) -> Truth:
    """Seconds of each side, scattered."""

    def truth(side: str, cell: Cell, draw: random.Random) -> dict[str, Any]:
        seconds = (head if side == "head" else base) * math.exp(draw.gauss(0, spread))
        return {"seconds": seconds, "waited_seconds": 0.0}

    return truth


@dataclass
class Ticks:
    """A clock that moves as it is told."""

    now: float = 0.0

    def perf_counter(self) -> float:
        """The time."""
        return self.now


@dataclass
class Told:
    """A process that answers at once; each first result takes 0.1 s of the clock."""

    side: str
    truth: Truth
    ticks: Ticks
    draw: random.Random
    log: list[tuple[str, Cell]]
    asked: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *error: object) -> None:
        self.log.append((f"{self.side} ended", ("", "")))

    def tell(self, message: dict[str, str]) -> None:
        """Take the question."""
        self.asked.append(message)

    def hear(self, timeout: float) -> dict[str, Any]:
        """That it is ready, or the answer."""
        if not self.asked:
            return {"event": "ready"}
        question = self.asked.pop()
        cell = (question["case"], question["first"])
        self.ticks.now += 0.1
        self.log.append((self.side, cell))
        return self.truth(self.side, cell, self.draw)


@pytest.fixture
def pursue(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Outcome, list[tuple[str, Cell]]]]:
    """First results by a truth: the outcome, and what was asked of whom, in order."""

    def pursued(
        truth: Truth,
        deadline: float = math.inf,
        beside: int = 0,
        tell: Callable[[News], None] = lambda news: None,
        here: int = 2,
        aside: list[int] | None = None,
    ) -> tuple[Outcome, list[tuple[str, Cell]]]:
        ticks, draw, aside = Ticks(), random.Random(3), [] if aside is None else aside
        monkeypatch.setattr(first_results, "cores", lambda: here)
        log: list[tuple[str, Cell]] = []

        def start(side: Side, path: Path, threads: int, kind: str) -> Told:
            assert kind == "first"
            aside.append(threads)
            ticks.now += 0.5
            return Told(side.name, truth, ticks, draw, log)

        monkeypatch.setattr(Side, "start", start)
        for module in (first_results, pursuit):
            monkeypatch.setattr(module, "time", ticks)
        outcome = Outcome("base", "head", 0.03, meters=(FIRST,), first_effect=LEAST_EFFECT)
        judge, settings = Judge(CELLS, LEAST_EFFECT, beside), Settings(preset="gate", budget=100.0)
        firsts = FirstResults((Side("base"), Side("head")), outcome, judge, settings, Path("log"), tell, 0.0, deadline)
        firsts.measure()
        firsts.conclude()
        return outcome, log

    return pursued


Pursue = Callable[..., tuple[Outcome, list[tuple[str, Cell]]]]


def verdicts(outcome: Outcome) -> list[str]:
    """Of all cells, in order."""
    return [found.verdict for found in outcome.firsts]


def test_50_ms_more_are_found_by_as_few_pairs_as_can_be(pursue: Pursue) -> None:
    """At the second look, and said in milliseconds of both sides."""
    outcome, _ = pursue(steady(0.02, 0.07))
    assert verdicts(outcome) == [REGRESSED] * 2
    assert outcome.pairs == LOOKS[1]
    assert outcome.exit_code() == 1
    assert outcome.firsts[0].effect == pytest.approx(2.5, rel=0.1)
    assert outcome.firsts[0].note.endswith(" ms in head")
    assert {look.meter for look in outcome.looks} == {FIRST}


def test_an_unchanged_side_is_unchanged(pursue: Pursue) -> None:
    """And half the time is an improvement."""
    assert verdicts(pursue(steady())[0]) == [UNCHANGED] * 2
    assert verdicts(pursue(steady(0.02, 0.01))[0]) == [IMPROVED] * 2


def test_waiting_is_no_first_result(pursue: Pursue) -> None:
    """A neighbour that has the core for most of the head's time changes nothing."""
    own = steady()

    def truth(side: str, cell: Cell, draw: random.Random) -> dict[str, Any]:
        waited = draw.expovariate(1 / 0.1) if side == "head" else 0.0
        answer = own(side, cell, draw)
        return {"seconds": answer["seconds"] + waited, "waited_seconds": waited}

    assert verdicts(pursue(truth)[0]) == [UNCHANGED] * 2


def test_what_is_not_known_of_waiting_is_not_taken_away(pursue: Pursue) -> None:
    """On systems that don't tell."""
    assert verdicts(pursue(lambda *_: {"seconds": 0.02, "waited_seconds": None})[0]) == [UNCHANGED] * 2


def test_sides_take_turns_in_being_first(pursue: Pursue) -> None:
    """In each pair each side comes first in half of the rounds; both processes are ended after it."""
    _, log = pursue(steady())
    pair = log[: log.index(("base ended", ("", "")))]
    pair = [entry for entry in pair if not entry[0].endswith("ended")]
    firsts = [pair[k][0] for k in range(0, len(pair), 2)]
    assert len(pair) >= 2 * len(CELLS) * LEAST_ROUNDS
    assert firsts.count("base") == firsts.count("head")
    ended = [name for name, _ in log if name.endswith("ended")]
    assert ended.count("base ended") == ended.count("head ended") >= LOOKS[0]


@pytest.mark.parametrize(("here", "kept_off"), [(2, 0), (3, 1)])
def test_processes_start_on_all_cores_unless_a_pair_is_measured_meanwhile(
    pursue: Pursue, here: int, kept_off: int
) -> None:
    """With a core for each beside the one that is measured on they are started ahead, and keep off that one."""
    aside: list[int] = []
    outcome, log = pursue(steady(), here=here, aside=aside)
    assert set(aside) == {kept_off}
    ended = [name for name, _ in log if name.endswith("ended")]
    assert len(ended) == len(aside) == 2 * (outcome.pairs + kept_off), "none is left"


def test_what_fails_has_no_verdict(pursue: Pursue) -> None:
    """The other cell keeps its own."""

    def truth(side: str, cell: Cell, draw: random.Random) -> dict[str, Any]:
        if side == "head" and cell == CELLS[1]:
            return {"failure": "its process was killed by SIGSEGV before it gave a first result"}
        return steady()(side, cell, draw)

    outcome, _ = pursue(truth)
    assert [found.cell for found in outcome.firsts] == [CELLS[0]]
    (left,) = outcome.uncompared
    assert left.status == INCOMPARABLE and left.reason.endswith("first result (in head)")
    assert outcome.exit_code() == 3


def test_who_hangs_twice_is_given_up(pursue: Pursue) -> None:
    """The first time may have been anybody's doing."""

    def truth(side: str, cell: Cell, draw: random.Random) -> dict[str, Any]:
        raise WorkerDied("no answer for 60 s")

    outcome, _ = pursue(truth)
    assert len(outcome.lost) == 2
    assert {left.cell for left in outcome.uncompared} == set(CELLS)
    assert outcome.uncompared[0].reason.endswith(": no answer for 60 s, over its first result")


def test_the_time_may_be_over_before_anything_is_clear(pursue: Pursue) -> None:
    """Before a first look it is incomparable, after one undecided; the note says that the time was spent."""
    outcome, _ = pursue(steady(), deadline=8.0)
    assert outcome.pairs < LOOKS[0]
    assert "pairs of first results fitted into the budget" in outcome.too_few
    assert outcome.exit_code() == 3
    outcome, _ = pursue(steady(spread=1.0), deadline=30.0)
    assert verdicts(outcome) == [INCONCLUSIVE] * 2
    assert outcome.notes == ["first results took all of their 30 s of the budget"]
    assert outcome.exit_code() == 4


def test_hypotheses_beside_make_bounds_wider() -> None:
    """Times and first results are held to one error: a cell is decided later where more is asked."""
    logs = [0.16, 0.17, 0.15, 0.18, 0.16, 0.155]
    alone, beside = Judge(CELLS[:1], LEAST_EFFECT), Judge(CELLS[:1], LEAST_EFFECT, beside=100_000)
    for judge in (alone, beside):
        for log in logs:
            judge.add({CELLS[0]: log})
    assert alone.hearings[CELLS[0]].suspected == REGRESSED
    assert beside.hearings[CELLS[0]].suspected == ""
    assert beside.hearings[CELLS[0]].level < alone.hearings[CELLS[0]].level
