"""Beside torch: what other runtimes compute, what they are told, and what is said of one that can't run.

Most of it holds for a runtime that is made up here. What needs one of the real ones is skipped without it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.cases.case import Case
from bench.host import machine
from bench.host.clock import Ledger
from bench.measure import memory, state
from bench.measure.memory import footprint
from bench.measure.parity import ParityError, check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.workload import Workload
from bench.run.crew import HOME, seat_of
from bench.store.manifest import FAILED, MEASURED, UNAVAILABLE, read_manifest
from bench.worker.surveyor import Surveyor
from rnn_impls import build, networks, registry
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.runtimes import foreign
from rnn_impls.runtimes.foreign import Foreign
from rnn_impls.runtimes.onnx_model import _Model
from rnn_impls.states import State
from rnn_impls.whole import Whole
from tests.test_run import start, statuses

PACKAGES = {"onnxruntime": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino"), "jax-scan": ("jax",),
            "numba": ("numba",)}  # fmt: skip
SMALL: dict[str, Any] = {"hidden_size": 20, "input_size": 12, "seq_len": 9}
CASE = Case(**SMALL)
MORE: list[dict[str, Any]] = [
    {"mode": mode, "num_layers": layers, "bidirectional": ways, "output_size": outputs, "batch_size": batch}
    for mode, layers, ways, outputs, batch in (
        ("inference", 1, False, 0, 5), ("inference", 2, True, 3, 5), ("inference", 2, False, 6, 1),
        ("streaming", 1, False, 0, 1), ("streaming", 2, False, 3, 5),
    )
]  # fmt: skip


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.long if name in ("jax-scan", "numba") else [])
                        for name in registry.BESIDE_TORCH])  # fmt: skip
def name(request: pytest.FixtureRequest) -> str:
    """An implementation whose runtime is installed here."""
    for package in PACKAGES[request.param]:
        pytest.importorskip(package, reason=f"{package} is not installed: make runtimes", exc_type=ImportError)
    return str(request.param)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a worker has it; and as it was afterwards."""
    before = state.now()
    torch.set_num_threads(1)
    yield
    state.changes(before)


def built(name: str | type[Foreign], case: Case = CASE) -> Workload:
    """An implementation, prepared for a case."""
    return Workload(case, registry.load(name) if isinstance(name, str) else name, Problem.of(case))


# Those that are installed


@pytest.mark.parametrize("network", networks.BUILTIN)
def test_they_are_equal(name: str, network: str) -> None:
    """One and two layers, both directions, with a head, one and five sequences, at once and step by step."""
    for more in ({}, *MORE):
        assert check(Reference.of(Case(network=network, **SMALL | more)), registry.load(name)) < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("network", networks.BUILTIN)
def test_jax_trains(network: str) -> None:
    """Every gradient, with the loss on all steps and on the last, and of sizes of one."""
    pytest.importorskip("jax", reason="jax is not installed: make runtimes")
    for more in (
        {"num_layers": 2, "output_size": 3, "batch_size": 5},
        {"loss": "last", "bidirectional": True},
        {"input_size": 1, "hidden_size": 1},
    ):
        case = Case(mode="training", network=network, **SMALL | more)
        assert check(Reference.of(case), registry.load("jax-scan")) < 1e-5


@pytest.mark.long
def test_jax_gives_the_gradient_of_inputs_where_it_is_asked_for() -> None:
    """That of torch's own; and calls of one kind compile nothing anew."""
    pytest.importorskip("jax", reason="jax is not installed: make runtimes")
    case = Case(mode="training", **SMALL)
    found: list[Tensor] = []
    for each in ("jax-scan", "whole"):
        workload = built(each, case)
        inputs, hidden = workload.problem.inputs.clone().requires_grad_(), workload.problem.hidden
        workload.module(inputs, hidden)[0].sum().backward()
        assert inputs.grad is not None
        found.append(inputs.grad)
        if each == "jax-scan":
            compiled: Any = workload.module
            for _ in range(3):
                workload.train_once(workload.problem.inputs, hidden)
            assert compiled.with_pull_back._cache_size() == compiled.pull_back._cache_size() == 2
    assert torch.allclose(found[0], found[1], atol=1e-5)


def test_results_are_the_callers(name: str) -> None:
    """They can be written to, and no later call writes there."""
    workload = built(name)
    inputs, hidden = workload.problem.inputs, workload.problem.hidden
    with torch.inference_mode():
        outputs, last = workload.module(inputs, hidden)
        before = outputs.clone(), last.clone()
        workload.module(-inputs, hidden)
        assert torch.equal(outputs, before[0]) and torch.equal(last, before[1])
        outputs.fill_(3)
        assert torch.equal(last, before[1])
        assert torch.equal(workload.module(inputs, hidden)[0], before[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not say")
def test_none_of_them_leaks(name: str) -> None:
    """Of 256 MiB of results, next to nothing is left: what is kept for the next call, once."""
    workload = built(name, Case(hidden_size=64, input_size=64, seq_len=256, batch_size=16))  # 1 MiB of results
    workload(20)
    before = memory._status("VmRSS")
    workload(256)
    assert memory._status("VmRSS") - before < 32 * 2**20


def test_it_takes_the_place_of_a_module_of_torch(name: str) -> None:
    """In somebody's own code, by `rnn_impls.build`."""
    torch.manual_seed(0)
    rnn, inputs, hidden = torch.nn.GRU(5, 6), torch.randn(4, 2, 5), torch.randn(1, 2, 6)
    fast = build(name, rnn)
    fast.eval()
    with torch.inference_mode():
        fast.prepare(inputs, hidden)
        found, wanted = fast(inputs, hidden), rnn(inputs, hidden)
    assert torch.allclose(found[0], wanted[0], atol=1e-6) and torch.allclose(found[1], wanted[1], atol=1e-6)


@pytest.mark.parametrize("flush", [False, True])
def test_denormals_stay_as_they_are_set(name: str, flush: bool) -> None:
    """Building one, and calling it, leaves the thread as it was: ONNX Runtime and OpenVINO set it themselves."""
    torch.set_flush_denormal(flush)
    before = state.now()
    workload = built(name, Case(flush_denormal=flush, **SMALL))
    workload(2)
    assert state.changes(before) == ""


def test_what_ran_is_told(name: str) -> None:
    """The runtime's version, its threads and what is copied; and the survey has it in the column of kernels."""
    record = Surveyor(5.0, Ledger(), memory=False).survey(CASE, name)
    assert record.status == MEASURED, record.reason
    package = PACKAGES[name][-1]
    assert record.chosen.startswith(f"{package} {version(package)}, ")
    assert "of its own, " in record.chosen and record.kernel == record.chosen
    assert record.needs == list(PACKAGES[name])


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (Case(mode="training", **SMALL), "runs inference alone"),
        (Case(dtype="float64", **SMALL), "made for float32"),
        (Case(dtype="bfloat16", **SMALL), "made for float32"),
    ],
)
def test_what_they_are_not_made_for_is_said(name: str, case: Case, why: str) -> None:
    """A row with a reason."""
    if name == "jax-scan" and case.mode == "training":
        pytest.skip("jax-scan trains")
    with pytest.raises(Unavailable, match=why):
        built(name, case)


@pytest.mark.long
def test_what_numba_compiled_before_is_part_of_its_price() -> None:
    """The second object finds the loops, and says what they took."""
    pytest.importorskip("numba", reason="numba is not installed: make runtimes")
    first, second = (built("numba").build_seconds for _ in range(2))
    assert second > 0.5 * min(first, 0.5)


def test_a_model_that_onnx_runtime_refuses_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as of an opset that it does not know."""
    for package in PACKAGES["onnxruntime"]:
        pytest.importorskip(package, reason=f"{package} is not installed: make runtimes")
    monkeypatch.setattr("rnn_impls.runtimes.onnx_model.OPSET", 999)
    with pytest.raises(Unavailable, match="onnxruntime refuses the network: ") as told:
        built("onnxruntime")
    assert "\n" not in str(told.value)


# One that is made up


class MadeUp(Foreign):
    """runs `whole` as if it were another runtime"""

    extra: ClassVar[str] = "made-up"

    def name_of_runtime(self) -> str:
        """It has no package."""
        return "made up 1.0"

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Take the weights."""
        shape = self.shape
        self.run = Whole(NetworkShape(shape.input_size, shape.hidden_size, network=shape.network))
        self.run.load({name: value.detach() for name, value in self.weights().items()})
        self.run.prepare(inputs, hidden)

    def weights(self) -> dict[str, Tensor]:
        """Those of torch's module."""
        w_ih, w_hh, b_ih, b_hh = (torch.from_numpy(each) for each in self.matrices()[0])
        return {"weight_ih_l0": w_ih, "weight_hh_l0": w_hh, "bias_ih_l0": b_ih, "bias_hh_l0": b_hh}

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One call."""
        found: tuple[Tensor, State] = self.run(inputs, hidden)
        return found


class Rounds(MadeUp):
    """computes in bfloat16 without being asked"""

    def weights(self) -> dict[str, Tensor]:
        """Rounded."""
        return {name: value.bfloat16().float() for name, value in super().weights().items()}


class StartsThreads(MadeUp):
    """starts two threads"""

    copies: ClassVar[tuple[str, ...]] = ("states", "results")

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Once in a process."""
        super().compile(inputs, hidden)
        self.end = threading.Event()
        for _ in range(2):
            threading.Thread(target=self.end.wait, daemon=True).start()


class Refuses(MadeUp):
    """does not take the network"""

    def refusals(self) -> tuple[type[Exception], ...]:
        """Its own error."""
        return (ArithmeticError,)

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Raise it, on several lines."""
        raise ArithmeticError("no such\noperator")


class TakesMuch(MadeUp):
    """takes 64 MiB that torch knows nothing of"""

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Write to all of it, and let go."""
        np.ones(2**24, np.float32)
        return super().forward(inputs, hidden)


def test_a_runtime_that_rounds_is_found_out() -> None:
    """bfloat16 errs by more than parity allows."""
    assert check(Reference.of(CASE), MadeUp) < 1e-5
    with pytest.raises(ParityError, match="outputs differs first"):
        check(Reference.of(CASE), Rounds)


@pytest.mark.skipif(foreign.threads() is None, reason="the system does not list threads")
def test_threads_and_copies_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads counted from the system, the most seen in the process; bytes of the states and the results."""
    monkeypatch.setattr(foreign, "_most_started", {})
    one, other = built(StartsThreads).module, built(MadeUp).module
    assert isinstance(one, StartsThreads)
    one.end.set()
    bytes_of = 4 * (20 + 9 * 20 + 20)
    assert (one.threads_started, one.copied_bytes) == (2, bytes_of)
    assert one.chosen == f"made up 1.0, 2 threads of its own, {bytes_of} bytes copied a call"
    assert other.chosen == "made up 1.0, 2 threads of its own, nothing copied", "they are still there"


def test_what_a_runtime_refuses_is_a_row() -> None:
    """The first line of what it says."""
    with pytest.raises(Unavailable, match=r"^made-up refuses the network: ArithmeticError: no such$"):
        built(Refuses)


def test_memory_is_that_of_the_process() -> None:
    """64 MiB that torch's allocator has not handed out."""
    machine.pin(1)
    found = footprint(built(TakesMuch))
    if found is None:
        pytest.skip("the system does not say")
    assert 60 * 2**20 < found.peak < 80 * 2**20 and found.left == 0


def test_a_network_of_ones_own_is_refused(tmp_path: Path) -> None:
    """None of them has its formula."""
    path = tmp_path / "my_cell.py"
    path.write_text((Path(networks.__file__).parent / "template.py").read_text())
    own = next(line.split("(")[0][6:] for line in path.read_text().splitlines() if line.startswith("class "))
    for each in registry.BESIDE_TORCH:
        with pytest.raises(Unavailable, match="computes only rnn-tanh, rnn-relu, gru, lstm"):
            built(each, Case(network=f"{path}:{own}", **SMALL))


def test_each_is_measured_in_a_process_of_its_own() -> None:
    """Away from torch's, and from each other's."""
    assert {seat_of(each) for each in registry.BESIDE_TORCH} == set(registry.BESIDE_TORCH)
    assert seat_of("whole") == HOME


@pytest.mark.parametrize(("network", "order"), [("gru", "zrh"), ("lstm", "iofc"), ("rnn-tanh", "h")])
def test_gates_are_in_the_order_of_onnx(network: str, order: str) -> None:
    """torch's r, z, n and i, f, g, o; a row of each gate's name stands for its block."""
    torchs = {"gru": "rzh", "lstm": "ifco", "rnn-tanh": "h"}[network]
    rows = np.array([[float(ord(gate))] for gate in torchs for _ in range(2)], np.float32)  # (G H, 1)
    turned = _Model(ModuleType("onnx"), NetworkShape(1, 2, network=network))._in_order(rows)
    assert "".join(chr(int(row[0])) for row in turned) == "".join(itertools.chain(*zip(order, order, strict=True)))


# Packages that are not as they should be


def packaged(folder: Path, name: str, number: str, text: str) -> None:
    """A package of one file, as an installer leaves it."""
    (folder / f"{name}.py").write_text(text)
    (folder / f"{name}-{number}.dist-info").mkdir()
    (folder / f"{name}-{number}.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
    )


@pytest.mark.parametrize(
    ("number", "text", "told"),
    [
        ("", "", "odd_runtime is not installed: pip install 'rnn-bench[odd]'"),
        ("1.9.7", "", "odd_runtime 1.9.7 is too old, it needs 1.10 or newer: pip install 'rnn-bench[odd]'"),
        ("1.10.0rc1", "raise OSError('no\\nsuch library')", "odd_runtime 1.10.0rc1 can't be imported: "),
        ("2.0", "raise SystemExit(3)", "odd_runtime 2.0 can't be imported: "),
    ],
)
def test_a_package_that_can_not_be_used_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str, text: str, told: str
) -> None:
    """Missing, too old, and one that raises when it is imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    if number:
        packaged(tmp_path, "odd_runtime", number, text)
    with pytest.raises(Unavailable) as raised:
        foreign.package("odd_runtime", "1.10", "odd")
    assert str(raised.value).startswith(told) and "\n" not in str(raised.value)


def test_a_package_that_can_be_used_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the least version, too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    packaged(tmp_path, "even_runtime", "1.10", "found = 5")
    assert foreign.package("even_runtime", "1.10", "odd").found == 5


FAULTS = {
    "dies": ("import os, signal\ndef njit(**_): os.kill(os.getpid(), signal.SIGKILL)", FAILED, "SIGKILL"),
    "raises": ("def njit(**_): raise ValueError('no LLVM')", FAILED, "no LLVM"),
    "does not import": ("raise ImportError('no LLVM')", UNAVAILABLE, "can't be imported"),
    "hangs": ("import time\ndef njit(**_): time.sleep(3600)", FAILED, "no answer for 10 s"),
}


@pytest.mark.parametrize("fault", [f if f == "does not import" else pytest.param(f, marks=pytest.mark.long)
                                   for f in FAULTS])  # fmt: skip
def test_the_rest_of_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """A runtime that fails is a row; `whole` is measured."""
    text, status, reason = FAULTS[fault]
    packaged(tmp_path, "numba", "0.99", text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    runner = start(tmp_path / "reports", "whole,numba", passes=1, timeout=10.0 if fault == "hangs" else 60.0)
    runner.run()
    found = statuses(read_manifest(runner.folder))
    assert found["whole"] == (MEASURED, "")
    assert found["numba"][0] == status and reason in found["numba"][1], found["numba"]
