"""The process that times blocks: it builds what it is told to, and times a block when it is told to.

Told, one line of JSON each, and what is answered:

    {"case": case id}                               `begun`: the problem is there. What was built before is let go.
    {"build": name}                                 `built`, or a `failure`
    {"block": name, "calls": n, "lead": n, "check": false, "keep": false}
                                                    `block`: seconds of one call, by the device's events, too, and of
                                                    its waiting; switches of the block (null: not known); or a `failure`
    {"latency": name}                               `latency`: of the steps of the blocks kept so far, where the Case is
                                                    streaming; see `bench.measure.steptimes`

The others that are measured do the same, each in a process of its own on the same core; `bench.run.crew` tells them
whose turn it is. Inputs are new for every call, and after what is called the process must be set as it was before: see
`bench.measure.problem.Feed`, `bench.measure.state`. With `check` the result of one of the block's calls is looked at.
`lead` calls are made before the block, untimed. With `keep` how long each of its steps took is kept.
"""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.cases.case import Case
from bench.host import process
from bench.host.clock import Clock, Evidence, Reading, Run, clock_for, warm_up
from bench.measure import state
from bench.measure.alternate import CONTROL, check_reading, no_garbage_collection
from bench.measure.calling import Stream
from bench.measure.fault import reason_of
from bench.measure.problem import Feed, Problem
from bench.measure.spotcheck import SpotChecks
from bench.measure.steptimes import StepTimes
from bench.measure.workload import Workload, control_for
from rnn_impls import registry

MOST_ELSEWHERE = 0.05
"""CPU time that child processes may take beside the blocks of an implementation, over their time: what they compute
for it would be taken for waiting."""
ONCE = 0.05
"""CPU seconds that they may take in all: a library may start a process once, to look at the machine or to report."""
MOST_CORES = 1.2
"""CPU time of the process over the time of its blocks and its cores: it has freed itself of the core it shares."""
LEAST_SECONDS = 0.1
"""Of blocks, before either is asked: CPU time of children comes in ticks of 10 ms."""


def time_blocks(lines: Iterable[str], tell: Callable[..., None], delay: Mapping[str, float]) -> None:
    """Do as told until there are no more lines. `delay` slows an implementation by a fraction, to see who notices."""
    seat: Seat | None = None
    with no_garbage_collection():
        for line in lines:
            told = json.loads(line)
            if "case" in told:
                seat = None
                gc.collect()
                seat = Seat(Case.parse(told["case"]), delay)
                tell("begun")
            elif seat is not None and "build" in told:
                tell("built", **seat.build(told["build"]))
            elif seat is not None and "latency" in told:
                tell("latency", latency=seat.built[told["latency"]].steps.told())
            elif seat is not None:
                name, calls, lead, check, keep = (told.get(key) for key in ("block", "calls", "lead", "check", "keep"))
                tell("block", **seat.block(name, calls, lead or 0, bool(check), bool(keep)))


@dataclass
class Built:
    """An implementation that is built, or the control, with what is known of its blocks so far."""

    run: Callable[..., object]
    workload: Workload | None = None
    isolated: bool = False
    checks: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    elsewhere: float = 0.0
    keep: bool = False
    steps: StepTimes = field(default_factory=StepTimes)

    def ends(self) -> list[list[float]]:
        """The readings around the steps of a streaming Case since this was last asked; else none."""
        stream = self.workload.forward if self.workload is not None else None
        return stream.taken() if isinstance(stream, Stream) else []


class Seat:
    """What one process measures of a Case."""

    def __init__(self, case: Case, delay: Mapping[str, float]) -> None:
        self.case, self.delay = case, delay
        self.cores = max(1, len(state.arrange(case)))
        self.clock: Clock = clock_for(case.device)
        self.problem = Problem.of(case)
        self.feed = Feed(self.problem)
        self.spots = SpotChecks(case, self.problem, self.feed)
        self.built: dict[str, Built] = {}
        self.draw = random.Random()
        self.elsewhere = 0.0
        self.warm = case.device != "cuda"

    def build(self, name: str) -> dict[str, Any]:
        """Build an implementation, or the control; what it chose to run, or the reason why that can't be done."""
        if name == CONTROL:
            self.built[name] = Built(control_for(self.case.device))
            return {}
        try:
            with state.kept("when it is imported"):
                implementation = registry.load(name)
            with state.kept("when it is built"):
                workload = Workload(self.case, implementation, self.problem, self.feed)
        except Exception as error:  # a user's implementation may raise anything; the others are still measured
            return {"failure": reason_of(error)}
        run = delayed(workload, self.delay[name]) if name in self.delay else workload
        self.built[name] = Built(run, workload, registry.isolated(name))
        self.elsewhere = process.cpu_seconds()
        return {"chosen": getattr(workload.module, "chosen", "")}  # another tree may not know of it

    def block(self, name: str, calls: int, lead: int, check: bool, keep: bool = False) -> dict[str, Any]:
        """Time a block; seconds of one call, by the clock of the device, and what is known of it; or the reason why
        there are none."""
        own = self.built[name]
        own.keep = keep
        if not self.warm:  # while all was built the device had little to do
            warm_up()
            self.warm = True
        try:
            with state.kept("when it is called"):
                if lead:
                    self._led(own, lead)
                reading = self._checked(own, calls) if check else self._timed(own, calls)
            check_reading(reading)
        except Exception as error:  # a user's implementation may raise anything, as in build
            return {"failure": reason_of(error)}
        if own.isolated and (wrong := self._elsewhere(own)):
            return {"failure": wrong}
        evidence, events = reading.evidence, reading.event_seconds
        return {
            "seconds": reading.seconds / calls,
            "event_seconds": None if events is None else events / calls,
            "waited_seconds": None if evidence.waited_seconds is None else evidence.waited_seconds / calls,
            "switches": evidence.switches,
        }

    def _led(self, own: Built, calls: int) -> None:
        """Calls that warm this process up after another has run."""
        if own.workload is not None:
            own.workload.renew(calls)
        self.clock.time(own.run, calls)

    def _timed(self, own: Built, calls: int) -> Reading:
        """A block, each call with inputs of its own."""
        if own.workload is not None:
            own.workload.renew(calls)
        return self._read(own, own.run, calls)

    def _checked(self, own: Built, calls: int) -> Reading:
        """A block in two parts; what the last call of the first gave is looked at between them. Raises ParityError."""
        workload = own.workload
        assert workload is not None  # nobody asks that of the control
        number, own.checks = own.checks, own.checks + 1
        first, results = self.draw.randint(1, calls), list[object]()
        workload.renew(calls, first - 1, self.spots.angle(number))
        rest = workload.given[first:]
        reading = self._read(own, partial(own.run, keep=results), first)
        self.spots.check(number, results[0], workload)

        def go_on(calls: int) -> None:
            results.clear()
            if rest:
                own.run(calls)

        workload.given = rest
        return _together(reading, self._read(own, go_on, len(rest)))

    def _read(self, own: Built, run: Run, calls: int) -> Reading:
        """What the clock says; the CPU time beside it is put down, and the time of each step, if that is kept."""
        own.ends()  # of calls that are not timed
        cpu = time.process_time()
        reading = self.clock.time(run, calls)
        own.cpu += time.process_time() - cpu
        own.seconds += reading.seconds
        if own.keep:
            own.steps.add(own.ends(), reading.evidence)
        return reading

    def _elsewhere(self, own: Built) -> str:
        """Why these blocks are no measurement of what this process does on its core, if so."""
        before, self.elsewhere = self.elsewhere, process.cpu_seconds()
        own.elsewhere += self.elsewhere - before
        if own.seconds < LEAST_SECONDS:
            return ""
        if own.elsewhere > max(ONCE, MOST_ELSEWHERE * own.seconds):
            return f"works in other processes: {own.elsewhere / own.seconds:.0%} of its time, which can't be timed"
        cores = own.cpu / own.seconds
        return f"takes {cores:.1f} cores where it was given {self.cores}" if cores > MOST_CORES * self.cores else ""


def _together(first: Reading, second: Reading) -> Reading:
    """Two parts of a block as one; what is not known of one is not known of both."""

    def total(one: float | None, other: float | None) -> float | None:
        return None if one is None or other is None else one + other

    ours, theirs = first.evidence, second.evidence
    stopped = None if ours.switches is None or theirs.switches is None else ours.switches + theirs.switches
    return Reading(
        first.seconds + second.seconds,
        total(first.event_seconds, second.event_seconds),
        Evidence(total(ours.waited_seconds, theirs.waited_seconds), stopped),
    )


def delayed(run: Callable[..., object], fraction: float) -> Callable[..., object]:
    """The same, longer by this fraction of its own time on the core, which is spent busily at its end; a neighbour that
    stops it makes it wait, but the delay no longer."""

    def slower(calls: int, **more: object) -> None:
        start = time.thread_time()
        run(calls, **more)
        end = start + (time.thread_time() - start) * (1 + fraction)
        while time.thread_time() < end:
            pass

    return slower
