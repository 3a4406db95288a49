"""A survey: worker processes look at cells one by one; a checkup: they hold one implementation against the reference.

Whoever is isolated is looked at in processes of its own. A worker that dies or hangs costs the cell it was at, and
another goes on behind it. This module needs no torch.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cases.case import DEVICES, FIELDS, Case, Cell
from bench.cases.presets import BOTH_MODES, Grid, Preset
from bench.cases.words import in_words
from bench.host.clock import Ledger
from bench.host.process import Worker, WorkerDied, findings
from bench.run.crew import HOME, seat_of
from bench.store.manifest import DIFFERS, EQUAL, FAILED, UNAVAILABLE, CellRecord

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
    how often each implementation `lost` its process, and the `ledger` of the `workers` that ended well.
    """

    def __init__(self, cells: Iterable[Cell], start: Start, timeout: float, deadline: float = math.inf) -> None:
        """`timeout` bounds every wait for a process, in seconds; no wait goes on beyond the `deadline`, a reading of
        time.perf_counter."""
        self.machine: dict[str, Any] = {}
        self.names: dict[str, list[str]] = {}
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


KINDS = Preset(
    "checkup",
    "One of each kind: a step and several, a sequence and several, both networks, a head, layers.",
    (
        {"seq_len": (1, 7)},
        {"seq_len": (1, 7), "batch_size": (3,), "network": ("rnn-tanh", "rnn-relu")},
        {"seq_len": (7,), "batch_size": (3,), "output_size": (5,)},
        {"seq_len": (7,), "batch_size": (3,), "num_layers": (2,)},
    ),
)
WIDE = Preset("wide", "An input that is wider than the hidden state.", ({"seq_len": (7,), "batch_size": (3,)},))
SMALL: Grid = {"hidden_size": (8,), "mode": BOTH_MODES}


@dataclass(frozen=True)
class Outcome:
    """What was found on a case: EQUAL with the largest relative error, DIFFERS, FAILED or UNAVAILABLE with a reason."""

    case: Case
    status: str
    reason: str = ""
    error: float | None = None


def cases(devices: Iterable[str], overrides: Grid) -> list[Case]:
    """The cases of a checkup on these devices, in a fixed order; axes given replace this suite's choice."""
    found: list[Case] = []
    for device in devices:
        small = SMALL | overrides
        found += KINDS.cases(device, small)
        if "input_size" not in overrides:
            found += [dataclasses.replace(case, input_size=case.hidden_size + 5) for case in WIDE.cases(device, small)]
    return sorted(found)


def checkup(
    name: str,
    devices: tuple[str, ...],
    overrides: Grid,
    timeout: float,
    log: Path,
    taken: Callable[[list[str]], None] = lambda how: None,
) -> Iterator[Outcome]:
    """The outcome of each case on the devices asked for, or on every one present, as it is found; `taken` is told how a
    bare module is called, where that is in another way than usual.

    Raises WorkerRefused for an implementation that doesn't import or a device that is not here, ValueError for one that
    takes its process down while it is imported, WorkerDied when no process can be had at all.
    """
    remaining = {case.id: case for case in cases(devices or DEVICES, overrides)}
    lost: Counter[str] = Counter()
    while remaining:
        job = {"kind": "check", "devices": list(devices), "implementation": name, "cases": list(remaining)}
        place: str | None = None
        try:
            for found in findings(job, timeout, log):
                if found["event"] == "ready":
                    place = name
                    remaining = {key: case for key, case in remaining.items() if case.device in found["devices"]}
                elif found["event"] == "taken":
                    taken(found["how"])
                elif found["event"] == "start":
                    place = found["case"]
                elif found["event"] == "checked":
                    case = remaining.pop(found["case"])
                    yield Outcome(case, found["status"], found["reason"], found["error"])
        except WorkerDied as death:
            if place is None:
                raise
            if place not in remaining:
                raise ValueError(f"{name} does not import: {death}") from None
            yield Outcome(remaining.pop(place), FAILED, str(death))
            lost[name] += 1
            if lost[name] == MOST_LOST:
                reason = f"not tried, its process was lost on {MOST_LOST} cases before"
                yield from (Outcome(case, FAILED, reason) for case in remaining.values())
                return


def varying(found: Iterable[Case]) -> list[str]:
    """The fields that have more than one value among these cases."""
    listed = list(found)
    return [field for field in FIELDS if len({getattr(case, field) for case in listed}) > 1]


def conclusion(outcomes: list[Outcome]) -> str:
    """One sentence about all of them."""
    counts = Counter(outcome.status for outcome in outcomes)
    tried = len(outcomes) - counts[UNAVAILABLE]
    wrong = [
        f"{text} in {counts[status]}" for status, text in ((DIFFERS, "not equal"), (FAILED, "failed")) if counts[status]
    ]
    declined = f"; it declines {counts[UNAVAILABLE]} more" if counts[UNAVAILABLE] else ""
    if not tried:
        return f"It runs in none of the {len(outcomes)} cases here, so that nothing is known of it."
    if wrong:
        return f"Of {tried} cases: {', '.join([*wrong, f'equal in {counts[EQUAL]}'])}{declined}."
    return f"Equal in all {tried} cases{declined}."


def is_sound(outcomes: list[Outcome]) -> bool:
    """Whether it is equal wherever it runs, and runs somewhere."""
    statuses = {outcome.status for outcome in outcomes}
    return EQUAL in statuses and statuses <= {EQUAL, UNAVAILABLE}
