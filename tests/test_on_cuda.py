"""What measuring on CUDA asks for beside the kernels: a warm device, work captured, a control of its own, limits that
the host does not bound; by fakes, without a GPU."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cases.case import Case
from bench.gate.pair import Crews, Plan, measure_pair
from bench.gate.saved import by_another_control, compare
from bench.gate.sides import Side
from bench.host import clock
from bench.host.clock import HostClock, Reading
from bench.host.machine import CONTROL_ON_CUDA
from bench.measure.alternate import CONTROL
from bench.measure.capture import captured
from bench.measure.problem import Problem
from bench.measure.workload import CapturedControl, Control, control_for
from bench.table.outcome import INCOMPARABLE
from bench.table.reading import Run, read_run
from bench.why.floor import LAUNCH, MARGIN, floor
from bench.why.limits import cuda, limits, sitting
from bench.why.limits.limits import Limits, fingerprint
from bench.worker import blocks
from bench.worker.blocks import Seat
from tests.synthetic import MACHINE, write_run
from tests.test_cuda_impls import FakeGraph, Recorder, fake_cuda  # noqa: F401 # a fixture

CASE = Case(hidden_size=8, input_size=8, seq_len=4)
ON_CUDA = dataclasses.replace(CASE, device="cuda")


# Work captured, and the control


@pytest.mark.usefixtures("fake_cuda")
def test_captured_work_is_done_when_it_is_launched() -> None:
    """Once before, to warm it up, and as often as it is launched; capturing it computes nothing."""
    number = torch.zeros(1)
    launch = captured(lambda: number.add_(1))
    before = float(number)
    launch()
    launch()
    assert float(number) == before + 2


@pytest.mark.usefixtures("fake_cuda")
def test_the_control_on_cuda_is_the_same_work_under_another_name() -> None:
    """One launch a call; its time is no longer the host's, so nobody is to take it for the first one's."""
    FakeGraph.made.clear()
    plain, graph = Control("cpu"), CapturedControl("cpu")
    work = Recorder()
    with work:
        plain(1)
    (recorded,) = FakeGraph.made
    with torch.inference_mode():
        graph(5)
    assert recorded.replays == 5
    assert [str(call[0]) for call in recorded.recorder.calls] == [str(call[0]) for call in work.calls]
    torch.testing.assert_close(recorded.recorder.calls[-1][-1], work.calls[-1][-1])
    assert (plain.NAME, graph.NAME) == ("control-1", CONTROL_ON_CUDA)
    assert plain.NAME != graph.NAME


def test_the_cpu_keeps_its_control(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of before still compare."""
    made: list[str] = []
    monkeypatch.setattr("bench.measure.workload.CapturedControl", made.append)
    assert type(control_for("cpu")) is Control
    control_for("cuda")
    assert made == ["cuda"]


def test_times_beside_another_control_are_not_compared(tmp_path: Path) -> None:
    """Those of CUDA alone, in either order; the others are."""
    runs = [read_run(write_run(tmp_path / name, presets=("smoke",), passes=4, seed=k)) for k, name in enumerate("ab")]
    runs[1].manifest.machine["control_cuda"] = CONTROL_ON_CUDA
    compared = compare(runs[0], runs[1], 0.05)
    assert len(compared.verdicts) == 24
    assert not compared.uncompared
    moved = [moved_to_cuda(run) for run in runs]
    for pair in (moved, moved[::-1]):
        found = compare(pair[0], pair[1], 0.05)
        assert not found.verdicts
        assert {each.status for each in found.uncompared} == {INCOMPARABLE}
        names = " then, ".join(run.manifest.machine.get("control_cuda", "control-1") for run in pair)
        assert {each.reason for each in found.uncompared} == {f"measured beside another control: {names} now"}
    moved[0].manifest.machine["control_cuda"] = CONTROL_ON_CUDA
    assert len(compare(moved[0], moved[1], 0.05).verdicts) == 24
    assert by_another_control(moved[0].manifest.machine, moved[1].manifest.machine, [(ON_CUDA.id, "whole")]) == []


def moved_to_cuda(run: Run) -> Run:
    """The run as if it had been measured there."""
    for record in run.manifest.cells:
        record.case = record.case.replace("cpu-", "cuda-", 1)
    moved = run.samples["case"].astype(str).str.replace("cpu-", "cuda-", n=1)
    run.samples = run.samples.assign(case=moved, device="cuda")
    return run


# A warm device


def test_warming_up_lasts_and_ends_with_an_idle_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock, whatever the device makes of it; what was launched is done when it returns."""
    now, launched, waiting = [100.0], [0], [0]

    def product(one: object, other: object) -> None:
        launched[0] += 1
        waiting[0] += 1
        now[0] += 1e-5

    def synchronize() -> None:
        now[0] += waiting[0] * 1e-3
        waiting[0] = 0

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(torch, "ones", lambda *_, device: device)
    monkeypatch.setattr(torch, "mm", product)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    clock.warm_up()
    assert 0.2 <= now[0] - 100 < 0.22
    assert launched[0] > 100
    assert waiting[0] == 0


def test_the_first_block_of_a_case_finds_the_device_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """After all is built, once; on the CPU nothing is warmed up."""
    done: list[str] = []

    class Counted(Control):
        """Notes its calls."""

        def __call__(self, calls: int) -> None:
            done.append("block")
            super().__call__(calls)

    monkeypatch.setattr(blocks, "warm_up", lambda: done.append("warm up"))
    monkeypatch.setattr(blocks, "clock_for", lambda device: HostClock())
    monkeypatch.setattr(blocks, "control_for", lambda device: Counted("cpu"))
    problem = Problem.of(CASE)
    monkeypatch.setattr(Problem, "of", lambda case: problem)
    for case, expected in ((ON_CUDA, ["warm up", "block", "block"]), (CASE, ["block", "block"])):
        done.clear()
        seat = Seat(case, {})
        seat.build(CONTROL)
        for _ in range(2):
            assert "failure" not in seat.block(CONTROL, 1, 0, False)
        assert done == expected


def test_limits_are_asked_of_a_warm_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first of them."""
    done: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        def note(*_: object) -> list[Any]:
            done.append(name)
            return []

        return note

    for name in ("cpu_limits", "call_limits", "cuda_limits", "cuda_call_limits", "warm_up"):
        monkeypatch.setattr(sitting, name, noted(name))
    monkeypatch.setattr(sitting, "probes", lambda: None)
    monkeypatch.setattr(sitting, "cuda_facts", dict)
    monkeypatch.setattr(sitting, "clock_for", lambda device: HostClock())
    sitting.measure_limits(["cpu", "cuda"], [1], lambda *_, **__: None)
    assert done == ["cpu_limits", "call_limits", "warm_up", "cuda_limits", "cuda_call_limits"]


class FakeCrew:
    """Notes how many calls lead each block in."""

    def __init__(self) -> None:
        self.leads: list[int] = []

    def begin(self, case: str) -> None:
        """Nothing."""

    def build(self, name: str) -> str:
        """It can be."""
        return ""

    def block(self, name: str, calls: int, lead: int = 0, check: bool = False) -> Reading:
        """A millisecond a call."""
        self.leads.append(lead)
        return Reading(1e-3 * calls)

    def __enter__(self) -> FakeCrew:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(("case", "lead"), [(ON_CUDA, 1), (CASE, 0)])
def test_in_a_gate_an_untimed_call_leads_each_block_in_on_cuda(
    case: Case, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes take turns on the device; the block that warms an implementation up is not timed anyway."""
    crews = {"base": FakeCrew(), "head": FakeCrew()}
    monkeypatch.setattr(Side, "crew", lambda self, *_: crews[self.name])
    with Crews((Side("base"), Side("head")), ["whole"], Path("log"), 1.0, first=0) as both:
        measure_pair(both, {(case.id, "whole"): Plan(2, 7)}, random.Random(1))
    assert [crew.leads for crew in crews.values()] == [[0] + 7 * [lead]] * 2


# Limits and floor


def test_reading_is_measured_at_sizes_that_l2_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sixteenth and a quarter of it, so many sums a call, which are one launch on CUDA."""
    sizes: list[int] = []
    real = cuda._sums

    def sums(numbers: torch.Tensor, result: torch.Tensor, device: str) -> Callable[[], object]:
        sizes.append(4 * len(numbers))
        return real(numbers, result, device)

    monkeypatch.setattr(cuda, "_sums", sums)
    monkeypatch.setattr(cuda, "slope", lambda clock, small, large, difference: difference)
    with torch.inference_mode():
        found = dict(cuda.cuda_limits(HostClock(), 2**26, "cpu", scale=256))
    assert sizes[2:] == [2**26 // 256 // 16, 2**26 // 256 // 4]
    assert found["cuda.stream.L2"] == cuda.SUMS * (sizes[3] - sizes[2])
    assert found["cuda.peak.float32-tf32"] == found["cuda.product.float32-tf32"]


@pytest.mark.usefixtures("fake_cuda")
def test_the_sums_of_a_call_are_one_graph() -> None:
    """Launched as one, of as many sums."""
    FakeGraph.made.clear()
    numbers, result = torch.arange(8.0), torch.empty(())
    launch = cuda._sums(numbers, result, "cuda")
    (graph,) = FakeGraph.made
    assert [str(call[0]) for call in graph.recorder.calls] == ["aten.sum.IntList_out"] * cuda.SUMS
    launch()
    assert float(result) == 28


@pytest.mark.parametrize("least", ["cuda.call.launch", "cuda.call.graph", "cuda.chain.kernel"])
def test_a_floor_takes_the_cheapest_launch(least: str) -> None:
    """Whichever that is, for a floor that is beaten is none; a difference below nothing is no time."""
    values = {"cuda.call.launch": [4e-6], "cuda.call.graph": [3e-6], "cuda.chain.kernel": [2e-6], least: [1e-6]}
    values |= {"cuda.peak.float32": [1e15], "cuda.stream.memory": [1e15]}
    found = floor(ON_CUDA, Limits({}, "", values))
    assert (found.launch, found.bound) == (1e-6, LAUNCH)
    assert found.seconds == pytest.approx(1e-6 / (1 + MARGIN))
    values["cuda.chain.kernel"] = [-1e-9]
    assert floor(ON_CUDA, Limits({}, "", values)).launch > 0


def test_limits_kept_for_a_gpu_are_measured_anew_and_those_of_a_cpu_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a method changes on CUDA costs nobody without one another sitting."""
    machines = [dict(MACHINE), MACHINE | {"gpu": "Imaginary GPU"}]
    before = [fingerprint(machine) for machine in machines]
    monkeypatch.setattr(limits, "METHOD_ON_CUDA", limits.METHOD_ON_CUDA + 1)
    after = [fingerprint(machine) for machine in machines]
    assert before[0] == after[0]
    assert before[1] != after[1]
