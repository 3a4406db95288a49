"""Clocks: how long a block of calls took, and what the operating system knows of it that no clock shows.

    clock_for(device)   readings by the host's clock; on a GPU with synchronisation, and the time between two events
    Evidence, Witness   that the core was taken away meanwhile
    Ledger              where a run's own time goes: seconds by activity

Work on a GPU is asynchronous: a call returns when it is queued. A reading therefore synchronises before the host
clock is read, on both sides of the block, and keeps the time between two events on the device beside it.

A process that shares its core is stopped for milliseconds at a time. Its clock goes on, and a block of 2 ms reads as
one of 5 ms. The kernel counts how long a thread was ready to run and something else ran (`/proc/<pid>/schedstat`,
second field, nanoseconds; Linux, Documentation/scheduler/sched-stats). That is evidence which does not look at the
outcome: a call that takes long by itself, that sleeps, or that works in another thread does not wait for a core.

    on one core:  waited = the waiting of all threads of this process, at most wall time - its CPU time
    on several:   waited = that of the thread that waited most, at most cores x wall time - its CPU time

The bound leaves out what a process's own threads wait for each other: while one of them runs, the core's time is in the
process's CPU time. Threads on several cores may be stopped at the same time, which costs the wall time of one; the sum
would take off more than was lost.

Where there is no such file (macOS), involuntary context switches (`getrusage`, ru_nivcsw) are what is left: a block
with one was stopped, for how long is not known. What a hypervisor takes from the whole machine shows in neither.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # a module that is missing; `_switches` asks

TASKS = "/proc/self/task"


@dataclass(frozen=True)
class Evidence:
    """Of one block: seconds in which it was ready to run and didn't, and how often it was stopped; None: not known."""

    waited_seconds: float | None = None
    switches: int | None = None


class Witness:
    """Looks before and after a block; a look takes about 10 µs, outside what is timed."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._waits: dict[str, int] = {}
        self._cpu = 0.0
        self._switches: int | None = None

    def __del__(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                os.close(file)

    def before(self) -> None:
        """The block is about to begin."""
        self._switches = _switches()
        self._waits = self._read()
        self._cpu = time.process_time()

    def after(self, seconds: float) -> Evidence:
        """The block has ended; it took so many seconds by the clock."""
        cpu, waits, switches = time.process_time() - self._cpu, self._read(), _switches()
        stopped = None if switches is None or self._switches is None else switches - self._switches
        if not waits:
            return Evidence(None, stopped)
        cores, each = _cores(), [(wait - self._waits.get(task, 0)) / 1e9 for task, wait in waits.items()]
        waited = sum(each) if cores == 1 else max(each)
        return Evidence(max(0.0, min(waited, cores * seconds - cpu)), stopped)

    def _read(self) -> dict[str, int]:
        """Nanoseconds that each thread has waited so far; empty where the kernel does not count them."""
        found = {}
        for task in _tasks():
            with suppress(OSError, IndexError):  # a thread may have ended
                if task not in self._files:
                    self._files[task] = os.open(f"{TASKS}/{task}/schedstat", os.O_RDONLY)
                found[task] = int(os.pread(self._files[task], 96, 0).split()[1])
        for task in self._files.keys() - found.keys():
            os.close(self._files.pop(task))
        return found


def _tasks() -> list[str]:
    try:
        return os.listdir(TASKS)
    except OSError:
        return []


def _cores() -> int:
    """How many cores this thread may use at this moment."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _switches() -> int | None:
    """Involuntary context switches of this process so far."""
    return None if resource is None else resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


Run = Callable[[int], object]
"""Something that, given a number of calls, makes that many."""


@dataclass(frozen=True)
class Reading:
    """Seconds that one block took: by the host's clock, and by the device's events where it has them; and what the
    operating system knows of it."""

    seconds: float
    event_seconds: float | None = None
    evidence: Evidence = field(default_factory=Evidence)


class Clock(Protocol):
    """Times a block of calls."""

    def time(self, run: Run, calls: int) -> Reading:
        """Make the calls; return how long all of them together took."""


class HostClock:
    """For devices whose calls return when they are done: the CPU."""

    def __init__(self) -> None:
        self._witness = Witness()

    def time(self, run: Run, calls: int) -> Reading:
        """Read `time.perf_counter` around the block."""
        self._witness.before()
        start = time.perf_counter()
        run(calls)
        seconds = time.perf_counter() - start
        return Reading(seconds, evidence=self._witness.after(seconds))


class CudaClock:
    """For CUDA: host time between two synchronisations, and device time between two events inside them."""

    def __init__(self) -> None:
        import torch

        self._cuda = torch.cuda
        self._witness = Witness()
        self._start, self._end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def time(self, run: Run, calls: int) -> Reading:
        """Synchronise, read the clock, run, synchronise, read the clock."""
        self._witness.before()
        self._cuda.synchronize()
        start = time.perf_counter()
        self._start.record()
        run(calls)
        self._end.record()
        self._cuda.synchronize()
        seconds = time.perf_counter() - start
        evidence = self._witness.after(seconds)
        return Reading(seconds, self._start.elapsed_time(self._end) / 1e3, evidence)  # elapsed_time is in milliseconds


class MpsClock:
    """For Apple's GPUs: host time between two synchronisations."""

    def __init__(self) -> None:
        self._witness = Witness()

    def time(self, run: Run, calls: int) -> Reading:
        """Synchronise, read the clock, run, synchronise, read the clock."""
        import torch

        self._witness.before()
        torch.mps.synchronize()
        start = time.perf_counter()
        run(calls)
        torch.mps.synchronize()
        seconds = time.perf_counter() - start
        return Reading(seconds, evidence=self._witness.after(seconds))


WARM_SECONDS = 0.2
"""A GPU that had nothing to do runs at a sixth of its clock rate (345 of 1980 MHz on an H200), and speeds up meanwhile.
"""


def warm_up(seconds: float = WARM_SECONDS) -> None:
    """Keep the CUDA device busy for so long, with products that nobody times."""
    import torch

    matrix = torch.ones(1024, 1024, device="cuda")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for _ in range(8):
            torch.mm(matrix, matrix)
        torch.cuda.synchronize()


def clock_for(device: str) -> Clock:
    """The clock of a device type."""
    if device == "cuda":
        return CudaClock()
    return MpsClock() if device == "mps" else HostClock()


class Ledger:
    """Adds up wall-clock seconds by activity: imports, parity, survey, memory, build, warm-up, measured, report."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        """Go on with these, in place."""
        self.seconds = {} if seconds is None else seconds

    def add(self, activity: str, seconds: float) -> None:
        """Put so many seconds down to an activity."""
        self.seconds[activity] = self.seconds.get(activity, 0.0) + seconds

    def merge(self, other: dict[str, float]) -> None:
        """Add another ledger's seconds."""
        for activity, seconds in other.items():
            self.add(activity, seconds)

    @contextmanager
    def on(self, activity: str) -> Iterator[None]:
        """Put the time of a with-block down to an activity, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(activity, time.perf_counter() - start)
