"""A noisy neighbour, planted: processes that take a core away for a while, again and again.

    repeat:
        draw a core and a time between 0.05 and 1.5 s
        walk through 8 MB on that core for as long
        sleep for as long

It is what a shared machine does to a benchmark, made on purpose: seeded, so that two sittings meet neighbours of one
kind, and bounded: it ends with its block of code, with its parent, and after `most` seconds, whichever comes first.
`python -m bench.proof.neighbour SEED SECONDS PARENT` is one of its processes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from bench.host.process import environment

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
    command = [sys.executable, "-P", "-m", "bench.proof.neighbour"]
    begun = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(PROCESSES):
            arguments = [str(seed + number), str(most), str(os.getpid())]
            processes.append(subprocess.Popen([*command, *arguments], env=environment()))
        yield found
    finally:
        found.share = sum(map(_cpu_seconds, processes)) / (time.perf_counter() - begun)
        for process in processes:
            process.kill()
            process.wait()


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a process that has not been waited for."""
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def disturb(seed: int, most: float, parent: int) -> None:
    """Be one of its processes, for as long as the parent is that process."""
    import numpy as np

    draw, memory = random.Random(seed), np.zeros(WALKED_BYTES // 8)
    end = time.perf_counter() + most
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
    disturb(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
