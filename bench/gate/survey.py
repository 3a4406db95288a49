"""What can be compared at all: both sides surveyed, cell by cell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.gate.outcome import INCOMPARABLE, NEW, NOT_RUN, Cell, Incomparable, Uncompared
from bench.gate.sides import Side
from bench.manifest import FAILED, MEASURED, MISSING, CellRecord
from bench.process import WorkerDied, findings
from bench.settings import Settings


@dataclass
class Surveyed:
    """One side: its machine and software, and what is known of each cell."""

    machine: dict[str, Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    records: dict[Cell, CellRecord] = field(default_factory=dict)


def survey(sides: tuple[Side, Side], settings: Settings, log: Path) -> tuple[Surveyed, Surveyed]:
    """Survey (base, head) side by side: nothing here is timed for its own sake."""
    with ThreadPoolExecutor(2) as pool:
        logs = (log.with_name("base.log"), log.with_name("head.log"))
        base, head = pool.map(lambda side, own: _survey(side, settings, own), sides, logs)
    return base, head


def _survey(side: Side, settings: Settings, log: Path) -> Surveyed:
    """One side, by one worker after the other where one dies."""
    remaining: list[Cell] = [(case.id, name) for case, name in settings.cells()]
    found = Surveyed()
    while remaining:
        job = side.job(
            "survey",
            cells=remaining,
            devices=list(settings.devices),
            max_call=settings.max_call,
            selection=settings.implementations,
            memory=False,
        )
        current: Cell | None = None
        try:
            for told in findings(job, settings.timeout, log, side.python):
                if told["event"] == "ready":
                    found.machine, found.names = told["machine"], told["names"]
                    remaining = [cell for cell in remaining if cell[0].split("-")[0] in told["devices"]]
                elif told["event"] == "start":
                    current = (told["case"], told["implementation"])
                elif told["event"] == "cell":
                    record = CellRecord(**told["record"])
                    _keep(found, remaining, record)
        except WorkerDied as death:
            if current is None or current not in remaining:
                raise Incomparable(f"{side.name} cannot be measured: {death}") from None
            _keep(found, remaining, CellRecord(*current, status=FAILED, reason=str(death)))
    return found


def _keep(found: Surveyed, remaining: list[Cell], record: CellRecord) -> None:
    cell = (record.case, record.implementation)
    found.records[cell] = record
    remaining.remove(cell)


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


def _told(names: tuple[str, str], base: CellRecord, head: CellRecord) -> str:
    """How a cell stands on the side, or the sides, where it is not measured."""
    return "; ".join(
        f"{name}: {record.status}: {record.reason}"
        for name, record in zip(names, (base, head), strict=True)
        if record.status != MEASURED
    )
