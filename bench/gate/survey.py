"""Both sides surveyed, cell by cell: nothing here is timed for its own sake."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.gate.comparable import Surveyed
from bench.gate.outcome import Cell, Incomparable
from bench.gate.sides import Side
from bench.manifest import FAILED, CellRecord
from bench.process import WorkerDied, findings
from bench.settings import Settings


def survey(sides: tuple[Side, Side], settings: Settings, log: Path) -> tuple[Surveyed, Surveyed]:
    """Survey (base, head) side by side. Raises Incomparable where one of them has no worker that starts."""
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
