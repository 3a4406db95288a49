"""Both sides surveyed, cell by cell: nothing here is timed for its own sake."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench.gate.comparable import Surveyed
from bench.gate.outcome import Cell, Incomparable
from bench.gate.sides import Side
from bench.manifest import FAILED, CellRecord
from bench.process import Worker, WorkerDied
from bench.settings import Settings


def survey(sides: tuple[Side, Side], settings: Settings, log: Path) -> tuple[Surveyed, Surveyed]:
    """Survey (base, head), both at work at the same time. Raises Incomparable where one has no worker that starts."""
    with ExitStack() as stack:
        logs = (log.with_name("base.log"), log.with_name("head.log"))
        base, head = (_Survey(side, settings, own, stack) for side, own in zip(sides, logs, strict=True))
        return base.listen(), head.listen()


class _Survey:
    """One side's, which is under way from the start; what it finds waits until it is listened to."""

    def __init__(self, side: Side, settings: Settings, log: Path, stack: ExitStack) -> None:
        self.side, self.settings, self.log, self.stack = side, settings, log, stack
        self.remaining: list[Cell] = [(case.id, name) for case, name in settings.cells()]
        self.found = Surveyed()
        self.current: Cell | None = None
        self.worker = self._start()

    def listen(self) -> Surveyed:
        """All of it; a worker that dies costs the cell it was at, and another goes on behind it."""
        while True:
            try:
                self._listen()
            except WorkerDied as death:
                if self.current is None or self.current not in self.remaining:
                    raise Incomparable(f"{self.side.name} cannot be measured: {death}") from None
                self._keep(CellRecord(*self.current, status=FAILED, reason=str(death)))
                self.worker = self._start()
            else:
                return self.found

    def _listen(self) -> None:
        """To one worker, until it ends."""
        while (told := self.worker.hear(self.settings.timeout))["event"] != "end":
            if told["event"] == "ready":
                self.found.machine, self.found.names = told["machine"], told["names"]
                self.remaining = [cell for cell in self.remaining if cell[0].split("-")[0] in told["devices"]]
            elif told["event"] == "start":
                self.current = (told["case"], told["implementation"])
            elif told["event"] == "cell":
                self._keep(CellRecord(**told["record"]))

    def _keep(self, record: CellRecord) -> None:
        cell = (record.case, record.implementation)
        self.found.records[cell] = record
        self.remaining.remove(cell)

    def _start(self) -> Worker:
        """A worker on what remains."""
        self.current = None
        job = self.side.job(
            "survey",
            cells=self.remaining,
            devices=list(self.settings.devices),
            max_call=self.settings.max_call,
            selection=self.settings.implementations,
            memory=False,
        )
        return self.stack.enter_context(Worker(job, self.log, self.side.python))
