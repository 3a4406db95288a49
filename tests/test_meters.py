"""What of a call is counted: the same every time, by name, with what was planted and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.host.clock import Ledger
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from bench.store.manifest import MEASURED, read_manifest
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.why import meters as exact
from bench.why.meters import ALLOCATIONS, LAUNCHES, NODES, OPERATORS, PAST_TORCH, PEAK, Counted, Seen, meters
from bench.worker.surveyor import Surveyor
from rnn_impls import registry
from rnn_impls.looped import Looped
from tests.command import bench
from tests.synthetic import write_run

STEPS, HIDDEN = 6, 16
STATES = STEPS * HIDDEN * 4
"""Bytes of all states of a call."""


class CopiesEachState(Looped):
    """an operator a step more"""

    def forward(self, inputs: Tensor, hidden: Any) -> Any:
        """Copy each step's inputs, to no avail."""
        return super().forward(torch.stack([step.clone() for step in inputs]), hidden)


class KeepsItsStates(Looped):
    """holds the states of its last call"""

    def forward(self, inputs: Tensor, hidden: Any) -> Any:
        """Remember the outputs until the next call."""
        outputs, last = super().forward(inputs, hidden)
        self.last = outputs.detach().clone()
        return outputs, last


class GrowsAtEachCall(Looped):
    """holds the states of all calls"""

    def forward(self, inputs: Tensor, hidden: Any) -> Any:
        """Remember the outputs for ever."""
        outputs, last = super().forward(inputs, hidden)
        vars(self).setdefault("all", []).append(outputs.detach().clone())
        return outputs, last


class ComputesMoreAndMore(Looped):
    """calls one operator more each time"""

    calls = 0

    def forward(self, inputs: Tensor, hidden: Any) -> Any:
        """As many negations as there were calls."""
        self.calls += 1
        for _ in range(self.calls):
            inputs.neg()
        return super().forward(inputs, hidden)


class PastTorch(Looped):
    """says that it takes memory elsewhere"""

    own_allocator = True


@torch.library.custom_op("rnn_bench_tests::twice", mutates_args=())
def twice(inputs: Tensor) -> Tensor:
    """Twice as much, by numpy: nothing of torch's is called inside."""
    return torch.from_numpy(inputs.numpy() * 2)


class CallsItsOwn(Looped):
    """calls an operator that another library registered"""

    def forward(self, inputs: Tensor, hidden: Any) -> Any:
        """Once a call."""
        twice(inputs)
        return super().forward(inputs, hidden)


def workload(kind: type[Looped] | str = Looped, mode: str = "inference") -> Workload:
    """A small case."""
    case = Case(hidden_size=HIDDEN, input_size=HIDDEN, seq_len=STEPS, mode=mode)
    return Workload(case, registry.load(kind) if isinstance(kind, str) else kind, Problem.of(case))


def counted(kind: type[Looped] | str = Looped, mode: str = "inference") -> Counted:
    """What is counted of it, once it is warm."""
    built = workload(kind, mode)
    built(2)
    return meters(built)


def more(kind: type[Looped], figure: str, mode: str = "inference") -> Counter[str]:
    """By how many there are more than in the plain one, by name."""
    found = Counter(counted(kind, mode).names[figure])
    found.subtract(counted(mode=mode).names[figure])
    return Counter({name: by for name, by in found.items() if by})


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["manual", "looped", "whole", "hoisted", "stacked-grad"])
def test_the_same_counts_every_time(name: str, mode: str) -> None:
    """All figures are exact, of one object and of another."""
    one, other = counted(name, mode), counted(name, mode)
    assert one == other
    assert not one.differ and not one.unknown
    assert set(one.exact) == {OPERATORS, NODES, ALLOCATIONS, PEAK}
    assert all(value > 0 for figure, value in one.exact.items() if figure != NODES)
    assert (one.exact[NODES] > 0) == (mode == "training")
    assert one.exact[OPERATORS] == sum(one.names[OPERATORS].values())


def test_an_operator_a_step_is_counted_by_name() -> None:
    """The copy, and what puts the steps together; not the room that is made for them."""
    together = {"aten::unbind": 1, "aten::cat": 1, "aten::view": 1}
    assert more(CopiesEachState, OPERATORS) == {"aten::copy_": STEPS, **together}
    assert counted(CopiesEachState).exact[ALLOCATIONS] == counted().exact[ALLOCATIONS] + STEPS + 1


def test_nodes_are_those_of_the_backward_pass() -> None:
    """One for each that autograd runs, by name, each parameter's sum among them."""
    names = counted("manual", "training").names[NODES]
    assert names["TanhBackward0"] == STEPS
    built = workload("manual", "training")
    assert names["torch::autograd::AccumulateGrad"] == len(list(built.module.parameters()))


def test_what_is_kept_until_the_next_call_is_part_of_the_peak() -> None:
    """A second copy of the states, which is there before a call and replaced in it."""
    kept, plain = counted(KeepsItsStates), counted()
    assert kept.exact[PEAK] - plain.exact[PEAK] >= STATES
    assert kept.exact[ALLOCATIONS] == plain.exact[ALLOCATIONS] + 1


@pytest.mark.parametrize(
    ("kind", "figure"), [(GrowsAtEachCall, PEAK), (ComputesMoreAndMore, OPERATORS), (ComputesMoreAndMore, ALLOCATIONS)]
)
def test_what_differs_from_call_to_call_is_not_exact(kind: type[Looped], figure: str) -> None:
    """It is said, and has no figure and no names."""
    found = counted(kind)
    assert figure in found.differ
    assert figure not in found.exact and figure not in found.names


def test_memory_past_torch_is_not_known() -> None:
    """Nor told as if it were none."""
    found = counted(PastTorch)
    assert found.unknown == {ALLOCATIONS: PAST_TORCH, PEAK: PAST_TORCH}
    assert set(found.exact) == {OPERATORS, NODES}


def test_a_registered_operator_counts() -> None:
    """Under its own name, though nothing inside it is torch's."""
    assert more(CallsItsOwn, OPERATORS)["rnn_bench_tests::twice"] == 1


def event(name: str, start: int, end: int, device: str = "CPU", size: int = 0) -> Any:
    """One event as torch's profiler has it."""
    return SimpleNamespace(
        name=lambda: name,
        start_ns=lambda: start,
        end_ns=lambda: end,
        scope=lambda: 0,
        start_thread_id=lambda: 1,
        nbytes=lambda: size,
        device_type=lambda: SimpleNamespace(name=device),
    )


def test_only_what_computes_counts_and_of_views_the_outermost() -> None:
    """`linear` calls `t` and `addmm`; what these call for their own use is theirs."""
    seen = [
        Seen("aten::linear", 0, 100),
        Seen("aten::t", 1, 20),
        Seen("aten::transpose", 2, 10),
        Seen("aten::addmm", 30, 90),
        Seen("aten::expand", 31, 40),
        Seen("aten::empty", 110, 120),
    ]
    assert exact.operators(seen) == {"aten::t": 1, "aten::addmm": 1}


def test_launches_on_cuda_are_the_hosts_calls() -> None:
    """Kernels, a graph, a copy, a fill, by the names of runtime and driver; not what the device did with them."""
    calls = ("cudaLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch", "cudaMemcpyAsync", "cudaMemsetAsync")
    raw = [event(name, k, k + 1) for k, name in enumerate((*calls, "cudaLaunchKernel", "cudaStreamSynchronize"))]
    raw.append(event("void gemm_kernel()", 3, 9, "CUDA"))
    raw.append(event("Memcpy HtoD", 3, 9, "CUDA"))
    assert exact.launches(exact.events(raw)) == Counter((*calls, "cudaLaunchKernel"))


def test_allocations_belong_to_the_call_in_which_they_are() -> None:
    """The level goes on from one to the next: what is held between two is part of the second's peak."""
    changes = [(1, 100), (2, 50), (3, -50), (11, 80), (12, -100), (13, -80)]
    raw = [event("[memory]", at, at, size=size) for at, size in changes]
    found = exact.allocated(exact.events(raw), [(0, 5), (10, 15)])
    assert found == [{ALLOCATIONS: 2, PEAK: 150}, {ALLOCATIONS: 1, PEAK: 180}]


def test_on_cuda_memory_is_the_allocators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allocations of each call, and the peak beyond what was there before, by its own counters; launches have names.
    The device is made up."""
    made = {"allocations": 10, "peak": 0}

    class Calls:
        """Stands in for a workload of a CUDA device."""

        case = SimpleNamespace(device="cuda")
        module = SimpleNamespace(zero_grad=lambda set_to_none: None)

        def renew(self, calls: int) -> None:
            """Nothing is given."""

        def __call__(self, calls: int) -> None:
            made["allocations"] += 3
            made["peak"] = 1500

    class Profile:
        """Stands in for torch's, which knows the marks and the launches."""

        def __init__(self, **options: Any) -> None:
            assert options == {"profile_memory": False, "use_device": "cuda"}
            marked = [(f"rnn-bench: call {k}", 10 * k, 10 * k + 9) for k in range(exact.CALLS)]
            inside = [("cudaLaunchKernel", 10 * k + 1, 10 * k + 2) for k in range(exact.CALLS)]
            raw = [event(*each) for each in marked + inside]
            self.kineto_results = SimpleNamespace(events=lambda: raw)

        def __enter__(self) -> Profile:
            return self

        def __exit__(self, *error: object) -> None:
            """Nothing is to be ended."""

    fake = SimpleNamespace(
        synchronize=lambda: None,
        memory_allocated=lambda: 1000,
        memory_stats=lambda: {"allocation.all.allocated": made["allocations"]},
        reset_peak_memory_stats=lambda: made.update(peak=0),
        max_memory_allocated=lambda: made["peak"],
    )
    monkeypatch.setattr(torch, "cuda", fake)
    monkeypatch.setattr(exact, "profile", Profile)
    found = meters(Calls())  # type: ignore[arg-type] # a stand-in
    assert found.exact == {OPERATORS: 0, NODES: 0, LAUNCHES: 1, ALLOCATIONS: 3, PEAK: 500}
    assert found.names[LAUNCHES] == {"cudaLaunchKernel": 1}


def test_a_survey_counts_where_it_is_asked_to() -> None:
    """The record has what is exact; what has names is told beside it, of the last cell alone."""
    case = Case(hidden_size=HIDDEN, input_size=HIDDEN, seq_len=STEPS)
    surveyor = Surveyor(5.0, Ledger(), memory=False, meters=True)
    record = surveyor.survey(case, "manual")
    assert record.status == MEASURED and surveyor.counted is not None
    assert record.meters == surveyor.counted.exact
    assert record.meters[OPERATORS] == sum(surveyor.counted.names[OPERATORS].values())
    assert surveyor.survey(case, "nobody").meters is None and surveyor.counted is None
    plain = Surveyor(5.0, Ledger(), memory=False)
    assert plain.survey(case, "manual").meters is None


def test_a_run_keeps_what_was_counted(tmp_path: Path) -> None:
    """In run.json and as a column of cells.json, with `--meters`; `--resume` goes by what the run was asked."""
    smallest = ("--preset=smoke", "--hidden-size=8", "--seq-len=2", "--mode=inference", "--device=cpu")
    given = ("--impl=manual,whole", "--passes=1", "--no-explain", "--meters", "--reports", str(tmp_path))
    code, out, err = bench("run", *smallest, *given)
    assert code == 0, out + err
    (folder,) = (tmp_path / "runs").iterdir()
    manifest = read_manifest(folder)
    assert Settings.from_dict(manifest.settings).meters
    rows = json.loads((folder / "cells.json").read_text())["cells"]
    assert len(rows) == 2
    for row in rows:
        assert row["meters"] == manifest.by_cell()[row["case"], row["implementation"]].meters
        assert set(row["meters"]) == {OPERATORS, NODES, ALLOCATIONS, PEAK}


def test_runs_that_counted_nothing_have_no_such_column(tmp_path: Path) -> None:
    """Those of earlier versions say nothing of it, neither in their cells nor in their settings."""
    folder = write_run(tmp_path, presets=["smoke"], passes=1)
    content = json.loads((folder / "run.json").read_text())
    for cell in content["cells"]:
        cell.pop("meters", None)
    (folder / "run.json").write_text(json.dumps(content))
    assert "meters" not in cells(read_run(folder))
    fields = Settings(preset="smoke").as_dict()
    del fields["meters"]
    assert Settings.from_dict(fields).meters is False
