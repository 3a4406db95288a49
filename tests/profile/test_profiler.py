"""Profiling one cell: real ones on the CPU, small; on CUDA a fake device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.cases.case import Case
from bench.host.clock import Reading, Run
from bench.measure import state
from bench.measure.problem import Problem
from bench.why.limits.limits import Limits
from bench.why.profile import profiler
from bench.why.profile.breakdown import CATEGORIES, DISPATCH, GAPS, PRODUCTS, WAITING
from bench.why.profile.profiler import NothingSeen, Profiler, Times, twin
from bench.why.profile.record import COMPUTE_BOUND, FAILED, LAUNCH_BOUND, PROFILED, ProfileRecord, label
from bench.why.profile.trace import Window, read_trace
from rnn_impls import registry
from rnn_impls.interface import Unavailable
from tests.profile.planted import HERE, Trace
from tests.test_floor import planted as machine

SMALL = Case(hidden_size=8, input_size=8, seq_len=2)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["manual", "looped", "whole"])
def test_every_implementation_is_profiled(name: str, mode: str) -> None:
    """Categories add up to the time, nothing is below zero, the operators are there, and no file was asked for."""
    record = Profiler(8).profile(replace(SMALL, mode=mode), name)
    assert (record.status, record.reason) == (PROFILED, "")
    assert set(record.categories) == set(CATEGORIES)
    assert sum(record.categories.values()) == pytest.approx(record.seconds)
    assert all(part >= 0 for part in record.categories.values())
    assert 0 <= record.busy <= 1
    assert record.hollow_seconds is not None and record.hollow_seconds > 0 and record.traced_seconds > 0
    assert record.counts.operators > 2 and (record.counts.nodes > 0) == (mode == "training")
    assert (record.trace, record.flame) == ("", "")


def test_a_long_call_is_profiled_at_fewer_steps() -> None:
    """The record is the long cell's, and says which call was made."""
    case = replace(SMALL, seq_len=512)
    record = Profiler(3).profile(case, "manual")
    assert record.case == case.id
    assert record.profiled == replace(case, seq_len=3).id
    assert (record.steps, record.counts.by_name["addmm"]) == (3, 3)


def test_one_operator_more_is_one_more_in_the_record() -> None:
    """The whole way from an implementation to what is kept of it."""
    plain, more = (Profiler(4).profile(replace(SMALL, seq_len=4), name) for name in ("manual", HERE + "OneMore"))
    assert (more.counts.operators - plain.counts.operators) / more.steps == 1


def test_a_pure_matrix_product_is_compute_bound() -> None:
    """By real times: a product of 512 by 512 takes a hundred times as long as calling it, so no luck makes it half."""
    case = Case(hidden_size=64, input_size=64, seq_len=1)
    record = Profiler(1).profile(case, HERE + "Products")
    assert record.status == PROFILED, record.reason
    assert record.counts.product_operations == 2 * 512**3
    assert max(record.categories, key=lambda name: record.categories[name]) == PRODUCTS
    assert label(case, record.categories, record.counts, machine()) == COMPUTE_BOUND


@pytest.mark.parametrize(
    ("name", "case", "reason"),
    [
        ("tests/faulty.py:Raises", SMALL, "ZeroDivisionError: divided by the weather"),
        ("tests/faulty.py:NeedsOneLayer", SMALL, "made for another network"),
        (HERE + "RefusesSmall", replace(SMALL, hidden_size=32), "no twin of (1, 16) hidden units runs"),
        (HERE + "RefusesSmall", replace(SMALL, hidden_size=32), "made for 32 hidden units and more"),
        ("whole-no-cudnn", SMALL, "runs only on cuda"),
        (HERE + "NoSuchClass", SMALL, "has no class NoSuchClass"),
    ],
)
def test_what_cannot_be_profiled_is_a_failed_record(name: str, case: Case, reason: str) -> None:
    """With a reason that a person can read, in one line."""
    record = Profiler(2).profile(case, name)
    assert record.status == FAILED
    assert reason in record.reason and "\n" not in record.reason
    assert (record.case, record.implementation, record.categories) == (case.id, name, {})


def test_a_twin_is_as_small_as_the_implementation_runs() -> None:
    """One hidden unit, or 16; its head is no larger, and it makes as many steps."""
    case = Case(hidden_size=64, input_size=32, batch_size=5, seq_len=3, output_size=4, num_layers=2)
    small = replace(case, hidden_size=1, input_size=1, batch_size=1, output_size=1)
    assert twin(case, "manual").case == small
    assert twin(case, HERE + "RefusesOne").case == replace(small, hidden_size=16, input_size=16, output_size=4)
    with pytest.raises(Unavailable, match="can't be told apart"):
        twin(case, HERE + "RefusesSmall")


def test_traces_and_flame_graphs_are_kept_where_asked_for(tmp_path: Path) -> None:
    """Both under names that any system can hold; the trace can be read back, the flame graph has Python's frames."""
    record = Profiler(2, tmp_path).profile(SMALL, HERE + "OneMore")
    stem = f"{SMALL.id}-tests-profile-planted.py-OneMore"
    assert (record.trace, record.flame) == (f"{stem}.trace.json", f"{stem}.folded")
    assert "traceEvents" in json.loads((tmp_path / record.trace).read_text())
    assert read_trace(tmp_path / record.trace)[0].label == HERE + "OneMore"
    lines = (tmp_path / record.flame).read_text().splitlines()
    assert all(line.rpartition(" ")[2].isdigit() for line in lines)
    assert any("planted.py" in line and line.split(" ")[-2].endswith("aten::minimum") for line in lines)


class FakeDevice:
    """A device on which every call takes as long as the test says, and whose traces are planted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, window: Window, seconds: float) -> None:
        self.seconds = seconds
        self.workload: Any = SimpleNamespace(case=replace(SMALL, device="cuda"))
        monkeypatch.setattr(profiler, "seconds_per_call", lambda workload, device: 1.0)
        monkeypatch.setattr(
            profiler, "traced", lambda runs, rounds=1, **options: {label: [window] * rounds for label in runs}
        )

    def time(self, run: Run, calls: int) -> Reading:
        """A clock's reading."""
        return Reading(calls * self.seconds)

    def profile(self) -> ProfileRecord:
        """The record of one cell."""
        record = ProfileRecord(self.workload.case.id, "manual", profiled=self.workload.case.id)
        Profiler(8)._on_cuda(self.workload, self, record)
        return record


def kernels(length: float, each: float = 10.0) -> Window:
    """Ten kernels of so many µs in a window of 100."""
    trace = Trace().window("call", 0, 100)
    for k in range(10):
        trace.kernel("sgemm", k * each, length)
    return trace.one()


def test_a_fake_device_is_told_from_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 of 50 µs busy: the other 30 are shared out as the trace shows them; kernels are counted, there is no twin."""
    record = FakeDevice(monkeypatch, kernels(2), 50e-6).profile()
    assert record.seconds == pytest.approx(50e-6)
    assert record.busy == pytest.approx(0.4)
    assert record.categories[PRODUCTS] == pytest.approx(20e-6)
    assert record.categories[GAPS] == pytest.approx(30e-6 * 72 / 80)
    assert record.categories[WAITING] == pytest.approx(30e-6 * 8 / 80)
    assert record.categories[DISPATCH] == pytest.approx(0, abs=1e-12)
    assert record.agreement == pytest.approx(1)
    assert (record.counts.kernels, record.hollow_seconds) == (10, None)
    assert label(Case.parse(record.profiled), record.categories, record.counts, Limits({}, "")) == LAUNCH_BOUND


def test_kernels_longer_than_the_time_measured_are_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """90 µs of kernels in 80 µs measured: busy all of the time and no more; the agreement tells that they differ."""
    record = FakeDevice(monkeypatch, kernels(9), 80e-6).profile()
    assert record.busy == pytest.approx(1)
    assert sum(record.categories.values()) == pytest.approx(80e-6)
    assert record.agreement == pytest.approx(9 / 8)


def test_a_sleeping_host_leaves_the_device_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same kernels with the host asleep in between are busy for less of the time."""
    awake = FakeDevice(monkeypatch, kernels(2, each=2.0), 20e-6).profile()
    asleep = FakeDevice(monkeypatch, kernels(2), 100e-6).profile()
    assert awake.busy == pytest.approx(1)
    assert asleep.busy == pytest.approx(0.2)


def test_a_device_of_which_nothing_is_seen_is_no_idle_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace without kernels says that the profiler failed, not that the host took all the time."""
    nothing = Trace().window("call", 0, 100).operator("aten::mm", 0, 10).one()
    with pytest.raises(NothingSeen, match="the profiler saw no kernel on the device"):
        FakeDevice(monkeypatch, nothing, 50e-6).profile()


def test_cells_on_cuda_are_timed_before_the_first_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told to have begun then, too, so that who dies is known; what fails is told when it is profiled."""
    done: list[str] = []

    def built(case: Case, name: str, problem: object) -> str:
        if name == "looped itself":
            raise RuntimeError("not here")
        return name

    def time(name: str, clock: object) -> Times:
        done.append(f"time {name.removesuffix(' itself')}")
        return Times(1, 1.0, 1.0)

    def profile(self: Profiler, case: Case, name: str) -> ProfileRecord:
        done.append(f"profile {name} {'timed' if (case.id, name) in self.times else 'not timed'}")
        return ProfileRecord(case.id, name)

    def tell(event: str, **found: Any) -> None:
        if event == "start":
            done.append(f"start {found['implementation']}")

    monkeypatch.setattr(registry, "load", "{} itself".format)
    for name, stand_in in (("Workload", built), ("timed", time), ("clock_for", str), ("keep_memory", lambda: None)):
        monkeypatch.setattr(profiler, name, stand_in)
    monkeypatch.setattr(profiler, "warm_up", lambda: done.append("warm up"))
    monkeypatch.setattr(Problem, "of", lambda case: None)
    monkeypatch.setattr(state, "arrange", lambda case: [])
    monkeypatch.setattr(profiler, "traced", lambda runs, cuda: done.append(f"trace {'the device' if cuda else ''}"))
    monkeypatch.setattr(Profiler, "profile", profile)
    cuda = replace(SMALL, device="cuda").id
    cells = [[cuda, "whole"], [SMALL.id, "manual"], [cuda, "looped"]]
    profiler.profile_cells({"cells": cells, "steps": 8}, tell)
    assert done == [
        *("warm up", "start whole", "time whole", "start looped", "trace the device"),
        *("start whole", "profile whole timed", "start manual", "profile manual not timed"),
        *("start looped", "profile looped not timed"),
    ]
