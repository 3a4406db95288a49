"""What the operating system knows of a block of calls that no clock shows: that the core was taken away meanwhile.

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
from contextlib import suppress
from dataclasses import dataclass

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
