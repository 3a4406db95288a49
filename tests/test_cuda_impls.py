"""The implementations that need CUDA: what can be held of them without a GPU, and their parity on one."""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import json
import os
import re
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.host.machine import allows_tf32, fix_numerics
from bench.measure import state
from bench.measure.parity import TOLERANCE, check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.workload import HAS_TF32, Workload
from bench.store.manifest import UNAVAILABLE
from bench.worker.surveyor import Surveyor
from rnn_impls import cuda_graph, networks, persistent_triton, registry
from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.persistent_plan import CAPACITY, Chip, Plan, Tuning
from rnn_impls.persistent_triton import PersistentTriton, PersistentTritonTf32x3
from rnn_impls.whole import flatten

ROOT = Path(__file__).parent.parent
NAMES = ("cuda-graph", "cuda-graph-step", "persistent-triton", "persistent-triton-tf32x3", "cluster-cuda")
CASE = Case(input_size=5, hidden_size=16, num_layers=2, batch_size=2, seq_len=8, output_size=3)
TRAINING = dataclasses.replace(CASE, mode="training")


@pytest.fixture(autouse=True)
def _numerics_of_a_run() -> Iterator[None]:
    """As in a worker: cuDNN's RNN goes by TF32 otherwise, whose errors are ten times what float32 may have."""
    before = state.now()
    fix_numerics()
    yield
    state.changes(before)


needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed; pip install .[triton]"
)


@pytest.mark.parametrize("name", NAMES)
def test_on_the_cpu_the_row_says_where_it_runs(name: str) -> None:
    """They are unavailable there, which is a row with a reason and no failure."""
    record = Surveyor(max_call=5.0, ledger=Ledger(), memory=False).survey(CASE, name)
    assert (record.status, record.reason) == (UNAVAILABLE, "runs only on cuda")


def test_numerics_here_are_those_of_a_run() -> None:
    """What a tolerance of float32 asks for."""
    assert allows_tf32() == {"matmul": False, "cudnn": False}


def test_default_does_not_take_them() -> None:
    """What a plain run measures stays as it was; `all` takes them."""
    assert not set(NAMES) & set(registry.select("default", "cuda"))
    assert set(NAMES) <= set(registry.select("all", "cuda"))


# CUDA graphs, on a device that records what torch dispatches


class Recorder(TorchDispatchMode):
    """Does what is dispatched and keeps it, with the very tensors it was given and gave."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


class FakeGraph:
    """Plays what was recorded, on the same memory: each result goes where it was when it was recorded."""

    made: ClassVar[weakref.WeakSet[FakeGraph]] = weakref.WeakSet()

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.replays = 0
        FakeGraph.made.add(self)

    def pool(self) -> int:
        """Any handle."""
        return 7

    @torch.no_grad()
    def replay(self) -> None:
        """Do it all again."""
        self.replays += 1
        for func, args, kwargs, held in self.recorder.calls:
            for old, new in zip(tensors(held), tensors(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():  # neither a view nor in place
                    old.copy_(new)


def tensors(result: Any) -> list[Tensor]:
    """Those among what an operator gave."""
    found = result if isinstance(result, (tuple, list)) else [result]
    return [tensor for tensor in found if isinstance(tensor, Tensor)]


@contextmanager
def recording(graph: FakeGraph, pool: int | None = None) -> Iterator[None]:
    """Record, as `torch.cuda.graph` does; and as there, nothing is computed yet."""
    with graph.recorder:
        yield
    given = {id(t) for _, args, _, _ in graph.recorder.calls for a in args for t in tensors(a)}
    with torch.no_grad():
        for _, _, _, result in graph.recorder.calls:
            for tensor in tensors(result):
                fresh = tensor._base is None and id(tensor) not in given
                if fresh and tensor.is_floating_point():
                    tensor.data.fill_(torch.nan)  # behind autograd's back, as the device would


class FakeStream:
    """Waits for nothing."""

    def wait_stream(self, other: FakeStream) -> None:
        """Return."""


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the CPU have CUDA graphs."""
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "current_stream", FakeStream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)


class Whole(cuda_graph.CudaGraph):
    """one call, captured"""

    devices = ("cpu",)


class Step(cuda_graph.CudaGraphStep):
    """a loop, captured"""

    devices = ("cpu",)


GRAPHS = pytest.mark.parametrize("implementation", [Whole, Step], ids=["whole", "step"])


def prepared(implementation: type[Implementation], case: Case) -> Workload:
    """It, ready to be called for the case."""
    return Workload(case, implementation, Problem.of(case))


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("output_size", [0, 3])
def test_a_captured_call_is_equal(
    implementation: type[Implementation], nonlinearity: str, mode: str, output_size: int
) -> None:
    """What is played gives the reference's outputs, hidden states and gradients, call after call."""
    case = dataclasses.replace(CASE, mode=mode, network=f"rnn-{nonlinearity}", output_size=output_size)
    assert check(Reference.of(case), implementation) < 1e-5


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
@pytest.mark.parametrize("network", ["gru", "lstm"])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_captured_gru_and_lstm_are_equal(
    implementation: type[Implementation], network: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one state and with two, which have buffers of their own; without oneDNN, which CUDA does not have."""
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    case = dataclasses.replace(CASE, mode=mode, network=network, output_size=3)
    assert check(Reference.of(case), implementation) < 1e-5


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_capture_is_done_once_and_before_the_first_call(implementation: type[Implementation]) -> None:
    """Calls only play; the forward pass is one graph, the backward pass another."""
    FakeGraph.made.clear()
    work = prepared(implementation, TRAINING)
    graphs = sorted(FakeGraph.made, key=lambda graph: len(graph.recorder.calls))
    lengths = [len(graph.recorder.calls) for graph in graphs]
    assert len(graphs) == 2
    assert [graph.replays for graph in graphs] == [0, 0]
    work(3)
    assert [graph.replays for graph in graphs] == [3, 3]
    assert [len(graph.recorder.calls) for graph in graphs] == lengths
    assert len(FakeGraph.made) == 2


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_a_captured_call_reads_what_it_is_given(implementation: type[Implementation]) -> None:
    """Other inputs, another state and other weights give other results, and those given before stay as they are."""
    work = prepared(implementation, CASE)
    inputs, hidden = work.problem.inputs, work.problem.hidden
    with torch.no_grad():
        first = work.module(inputs, hidden)
        kept = [result.clone() for result in first]
        assert not torch.equal(work.module(inputs + 1, hidden)[0], kept[0])
        assert not torch.equal(work.module(inputs, hidden + 1)[0], kept[0])
        assert [torch.equal(a, b) for a, b in zip(work.module(inputs, hidden), kept, strict=True)] == [True, True]
        work.module.load({name: weight * 0.5 for name, weight in work.problem.weights.items()})
        assert not torch.equal(work.module(inputs, hidden)[0], kept[0])
    assert [torch.equal(a, b) for a, b in zip(first, kept, strict=True)] == [True, True]


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_gradients_of_captured_calls_add_up(implementation: type[Implementation]) -> None:
    """Without clearing, the second backward pass adds to the first's gradients instead of overwriting them."""
    work = prepared(implementation, TRAINING)
    work.train_once(work.problem.inputs, work.problem.hidden)
    once = {name: gradient.clone() for name, gradient in work.module.gradients().items()}
    outputs, _ = work.module(work.problem.inputs, work.problem.hidden)
    torch.nn.functional.nll_loss(outputs.flatten(0, 1), work.problem.target.flatten(), reduction="sum").backward()
    for name, gradient in work.module.gradients().items():
        torch.testing.assert_close(gradient, once[name] * (1 + CASE.batch_size))


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_gradients_of_inputs_and_state_where_they_are_wanted(implementation: type[Implementation]) -> None:
    """Of inputs that want a gradient when the call is captured; through either result alone, call after call."""
    torch.manual_seed(0)
    module = implementation(NetworkShape(5, 16, 2)).double()
    inputs, hidden = torch.randn(4, 2, 5).double().requires_grad_(), torch.randn(2, 2, 16).double().requires_grad_()
    module.prepare(inputs, hidden)
    live = super(cuda_graph.Captured, module).forward  # type: ignore[misc]
    pairs = []
    for which in (0, 1, 0):
        got = torch.autograd.grad(module(inputs, hidden)[which].square().sum(), (inputs, hidden))
        pairs.append((got, torch.autograd.grad(live(inputs, hidden)[which].square().sum(), (inputs, hidden))))
    for got, wanted in pairs:  # only now: a later call must not overwrite what an earlier one gave
        torch.testing.assert_close(got, wanted)


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_a_backward_pass_of_an_overwritten_forward_pass_is_refused(implementation: type[Implementation]) -> None:
    """Its states are gone: an error, not the gradients of another call."""
    work = prepared(implementation, TRAINING)
    first, _ = work.module(work.problem.inputs, work.problem.hidden)
    work.module(work.problem.inputs, work.problem.hidden)
    with pytest.raises(RuntimeError, match="must be followed by its own backward pass"):
        first.sum().backward()


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_a_captured_call_refuses_other_shapes_and_no_capture(implementation: type[Implementation]) -> None:
    """A single step would otherwise be broadcast over all of them."""
    work = prepared(implementation, CASE)
    with torch.no_grad(), pytest.raises(ValueError, match=r"captured for inputs of \(8, 2, 5\), given \(1, 2, 5\)"):
        work.module(work.problem.inputs[:1], work.problem.hidden)
    with pytest.raises(RuntimeError, match="call prepare first"):
        implementation(NetworkShape(5, 16))(torch.zeros(1, 1, 5), torch.zeros(1, 1, 16))


@pytest.mark.usefixtures("fake_cuda")
@GRAPHS
def test_a_recording_goes_with_its_module(implementation: type[Implementation]) -> None:
    """Graphs keep memory of the device; nothing else keeps them, not even a cycle of references."""
    FakeGraph.made.clear()
    gc.disable()
    try:
        work = prepared(implementation, TRAINING)
        work(1)
        assert len(FakeGraph.made) == 2
        del work
        assert len(FakeGraph.made) == 0
    finally:
        gc.enable()


# The weights of cuDNN


class OnCuda(Tensor):
    """A tensor that says it is on CUDA."""

    @property
    def is_cuda(self) -> bool:  # type: ignore[override] # an attribute there
        """So it says."""
        return True


@pytest.fixture
def flattened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What cuDNN is asked to lay out in one block, where there is none."""
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", lambda *args: calls.append(args))
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn.rnn, "get_cudnn_mode", lambda mode: {"RNN_RELU": 0, "LSTM": 2}[mode])
    return calls


def module_of(kind: Callable[..., nn.RNNBase], dtype: torch.dtype, on_cuda: bool, **options: Any) -> nn.RNNBase:
    """One of torch's, of two layers, with weights that say they are on CUDA, or not."""
    rnn = kind(5, 16, 2, dtype=dtype, **options)
    return as_on_cuda(rnn) if on_cuda else rnn


def as_on_cuda(rnn: nn.RNNBase) -> nn.RNNBase:
    """The same, with weights that say they are there."""
    rnn._flat_weights = [weight.detach().as_subclass(OnCuda) for weight in rnn.parameters()]
    return rnn


def test_bfloat16_is_laid_out_where_torch_leaves_it(flattened: list[tuple[Any, ...]]) -> None:
    """With the arguments that torch's own method gives (torch/nn/modules/rnn.py)."""
    both = module_of(nn.LSTM, torch.bfloat16, True, bidirectional=True)
    flatten(both)
    flatten(module_of(nn.RNN, torch.bfloat16, True, nonlinearity="relu"))
    assert [args[1:] for args in flattened] == [(4, 5, 2, 16, 0, 2, False, True), (4, 5, 0, 16, 0, 2, False, False)]
    assert all(given is own for given, own in zip(flattened[0][0], both._flat_weights, strict=True))


@pytest.mark.parametrize(
    ("dtype", "on_cuda", "enabled"),
    [
        (torch.bfloat16, False, True),
        (torch.bfloat16, True, False),
        (torch.float32, True, True),
        (torch.float16, True, True),
    ],
)
def test_nothing_else_is_laid_out_a_second_time(
    dtype: torch.dtype, on_cuda: bool, enabled: bool, flattened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Off CUDA, without cuDNN, and in the dtypes that torch's own method takes."""
    monkeypatch.setattr(torch.backends.cudnn, "enabled", enabled)
    rnn = module_of(nn.LSTM, dtype, on_cuda)
    monkeypatch.setattr(rnn, "flatten_parameters", lambda: flattened.append("torch's own"))
    flatten(rnn)
    assert flattened == ["torch's own"]


@pytest.mark.usefixtures("fake_cuda")
@pytest.mark.parametrize("name", ["whole", "looped", "packed", "cuda-graph"])
def test_who_calls_cudnn_lays_its_weights_out(
    name: str, flattened: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is prepared, once."""
    implementation = registry.load(name)
    module = implementation(NetworkShape(5, 16, network=networks.load("lstm"))).to(dtype=torch.bfloat16)
    rnn = next(each for each in module.modules() if isinstance(each, nn.LSTM))
    as_on_cuda(rnn)
    monkeypatch.setattr(cuda_graph, "Recording", lambda *_: None)
    state = torch.zeros(1, 2, 16).bfloat16()
    module.prepare(torch.zeros(4, 2, 5).bfloat16(), (state, state))
    assert len(flattened) == 1


# One kernel for all steps


def test_without_triton_the_reason_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is there and does not import; nothing else needs it."""
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "rnn_impls.persistent_kernel", raising=False)
    monkeypatch.delattr("rnn_impls.persistent_kernel", raising=False)
    persistent_triton.kernel.cache_clear()
    with pytest.raises(Unavailable, match=r"Triton can't be imported \(pip install triton\)"):
        PersistentTriton(NetworkShape(3, 4))
    persistent_triton.kernel.cache_clear()


def test_it_is_marked_as_experimental() -> None:
    """Until it has run on a GPU, every list of implementations says that it hasn't."""
    assert registry.describe("persistent-triton").startswith("experimental")


@needs_triton
def test_it_refuses_float64() -> None:
    """The accumulator is float32, so a double result would be none."""
    module = PersistentTriton(NetworkShape(3, 4)).double()
    with pytest.raises(Unavailable, match="written for float32, bfloat16 and float16"):
        module.prepare(torch.zeros(2, 1, 3).double(), torch.zeros(1, 1, 4).double())


H100 = Chip(132, 228 * 1024 - 1024)
A100 = Chip(108, 164 * 1024 - 1024)
SMALLER = Chip(46, 100 * 1024 - 1024)


@pytest.mark.parametrize("chip", [H100, A100, SMALLER], ids=["h100", "a100", "smaller"])
@pytest.mark.parametrize("itemsize", [2, 4])
@pytest.mark.parametrize("batch", [1, 2, 3, 16, 64])
@pytest.mark.parametrize("hidden", [1, 7, 64, 100, 128, 129, 200, 256, 512, 777, 1024])
def test_a_plan_fits_the_chip(hidden: int, batch: int, itemsize: int, chip: Chip) -> None:
    """Every unit has its program, no more programs than processors, weights and factors where they are meant to be."""
    plan = Plan.of(hidden, batch, itemsize, chip)
    assert plan.programs * plan.rows >= hidden > (plan.programs - 1) * plan.rows
    assert plan.programs <= chip.processors, "the others would wait for one that is not running"
    assert plan.columns >= hidden
    assert plan.rows * plan.columns <= CAPACITY
    if plan.parts:
        assert (plan.sequences + plan.rows) * plan.columns * itemsize <= chip.shared
        assert plan.columns // plan.parts >= 16
    else:
        assert plan.sequences == 1
    assert all(size & (size - 1) == 0 for size in (plan.rows, plan.columns, plan.sequences, plan.parts))


def test_small_networks_need_no_barrier() -> None:
    """One program does it all while that takes no longer than waiting for others would."""
    assert Plan.of(128, 1, 4, H100).programs == 1
    assert Plan.of(64, 64, 4, H100).programs == 1
    assert Plan.of(128, 64, 4, H100).programs > 1
    assert Plan.of(1024, 1, 4, H100).programs == 128


@pytest.mark.parametrize(("hidden", "chip"), [(4096, H100), (2048, A100), (2048, SMALLER)])
def test_weights_that_do_not_fit_are_refused(hidden: int, chip: Chip) -> None:
    """With the sizes, so that one sees by how much."""
    with pytest.raises(Unavailable, match=f"the weights of hidden {hidden} don't fit on the chip: .* rows of {hidden}"):
        Plan.of(hidden, 1, 4, chip)


def test_rows_and_warps_can_be_chosen() -> None:
    """More rows are fewer programs; what does not fit, or would never all run at once, is refused."""
    assert [Plan.of(1024, 16, 4, H100, Tuning(rows=rows)).programs for rows in (8, 16, 32)] == [128, 64, 32]
    assert Plan.of(1024, 16, 2, H100, Tuning(warps=4)).parts == 4
    with pytest.raises(Unavailable, match=r"32 rows of 1024 .* which hold 16384 at most"):
        Plan.of(1024, 1, 4, H100, Tuning(rows=32, warps=4))
    with pytest.raises(Unavailable, match="128 programs of 8 rows, which must run at once on 46"):
        Plan.of(1024, 1, 4, SMALLER, Tuning(rows=8))


@needs_triton
@pytest.mark.parametrize(("dtype", "batch"), [(torch.bfloat16, 4), (torch.float32, 1)])
def test_the_variant_is_not_measured_where_it_is_the_same_kernel(dtype: torch.dtype, batch: int) -> None:
    """Two rows of one thing would tell nothing."""
    module = PersistentTritonTf32x3(NetworkShape(3, 4)).to(dtype)
    with pytest.raises(Unavailable, match="otherwise it is `persistent-triton` itself"):
        module.prepare(torch.zeros(2, batch, 3, dtype=dtype), torch.zeros(1, batch, 4, dtype=dtype))


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str]:
    """The verdicts of `tests.interpreted`, by check."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.interpreted"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert len(found) >= 61, "checks are missing"
    return found


@pytest.mark.long
@needs_triton
@pytest.mark.parametrize(
    "about",
    [
        "tanh",
        "relu",
        "inference",
        "float16",
        "bfloat16",
        "hidden",
        "layers",
        "sequences",
        "shared",
        "a step",
        "barrier",
        "exchange",
        "in vain",
        "NaN",
    ],
)
def test_the_kernel_in_tritons_interpreter(interpreted: dict[str, str], about: str) -> None:
    """Parity with the float64 reference, forward and backward; the division of work; what programs wait for, and that
    no wait lasts for ever; NaN."""
    concerned = {name: wrong for name, wrong in interpreted.items() if about in name}
    assert concerned, "there are no such checks"
    for name, wrong in concerned.items():
        assert not wrong, f"{name}:\n{wrong}"


SIGNATURE = {
    **dict.fromkeys(("matrix", "given"), "*"),
    **dict.fromkeys(("source", "target"), "bits"),
    "states": "*",
    **dict.fromkeys(("counter", "late"), "*i32"),
    **dict.fromkeys(("steps", "batch", "hidden", "advance", "patience"), "i32"),
}
"""The kernel's arguments that are known only when it is launched; "*" is a pointer to the case's dtype, "bits" one to
whole numbers of its size."""


def compiled(dtype: str, plan: Plan, tuning: Tuning, back: bool, capability: int) -> str:
    """The kernel's PTX for a GPU that need not be there; its machine code is made, too."""
    from triton import compiler
    from triton.backends.compiler import GPUTarget

    kernel = persistent_triton.kernel()
    constants = {field.name.upper(): getattr(plan, field.name) for field in dataclasses.fields(plan)}
    warps = constants.pop("WARPS")
    constants |= {"COUNTED": tuning.counted, "PRECISION": tuning.precision, "RELU": False, "BACK": back}
    assert kernel.arg_names == [*SIGNATURE, *constants]
    kinds = {"*": "*" + dtype, "bits": "*i32" if dtype == "fp32" else "*i16"}
    source = compiler.ASTSource(
        kernel,
        {name: kinds.get(kind, kind) for name, kind in SIGNATURE.items()} | dict.fromkeys(constants, "constexpr"),
        {(kernel.arg_names.index(name),): value for name, value in constants.items()},
    )
    options = {"num_warps": warps, "num_stages": 1, "launch_cooperative_grid": True, "enable_fp_fusion": True}
    made = compiler.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert made.asm["cubin"]
    assert made.metadata.shared <= (H100 if capability == 90 else A100).shared
    ptx: str = made.asm["ptx"]
    return ptx


compiles = pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="kernels are interpreted, not compiled")


@pytest.mark.long
@needs_triton
@compiles
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("back", [False, True], ids=["forward", "back"])
@pytest.mark.parametrize(("dtype", "itemsize"), [("fp32", 4), ("bf16", 2), ("fp16", 2)])
@pytest.mark.parametrize("batch", [1, 16])
def test_the_kernel_compiles_for_gpus(
    batch: int, dtype: str, itemsize: int, back: bool, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To machine code, without TF32, with weights read once, and what is added read before the state is waited for."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    plan = Plan.of(1024, batch, itemsize, H100 if capability == 90 else A100)
    ptx = compiled(dtype, plan, Tuning(), back, capability)
    asking = ptx.index("ld.volatile.global")
    assert "atom" not in ptx and "fence" not in ptx, "numbers are their own flag"
    assert "tf32" not in ptx
    matrix_product = batch > 1 and dtype != "fp32"
    assert ("mma.sync" in ptx) == matrix_product
    # What arrives before is the weights, 8 or 16 rows of 1024 for 256 threads in loads of up to 16 bytes, what is
    # added, and going back the states; nothing comes later.
    before = re.findall(r"ld\.global\S*", ptx[:asking])
    assert len(before) > plan.rows * plan.columns * itemsize // 256 // 16
    assert "ld.global" not in ptx[asking:]


@pytest.mark.long
@needs_triton
@compiles
@pytest.mark.parametrize("batch", [1, 16])
def test_the_barrier_compiles(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It releases and acquires, and reads states past each processor's own cache."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    tuning = Tuning(counted=True)
    ptx = compiled("fp32", Plan.of(1024, batch, 4, H100, tuning), tuning, False, 90)
    assert "ld.global.gpu.acquire" in ptx, "waiting should read, not write"
    assert ".gpu.release.add" in ptx
    assert "ld.global.cg" in ptx, "states of other programs must not come from a processor's own cache"


@pytest.mark.long
@needs_triton
@compiles
def test_three_products_in_tf32_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several sequences in float32 go to the tensor cores then."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    tuning = PersistentTritonTf32x3.tuning
    ptx = compiled("fp32", Plan.of(1024, 16, 4, H100, tuning), tuning, False, 90)
    products = re.findall(r"mma\.sync\S*", ptx)
    assert products and all(".tf32.tf32." in product for product in products)
    assert len(products) % 3 == 0


# On a GPU


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["whole", "looped", "cuda-graph"])
@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_cudnn_never_copies_the_weights(dtype: str, network: str, name: str) -> None:
    """It warns where it has to, at the first call that it does."""
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*single contiguous chunk")
            work = prepared(registry.load(name), Case("cuda", dtype, network=network, num_layers=2, seq_len=4))
            work(2)
    finally:
        torch.set_warn_always(False)


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["whole", "cuda-graph"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("network", "hidden"), [("rnn-tanh", 320), ("rnn-relu", 320), ("gru", 160), ("lstm", 160)])
def test_parity_where_forward_and_backward_take_different_algorithms(
    network: str, hidden: int, dtype: str, name: str
) -> None:
    """cuDNN holds the weights on the chip forward, and not backward: see `rnn_impls.whole`."""
    check(Reference.of(Case("cuda", dtype, "training", network, hidden, hidden, 1, False, 8, 32)), registry.load(name))


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["manual", "whole", "cuda-graph"])
def test_parity_on_a_gpu_with_tf32(name: str) -> None:
    """Within its own tolerance, and outside that of float32, or it was not used."""
    case = Case("cuda", "float32", "training", "rnn-tanh", 512, 512, 1, False, 64, 32, tf32=True)
    if torch.cuda.get_device_capability() < HAS_TF32:
        pytest.skip("this GPU has no TF32")
    fix_numerics(tf32=True)
    assert check(Reference.of(case), registry.load(name)) > TOLERANCE["float32"]


@pytest.mark.cuda
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("network", ["rnn-tanh", "rnn-relu", "gru", "lstm"])
@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("hidden", [64, 100, 256, 512, 1024])
def test_parity_on_a_gpu(hidden: int, batch: int, network: str, mode: str, dtype: str, name: str) -> None:
    """Outputs, hidden states and gradients, 32 steps of two layers."""
    case = Case("cuda", dtype, mode, network, hidden, hidden, 2, False, batch, 32)
    if name.startswith("persistent-triton"):
        pytest.importorskip("triton", reason="Triton is not installed; pip install .[triton]")
    try:
        check(Reference.of(case), registry.load(name))
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.cuda
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 512])
def test_parity_on_a_gpu_of_one_step_and_many(name: str, steps: int) -> None:
    """A barrier that lets a program run ahead shows in long sequences."""
    if name.startswith("persistent-triton"):
        pytest.importorskip("triton", reason="Triton is not installed; pip install .[triton]")
    mode = "inference" if name == "cluster-cuda" else "training"
    check(Reference.of(Case("cuda", mode=mode, hidden_size=512, batch_size=2, seq_len=steps)), registry.load(name))


@pytest.mark.cuda
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_gives_the_same_call_after_call(name: str) -> None:
    """A hundred calls without waiting in between, each of which must be the first one's equal, bit for bit."""
    if name.startswith("persistent-triton"):
        pytest.importorskip("triton", reason="Triton is not installed; pip install .[triton]")
    work = prepared(registry.load(name), Case("cuda", hidden_size=512, input_size=512, batch_size=4, seq_len=128))
    with torch.inference_mode():
        first = work.module(work.problem.inputs, work.problem.hidden)[0]
        others = [work.module(work.problem.inputs, work.problem.hidden)[0] for _ in range(100)]
    assert all(torch.equal(first, other) for other in others)
