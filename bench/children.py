"""Processes that an implementation starts: what they compute while it is timed, and their end."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

MARK = "RNN_BENCH_WORKER"
"""Variable of a worker's environment, which whatever it starts inherits; its value is the worker's own."""

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds() -> float:
    """CPU time so far of this process's children, theirs among it: of those that have ended, and on Linux of those
    that live."""
    times = os.times()
    ended, live = times.children_user + times.children_system, 0
    waiting = _children("self")
    while waiting:
        pid = waiting.pop()
        with suppress(OSError, IndexError, ValueError):  # it may have ended
            # proc(5): after the command in parentheses, fields 14 to 17 are its CPU time and its ended children's
            live += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
        waiting += _children(pid)
    return ended + live / _TICKS


def _children(pid: str) -> list[str]:
    """The live children of a process; none where the kernel does not list them."""
    found: list[str] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    return found


def kill_left_behind(mark: str, patience: float = 2.0) -> None:
    """End every process that has this MARK in its environment, also one in a session of its own; those of other users
    and those that hide it are left alone."""
    import psutil

    left = [process for process in psutil.process_iter() if _has(process, mark)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + patience
    for process in left:
        with suppress(psutil.Error):
            process.wait(max(0.0, deadline - time.monotonic()))


def _has(process: object, mark: str) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False
