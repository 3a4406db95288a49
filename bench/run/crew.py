"""The processes that measure together: one for this suite's own implementations and the control, one for each other.

What a user brings is measured isolated, in a process of its own, and takes turns with the others, block by block, on
the same core. So whatever it does to torch, or to its process, reaches nobody else; and when a process dies or hangs,
who was being built or run is known, since one is told at a time. A gate has two crews, a side each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from bench.host.clock import Evidence, Reading, Run
from bench.host.process import Worker, WorkerDied
from bench.measure.alternate import CONTROL
from rnn_impls import registry

HOME = "home"
"""The process of this suite's own implementations, among which the control is."""


class Lost(Exception):
    """A process died or fell silent over an implementation; the text says how, and what it was doing."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class HomeLost(Lost):
    """The same of the process at home, and so all that were built there are lost."""


class BlockFailed(Exception):
    """An implementation gave no sample; the text says why."""


Start = Callable[[str], Worker]
"""Starts a process that takes turns, for the log's sake by the name that it goes under."""


@dataclass
class Seat:
    """One of the processes, and how far it is."""

    worker: Worker
    machine: dict[str, Any] | None = None
    begun: bool = False


@dataclass
class Crew:
    """The processes for some implementations; use it in a with statement, after which they are gone.

    They are started at once and get ready on their own. `timeout` bounds every wait for one of them, in seconds.
    `chosen` is what each implementation of the Case decided to run, for those that have a choice.
    """

    names: Iterable[str]
    start: Start
    timeout: float
    case: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    _seats: dict[str, Seat] = field(default_factory=dict)

    def __enter__(self) -> Crew:
        try:
            for seat in dict.fromkeys(map(seat_of, self.names)):
                self._seats[seat] = Seat(self.start(seat))
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """End all processes."""
        while self._seats:
            self._seats.popitem()[1].worker.end()

    def ready(self) -> dict[str, Any]:
        """Wait until all are; what the first finds this machine to be, where it was told to say. Raises WorkerDied."""
        return next(iter([self._ready(seat) for seat in self._seats.values()]), {})

    def begin(self, case: str) -> None:
        """Have everybody begin with a Case; what was built before is let go, when the seat is next asked for."""
        self.case = case
        self.chosen.clear()
        for seat in self._seats.values():
            seat.begun = False

    def build(self, name: str) -> str:
        """Build an implementation, or the control; the reason why that can't be done, or nothing. Raises Lost."""
        seat = self._seats.get(seat_of(name)) or self._seats.setdefault(seat_of(name), Seat(self.start(seat_of(name))))
        if not seat.begun:
            self._ask(name, {"case": self.case}, "while its process got ready")
            seat.begun = True
        answer = self._ask(name, {"build": name}, "while it was built")
        self.chosen[name] = str(answer.get("chosen", ""))
        return str(answer.get("failure", ""))

    def block(self, name: str, calls: int, lead: int = 0, check: bool = False, keep: bool = False) -> Reading:
        """Have a block run, after so many calls that are not timed; with `check`, a result of it looked at, with
        `keep`, the times of its steps kept. The reading is of the whole block.

        Raises BlockFailed, and Lost.
        """
        message = {"block": name, "calls": calls, "lead": lead, "check": check, **({"keep": True} if keep else {})}
        answer = self._ask(name, message, "while it was run")
        if "failure" in answer:
            raise BlockFailed(answer["failure"])
        waited, events = answer["waited_seconds"], answer["event_seconds"]
        return Reading(
            answer["seconds"] * calls,
            None if events is None else events * calls,
            Evidence(None if waited is None else waited * calls, answer["switches"]),
        )

    def latency(self, name: str) -> dict[str, Any]:
        """What was kept of its steps, where the Case is streaming: see `bench.measure.steptimes`. Raises Lost."""
        found: dict[str, Any] = self._ask(name, {"latency": name}, "while it was asked for its steps")["latency"]
        return found

    def _ask(self, name: str, message: dict[str, Any], doing: str) -> dict[str, Any]:
        """Tell the process of one of them something, and wait for what it answers. A process that is lost is ended;
        the next that is built there gets a fresh one."""
        place = seat_of(name)
        seat = self._seats[place]
        try:
            self._ready(seat)
            seat.worker.tell(message)
            return seat.worker.hear(self.timeout)
        except WorkerDied as death:
            self._seats.pop(place).worker.end()
            raise (HomeLost if place == HOME else Lost)(name, f"{death}, {doing}") from None

    def _ready(self, seat: Seat) -> dict[str, Any]:
        if seat.machine is None:
            seat.machine = seat.worker.hear(self.timeout).get("machine", {})
        return seat.machine


def seat_of(name: str) -> str:
    """The process in which an implementation, or the control, is measured."""
    return name if name != CONTROL and registry.isolated(name) else HOME


def file_name(seat: str) -> str:
    """A seat as part of a file's name: `my_rnn.py:Mine` is `my_rnn.py-Mine`."""
    return re.sub(r"[^\w.-]+", "-", seat).strip("-.")


class Elsewhere:
    """The clock of what is run in another process: it returns its reading."""

    def time(self, run: Run, calls: int) -> Reading:
        """Have the calls made; how long they took there."""
        reading = run(calls)
        assert isinstance(reading, Reading)
        return reading
