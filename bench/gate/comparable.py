"""Which cells two sides have in common, by a survey of both, and why the others cannot be compared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.cases.words import in_words
from bench.gate.sides import Side
from bench.host.process import Worker, WorkerDied
from bench.run.crew import file_name
from bench.run.survey import Survey, SurveyOverran
from bench.store.manifest import FAILED, MEASURED, MISSING, CellRecord
from bench.table.outcome import INCOMPARABLE, NEW, NOT_RUN, Incomparable, Uncompared


@dataclass
class Surveyed:
    """One side: its machine and software, what is known of each cell, and what was `counted` of it where that was
    asked for (`bench.why.meters.Counted`, as a dict)."""

    machine: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    records: dict[Cell, CellRecord] = field(default_factory=dict)
    counted: dict[Cell, dict[str, Any]] = field(default_factory=dict)


def comparable(names: tuple[str, str], base: Surveyed, head: Surveyed) -> tuple[dict[Cell, float], list[Uncompared]]:
    """Rough seconds per call of each cell that both sides can run; and the other cells, with the reason.

    `names` is what (base, head) are called.
    """
    calls: dict[Cell, float] = {}
    rest: list[Uncompared] = []
    for cell, ours in head.records.items():
        theirs = base.records.get(cell)
        if theirs is None:
            rest.append(Uncompared(cell, INCOMPARABLE, f"{names[0]} has no such device"))
        elif theirs.status == ours.status == MEASURED:
            calls[cell] = ((theirs.call_seconds or 0.0) + (ours.call_seconds or 0.0)) / 2
        elif theirs.status == MISSING and ours.status == MEASURED:
            rest.append(Uncompared(cell, NEW, f"{names[0]} does not have it"))
        elif theirs.status == ours.status != FAILED:
            rest.append(Uncompared(cell, NOT_RUN, f"{ours.status}: {ours.reason}"))
        else:
            rest.append(Uncompared(cell, INCOMPARABLE, _told(names, theirs, ours)))
    for device, selected in base.names.items():
        gone = [name for name in selected if name not in head.names.get(device, [])]
        cases = dict.fromkeys(case for case, _ in head.records if case.startswith(f"{device}-"))
        rest += [Uncompared((case, name), INCOMPARABLE, f"only {names[0]} has it") for name in gone for case in cases]
    return calls, rest


def told_choices(names: tuple[str, str], base: Surveyed, head: Surveyed) -> list[str]:
    """A line for each cell in which an implementation decided otherwise on the two sides what to run."""
    return [
        f"`{cell[1]}` at {in_words(Case.parse(cell[0]))} runs {theirs.chosen or 'what it has'} in {names[0]}, "
        f"{ours.chosen or 'what it has'} in {names[1]}"
        for cell, ours in head.records.items()
        if (theirs := base.records.get(cell))
        and theirs.status == ours.status == MEASURED
        and theirs.chosen != ours.chosen
    ]


def _told(names: tuple[str, str], base: CellRecord, head: CellRecord) -> str:
    """How a cell stands on the side, or the sides, where it is not measured."""
    return "; ".join(
        f"{name}: {record.status}: {record.reason}"
        for name, record in zip(names, (base, head), strict=True)
        if record.status != MEASURED
    )


def survey(
    sides: tuple[Side, Side],
    settings: Settings,
    log: Path,
    deadline: float,
    meters: bool = False,
    only: Collection[Cell] = (),
) -> tuple[Surveyed, Surveyed]:
    """Survey (base, head), both at work at the same time, until the deadline, a reading of time.perf_counter; with
    `meters` what is exact is counted, too. `only` are the cells it is narrowed down to, if any. Raises Incomparable
    where one has no worker that starts, and where the deadline comes first."""
    cells = [cell for case, name in settings.cells() if (cell := (case.id, name)) in only or not only]
    base = _begun(sides[0], settings, log.with_name("base"), deadline, meters, cells)
    try:
        head = _begun(sides[1], settings, log.with_name("head"), deadline, meters, cells)
        try:
            return _found(base, sides[0], settings), _found(head, sides[1], settings)
        finally:
            head.end()
    finally:
        base.end()


def _begun(side: Side, settings: Settings, log: Path, deadline: float, meters: bool, asked: Iterable[Cell]) -> Survey:
    """One side's, which is under way from the start; what it finds waits until it is listened to."""

    def start(place: str, cells: list[Cell]) -> Worker:
        job = side.job(
            "survey",
            cells=cells,
            devices=list(settings.devices),
            max_call=settings.max_call,
            selection=settings.implementations,
            memory=False,
            meters=meters,
        )
        return Worker(job, log.with_name(f"{log.name}-survey-{file_name(place)}.log"), side.python)

    return Survey(asked, start, settings.timeout, deadline)


def _found(survey: Survey, side: Side, settings: Settings) -> Surveyed:
    """All of it."""
    try:
        records = {record.cell: record for record in survey}
    except WorkerDied as death:
        raise Incomparable(f"{side.name} cannot be measured: {death}") from None
    except SurveyOverran as end:
        raise Incomparable(
            f"the budget of {settings.budget:.0f} s was spent before both sides were surveyed; {side.name} was at {end}"
        ) from None
    return Surveyed(survey.machine, survey.names, records, survey.counted)
