"""Planning, memory and the machine's description."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterator
from typing import cast

import pytest
import torch

from bench.cases.case import Case
from bench.host import machine
from bench.host.clock import Ledger, Reading
from bench.measure import memory
from bench.measure.alternate import BLOCK_SECONDS, CONTROL
from bench.measure.memory import footprint
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from bench.run.crew import Crew, HomeLost, Lost
from bench.run.plan import (
    CONTROL_CALL_SECONDS,
    MAX_ROUNDS,
    MIN_ROUNDS,
    MIN_ROUNDS_OF_LONG_CALLS,
    CasePlan,
    CaseSamples,
    ControlFailed,
    measure,
    plan_case,
    plan_pass,
)
from bench.store.manifest import FAILED, CellRecord
from bench.store.passes import extra_info
from rnn_impls.interface import Unavailable
from rnn_impls.whole import Whole, WholeNoCudnn

CASE = Case(hidden_size=8, input_size=8, seq_len=4)


@pytest.fixture(autouse=True)
def _unpinned() -> Iterator[None]:
    """Measuring pins this process to a core; the next test gets them all back."""
    yield
    machine.unpin()


class Steps:
    """A crew in which every call of anything takes 1 ms; it notes what is built and what is checked, and `dies` over an
    implementation as often as it says."""

    def __init__(self, dies: dict[str, int] | None = None, error: type[Lost] = Lost) -> None:
        self.built: list[str] = []
        self.checked: list[str] = []
        self.chosen = {"chooses": "whole"}
        self.dies, self.error = dies or {}, error

    def begin(self, case: str) -> None:
        """Anew."""
        self.built.clear()

    def build(self, name: str) -> str:
        """Nothing but a note."""
        self.built.append(name)
        return "ValueError: no" if name == "refuses" else ""

    def block(self, name: str, calls: int, lead: int = 0, check: bool = False) -> Reading:
        """Run nothing."""
        if self.dies.get(name, 0):
            self.dies[name] -= 1
            raise self.error(name, "the process was killed by SIGKILL, while it was run")
        self.checked += [name] * check
        return Reading(calls * 1e-3, calls * 0.9e-3)


def measured(crew: Steps, calls: dict[str, int], rounds: int = 7, seed: int = 1) -> CaseSamples:
    """A case, by a made-up crew."""
    plan = CasePlan(CASE.id, calls, rounds, 1.0)
    return measure(cast("Crew", crew), plan, random.Random(seed), Ledger())


def test_short_calls_are_bundled_into_blocks() -> None:
    """A block lasts about BLOCK_SECONDS, the control's, too; a call longer than that is a block by itself."""
    plan = plan_case("a", {"short": 1e-5, "long": 0.1})
    assert BLOCK_SECONDS <= plan.calls["short"] * 1e-5 <= 1.2 * BLOCK_SECONDS
    assert BLOCK_SECONDS <= plan.calls[CONTROL] * CONTROL_CALL_SECONDS <= 1.2 * BLOCK_SECONDS
    assert plan.calls["long"] == 1
    assert plan.warm == ("short", CONTROL)
    assert plan.leads == {}
    assert plan.rounds == MIN_ROUNDS


def test_what_was_chosen_goes_with_the_samples() -> None:
    """Into every row of the pass; nothing for one that has no choice."""
    found = measured(Steps(), {"chooses": 1, "plain": 1, CONTROL: 1})
    assert {name: own["chosen"] for name, own in found.samples.items()} == {"chooses": "whole", "plain": ""}
    info = extra_info(CASE, "chooses", found.samples["chooses"], found.control, CellRecord(CASE.id, "chooses"))
    assert info["chosen"] == "whole"


def test_rounds_stay_within_bounds() -> None:
    """Many for short calls, few for calls of seconds."""
    assert plan_case("a", {"x": 1e-6}).rounds <= MAX_ROUNDS
    assert plan_case("a", {"x": 4.0}).rounds == MIN_ROUNDS_OF_LONG_CALLS


def test_few_cases_are_measured_at_least_as_long_as_starting_takes() -> None:
    """A pass of one case gets the time that its process needed to start, many cases get theirs."""
    one = [CellRecord("a", "x", call_seconds=1e-3)]
    (plan,) = plan_pass(one, case_seconds=0.3, starting_seconds=1.5)
    assert plan.seconds == pytest.approx(1.5, rel=0.05)
    many = [CellRecord(f"{k:02}", "x", call_seconds=1e-3) for k in range(20)]
    plans = plan_pass(many, case_seconds=0.3, starting_seconds=1.5)
    assert sum(plan.seconds for plan in plans) == pytest.approx(6.0, rel=0.05)


def test_failed_cells_are_not_planned() -> None:
    """Only what the survey let through, and of that only what is asked for."""
    records = [
        CellRecord("a", "x", call_seconds=1e-3),
        CellRecord("a", "y", FAILED),
        CellRecord("b", "x", call_seconds=1.0),
    ]
    assert [(p.case, set(p.calls)) for p in plan_pass(records)] == [("a", {"x", CONTROL}), ("b", {"x", CONTROL})]
    assert [p.case for p in plan_pass(records, only={("b", "x")})] == ["b"]


def test_blocks_are_led_in_where_processes_take_turns() -> None:
    """One at home and one isolated begin their blocks unlike: each is led in by as many calls, but for long ones."""
    plan = plan_case("a", {"manual": 1e-3, "own.py:X": 1e-3, "whole": 0.1})
    assert plan.leads == {
        "manual": plan.calls["manual"],
        "own.py:X": plan.calls["own.py:X"],
        CONTROL: plan.calls[CONTROL],
    }
    assert plan.warm == ()
    assert plan_case("a", {"own.py:X": 1e-3, "own.py:Y": 1e-3}).leads == {}, "all of them isolated"


def test_a_case_is_measured_by_its_crew() -> None:
    """Seconds per call and event seconds per call, one of each a round, and the control beside them; every
    implementation is checked once."""
    crew = Steps()
    found = measured(crew, {"whole": 5, "looped": 2, CONTROL: 2})
    assert found.samples["whole"]["seconds"] == pytest.approx([1e-3] * 7)
    assert found.samples["whole"]["event_seconds"] == pytest.approx([0.9e-3] * 7)
    assert found.control["seconds"] == pytest.approx([1e-3] * 7)
    assert (found.failures, found.lost) == ({}, {})
    assert sorted(crew.checked) == ["looped", "whole"]


def test_what_cannot_be_built_or_is_lost_alone_costs_nobody_else() -> None:
    """An isolated process that dies takes its own implementation along."""
    found = measured(Steps({"mine": 1}), {"whole": 5, "mine": 2, "refuses": 1, CONTROL: 2})
    reason = "the process was killed by SIGKILL, while it was run"
    assert found.failures == {"refuses": "ValueError: no", "mine": reason}
    assert found.lost == {"mine": reason}
    assert len(found.samples["whole"]["seconds"]) == 7


def test_where_the_process_at_home_is_lost_the_case_is_taken_again() -> None:
    """Without the one that it was lost over; without a control there is nothing."""
    crew = Steps({"whole": 1}, HomeLost)
    found = measured(crew, {"whole": 5, "looped": 2, CONTROL: 2})
    assert set(found.failures) == set(found.lost) == {"whole"}
    assert found.samples["looped"]["seconds"] == pytest.approx([1e-3] * 7)
    assert sorted(crew.built) == [CONTROL, "looped"]
    with pytest.raises(ControlFailed, match="killed by SIGKILL"):
        measured(Steps({CONTROL: 9}, HomeLost), {"whole": 5, CONTROL: 2})


def test_implementations_are_built_in_random_order() -> None:
    """Neither is always the one whose weights lie first in memory, which would favour it by a little every time."""
    firsts = set()
    for seed in range(8):
        crew = Steps()
        measured(crew, {"whole": 2, "looped": 2, CONTROL: 2}, 1, seed)
        assert sorted(crew.built) == [CONTROL, "looped", "whole"]
        firsts.add(crew.built[1])
    assert firsts == {"looped", "whole"}


def peak_bytes(workload: Workload) -> int:
    """The peak of one call."""
    found = footprint(workload)
    assert found is not None
    return found.peak


def test_peak_memory_of_inference() -> None:
    """At least the outputs have to exist, and never the weights: those are there before."""
    case = Case(hidden_size=64, input_size=64, seq_len=100)
    peak = peak_bytes(Workload(case, Whole, Problem.of(case)))
    outputs = 4 * case.seq_len * case.hidden_size
    assert outputs <= peak <= 4 * outputs


def test_peak_memory_of_training_counts_gradients() -> None:
    """Also when an earlier call has left gradients behind: they are cleared before, not during."""
    case = Case(hidden_size=64, input_size=64, seq_len=2, mode="training")
    workload = Workload(case, Whole, Problem.of(case))
    workload(1)
    peak = peak_bytes(workload)
    assert peak >= 4 * 2 * 64 * 64


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_peak_memory_is_the_same_by_the_public_profiler(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving the operators out changes nothing, and where that is not to be had the public profiler serves."""
    case = Case(hidden_size=16, input_size=16, seq_len=20, mode=mode)
    workload = Workload(case, Whole, Problem.of(case))
    workload(1)
    alone = peak_bytes(workload)

    def missing(run: object) -> list[object]:
        raise ImportError("no such name")

    monkeypatch.setattr(memory, "_memory_events_alone", missing)
    assert peak_bytes(workload) == alone


def test_an_implementation_for_another_device_is_unavailable() -> None:
    """And says what it runs on."""
    with pytest.raises(Unavailable, match="runs only on cuda"):
        Workload(CASE, WholeNoCudnn, Problem.of(CASE))


def test_whole_no_cudnn_computes_the_network_and_restores_the_switch() -> None:
    """Checked on the CPU, where the switch has no effect on the result."""
    case, problem = CASE, Problem.of(CASE)
    module = WholeNoCudnn(Workload(case, Whole, problem).module.shape)
    module.load(problem.weights)
    outputs, _ = module(problem.inputs, problem.hidden)
    expected, _ = Workload(case, Whole, problem).module(problem.inputs, problem.hidden)
    assert torch.equal(outputs, expected)
    assert torch.backends.cudnn.enabled


def test_inputs_are_random_and_the_same_every_time() -> None:
    """Never zeros; drawn from a fixed seed."""
    first, second = Problem.of(CASE), Problem.of(CASE)
    assert torch.equal(first.inputs, second.inputs)
    assert float(first.inputs.abs().min()) > 0
    assert all(float(weight.abs().max()) <= 1 / math.sqrt(8) for weight in first.weights.values())


def test_gradients_are_cleared_between_calls() -> None:
    """The gradient after many training calls is that of one."""
    case = Case(hidden_size=8, input_size=8, seq_len=4, mode="training")
    workload = Workload(case, Whole, Problem.of(case))
    workload(1)
    once = {name: gradient.clone() for name, gradient in workload.module.gradients().items()}
    workload(3)
    assert all(torch.allclose(gradient, once[name]) for name, gradient in workload.module.gradients().items())


def test_machine_is_flat_json_and_repeats_itself() -> None:
    """The description can be stored and compared: no value drifts from one call to the next."""
    machine.fix_numerics()
    first = machine.describe()
    assert json.loads(json.dumps(first)) == first == machine.describe()
    assert all(value is None or isinstance(value, (str, int, float, bool)) for value in first.values())
    assert first["torch"] == torch.__version__
    assert first["tf32_cudnn"] is False


@pytest.mark.parametrize(
    ("threads", "left"), [(1, {2, 3, 5}), (2, {2, 3}), (3, {2}), (4, None), (8, None)], ids="{}".format
)
def test_who_gets_ready_leaves_the_cores_that_pin_takes(
    monkeypatch: pytest.MonkeyPatch, threads: int, left: set[int] | None
) -> None:
    """As many as there are threads, the last of those allowed; where none would be left, nothing changes."""
    bound: list[set[int]] = []
    monkeypatch.setattr(machine, "_cores_at_start", [])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: bound.append(set(cores)), raising=False)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    machine.stand_aside(threads)
    assert bound == ([] if left is None else [left])
    measured = set(machine.pin(threads))
    assert measured.isdisjoint(left or set()) and measured == bound[-1]


def test_a_machine_is_told_by_the_cores_this_process_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container or taskset may leave fewer than there are."""
    monkeypatch.setattr(machine, "_cores_at_start", [])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert machine.describe()["cores"] == 1


def test_pin_and_unpin() -> None:
    """The last cores are taken, and given back."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no sched_setaffinity")
    before = os.sched_getaffinity(0)
    threads = torch.get_num_threads()
    try:
        assert machine.pin(1) == [max(before)]
        assert os.sched_getaffinity(0) == {max(before)}
        assert torch.get_num_threads() == 1
    finally:
        machine.unpin()
        torch.set_num_threads(threads)
    assert os.sched_getaffinity(0) == before
