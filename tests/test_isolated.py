"""What a user's code may try: it neither wins by it, nor hurts anybody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from bench.cases.case import Case
from bench.host import machine
from bench.host.clock import Ledger
from bench.host.process import MARK, kill_left_behind
from bench.measure import state
from bench.measure.alternate import CONTROL
from bench.measure.problem import Feed, Problem
from bench.run.crew import HOME, file_name, seat_of
from bench.store.folder import LOGS
from bench.store.manifest import FAILED, MEASURED
from bench.store.passes import pass_files
from bench.table.reading import read_run
from bench.worker.blocks import Seat
from bench.worker.surveyor import Surveyor
from rnn_impls import registry
from tests.faulty import RemembersAll, RemembersLast
from tests.test_run import FAULTY, ONE_CASE, start, statuses

CASE = Case(hidden_size=8, input_size=8, seq_len=4)
TRAINING = Case(hidden_size=8, input_size=8, seq_len=4, mode="training")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Whatever is tried here, the next test finds torch, and the cores, as they were."""
    before = state.now()
    yield
    machine.unpin()
    state.changes(before)


def seated(name: str, case: Case = CASE) -> Seat:
    """A seat, in this process, at which an implementation was built."""
    seat = Seat(case, {})
    assert "failure" not in seat.build(name)
    return seat


def failure(seat: Seat, name: str, calls: int = 8, blocks: int = 12) -> str:
    """Why an implementation gave no sample in so many blocks, each of them checked."""
    for _ in range(blocks):
        if "failure" in (found := seat.block(name, calls, 0, True)):
            return str(found["failure"])
    return ""


# Short cuts


@pytest.mark.parametrize("kind", [RemembersLast, RemembersAll])
def test_who_remembers_meets_no_input_again(kind: type) -> None:
    """Of all the calls of a pass none has the inputs of another, in a block, over blocks, led in or checked."""
    name = f"{FAULTY}{kind.__name__}"
    seat = seated(name)
    module = seat.built[name].workload
    assert module is not None
    remembers: Any = type(module.module)
    before = remembers.hits
    for check in (False, True, False):
        for calls in (1, 50, 7):
            assert "failure" not in seat.block(name, calls, calls, check)
    assert remembers.hits == before


def test_inputs_are_drawn_alike_whatever_the_angle() -> None:
    """As many, as wide and as normal as the problem's own; aligned, and no views of each other."""
    problem = Problem.of(Case(hidden_size=64, input_size=50, seq_len=40, batch_size=3))
    feed = Feed(problem)
    given = feed.fill(5)
    values = torch.stack([inputs for inputs, _ in given])
    assert values.shape[1:] == problem.inputs.shape
    assert float(values.mean()) == pytest.approx(0, abs=0.05)
    assert float(values.std()) == pytest.approx(1, abs=0.05)
    assert all(inputs.data_ptr() % Feed.ALIGNMENT == 0 and inputs._base is None for inputs, _ in given)
    before = values.clone()
    again = torch.stack([inputs for inputs, _ in feed.fill(5)])
    assert not bool((before == again).any())


def test_an_angle_can_be_asked_for() -> None:
    """The call at which it is given, and no other; at 0 it is the problem's own input."""
    problem = Problem.of(CASE)
    given = [(inputs.clone(), hidden.clone()) for inputs, hidden in Feed(problem).fill(3, 1, 0.0)]
    assert torch.equal(given[1][0], problem.inputs)
    assert torch.equal(given[1][1], problem.hidden)
    assert not torch.equal(given[0][0], problem.inputs)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_timed_results_of_a_right_one_are_right(dtype: str, mode: str) -> None:
    """In every dtype and mode, with a head, layers, and relu."""
    for more in ({}, {"output_size": 5, "num_layers": 2, "batch_size": 3}, {"network": "rnn-relu"}):
        case = Case(hidden_size=16, input_size=8, seq_len=12, dtype=dtype, mode=mode, **more)
        assert failure(seated("manual", case), "manual", blocks=3) == ""


@pytest.mark.parametrize(
    ("name", "case", "reason"),
    [
        ("RightForAWhile", CASE, "wrong in a timed call: outputs differs first at step 0"),
        ("RightForAWhile", TRAINING, "RuntimeError"),  # zeros have no gradient
        ("NoGradientsLater", TRAINING, "wrong in a timed call: gradient of"),
    ],
)
def test_timed_results_are_checked(name: str, case: Case, reason: str) -> None:
    """What is right at first and takes a short cut later is found out."""
    assert reason in failure(seated(FAULTY + name, case), FAULTY + name)


def test_results_are_plain_tensors() -> None:
    """One that computes when it is looked at would be timed without its work."""
    record = Surveyor(5.0, Ledger(), memory=False).survey(CASE, f"{FAULTY}ReturnsLazily")
    assert (record.status, record.reason) == (
        FAILED,
        "not equal to the reference: forward must return plain tensors, not a Lazy",
    )


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="the kernel does not list children")
def test_work_in_another_process_is_no_sample() -> None:
    """What a child computes meanwhile would be taken for waiting; it is ended with the worker."""
    name = f"{FAULTY}WorksElsewhere"
    seat = seated(name, Case(hidden_size=64, input_size=64, seq_len=200))
    workload = seat.built[name].workload
    assert workload is not None
    child: Any = workload.module.child
    try:
        reasons = {failure(seat, name, calls=20, blocks=1) for _ in range(40)} - {""}
        assert reasons
        assert all("works in other processes" in reason for reason in reasons)
    finally:
        child.kill()
        child.wait()


# What a process is set to

CHANGES = {
    "torch.set_num_threads(3)": "torch's number of threads from 1 to 3",
    "torch.set_default_dtype(torch.float64)": "the default dtype from torch.float32 to torch.float64",
    "torch.manual_seed(7)": "the seed from",
    "torch.set_flush_denormal(True)": "flush_denormal from False to True",
    "torch.use_deterministic_algorithms(True)": "use_deterministic_algorithms from False to True",
    "torch.set_autocast_enabled('cpu', True)": "autocast on cpu from False to True",
    "torch.set_float32_matmul_precision('medium')": "float32_matmul_precision from highest to medium",
    "torch.set_grad_enabled(False)": "the grad mode from True to False",
    "torch.backends.cudnn.allow_tf32 = True": "TF32 of cuDNN from False to True",
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'": "float32_matmul_precision from highest to what can't be read",
    "torch.backends.cudnn.rnn.fp32_precision = 'tf32'": "TF32 of cuDNN from False to what can't be read",
    "torch.backends.fp32_precision = 'tf32'": "fp32_precision of torch from none to tf32",
    "time.perf_counter = time.monotonic": "time.perf_counter from its own to another",
    "os.chdir('/')": "the current folder from",
    "gc.disable()": "Python's garbage collection from True to False",
}

FILE = """
import gc, os, time
import torch
from rnn_impls.whole import Whole
{imported}

class X(Whole):
    '''changes something'''

    def forward(self, inputs, hidden):
        {called}
        return super().forward(inputs, hidden)
"""


def written(tmp_path: Path, imported: str = "", called: str = "pass") -> str:
    """The name of an implementation that does something when it is imported or called."""
    path = tmp_path / "own.py"
    path.write_text(FILE.format(imported=imported, called=called))
    return f"{path}:X"


@pytest.mark.parametrize("when", ["imported", "called"])
@pytest.mark.parametrize(("change", "told"), CHANGES.items())
def test_what_is_changed_is_named_and_put_back(tmp_path: Path, change: str, told: str, when: str) -> None:
    """In the survey and at the seat, as it is imported and as it is called; the next finds all as it was."""
    machine.fix_numerics()
    machine.pin(1)
    name, before = written(tmp_path, **{when: change}), state.now()
    # What torch is set to within inference mode ends with it; the two modes are asked for what reaches beyond.
    record = Surveyor(5.0, Ledger(), memory=False).survey(TRAINING, name)
    assert record.status == FAILED
    assert record.reason.startswith(f"changes {told}"), record.reason
    assert record.reason.endswith(f"when it is {when}")
    assert state.now() == before
    seat = Seat(TRAINING, {})
    found = seat.build(name)
    if when == "called":
        assert "failure" not in found
        found = seat.block(name, 2, 0, False)
        assert told in found["failure"]
    assert state.now() == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing is pinned here")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is no other core")
def test_who_takes_another_core_is_named() -> None:
    """It would run beside the others, not in turn with them."""
    machine.pin(1)
    record = Surveyor(5.0, Ledger(), memory=False).survey(CASE, f"{FAULTY}TakesAnotherCore")
    assert record.status == FAILED
    assert record.reason.startswith("changes the cores it may use from [")


def test_drawing_random_numbers_is_no_change(tmp_path: Path) -> None:
    """Modules draw their weights, dropout its masks."""
    record = Surveyor(5.0, Ledger(), memory=False).survey(CASE, written(tmp_path, "torch.rand(3)", "torch.rand(3)"))
    assert (record.status, record.reason) == (MEASURED, "")


# In a run


def test_who_is_measured_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control and what this suite brings at home, what others bring in processes of their own."""
    assert [seat_of(name) for name in ("manual", CONTROL, "my.py:Mine", "their-rnn")] == [
        HOME,
        HOME,
        "my.py:Mine",
        "their-rnn",
    ]
    monkeypatch.setattr(registry, "ISOLATED", frozenset({"whole"}))
    assert seat_of("whole") == "whole", "one of this suite's that asks for it"
    assert file_name("../some where/my.py:Mine") == "some-where-my.py-Mine"


def test_a_run_goes_on_beside_those_who_would_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends its process, crashes, changes threads, eats what is told, or takes a short cut is a failed row that
    says why; all others are measured in every case."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("FAULTY_MARK", str(mark))
    names = ["ExitsWhenMeasured", "CrashesWhenMeasured", "SetsThreads", "RightForAWhile", "ReadsInput", "Twin"]
    twin = tmp_path / "twin.py"
    twin.write_text("from rnn_impls.whole import Whole\n\n\nclass Twin(Whole):\n    '''the same'''\n")
    own = [f"{twin}:Twin" if name == "Twin" else FAULTY + name for name in names]
    runner = start(tmp_path, ",".join(["manual", *own, "whole"]), overrides=ONE_CASE | {"seq_len": (4, 8)}, passes=1)
    runner._survey()
    runner._save("running")
    mark.touch()
    runner.run()
    reasons: dict[str, set[str]] = {}
    for cell in runner.manifest.cells:
        reasons.setdefault(cell.implementation.rpartition(":")[2], set()).add(f"{cell.status} {cell.reason}")
    assert {name for name, told in reasons.items() if told == {"measured "}} == {
        "manual",
        "whole",
        "Twin",
        "ReadsInput",
    }
    ended = "the process ended with exit code 0, while it was run"
    assert all(ended in told or "given up" in told for told in reasons["ExitsWhenMeasured"])
    assert all("killed by SIGSEGV, while it was run" in told for told in reasons["CrashesWhenMeasured"])
    assert reasons["SetsThreads"] == {"failed changes torch's number of threads from 1 to 2 when it is called"}
    assert all("wrong in a timed call" in told for told in reasons["RightForAWhile"])
    run = read_run(runner.folder)
    measured = run.samples.groupby(["implementation", "case"])["pass"].nunique()
    assert all(measured[name].tolist() == [1, 1] for name in ("manual", "whole", f"{twin}:Twin"))
    assert {path.name for path in (runner.folder / LOGS).iterdir()} >= {"survey-home.log"}


@pytest.mark.usefixtures("hang")
def test_what_hangs_costs_two_timeouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight cases two are waited for; then it is given up for the run, and who hung and where is said."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("FAULTY_MARK", str(mark))
    overrides = {"hidden_size": (4, 8), "seq_len": (2, 4, 6, 8), "mode": ("inference",)}
    runner = start(tmp_path, f"{FAULTY}HangsWhenMeasured,whole", overrides=overrides, passes=1)
    runner._survey()
    runner._save("running")
    mark.touch()
    waits: list[str] = []
    monkeypatch.setattr(runner.listener, "note", waits.append)
    runner.run()
    told = "no answer for 60 s, while it was run"
    hung = [note for note in waits if told in note]
    assert len(hung) == 2
    found = [cell for cell in runner.manifest.cells if "Hangs" in cell.implementation]
    assert [cell.status for cell in found] == [FAILED] * 8
    assert sum(told in cell.reason for cell in found) == 2
    assert sum("given up in pass 1" in cell.reason for cell in found) == 6
    assert len(pass_files(runner.folder)) == 1
    whole = [cell for cell in runner.manifest.cells if cell.implementation == "whole"]
    assert [cell.status for cell in whole] == [MEASURED] * 8


def test_who_dies_where_it_is_imported_costs_nobody_else(tmp_path: Path) -> None:
    """Its own cells say how, with its own last words; they are no one else's."""
    path = tmp_path / "own.py"
    path.write_text("import os, sys\nprint('goodbye', file=sys.stderr, flush=True)\nos._exit(4)\n")
    runner = start(tmp_path, f"whole,{path}:X,{FAULTY}Dies", passes=1)
    runner.run()
    found = statuses(runner.manifest)
    assert found[f"{path}:X"] == (FAILED, "the process ended with exit code 4; last words: goodbye")
    assert found["Dies"][1].startswith("the process was killed by SIGKILL")
    assert "goodbye" not in found["Dies"][1]
    assert found["whole"][0] == MEASURED


def test_a_child_that_is_left_behind_ends_with_the_run(tmp_path: Path) -> None:
    """Also one in a session of its own, whose parent is gone."""
    mark = tmp_path / "pid"
    spawn = (
        "import subprocess, sys; "
        f"open({str(mark)!r}, 'a').write(str(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'], "
        "start_new_session=True).pid) + ' ')"
    )
    runner = start(tmp_path, f"whole,{written(tmp_path, spawn)}", passes=1)
    runner.run()
    pids = [int(pid) for pid in mark.read_text().split()]
    assert len(pids) >= 2, "one of the survey, one of the pass"
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_only_what_has_the_mark_is_killed(tmp_path: Path) -> None:
    """Other processes of the same user live on."""
    others = psutil.Popen(["sleep", "60"], env=os.environ | {MARK: "another"})
    while others.environ().get(MARK) != "another":  # a process that has just begun shows none for a moment
        pass
    try:
        kill_left_behind("nobody has this")
        assert others.is_running() and others.status() != psutil.STATUS_ZOMBIE
    finally:
        kill_left_behind("another", patience=10.0)
    others.wait(10)
    assert not others.is_running()
