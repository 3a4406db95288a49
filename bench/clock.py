"""Timing with device synchronisation.

Work on a GPU is asynchronous: a call returns when it is queued. A reading therefore synchronises before the host
clock is read, on both sides of the block, and keeps the time between two events on the device beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bench.evidence import Evidence, Witness

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


def clock_for(device: str) -> Clock:
    """The clock of a device type."""
    if device == "cuda":
        return CudaClock()
    return MpsClock() if device == "mps" else HostClock()
