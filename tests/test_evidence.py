"""What the operating system knows of a block, from a planted /proc."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.host import clock
from bench.host.clock import Evidence, Witness

Kernel = Callable[..., None]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Sets what the kernel says: nanoseconds waited by thread (None: it has ended), CPU seconds, switches, cores."""
    monkeypatch.setattr(clock, "TASKS", str(tmp_path))

    def say(
        waits: dict[str, int | None] | None = None, cpu: float = 0.0, switches: int | None = 0, cores: int = 1
    ) -> None:
        for task, waited in (waits or {}).items():
            file = tmp_path / task / "schedstat"
            if waited is None:
                file.unlink()
                file.parent.rmdir()
                continue
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"123456 {waited} 7\n")
        monkeypatch.setattr("bench.host.clock.time.process_time", lambda: cpu)
        monkeypatch.setattr(clock, "_switches", lambda: switches)
        monkeypatch.setattr(clock, "_cores", lambda: cores)

    return say


def test_waiting_is_what_the_kernel_counted_meanwhile(kernel: Kernel) -> None:
    """The difference of two looks, in seconds; so are the switches."""
    witness = Witness()
    kernel({"1": 5_000_000}, cpu=1.0, switches=3)
    witness.before()
    kernel({"1": 8_000_000}, cpu=1.002, switches=4)
    found = witness.after(0.005)
    assert found.waited_seconds == pytest.approx(0.003)
    assert found.switches == 1


def test_a_quiet_block_waited_for_nothing(kernel: Kernel) -> None:
    """However long it took."""
    witness = Witness()
    kernel({"1": 7}, cpu=1.0)
    witness.before()
    kernel({"1": 7}, cpu=31.0)
    assert witness.after(30.0) == Evidence(0.0, 0)


def test_threads_that_wait_for_each_other_are_the_codes_own_doing(kernel: Kernel) -> None:
    """A helper works on the one core while the main thread is ready: its CPU time fills the wall time, nobody else had
    the core."""
    witness = Witness()
    kernel({"1": 0}, cpu=0.0)
    witness.before()
    kernel({"1": 2_000_000, "2": 1_500_000}, cpu=0.00498)
    assert witness.after(0.005).waited_seconds == pytest.approx(0.00002)


def test_others_are_told_from_a_helper(kernel: Kernel) -> None:
    """Main thread and helper worked for 3 of 5 ms; at most the other 2 were somebody else's."""
    witness = Witness()
    kernel({"1": 0, "2": 0}, cpu=0.0)
    witness.before()
    kernel({"1": 3_000_000, "2": 1_000_000}, cpu=0.003)
    assert witness.after(0.005).waited_seconds == pytest.approx(0.002)


def test_sleep_is_no_waiting(kernel: Kernel) -> None:
    """A block that slept has a core to spare, but was not ready to use it."""
    witness = Witness()
    kernel({"1": 0}, cpu=0.0)
    witness.before()
    kernel({"1": 0}, cpu=0.001)
    assert witness.after(0.010).waited_seconds == 0.0


def test_two_threads_on_two_cores(kernel: Kernel) -> None:
    """The one that waited most held the other up; both at once cost no more, nor more than two cores had to give."""
    witness = Witness()
    kernel({"1": 0, "2": 0}, cpu=0.0, cores=2)
    witness.before()
    kernel({"1": 2_000_000, "2": 3_000_000}, cpu=0.004, cores=2)
    assert witness.after(0.005).waited_seconds == pytest.approx(0.003)
    witness.before()
    kernel({"1": 2_000_000, "2": 9_000_000}, cpu=0.0125, cores=2)
    assert witness.after(0.005).waited_seconds == pytest.approx(0.0015)


def test_a_thread_that_is_new_counts_from_its_start_and_one_that_ended_no_more(kernel: Kernel) -> None:
    """Threads come and go within a block."""
    witness = Witness()
    kernel({"1": 1_000_000, "2": 9_000_000})
    witness.before()
    kernel({"1": 1_000_000, "2": None, "3": 2_000_000})
    assert witness.after(1.0).waited_seconds == pytest.approx(0.002)


def test_counters_that_run_ahead_of_the_clock_give_nothing_negative(kernel: Kernel) -> None:
    """CPU time may exceed wall time by microseconds."""
    witness = Witness()
    kernel({"1": 0}, cpu=0.0)
    witness.before()
    kernel({"1": 1000}, cpu=0.0051)
    assert witness.after(0.005).waited_seconds == 0.0


def test_without_proc_there_are_switches_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(clock, "TASKS", str(tmp_path / "nowhere"))
    witness = Witness()
    witness.before()
    found = witness.after(1.0)
    assert found.waited_seconds is None
    assert found.switches is not None
    assert found.switches >= 0


def test_without_anything_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setattr(clock, "TASKS", str(tmp_path / "nowhere"))
    monkeypatch.setattr(clock, "resource", None)
    witness = Witness()
    witness.before()
    assert witness.after(1.0) == Evidence(None, None)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="this system has no /proc")
def test_files_are_closed_when_it_goes() -> None:
    """A witness a case would otherwise use up the files that a process may open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        witness = Witness()
        witness.before()
        witness.after(1.0)
        del witness
    assert len(os.listdir("/proc/self/fd")) <= before + 1
