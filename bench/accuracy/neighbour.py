"""A noisy neighbour, planted: processes that take a core away for a while, again and again.

    repeat:
        draw a core and a time between 0.05 and 1.5 s
        walk through 8 MB on that core for as long
        sleep for as long

It is what a shared machine does to a benchmark, made on purpose: seeded, so that two sittings meet neighbours of one
kind, and bounded: it ends with its block of code, with its parent, and after `most` seconds, whichever comes first.
`python -m bench.accuracy.neighbour SEED SECONDS` is one of its processes.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.process import environment

PROCESSES = 2
BUSY_SECONDS = (0.05, 1.5)
WALKED_BYTES = 8 << 20


@dataclass
class Neighbour:
    """What it took: its CPU seconds over the wall seconds that it was there, NaN until it is gone. 1.0 is one core."""

    share: float = float("nan")


@contextmanager
def neighbour(seed: int, most: float) -> Iterator[Neighbour]:
    """Be disturbed by PROCESSES processes for as long as the block lasts, at most `most` seconds."""
    found = Neighbour()
    command = [sys.executable, "-P", "-m", "bench.accuracy.neighbour"]
    begun, before = time.perf_counter(), _children_seconds()
    processes = []
    try:
        for number in range(PROCESSES):
            processes.append(subprocess.Popen([*command, str(seed + number), str(most)], env=environment()))
        yield found
    finally:
        spent = 0.0
        for process in processes:
            process.kill()
            spent += _reaped_seconds(process)
        found.share = (spent or _children_seconds() - before) / (time.perf_counter() - begun)


def _reaped_seconds(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; the CPU seconds it took."""
    if process.returncode is not None or not hasattr(os, "wait4"):
        process.wait()
        return 0.0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _children_seconds() -> float:
    """CPU seconds of the children that have been waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def disturb(seed: int, most: float) -> None:
    """Be one of its processes."""
    import numpy as np

    draw, memory = random.Random(seed), np.zeros(WALKED_BYTES // 8)
    parent, end = os.getppid(), time.perf_counter() + most
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    while time.perf_counter() < end and os.getppid() == parent:
        if cores:
            os.sched_setaffinity(0, {draw.choice(cores)})
        seconds = draw.uniform(*BUSY_SECONDS)
        begun = time.perf_counter()
        while time.perf_counter() < begun + seconds:
            memory += 1
        time.sleep(seconds)


if __name__ == "__main__":
    disturb(int(sys.argv[1]), float(sys.argv[2]))
