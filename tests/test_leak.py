"""What a call leaves behind: leaks are found, and nothing else is taken for one."""

from __future__ import annotations

import collections
from typing import Any

import pytest
from torch import Tensor

from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.measure import memory
from bench.measure.memory import LEAKY_CALLS, footprint, left_bytes
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from bench.store.manifest import FAILED, MEASURED
from bench.worker.surveyor import Surveyor
from rnn_impls import registry
from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.whole import Whole
from tests.faulty import LeaksMemory

MODES = ("inference", "training")
Results = tuple[Tensor, Tensor]


def build(implementation: type[Implementation], mode: Any = "inference", **sizes: Any) -> Workload:
    """Something to call, that has been called once."""
    case = Case(mode=mode, **({"hidden_size": 8, "input_size": 5, "seq_len": 4} | sizes))
    workload = Workload(case, implementation, Problem.of(case))
    workload(1)
    return workload


def left(implementation: type[Implementation], mode: Any = "inference", **sizes: Any) -> int | None:
    """Bytes left behind by every call."""
    return left_bytes(build(implementation, mode, **sizes))


@pytest.mark.parametrize("mode", MODES)
def test_kept_outputs_are_found(mode: str) -> None:
    """At least the outputs of a call, 4 bytes for each of T x B x H."""
    found = left(LeaksMemory, mode)
    assert found is not None
    assert found >= 4 * 4 * 8


class KeepsOneNumber(Whole):
    """Keeps one number a call."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.kept: list[Tensor] = []

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Keep the sum."""
        outputs, last = super().forward(inputs, hidden)
        self.kept.append(outputs.detach().sum())
        return outputs, last


class FillsACache(Whole):
    """Keeps the last three outputs."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.kept: collections.deque[Tensor] = collections.deque(maxlen=3)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Keep a copy."""
        outputs, last = super().forward(inputs, hidden)
        self.kept.append(outputs.detach().clone())
        return outputs, last


class LeavesCycles(Whole):
    """Leaves its outputs to Python's garbage collection; with `leaks` some of them for ever."""

    leaks = False

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.kept: list[Tensor] = []

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Put a copy into a list that holds itself."""
        outputs, last = super().forward(inputs, hidden)
        cycle: list[Any] = [outputs.detach().repeat(100, 1, 1)]
        cycle.append(cycle)
        if self.leaks:
            self.kept.append(outputs.detach().sum())
        return outputs, last


class LeavesCyclesAndLeaks(LeavesCycles):
    """Hides a small leak behind a lot of garbage."""

    leaks = True


@pytest.mark.parametrize(
    ("implementation", "leaks"),
    [(KeepsOneNumber, True), (LeavesCyclesAndLeaks, True), (FillsACache, False), (LeavesCycles, False)],
)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_a_leak_and_what_is_not(implementation: type[Implementation], leaks: bool, mode: str) -> None:
    """However small, however much else there is; but neither a cache that fills nor what is collected."""
    assert bool(left(implementation, mode)) is leaks


ON_THE_CPU = [
    name
    for name in registry.BUILTIN
    if not name.startswith("compiled")  # half a minute
    and name not in registry.BESIDE_TORCH  # torch knows nothing of their memory: tests/test_runtimes.py
    and "cpu" in registry.load(name).devices
]


@pytest.mark.parametrize("name", ON_THE_CPU)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sizes", [{}, {"num_layers": 2, "batch_size": 3, "output_size": 3}], ids=["plain", "all"])
def test_none_of_this_suite_leaks(name: str, mode: str, sizes: dict[str, int]) -> None:
    """The first look finds nothing, so that no second one is needed, which would find nothing either."""
    try:
        workload = build(registry.load(name), mode, **sizes)
    except Unavailable as reason:
        pytest.skip(f"{name}: {reason}")
    found = footprint(workload)
    assert found is not None
    assert found.left <= 0
    assert found.peak > 0
    assert left_bytes(workload) == 0


@pytest.mark.parametrize("implementation", [LeaksMemory, Whole])
def test_the_public_profiler_says_the_same(
    implementation: type[Implementation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the private one is not to be had."""
    known = left(implementation, "training")

    def missing(run: object) -> list[object]:
        raise ImportError("no such name")

    monkeypatch.setattr(memory, "_memory_events_alone", missing)
    assert left(implementation, "training") == known


def test_without_a_profiler_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure is no leak."""
    monkeypatch.setattr(memory, "_cpu_changes", lambda run: None)
    assert left(LeaksMemory) is None
    case = Case(hidden_size=8, input_size=8, seq_len=4)
    assert Surveyor(5.0, Ledger()).survey(case, "tests/faulty.py:LeaksMemory").status == MEASURED


def test_the_survey_fails_it_with_figures() -> None:
    """A failed row that says how much; where memory is not asked for, it is let through."""
    case = Case(hidden_size=8, input_size=8, seq_len=4)
    record = Surveyor(5.0, Ledger()).survey(case, "tests/faulty.py:LeaksMemory")
    assert record.status == FAILED
    assert record.reason == f"leaks memory: each of {LEAKY_CALLS} calls in a row left 128 bytes or more behind"
    record = Surveyor(5.0, Ledger(), memory=False).survey(case, "tests/faulty.py:LeaksMemory")
    assert record.status == MEASURED


@pytest.mark.parametrize("mode", MODES)
def test_the_first_look_sees_every_leak(mode: str) -> None:
    """Gradients, which are there to stay, are not counted; what is kept is, also the first time."""
    found = footprint(build(Whole, mode))
    assert found is not None
    assert found.left == 0
    found = footprint(build(KeepsOneNumber, mode))
    assert found is not None
    assert found.left == 4


def test_one_that_keeps_nothing_for_long_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves something at first is looked at again, and let through when that comes to an end."""
    monkeypatch.setattr(registry, "load", lambda name: FillsACache)
    case = Case(hidden_size=8, input_size=8, seq_len=4)
    workload = Workload(case, FillsACache, Problem.of(case))
    found = footprint(workload)
    assert found is not None
    assert found.left > 0
    assert Surveyor(5.0, Ledger()).survey(case, "whole").status == MEASURED
