"""Head against base: budgets, lost pairs, what is compared and what is not; pairs and surveys are made up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.gate import pairs, pursuit
from bench.gate.comparable import Surveyed
from bench.gate.judge import LOOKS
from bench.gate.pair import Pair, SideDied
from bench.gate.pairs import measure_pairs, told_differences
from bench.gate.pursuit import Tell
from bench.gate.sides import Side
from bench.report.comment import markdown
from bench.report.export import as_json
from bench.report.warned import short
from bench.store.manifest import FAILED, LEFT_OUT, MEASURED, MISSING, UNAVAILABLE, CellRecord
from bench.table.comparison import DISTURBED, NO_EVIDENCE, NOT_PINNED
from bench.table.outcome import (
    FIRST,
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    NEW,
    NOT_RUN,
    OPERATORS,
    REGRESSED,
    TIME,
    UNCHANGED,
    Asked,
    Incomparable,
    Look,
    Lost,
    News,
    Outcome,
)
from tests.gate.test_faults import FakeCrews

CASES = [Case(hidden_size=8, input_size=8, seq_len=steps).id for steps in (2, 8)]
CELLS: list[Cell] = [(case, name) for case in CASES for name in ("manual", "whole")]
Truth = Callable[[Cell, int], float]


class Ticks:
    """A clock that moves by a second with every pair."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """A gate on made-up pairs: `truth` gives each cell's log ratio, or raises, by the number of the pair."""

    def held(
        truth: Truth = lambda cell, number: 0.0,
        base: dict[Cell, CellRecord] | None = None,
        head: dict[Cell, CellRecord] | None = None,
        budget: float = 1000.0,
        min_effect: float = 0.03,
        names: tuple[list[str], list[str]] = (["manual", "whole"], ["manual", "whole"]),
        machines: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
        disturbed: float = 0.0,
        tell: Tell = lambda news: None,
        meters: tuple[str, ...] = (TIME,),
        counted: tuple[dict[Cell, dict[str, Any]], dict[Cell, dict[str, Any]]] = ({}, {}),
    ) -> Outcome:
        ticks, draw, counter = Ticks(), random.Random(1), iter(range(10000))
        sound = {cell: CellRecord(*cell, call_seconds=1e-4) for cell in CELLS}
        surveys = [
            Surveyed(machine, {"cpu": own}, {**sound, **(records or {})}, counts)
            for machine, own, records, counts in zip(machines, names, (base, head), counted, strict=True)
        ]

        def measured(crews: object, plans: dict[Cell, Any], order: object) -> Pair:
            number = next(counter)
            ticks.now += 1.0
            logs = {cell: draw.gauss(truth(cell, number), 0.01) for cell in plans}
            return Pair(logs, disturbed=dict.fromkeys(plans, disturbed))

        monkeypatch.setattr(pairs, "measure_pair", measured)
        monkeypatch.setattr(pairs, "survey", lambda *_: surveys)
        monkeypatch.setattr(pairs, "Crews", FakeCrews)
        for module in (pairs, pursuit):
            monkeypatch.setattr(module, "time", ticks)
        settings = Settings(preset="gate", budget=budget)
        sides = Side("base"), Side("head")
        return measure_pairs(sides, settings, min_effect, Path("log"), tell, meters=meters)

    return held


def by_cell(outcome: Outcome) -> dict[Cell, str]:
    """Verdicts."""
    return {verdict.cell: verdict.verdict for verdict in outcome.verdicts}


def test_nothing_changed(hold: Callable[..., Outcome]) -> None:
    """All unchanged, exit code 0, long before the budget ends."""
    outcome = hold()
    assert set(by_cell(outcome).values()) == {UNCHANGED}
    assert outcome.exit_code(strict=True) == 0
    assert outcome.pairs <= LOOKS[3]


@pytest.mark.parametrize(
    ("disturbed", "machine", "kinds"),
    [
        (0.0, {}, []),
        (0.25, {}, [DISTURBED]),
        (math.nan, {"pinned": False}, [NO_EVIDENCE, NOT_PINNED]),
    ],
)
def test_verdicts_carry_what_qualifies_them(
    hold: Callable[..., Outcome], disturbed: float, machine: dict[str, Any], kinds: list[str]
) -> None:
    """In the outcome, in JSON and in the words of the table."""
    outcome = hold(disturbed=disturbed, machines=(machine, machine))
    carried = [list(verdict.warnings) for verdict in outcome.verdicts]
    assert all([each.kind for each in found] == kinds for found in carried)
    stored = [cell["warnings"] for cell in as_json(outcome, strict=False)["cells"]]
    assert stored == [[each.as_dict() for each in found] for found in carried]
    assert (short(carried[0]) in markdown(outcome)) if kinds else ("warning" not in markdown(outcome))


def test_each_side_is_started_first_in_every_other_pair(
    hold: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is older than the other side's would otherwise always be the base's."""
    firsts: list[int] = []

    class Noted(FakeCrews):
        def __init__(self, *given: object) -> None:
            *_, first, threads = given
            assert isinstance(first, int) and threads == 1
            firsts.append(first)

    monkeypatch.setattr("tests.gate.test_pairs.FakeCrews", Noted)
    hold()
    assert len(firsts) >= LOOKS[0]
    assert all({one, other} == {0, 1} for one, other in pairwise(firsts))


def test_a_regression_fails(hold: Callable[..., Outcome]) -> None:
    """And so it does beside an improvement and a cell that cannot be compared."""
    outcome = hold(
        lambda cell, number: {"manual": 0.1, "whole": -0.1}[cell[1]],
        base={CELLS[2]: CellRecord(*CELLS[2], status=FAILED, reason="not equal")},
    )
    assert by_cell(outcome) == {CELLS[0]: REGRESSED, CELLS[1]: IMPROVED, CELLS[3]: IMPROVED}
    assert outcome.exit_code() == 1


def test_what_is_told_meanwhile(hold: Callable[..., Outcome]) -> None:
    """How many cells there are; at every look how many are settled, open, slower; lost pairs. All of it is kept."""
    news: list[News] = []

    def truth(cell: Cell, number: int) -> float:
        if number == 2:
            raise SideDied("head: it died", CELLS[1])
        return 0.1 if cell == CELLS[0] else 0.0

    outcome = hold(truth, tell=news.append)
    loss, *looks = (event for event in news[1:])
    assert news[0] == Asked(4) and outcome.asked == 4
    assert [loss] == outcome.lost == [Lost(CELLS[1], "head: it died")]
    assert looks == outcome.looks
    first, last = outcome.looks[0], outcome.looks[-1]
    assert (first.pairs, first.settled, first.open, first.slower) == (6, 3, 1, 1)
    assert last == Look(last.pairs, last.seconds, settled=4, regressed=1, open=0, slower=0)
    assert [look.pairs for look in outcome.looks] == list(LOOKS[: len(outcome.looks)])


def test_the_budget_ends_it(hold: Callable[..., Outcome]) -> None:
    """A cell at the limit stays open till then; what it would take is said; 0, or 4 when asked to be strict."""
    outcome = hold(lambda cell, number: 0.0295 if cell == CELLS[0] else 0.0, budget=45)
    assert outcome.pairs <= 45
    found = next(verdict for verdict in outcome.verdicts if verdict.cell == CELLS[0])
    assert found.verdict == INCONCLUSIVE
    assert "more pairs" in found.note
    assert any("budget of 45 s" in note for note in outcome.notes)
    assert (outcome.exit_code(), outcome.exit_code(strict=True)) == (0, 4)


def test_too_few_pairs_are_no_green(hold: Callable[..., Outcome]) -> None:
    """A budget that ends before the first look compares nothing."""
    outcome = hold(budget=LOOKS[0] + 1)
    assert "a first look takes 6" in outcome.too_few
    assert outcome.exit_code() == 3


def test_one_lost_pair_is_put_up_with(hold: Callable[..., Outcome]) -> None:
    """It is said, and another takes its place."""
    died = iter([2])

    def truth(cell: Cell, number: int) -> float:
        if number == 2 and next(died, None):
            raise SideDied("head: the process was killed by SIGKILL", CELLS[0])
        return 0.0

    outcome = hold(truth)
    assert outcome.lost == [Lost(CELLS[0], "head: the process was killed by SIGKILL")]
    assert outcome.exit_code() == 0


def test_an_implementation_that_loses_two_pairs_is_given_up(hold: Callable[..., Outcome]) -> None:
    """In whichever cases that was. Its cells could not be compared, the others are."""

    def truth(cell: Cell, number: int) -> float:
        if cell[1] == "whole":
            raise SideDied("base: no answer for 60 s", cell)
        return 0.0

    outcome = hold(truth)
    assert {left.cell for left in outcome.faults} == {cell for cell in CELLS if cell[1] == "whole"}
    assert set(by_cell(outcome)) == {cell for cell in CELLS if cell[1] == "manual"}
    assert len(outcome.lost) == 2
    assert outcome.exit_code() == 3


def test_processes_that_never_start_end_it(hold: Callable[..., Outcome]) -> None:
    """Nothing is tried for ever."""

    def truth(cell: Cell, number: int) -> float:
        raise SideDied("base: the process ended with exit code 1", cell)

    outcome = hold(truth)
    assert (len(outcome.lost), outcome.verdicts, outcome.exit_code()) == (4, [], 3)


def test_patience_ends_with_a_failure(hold: Callable[..., Outcome]) -> None:
    """Once it has failed and 20 s are over, a cell that nobody suspects is not pursued."""
    outcome = hold(lambda cell, number: {CELLS[0]: 0.2, CELLS[1]: 0.0295}.get(cell, 0.0), budget=1000)
    found = {verdict.cell: verdict for verdict in outcome.verdicts}
    assert found[CELLS[0]].verdict == REGRESSED
    assert (found[CELLS[1]].verdict, found[CELLS[1]].note) == (
        INCONCLUSIVE,
        "not pursued, since the gate had failed already",
    )
    assert outcome.pairs == LOOKS[4]


@pytest.mark.parametrize(
    ("base", "head", "status", "code"),
    [
        (MISSING, MEASURED, NEW, 0),
        (UNAVAILABLE, UNAVAILABLE, NOT_RUN, 0),
        (LEFT_OUT, LEFT_OUT, NOT_RUN, 0),
        (FAILED, FAILED, INCOMPARABLE, 3),
        (FAILED, MEASURED, INCOMPARABLE, 3),
        (MEASURED, FAILED, INCOMPARABLE, 3),
        (MEASURED, UNAVAILABLE, INCOMPARABLE, 3),
        (MEASURED, LEFT_OUT, INCOMPARABLE, 3),
    ],
)
def test_what_is_not_measured_on_both_sides(
    hold: Callable[..., Outcome], base: str, head: str, status: str, code: int
) -> None:
    """New and not run anywhere are no faults while others are compared; everything else is."""
    cell = CELLS[0]
    outcome = hold(
        base={cell: CellRecord(*cell, status=base, reason="because", call_seconds=1e-4)},
        head={cell: CellRecord(*cell, status=head, reason="because", call_seconds=1e-4)},
    )
    assert [(left.cell, left.status) for left in outcome.uncompared] == [(cell, status)]
    assert outcome.exit_code() == code


def test_an_implementation_that_is_gone_is_a_fault(hold: Callable[..., Outcome]) -> None:
    """The base's selection has a name that head's does not know."""
    outcome = hold(names=(["manual", "whole", "old"], ["manual", "whole"]))
    assert {left.cell for left in outcome.faults} == {(case, "old") for case in CASES}
    assert outcome.exit_code() == 3


def test_only_new_cells_are_no_green(hold: Callable[..., Outcome]) -> None:
    """With nothing to compare there is no verdict."""
    missing = {cell: CellRecord(*cell, status=MISSING) for cell in CELLS}
    assert hold(base=missing).exit_code() == 3


def test_machines_must_be_alike_unless_software_is_the_question(hold: Callable[..., Outcome]) -> None:
    """Between two interpreters the differences are told; otherwise they are refused."""
    with pytest.raises(Incomparable, match=r"torch: 2.12 in base, 2.13 in head"):
        hold(machines=({"torch": "2.12"}, {"torch": "2.13"}))
    sides = (Side("base"), Side("head"))
    assert told_differences(sides, {"torch": "2.12"}, {"torch": "2.13"}, allowed=True) == [
        "torch: 2.12 in base, 2.13 in head"
    ]


def counts(copies: int) -> dict[Cell, dict[str, Any]]:
    """So many operators of each cell, of one name."""
    told = {"exact": {"operators": copies, "nodes": 0}, "names": {"operators": {"aten::copy_": copies}, "nodes": {}}}
    return dict.fromkeys(CELLS, told)


def test_what_is_counted_alone_measures_no_pair(hold: Callable[..., Outcome]) -> None:
    """A verdict of each cell from the survey; the raw counts of both sides are kept."""
    outcome = hold(meters=(OPERATORS,), counted=(counts(4), counts(4)))
    assert (outcome.pairs, outcome.looks, outcome.verdicts, outcome.exit_code()) == (0, [], [], 0)
    assert {found.verdict for found in outcome.counts} == {UNCHANGED}
    assert outcome.raw["meters"][0] == [*CELLS[0], {"operators": 4, "nodes": 0}, {"operators": 4, "nodes": 0}]
    assert hold(meters=(OPERATORS,), counted=(counts(4), counts(5))).exit_code() == 1


def test_a_rise_beside_an_improved_time_is_a_trade_and_fails(hold: Callable[..., Outcome]) -> None:
    """The times are measured to their end all the same."""
    outcome = hold(lambda cell, number: -0.2, meters=(TIME, OPERATORS), counted=(counts(4), counts(5)))
    assert set(by_cell(outcome).values()) == {IMPROVED}
    assert {found.verdict for found in outcome.counts} == {REGRESSED}
    assert all(outcome.traded(found.cell) is not None for found in outcome.counts)
    assert outcome.exit_code() == 1
    assert "That is a trade: a call became 1" in markdown(outcome)


def test_times_and_first_results_share_the_error_and_the_budget(
    hold: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each judge counts the other's hypotheses; first results leave half of the budget to times, if these are asked
    for."""
    made: list[tuple[int, Any, float]] = []

    class Firsts:
        """Stands in for the pairs of first results."""

        def __init__(self, *given: Any) -> None:
            *_, judge, _settings, _log, _tell, _begun, until = given
            made.append((judge.hypotheses, judge.limit, until))

        def measure(self) -> None:
            """Nothing is measured."""

        def conclude(self) -> None:
            """Nor said."""

    monkeypatch.setattr(pairs, "FirstResults", Firsts)
    hold(meters=(TIME, FIRST), budget=100.0)
    hold(meters=(FIRST,), budget=100.0, min_effect=0.2)
    assert made == [
        (2 * len(CELLS), pytest.approx(math.log(1.1)), 50.0),
        (len(CELLS), pytest.approx(math.log(1.2)), 100.0),
    ]
