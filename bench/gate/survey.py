"""Both sides surveyed, cell by cell: nothing here is timed for its own sake."""

from __future__ import annotations

from pathlib import Path

from bench.crew import file_name
from bench.gate.comparable import Surveyed
from bench.gate.outcome import Cell, Incomparable
from bench.gate.sides import Side
from bench.process import Worker, WorkerDied
from bench.settings import Settings
from bench.surveying import Survey, SurveyOverran


def survey(sides: tuple[Side, Side], settings: Settings, log: Path, deadline: float) -> tuple[Surveyed, Surveyed]:
    """Survey (base, head), both at work at the same time, until the deadline, a reading of time.perf_counter. Raises
    Incomparable where one has no worker that starts, and where the deadline comes first."""
    base = _begun(sides[0], settings, log.with_name("base"), deadline)
    try:
        head = _begun(sides[1], settings, log.with_name("head"), deadline)
        try:
            return _found(base, sides[0], settings), _found(head, sides[1], settings)
        finally:
            head.end()
    finally:
        base.end()


def _begun(side: Side, settings: Settings, log: Path, deadline: float) -> Survey:
    """One side's, which is under way from the start; what it finds waits until it is listened to."""

    def start(place: str, cells: list[Cell]) -> Worker:
        job = side.job(
            "survey",
            cells=cells,
            devices=list(settings.devices),
            max_call=settings.max_call,
            selection=settings.implementations,
            memory=False,
        )
        return Worker(job, log.with_name(f"{log.name}-survey-{file_name(place)}.log"), side.python)

    return Survey([(case.id, name) for case, name in settings.cells()], start, settings.timeout, deadline)


def _found(survey: Survey, side: Side, settings: Settings) -> Surveyed:
    """All of it."""
    try:
        records = {(record.case, record.implementation): record for record in survey}
    except WorkerDied as death:
        raise Incomparable(f"{side.name} cannot be measured: {death}") from None
    except SurveyOverran as end:
        raise Incomparable(
            f"the budget of {settings.budget:.0f} s was spent before both sides were surveyed; {side.name} was at {end}"
        ) from None
    return Surveyed(survey.machine, survey.names, records)
