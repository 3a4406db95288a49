"""A survey: worker processes look at cells one by one.

Whoever is isolated is looked at in processes of its own. A worker that dies or hangs costs the cell it was at, and
another goes on behind it. This module needs no torch.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.words import in_words
from bench.host.clock import Ledger
from bench.host.process import Worker, WorkerDied
from bench.run.crew import HOME, seat_of
from bench.store.manifest import FAILED, CellRecord

MOST_LOST = 2
"""Times that an implementation may lose its process before it is given up for the whole run: once may have been
anybody's doing, and each may cost the whole of --timeout."""

Start = Callable[[str, list[Cell]], Worker]
"""Starts a worker on a survey of some cells; the name is that of the seat, for its log."""


class SurveyOverran(Exception):
    """The time for a survey was over before all cells were surveyed; the text says at which, and why."""


class Survey:
    """Of some cells; it is under way from the start, and what it finds waits until it is iterated over.

    What is known besides: `machine` as the first worker describes it, `names` by device where the job asks for them,
    what is `counted` of each cell where the job asks for it (as `bench.why.meters.Counted`, a dict), how often each
    implementation `lost` its process, and the `ledger` of the `workers` that ended well.
    """

    def __init__(self, cells: Iterable[Cell], start: Start, timeout: float, deadline: float = math.inf) -> None:
        """`timeout` bounds every wait for a process, in seconds; no wait goes on beyond the `deadline`, a reading of
        time.perf_counter."""
        self.machine: dict[str, Any] = {}
        self.names: dict[str, list[str]] = {}
        self.counted: dict[Cell, dict[str, Any]] = {}
        self.lost: Counter[str] = Counter()
        self.ledger = Ledger()
        self._start, self._timeout, self._deadline = start, timeout, deadline
        self._left: dict[str, list[Cell]] = {}
        for cell in cells:
            self._left.setdefault(seat_of(cell[1]), []).append(cell)
        self._left = dict(sorted(self._left.items(), key=lambda item: item[0] != HOME))  # it describes the machine
        self._worker: Worker | None = None
        self.workers = 0
        if self._left:
            place, left = next(iter(self._left.items()))
            self._worker = start(place, left)

    def __iter__(self) -> Iterator[CellRecord]:
        """The record of each cell as it is found; cells of devices that are not here have none.

        Raises WorkerDied when no process can be had at all, WorkerRefused for a device that is asked for and not here,
        SurveyOverran at the deadline.
        """
        try:
            for place, left in self._left.items():
                while left:
                    yield from self._go_on(place, left)
        finally:
            self.end()

    def end(self) -> None:
        """End the process that is at work, if any."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _go_on(self, place: str, left: list[Cell]) -> Iterator[CellRecord]:
        """What one worker finds of a seat's cells; they leave `left`."""
        worker = self._worker = self._worker or self._start(place, left)
        current: Cell | None = None
        try:
            while (found := worker.hear(self._patience()))["event"] != "end":
                if found["event"] == "ready":
                    self.machine, self.names = self.machine or found["machine"], self.names or found["names"]
                    left[:] = [cell for cell in left if cell[0].split("-")[0] in found["devices"]]
                elif found["event"] == "start":
                    current = (found["case"], found["implementation"])
                elif found["event"] == "cell":
                    record = CellRecord(**found["record"])
                    left.remove(record.cell)
                    if "counted" in found:
                        self.counted[record.cell] = found["counted"]
                    yield record
            self.ledger.merge(found["ledger"])
            self.workers += 1
            left.clear()
        except WorkerDied as death:
            if not self._patience():
                raise SurveyOverran(self._at(current, death)) from None
            if current is None or current not in left:
                raise
            yield from self._lose(current, str(death), left)
        finally:
            self.end()

    def _patience(self) -> float:
        """How long to wait for the next finding."""
        return max(0.0, min(self._timeout, self._deadline - time.perf_counter()))

    def _at(self, current: Cell | None, death: WorkerDied) -> str:
        """Where the deadline found the survey; who hung before is named as well."""
        lost = f"; {listed} lost its process before" if (listed := ", ".join(self.lost)) else ""
        where = f"`{current[1]}`, {in_words(Case.parse(current[0]))}" if current else "a process that got ready"
        return f"{where}: {death}{lost}"

    def _lose(self, cell: Cell, reason: str, left: list[Cell]) -> Iterator[CellRecord]:
        """The record of the cell that a worker was lost at, and of its implementation's others when that is enough."""
        left.remove(cell)
        yield CellRecord(*cell, status=FAILED, reason=reason)
        self.lost[cell[1]] += 1
        if self.lost[cell[1]] >= MOST_LOST:
            for other in [other for other in left if other[1] == cell[1]]:
                left.remove(other)
                told = f"not tried, its process was lost on {MOST_LOST} cells before: {reason}"
                yield CellRecord(*other, status=FAILED, reason=told)
