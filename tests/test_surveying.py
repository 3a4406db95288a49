"""A survey and its time: what a process that hangs may cost, on fake workers and a fake clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.cases.words import in_words
from bench.gate import comparable as gate_survey
from bench.gate.sides import Side
from bench.host.process import WorkerDied
from bench.run import survey
from bench.run.survey import Survey, SurveyOverran
from bench.store.manifest import FAILED, MEASURED, CellRecord
from bench.table.outcome import Incomparable

CASES = [Case(hidden_size=8, input_size=8, seq_len=steps).id for steps in (2, 4, 8)]
CELLS: list[Cell] = [(case, name) for name in ("manual", "whole") for case in CASES]


class Clock:
    """Moves when somebody waits."""

    now = 100.0

    def perf_counter(self) -> float:
        """The time."""
        return self.now


class FakeWorker:
    """Surveys cells at once, but for those of who hangs: there it is silent for as long as one listens."""

    def __init__(self, clock: Clock, cells: Sequence[Cell], hangs: str) -> None:
        self.clock, self.told = clock, self._tell(list(cells), hangs)

    def _tell(self, cells: list[Cell], hangs: str) -> Iterator[dict[str, Any]]:
        yield {"event": "ready", "machine": {}, "names": {}, "devices": ["cpu"]}
        for case, name in cells:
            yield {"event": "start", "case": case, "implementation": name}
            if name == hangs:
                yield {}
            told = {"record": dataclasses.asdict(CellRecord(case, name))}
            yield {"event": "cell", **told, **({"counted": {"exact": {"operators": 4}}} if name == "whole" else {})}
        yield {"event": "end", "ledger": {}}

    def hear(self, timeout: float) -> dict[str, Any]:
        """The next finding."""
        if found := next(self.told):
            return found
        self.clock.now += timeout
        raise WorkerDied(f"no answer for {timeout:.0f} s")

    def end(self) -> None:
        """It is gone."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The survey's."""
    own = Clock()
    monkeypatch.setattr(survey, "time", own)
    return own


def surveyed(clock: Clock, hangs: str = "whole", **options: float) -> Survey:
    """A survey in which one implementation hangs."""
    return Survey(CELLS, lambda _, cells: FakeWorker(clock, cells, hangs), 60.0, **options)  # type: ignore[arg-type,return-value]  # as much of a Worker as is used


def test_without_a_deadline_a_hang_costs_two_timeouts(clock: Clock) -> None:
    """Then its implementation is given up, with reasons, and the others have their records."""
    status = {(record.case, record.implementation): record.status for record in surveyed(clock)}
    assert status == {cell: FAILED if cell[1] == "whole" else MEASURED for cell in CELLS}
    assert clock.now == 100.0 + 2 * 60.0


def test_a_hang_ends_at_the_deadline(clock: Clock) -> None:
    """Not a second later, and the text names the implementation and the case."""
    found = []
    with pytest.raises(
        SurveyOverran,
        match=rf"^`whole`, {in_words(Case.parse(CASES[1]))}: no answer for 30 s; whole lost its process before$",
    ):
        found += list(surveyed(clock, deadline=100.0 + 90.0))
    assert clock.now == 190.0


def test_a_deadline_that_is_far_off_changes_nothing(clock: Clock) -> None:
    """What is lost within it is lost as ever."""
    assert len(list(surveyed(clock, deadline=100.0 + 121.0))) == len(CELLS)


def test_a_gate_whose_survey_hangs_is_incomparable(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3, within the budget, with the side and the implementation."""

    def worker(job: dict[str, Any], log: Path, python: str) -> FakeWorker:
        return FakeWorker(clock, job["cells"], "whole")

    monkeypatch.setattr(gate_survey, "Worker", worker)
    settings = Settings(preset="smoke", devices=("cpu",), implementations="manual,whole", budget=50.0, timeout=60.0)
    told = r"the budget of 50 s was spent before both sides were surveyed; main was at `whole`, .+: no answer for 50 s"
    with pytest.raises(Incomparable, match=f"^{told}$"):
        gate_survey.survey((Side("main"), Side("here")), settings, Path("log"), clock.now + 50.0)
    assert clock.now == 150.0


def test_what_is_counted_is_kept_beside_the_records(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of both sides of a gate, for the cells that it is narrowed down to; each job says what it is to count."""
    jobs: list[dict[str, Any]] = []

    def worker(job: dict[str, Any], log: Path, python: str) -> FakeWorker:
        jobs.append(job)
        return FakeWorker(clock, job["cells"], "nobody")

    monkeypatch.setattr(gate_survey, "Worker", worker)
    settings = Settings(preset="smoke", devices=("cpu",), implementations="manual,whole", timeout=60.0)
    case = settings.cells()[0][0].id
    wanted = [(case, "manual"), (case, "whole")]
    sides = Side("main"), Side("here")
    found = gate_survey.survey(sides, settings, Path("log"), clock.now + 50.0, True, wanted)
    assert [job["meters"] for job in jobs] == [True, True]
    for side in found:
        assert list(side.records) == wanted
        assert side.counted == {(case, "whole"): {"exact": {"operators": 4}}}
