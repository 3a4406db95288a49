"""What a worker does to profile cells: a call without the profiler, calls under it, and the hollow twin beside both."""

from __future__ import annotations

import dataclasses
import gc
import random
import re
import statistics
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.cases.case import Case, Cell
from bench.host.clock import Clock, clock_for, warm_up
from bench.host.machine import keep_heap
from bench.measure import state
from bench.measure.alternate import Timed, alternate, calls_per_block, no_garbage_collection
from bench.measure.fault import Fault, reason_of
from bench.measure.problem import Problem, network_of
from bench.measure.workload import Workload, seconds_per_call
from bench.why.profile import breakdown
from bench.why.profile.counts import count
from bench.why.profile.record import AGREED, FAILED, ProfileRecord
from bench.why.profile.trace import Window, folded, read_trace
from bench.why.profile.tracing import traced
from bench.why.work import work
from rnn_impls import registry
from rnn_impls.interface import Unavailable

ROUNDS = 11
"""Rounds in which the call and its twin are timed without the profiler."""
EVENTS = 400
"""Calls are traced in groups of about so many events, or one by one where a call has more."""
MOST_EVENTS = 4_000
WINDOWS = (3, 7)
"""At least and at most so many groups; their medians count."""


class NothingSeen(Fault):
    """The profiler saw nothing of what the device did."""


@dataclass(frozen=True)
class Times:
    """Medians over blocks of so many calls without the profiler, in seconds of a call: by the host's clock, and by the
    device's events."""

    calls: int
    seconds: float
    event_seconds: float


@dataclass(frozen=True)
class Profiler:
    """Profiles cells at `steps` steps at most; trace files go to `folder`, where there is one. `times` are those of
    cells on CUDA that were timed ahead, by the id of their Case and the implementation."""

    steps: int
    folder: Path | None = None
    times: dict[Cell, Times] = field(default_factory=dict)

    def time_ahead(self, case: Case, name: str) -> None:
        """Time a cell on CUDA before the first trace, after which the profiler stays in the way of every launch. What
        fails here fails again when it is profiled, and is told there."""
        short = self._short(case)
        with suppress(Exception):  # whatever an implementation raises
            workload = Workload(short, registry.load(name), Problem.of(short))
            self.times[case.id, name] = timed(workload, clock_for(case.device))

    def _short(self, case: Case) -> Case:
        return dataclasses.replace(case, seq_len=min(case.seq_len, self.steps))

    def profile(self, case: Case, name: str) -> ProfileRecord:
        """The record of one cell; whatever the implementation or the profiler raises becomes its status and reason."""
        short = self._short(case)
        record = ProfileRecord(case.id, name, profiled=short.id)
        gc.collect()  # the profiler leaves cycles behind, and a heap that grows is a slow one
        try:
            workload = Workload(short, registry.load(name), Problem.of(short))
            clock = clock_for(case.device)
            if case.device == "cuda":
                self._on_cuda(workload, clock, record)
            else:
                self._on_host(workload, clock, record)
        except Unavailable as error:
            record.status, record.reason = FAILED, str(error)
        except Exception as error:  # a user's implementation may raise anything; the other cells are still profiled
            record.status, record.reason = FAILED, reason_of(error)
        return record

    def _on_host(self, workload: Workload, clock: Clock, record: ProfileRecord) -> None:
        """For devices whose calls return when they are done. Where the parts don't add up, something else ran
        meanwhile, and it is tried once more; the better of the two counts."""
        hollow = twin(workload.case, record.implementation)
        hollow.module.chosen = workload.module.chosen  # the same calls, whatever the twin's own sizes made it decide
        window = self._details(workload, record)
        lengths = workload.problem.lengths
        useful_steps = None if lengths is None else int(lengths.sum())
        asked = work(workload.case, counted=workload.module.shape.products(), useful_steps=useful_steps)
        seen = record.counts.product_operations >= asked.operations / 2
        self._measure(workload, hollow, clock, record, window, seen)
        if abs(record.agreement - 1) > AGREED:
            again = dataclasses.replace(record)
            self._measure(workload, hollow, clock, again, window, seen)
            if abs(again.agreement - 1) < abs(record.agreement - 1):
                for name in ("seconds", "hollow_seconds", "traced_seconds", "categories"):
                    setattr(record, name, getattr(again, name))
        record.busy = breakdown.working(record.categories) / record.seconds

    def _measure(
        self, workload: Workload, hollow: Workload, clock: Clock, record: ProfileRecord, window: Window, seen: bool
    ) -> None:
        """Time call and twin without the profiler, trace both, and put the categories into the record."""
        record.seconds, record.hollow_seconds = _side_by_side(clock, workload, hollow)
        events = sum(1 for _ in window.root.walk())
        calls = max(1, min(calls_per_block(record.seconds), EVENTS // events))
        rounds = max(WINDOWS[0], min(WINDOWS[1], MOST_EVENTS // (events * calls)))
        windows = traced({"call": (workload, calls), "twin": (hollow, calls)}, rounds)
        found = [
            breakdown.cpu_breakdown(
                breakdown.own_times(own, calls), breakdown.own_times(other, calls), record.hollow_seconds, seen=seen
            )
            for own, other in zip(windows["call"], windows["twin"], strict=True)
        ]
        medians = {name: statistics.median(each[name] for each in found) for name in breakdown.CATEGORIES}
        record.traced_seconds = sum(medians.values())
        record.categories = breakdown.settled(medians, record.seconds)

    def _on_cuda(self, workload: Workload, clock: Clock, record: ProfileRecord) -> None:
        """On CUDA the device tells what it was busy with."""
        times = self.times.get((record.case, record.implementation)) or timed(workload, clock)
        record.seconds, record.event_seconds = times.seconds, times.event_seconds
        self._details(workload, record)
        window = traced({"call": (workload, times.calls)}, cuda=True)["call"][0]
        if not window.device:
            raise NothingSeen("the profiler saw no kernel on the device, so where the time went can't be told")
        found = breakdown.cuda_breakdown(window, times.calls, record.seconds)
        record.traced_seconds = sum(found.values())
        record.categories = breakdown.settled(found, record.seconds)
        record.busy = breakdown.working(record.categories) / record.seconds

    def _details(self, workload: Workload, record: ProfileRecord) -> Window:
        """Count what one call does, and keep its trace and flame graph where that was asked for."""
        keep, cuda = None, workload.case.device == "cuda"
        if self.folder is not None:
            stem = _safe(f"{workload.case.id}-{record.implementation}")
            keep, flame = self.folder / f"{stem}.trace.json", self.folder / f"{stem}.folded"
        label = f"{record.implementation}"
        window = traced({label: (workload, 1)}, cuda=cuda, details=True, stack=keep is not None, keep=keep)[label][0]
        record.counts = count(window)
        if keep is not None:
            flame.write_text(folded(read_trace(keep, python=True)[0]))
            record.trace, record.flame = keep.name, flame.name
        return window


def timed(workload: Workload, clock: Clock) -> Times:
    """A cell on CUDA without the profiler."""
    calls = min(20, calls_per_block(seconds_per_call(workload, "cuda")))
    readings = [clock.time(workload, calls) for _ in range(ROUNDS)]
    return Times(
        calls,
        statistics.median(reading.seconds / calls for reading in readings),
        statistics.median((reading.event_seconds or 0.0) / calls for reading in readings),
    )


def twin(case: Case, name: str) -> Workload:
    """The hollow twin of a cell: the same calls with next to nothing to compute. Raises Unavailable where the
    implementation runs no such network."""
    reason: Exception = Unavailable("it has no hollow twin")
    sizes = network_of(case.network).twin_sizes
    for size in sizes:
        hollow = dataclasses.replace(
            case,
            hidden_size=size,
            input_size=size,
            batch_size=case.batch_size if case.ragged else 1,  # their number decides on the calls
            output_size=min(case.output_size, size),
        )
        try:
            return Workload(hollow, registry.load(name), Problem.of(hollow))
        except Exception as error:  # a user's implementation may refuse in its own way; the next size is tried
            reason = error
    raise Unavailable(f"its time can't be told apart: no twin of {sizes} hidden units runs: {reason_of(reason)}")


def _safe(name: str) -> str:
    """The names of a case and of an implementation as part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def _side_by_side(clock: Clock, workload: Workload, hollow: Workload) -> tuple[float, float]:
    """Seconds of a call and of its twin's, in alternation, without the profiler."""
    device = workload.case.device
    timed = {
        label: Timed(run, calls_per_block(seconds_per_call(run, device)))
        for label, run in (("call", workload), ("twin", hollow))
    }
    found = alternate(clock, timed, ROUNDS, random.Random(0))
    for error in found.failures.values():
        raise error
    return (statistics.median(found.samples["call"].seconds), statistics.median(found.samples["twin"].seconds))


_POOL = (24, 2**22)
"""Blocks and items of each that are touched once: 384 MiB."""


def profile_cells(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Profile the cells of a job: tells `start`, then `profile` with the record, for each. Those on CUDA are timed
    before all, when they are told to start as well."""
    keep_memory()
    folder = Path(job["folder"]) if job.get("folder") else None
    profiler = Profiler(job["steps"], folder)
    with no_garbage_collection():
        cells = [(Case.parse(case_id), name) for case_id, name in job["cells"]]
        if on_cuda := [cell for cell in cells if cell[0].device == "cuda"]:
            warm_up()
        for case, name in on_cuda:
            tell("start", case=case.id, implementation=name)
            state.arrange(case)
            profiler.time_ahead(case, name)
            gc.collect()
        # The first session takes a second to begin, imports much, and listens to the device before graphs are captured:
        traced({"start": (lambda calls: None, 1)}, cuda=bool(on_cuda))
        gc.collect()
        gc.freeze()  # looking through all that at each cell would take as long as profiling it
        for case, name in cells:
            tell("start", case=case.id, implementation=name)
            state.arrange(case)
            tell("profile", record=dataclasses.asdict(profiler.profile(case, name)))


def keep_memory() -> None:
    """Let the heap keep what it has (see `bench.host.machine.keep_heap`), and have enough: the profiler's own records
    push it from one state into another."""
    if keep_heap():
        blocks = [torch.ones(_POOL[1]) for _ in range(_POOL[0])]
        del blocks
