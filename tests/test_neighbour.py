"""The planted neighbour: there while it is wanted, gone whatever happens, and what it does on a fake clock."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.host.process import environment
from bench.proof import neighbour as planted
from bench.proof.neighbour import BUSY_SECONDS, PROCESSES, disturb, neighbour


def present(seed: int) -> list[psutil.Process]:
    """Its processes, told by the seed on their command line."""
    wanted = [f"{seed + number}" for number in range(PROCESSES)]
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if "bench.proof.neighbour" in (process.info["cmdline"] or [])
        and process.info["cmdline"][-3] in wanted
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def wait_until(condition: Callable[[], bool]) -> None:
    """For at most a minute."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


def test_it_is_there_for_the_block_and_gone_after_it() -> None:
    """So many processes, and what they took is told when they are gone."""
    with neighbour(770_001, most=60) as found:
        wait_until(lambda: len(present(770_001)) == PROCESSES)
        assert found.share != found.share, "not told before the end"
    assert present(770_001) == []
    assert 0 <= found.share < PROCESSES


def test_an_error_in_the_block_ends_it() -> None:
    """Whatever happened, nothing is left behind."""
    with pytest.raises(KeyboardInterrupt), neighbour(770_011, most=60):
        raise KeyboardInterrupt
    assert present(770_011) == []


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """kill -9 of whoever planted it: it notices at its next turn."""
    code = "import sys, time\nfrom bench.proof.neighbour import neighbour\nwith neighbour(770_021, 60): time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], env=environment(), cwd=tmp_path)
    wait_until(lambda: len(present(770_021)) == PROCESSES)
    parent.kill()
    parent.wait()
    wait_until(lambda: present(770_021) == [])


class FakeTime:
    """A clock that sleep and work move on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def perf_counter(self) -> float:
        """The time; reading it takes a millisecond, so that work ends."""
        self.now += 1e-3
        return self.now

    def sleep(self, seconds: float) -> None:
        """Idle."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """In place of time, with memory too small to take any."""
    fake = FakeTime()
    monkeypatch.setattr(planted, "time", fake)
    monkeypatch.setattr(planted, "WALKED_BYTES", 64)
    return fake


def test_it_idles_as_long_as_it_is_busy_and_is_bounded(clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times within its range, on cores of its own choice, until its time is over."""
    cores: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, chosen: cores.append(chosen), raising=False)
    disturb(3, most=60, parent=os.getppid())
    draw = random.Random(3)
    wanted = [(draw.choice([0, 1]), draw.uniform(*BUSY_SECONDS)) for _ in clock.slept]
    assert clock.slept == [seconds for _, seconds in wanted]
    assert cores == [{core} for core, _ in wanted]
    assert sum(clock.slept) == pytest.approx(clock.now / 2, rel=0.05)
    assert 60 <= clock.now < 60 + 2 * BUSY_SECONDS[1] + 1


def test_it_needs_no_affinity(clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be pinned, the system puts it where it likes."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    disturb(1, most=5, parent=os.getppid())
    assert clock.slept
