"""What really ran, by planted truths: torch's own modules in every mode, profiles of devices that are not here, and
implementations that do as they like."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from bench.report.build import build
from bench.store.manifest import MEASURED, CellRecord
from bench.store.passes import extra_info, pass_files
from bench.table.cells import cells
from bench.table.reading import read_pytest_json, read_run
from bench.why.kernel import refusals
from bench.why.kernel.look import kernel_of, looked
from bench.why.kernel.naming import Call, algorithm, named
from bench.why.kernel.seen import Event, Given, given_to, recorded
from bench.worker.surveyor import Surveyor
from rnn_impls import registry
from rnn_impls.interface import Implementation
from rnn_impls.whole import Whole
from tests.synthetic import blocks, write_run

STEPS, BATCH, INPUTS, HIDDEN = 5, 2, 4, 8
INPUT = torch.randn(STEPS, BATCH, INPUTS)
ONEDNN = torch.backends.mkldnn.is_available()
needs_onednn = pytest.mark.skipif(not ONEDNN, reason="this torch is built without oneDNN")


def lstm(**options: Any) -> nn.LSTM:
    """A small one."""
    return nn.LSTM(INPUTS, HIDDEN, **options)


def seen(call: Callable[[], object], device: str = "cpu", steps: int = STEPS, **known: Any) -> str:
    """The text of a look."""
    return str(looked(call, device, Call(steps, **known)))


@needs_onednn
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("mode", "primitive"),
    [(torch.enable_grad, "training"), (torch.no_grad, "inference"), (torch.inference_mode, "inference")],
)
def test_onednn_goes_by_the_grad_mode(train: bool, mode: type, primitive: str) -> None:
    """Not by `module.training`, which its argument `train` repeats."""
    module = lstm().train(train)
    with mode():
        assert seen(lambda: module(INPUT)) == f"oneDNN ({primitive})"


@needs_onednn
def test_what_onednn_takes_besides() -> None:
    """Layers, directions, the batch first, and a sequence without a batch."""
    module = lstm(num_layers=2, bidirectional=True, batch_first=True)
    with torch.no_grad():
        assert seen(lambda: module(INPUT), layers=2) == "oneDNN (inference)"
        assert seen(lambda: lstm()(INPUT[:, 0])) == "oneDNN (inference)"


@needs_onednn
@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: lstm().double()(INPUT.double()), "float64"),
        (lambda: lstm()(pack_sequence([INPUT[:, 0], INPUT[:3, 1]])), "packed sequence"),
        (lambda: lstm(proj_size=3)(INPUT), "projections"),
        (lambda: nn.RNN(INPUTS, HIDDEN)(INPUT), "only LSTM"),
        (lambda: nn.RNN(INPUTS, HIDDEN, nonlinearity="relu")(INPUT), "only LSTM"),
        (lambda: nn.GRU(INPUTS, HIDDEN, batch_first=True)(INPUT), "only LSTM"),
    ],
)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_why_onednn_did_not_run(call: Callable[[], object], reason: str) -> None:
    """By what the call was given."""
    assert seen(call) == f"ATen's loop; oneDNN: {reason}"


@needs_onednn
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_by_what_the_cpu_can(dtype: str) -> None:
    """torch asks oneDNN whether this CPU computes in it; with float16 only where no gradient is wanted."""
    module, given = lstm().to(getattr(torch, dtype)), INPUT.to(getattr(torch, dtype))
    refused = f"ATen's loop; oneDNN: {dtype} on this CPU"
    with torch.no_grad():
        assert seen(lambda: module(given)) == ("oneDNN (inference)" if refusals.takes(dtype) else refused)
    if dtype == "float16" and refusals.takes(dtype):
        refused = "ATen's loop; oneDNN: float16 with gradients"
    takes = dtype == "bfloat16" and refusals.takes(dtype)
    assert seen(lambda: module(given)) == ("oneDNN (training)" if takes else refused)


def test_the_rules_of_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on CPUs of both kinds, whatever this one is."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    half = [Given("aten::lstm", "float16", (5, 2, 4), graph=graph) for graph in (False, True)]
    monkeypatch.setattr(refusals, "takes", lambda dtype: True)
    assert [refusals.refusal([given], "cpu") for given in half] == ["", "float16 with gradients"]
    monkeypatch.setattr(refusals, "takes", lambda dtype: False)
    assert {refusals.refusal([given], "cpu") for given in half} == {"float16 on this CPU"}
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert refusals.refusal(half, "cpu") == "not in this build"


@needs_onednn
@pytest.mark.parametrize("inside", [True, False])
def test_switched_off_is_what_it_was_at_the_call(inside: bool) -> None:
    """Whether everything is switched off or an implementation does so for its own call, and on again behind it."""
    module, off = lstm(), torch.backends.mkldnn.flags

    def flags(here: bool) -> AbstractContextManager[object]:
        return off(enabled=False) if here else nullcontext()

    def call() -> object:
        with flags(inside):
            return module(INPUT)

    with flags(not inside):
        assert seen(call) == "ATen's loop; oneDNN: switched off"
    assert torch.backends.mkldnn.enabled
    assert seen(lambda: module(INPUT)) == "oneDNN (training)", "and nothing stays behind"


@needs_onednn
def test_what_runs_once_alone_keeps_its_name() -> None:
    """The second look, at the flag, may fail; what the first one saw stands."""
    module, left = lstm(), iter([None])

    def call() -> object:
        next(left)  # raises StopIteration the second time
        return module(INPUT)

    with torch.backends.mkldnn.flags(enabled=False):
        assert seen(call) == "ATen's loop; oneDNN: refused"


@needs_onednn
def test_switched_off_in_a_script() -> None:
    """TorchScript's calls pass Python by; what is in force around them tells."""

    class Scripted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = lstm()

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.rnn(inputs)[0]
            return outputs

    script = torch.jit.script(Scripted())
    assert seen(lambda: script(INPUT)) == "oneDNN (training)"
    with torch.backends.mkldnn.flags(enabled=False):
        assert seen(lambda: script(INPUT)) == "ATen's loop; oneDNN: switched off"


def stepwise(module: nn.Module, cell: bool = False) -> None:
    """A module called once for every step."""
    state = None
    for current in INPUT.unbind(0):
        found = module(current if cell else current.unsqueeze(0), state)
        state = found if cell else found[1]


def test_loop_cell_and_whole_are_told_apart() -> None:
    """A sequence at once, a sequence of one step for each step, and a cell."""
    only = "; oneDNN: only LSTM" if ONEDNN else "; oneDNN: not in this build"
    gru = nn.GRU(INPUTS, HIDDEN)
    assert seen(lambda: gru(INPUT)) == f"ATen's loop{only}"
    assert seen(lambda: stepwise(gru)) == f"ATen's loop, a step a call{only}"
    cells: list[nn.Module] = [nn.RNNCell(INPUTS, HIDDEN), nn.GRUCell(INPUTS, HIDDEN), nn.LSTMCell(INPUTS, HIDDEN)]
    assert {seen(partial(stepwise, each, cell=True)) for each in cells} == {"ATen's cell"}
    assert seen(lambda: gru(INPUT[:1]), steps=1) == f"ATen's loop{only}", "of one step, one call is the whole"


@needs_onednn
def test_onednn_step_by_step() -> None:
    """The same of oneDNN's primitive."""
    assert seen(lambda: stepwise(lstm())) == "oneDNN (training), a step a call"


def test_operators_one_by_one_by_their_product() -> None:
    """The product that goes step by step; a head's is none of them."""
    weight, state = torch.randn(BATCH, BATCH), torch.randn(BATCH, HIDDEN)

    def steps(count: int) -> None:
        for _ in range(count):
            torch.tanh(weight @ state)

    assert seen(lambda: steps(STEPS)) == "ATen's operators (mm)"
    assert seen(lambda: steps(1), chosen="own kernel", head=1) == "own kernel"
    assert seen(lambda: steps(STEPS), chosen="stacked-grad") == "ATen's operators (mm)", "what is seen comes first"
    assert seen(lambda: state.tanh().cumsum(0)) == "ATen's operators", "a network without a product"
    assert seen(lambda: None) == "none of torch's"
    assert seen(lambda: None, chosen="own kernel") == "own kernel"


def test_a_script_and_an_operator_of_ones_own() -> None:
    """TorchScript is known by the scope of its functions, an operator of another library by its name."""

    def script(state: Tensor, weight: Tensor) -> Tensor:
        for _ in range(5):
            state = torch.tanh(torch.mm(state, weight))
        return state

    compiled, square = torch.jit.script(script), torch.randn(3, 3)
    assert seen(lambda: compiled(square, square)) == "TorchScript (mm)"

    @torch.library.custom_op("kernel_test::mine", mutates_args=())
    def mine(given: Tensor) -> Tensor:
        return given.clone()

    assert seen(lambda: mine(square)) == "kernel_test::mine"


def test_whatever_is_raised_leaves_no_profiler_running() -> None:
    """The next look works."""

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded(fails, "cpu")
    assert [event.name for event in recorded(INPUT.tanh, "cpu")] == ["aten::tanh"]


def host(name: str, at: int = 0, end: int = 0, **known: Any) -> Event:
    """An event of the host."""
    return Event(name, at, end or at, **known)


def kernel(name: str, correlation: int = 0) -> Event:
    """A kernel on the device."""
    return Event(name, 5, 6, device=True, correlation=correlation)


@pytest.mark.parametrize(
    ("events", "name"),
    [
        ([host("aten::_cudnn_rnn"), kernel("void RNN_blockPersist_fp_LSTM_HMMA<__half, __half, float, 1, 128>")],
         "cuDNN (persistent)"),
        ([host("aten::_cudnn_rnn"), kernel("RNN_blockPersist_fp_GRU<f,f,f,128>"), kernel("persistRNN_addBias<f,f>")],
         "cuDNN (persistent)"),
        ([host("aten::_cudnn_rnn"), kernel("void elemWiseRNNcell<float, float, float, (cudnnRNNMode_t)2>")],
         "cuDNN (standard)"),
        ([host("aten::_cudnn_rnn"), kernel("RNN_blockPersist_fp_GRU"), kernel("void GRU_elementWise_bp1<float>")],
         "cuDNN (persistent and standard)"),
        ([host("aten::_cudnn_rnn"), kernel("ampere_sgemm_32x32_sliced1x4_tn")], "cuDNN"),
        ([host("cudaGraphLaunch"), kernel("void RNN_blockPersist_fp_LSTM")], "CUDA graph of cuDNN (persistent)"),
        ([host("cudaGraphLaunch"), kernel("void at::native::vectorized_elementwise_kernel<4>")], "CUDA graph"),
        ([host("aten::lstm_cell", 0, 9), host("aten::_thnn_fused_lstm_cell", 1, 2)], "ATen's fused cell"),
        ([host("cuLaunchKernelEx", correlation=7), kernel("persistent_forward", 7)], "Triton (persistent_forward)"),
        ([host("cuLaunchKernelEx", correlation=7), kernel("nvjet_tst_128x64_64x4_2x1_v_bz_TNT", 7)], "none of torch's"),
        ([host("cudaLaunchKernel", correlation=7), kernel("mine", 7)], "none of torch's"),
        ([host("Torch-Compiled Region: 0/0")], "torch.compile"),
        ([host("aten::_lstm_mps")], "MPS"),
    ],
)  # fmt: skip
def test_what_ran_on_devices_that_are_not_here(events: list[Event], name: str) -> None:
    """By names as profiles of CUDA show them."""
    assert str(named(events, Call(STEPS))) == name


def sequence(name: str = "aten::lstm", dtype: str = "float", size: tuple[int, ...] = (5, 2, 4), at: int = 0) -> Event:
    """A call for a sequence of a network, as it is recorded with gradients off."""
    states = [[1, 2, 8], [1, 2, 8]] if name == "aten::lstm" else [1, 2, 8]
    kinds = [dtype, "TensorList" if name == "aten::lstm" else dtype, "TensorList"]
    flags = [None, None, None, True, 1, 0.0, False, False, False]
    return host(name, at, at + 10, shapes=[list(size), states], dtypes=kinds, inputs=flags)


def test_a_loop_of_fused_cells() -> None:
    """What is left of `nn.LSTM` on CUDA without cuDNN."""
    events = [sequence(), host("aten::_thnn_fused_lstm_cell", 1, 2)]
    assert named(events, Call(STEPS)).name == "ATen's loop of fused cells"


def test_the_inner_of_two_calls_counts() -> None:
    """Autocast calls the operator once more inside itself, in another dtype."""
    inner = sequence(dtype="c10::BFloat16", at=2)
    outer = Event(**{**vars(sequence()), "end": 20})
    assert [given.dtype for given in given_to([outer, inner])] == ["bfloat16"]
    assert [given.dtype for given in given_to([sequence(), sequence(at=30)])] == ["float32", "float32"]


@pytest.mark.parametrize(
    ("given", "capability", "reason"),
    [
        (Given("aten::gru", "float32", (5, 2, 4)), 9, ""),
        (Given("aten::gru", "float64", (5, 2, 4)), 9, ""),
        (Given("aten::gru", "bfloat16", (5, 2, 4)), 9, ""),
        (Given("aten::gru", "bfloat16", (5, 2, 4)), 7, "bfloat16 on this GPU"),
        (Given("aten::gru", "float32", (5, 0, 4)), 9, "empty input"),
        (Given("aten::gru", "c10::complex<float>", (5, 2, 4)), 9, "c10::complex<float>"),
    ],
)
def test_the_rules_of_cudnn(given: Given, capability: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """float64 is none of its refusals; where nothing else is, it is the flag."""
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (capability, 0))
    assert refusals.refusal([given], "cuda") == reason
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: False)
    assert refusals.refusal([given], "cuda") == "not in this build"


def test_algorithms_are_not_those_of_torchs_own_kernels() -> None:
    """A kernel of ATen whose name happens to have such a word."""
    assert algorithm([kernel("void at::native::persistent_softmax<float>")]) == ""


CASE = Case(hidden_size=8, input_size=8, seq_len=3)
LONG = Case(hidden_size=8, input_size=8, seq_len=40)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("case", [CASE, LONG], ids=["short", "long"])
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("manual", "ATen's operators (addmm)"),
        ("looped", "ATen's loop, a step a call"),
        ("whole", "ATen's loop"),
        ("rnncell", "ATen's cell"),
        ("stacked-grad", "ATen's operators (addmm)"),
    ],
)
def test_the_survey_names_the_kernel(name: str, found: str, case: Case, mode: str) -> None:
    """Of each cell, whether its sequence is short or long; why oneDNN did not run is behind it."""
    record = Surveyor(5.0, Ledger(), memory=False).survey(Case(**{**case.as_dict(), "mode": mode}), name)
    assert record.status == MEASURED
    assert record.kernel.partition("; ")[0] == found


class OnlyAsPrepared(Whole):
    """one that takes no other length than that it was prepared for, and another kernel for long ones"""

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Keep the length."""
        self.steps = len(inputs)
        self.chosen = "long" if self.steps > 10 else "short"

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Raises ValueError for another length."""
        if len(inputs) != self.steps:
            raise ValueError("another length")
        return super().forward(inputs, hidden) if self.chosen == "short" else self.stepwise(inputs, hidden)

    def stepwise(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The same step by step."""
        outputs = []
        for current in inputs:
            output, hidden = self.rnn(current.unsqueeze(0), hidden)
            outputs.append(output)
        return torch.cat(outputs), hidden


@pytest.mark.parametrize(("case", "found"), [(CASE, "ATen's loop"), (LONG, "ATen's loop, a step a call")])
def test_what_was_chosen_for_the_length_is_looked_at(case: Case, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the short call chose otherwise, the whole one is looked at, in the shape it was prepared for."""
    monkeypatch.setattr(registry, "load", lambda name: OnlyAsPrepared)
    record = Surveyor(5.0, Ledger(), memory=False).survey(case, "whole")
    assert (record.status, record.kernel.partition("; ")[0]) == (MEASURED, found)


def test_an_implementation_that_raises_costs_its_name_alone() -> None:
    """The cell is measured all the same."""

    class Moody(Whole):
        """raises when it is called again"""

        calls = 0

        def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            """Raises KeyError."""
            raise KeyError("mood")

    assert str(kernel_of(Workload(CASE, Moody, Problem.of(CASE)))) == "not seen (KeyError)"


def test_the_head_is_none_of_the_kernel() -> None:
    """A kernel of one's own with torch's head behind it."""

    class Own(Implementation):
        """computes elsewhere"""

        def __init__(self, shape: Any) -> None:
            super().__init__(shape)
            self.inner = Whole(shape)
            self.chosen = "own kernel"

        def weight_map(self) -> dict[str, Tensor]:
            """Its own."""
            return self.inner.weight_map()

        def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
            """The head alone; what a profiler can't see is left away."""
            assert self.inner.head is not None
            return self.inner.head(inputs), hidden

    case = Case(hidden_size=8, input_size=8, seq_len=1, output_size=3)
    assert str(kernel_of(Workload(case, Own, Problem.of(case)))) == "own kernel"


def known(folder: Path, texts: dict[str, str]) -> Path:
    """A run whose cells have these kernels, by implementation."""
    path = folder / "run.json"
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        cell["kernel"] = texts.get(cell["implementation"], "")
    path.write_text(json.dumps(content))
    return folder


def test_the_report_shows_it_and_leaves_it_out_of_earlier_runs(tmp_path: Path) -> None:
    """In table, page, summary and cells.json; a run that knows none has no such column anywhere."""
    folder = write_run(tmp_path, presets=["smoke"], passes=2, explained=("limits", "profile"))
    content = json.loads((folder / "run.json").read_text())
    for cell in content["cells"]:
        cell.pop("kernel")  # as earlier versions wrote it
    (folder / "run.json").write_text(json.dumps(content))
    assert "kernel" not in cells(read_run(folder))
    build(folder)
    files = [folder / name for name in ("index.html", "summary.md", "cells.json")]
    before = [path.read_text() for path in files]
    assert ">Kernel<" not in before[0] and "| kernel |" not in before[1] and '"kernel"' not in before[2]
    text = "ATen's loop; oneDNN: only LSTM"
    known(folder, {"whole": text})
    table = cells(read_run(folder))
    assert set(table.loc[table["implementation"] == "whole", "kernel"]) == {text}
    assert set(table.loc[table["implementation"] != "whole", "kernel"]) == {""}
    build(folder)
    page, summary, rows = (path.read_text() for path in files)
    assert ">Kernel<" in page and "| gap | kernel | why |" in summary
    assert text.replace("'", "&#39;") in page and text in summary and text in rows
    known(folder, {})
    build(folder)
    assert [path.read_text() for path in files] == before


def test_pytests_files_carry_it(tmp_path: Path) -> None:
    """What is read of them is what was written."""
    folder = write_run(tmp_path, presets=["smoke"], passes=1)
    path = pass_files(folder)[0]
    content = json.loads(path.read_text())
    content["benchmarks"][0]["extra_info"]["kernel"] = "oneDNN (training)"
    path.write_text(json.dumps(content))
    found = [record.kernel for record in read_pytest_json([path]).manifest.cells]
    assert found[0] == "oneDNN (training)" and set(found[1:]) == {""}
    record = CellRecord(CASE.id, "whole", kernel="ATen's loop")
    info = extra_info(CASE, "whole", blocks([1.0]), blocks([1.0]), record)
    assert info["kernel"] == "ATen's loop"
