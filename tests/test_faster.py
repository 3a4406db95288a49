"""The faster implementations on the CPU: equal to the reference everywhere they run, and honest where they don't."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.host.process import environment
from bench.measure.parity import check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.workload import Workload
from bench.worker.surveyor import Surveyor
from rnn_impls import building, networks, registry
from rnn_impls.building import _alone, _key
from rnn_impls.compiled import CHUNK, CompiledChunk, steps_of
from rnn_impls.fused_cpu import OWN, STACKED, WHOLE, FusedCPU
from rnn_impls.fused_kernel import SOURCE, WIDTHS, Kernel, kernel
from rnn_impls.hoisted import Hoisted
from rnn_impls.interface import Unavailable
from rnn_impls.sources import with_headers
from rnn_impls.stacked_grad import StackedGrad

EAGER = ("rnncell", "hoisted", "stacked-grad", "scripted", "scan")
SIZES = [  # T, B, I, H, L, O
    (1, 1, 8, 8, 1, 0),
    (7, 3, 5, 10, 2, 3),
    (33, 2, 70, 100, 1, 0),
    (20, 1, 64, 64, 1, 0),
    (3, 64, 17, 33, 1, 0),
]


def cases() -> Iterator[Case]:
    """Every mode and nonlinearity at sizes that are round and odd, wide and narrow, deep, and with a head."""
    for mode, squash, (steps, batch, width, hidden, layers, outputs) in itertools.product(
        ("inference", "training"), ("tanh", "relu"), SIZES
    ):
        yield Case(
            mode=mode,
            network=f"rnn-{squash}",
            seq_len=steps,
            batch_size=batch,
            input_size=width,
            hidden_size=hidden,
            num_layers=layers,
            output_size=outputs,
        )


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    """The references of all cases, made once."""
    return {case.id: Reference.of(case) for case in cases()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name == "scan" else []) for name in EAGER]
)
def test_eager_ones_are_equal(name: str, references: dict[str, Reference]) -> None:
    """Outputs, last states and, in training, every gradient."""
    for reference in references.values():
        assert check(reference, registry.load(name)) < 1e-5


@pytest.fixture
def built() -> Kernel:
    """The kernel, where this machine has a compiler."""
    try:
        return kernel()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("built")
def test_the_fused_kernel_is_equal(references: dict[str, Reference]) -> None:
    """In every case, to float32's rounding."""
    for reference in references.values():
        assert check(reference, FusedCPU) < 1e-5


@pytest.mark.long
@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_of_vectors_is_equal(
    width: str, references: dict[str, Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AVX2's and those of every machine give what the widest ones give."""
    if width == "avx2" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this CPU has no AVX2")
    own = kernel(width)
    monkeypatch.setattr("rnn_impls.fused_cpu.kernel", lambda: own)
    for reference in references.values():
        assert check(reference, FusedCPU) < 1e-5


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("hidden", [500, 512, 640])
def test_threads_share_a_step_and_change_nothing(built: Kernel, hidden: int) -> None:
    """Two and three threads, that wait for each other after each step, give the very bits of one."""
    case = Case(hidden_size=hidden, input_size=40, seq_len=9, batch_size=2)
    problem = Problem.of(case)
    w_ih, w_hh = (problem.weights[name] for name in ("weight_ih_l0", "weight_hh_l0"))
    bias = problem.weights["bias_ih_l0"] + problem.weights["bias_hh_l0"]
    packed, states = (built.packed(w_ih), built.packed(w_hh)), []
    for threads in (1, 2, 3):
        states.append(built.forward(problem.inputs, problem.hidden[0], *packed, bias, relu=False, threads=threads))
    g = [built.backward(problem.target, states[0], built.packed(w_hh, as_is=True), False, n) for n in (1, 2, 3)]
    shares = [built.weight_gradient(each.flatten(0, 1), problem.inputs.flatten(0, 1), n) for n, each in enumerate(g, 1)]
    for found in (states, g, shares):
        assert all(torch.equal(found[0], other) for other in found[1:])


@pytest.mark.usefixtures("built")
def test_rounded_weights_are_held_against_rounded_weights() -> None:
    """`fused-cpu-bf16` is exact for the network that it computes, and is not taken for the one that it doesn't."""
    case = Case(hidden_size=100, input_size=64, seq_len=12)
    rounded = registry.load("fused-cpu-bf16")
    assert check(Reference.of(case), rounded) < 1e-5
    with pytest.raises(Exception, match="outputs differs first"):
        check(Reference.of(case), _Liar)


class _Liar(FusedCPU):
    """rounds its weights and doesn't say so"""

    def prepare(self, inputs: torch.Tensor, hidden: torch.Tensor) -> None:
        """Lay out weights of half the width."""
        super().prepare(inputs, hidden)
        self._packed = [
            (kernel().packed(w_ih, halved=True), kernel().packed(w_hh, halved=True)) for w_ih, w_hh, _ in [self.own(0)]
        ]


@pytest.mark.parametrize(
    ("case", "name", "why"),
    [
        (Case(dtype="float64"), "fused-cpu", "computes in float32"),
        (Case(mode="training"), "fused-cpu-bf16", "made for inference"),
    ],
)
@pytest.mark.usefixtures("built")
def test_what_it_is_not_made_for_is_said(case: Case, name: str, why: str) -> None:
    """A row with a reason, not a wrong figure."""
    with pytest.raises(Unavailable, match=why):
        Workload(case, registry.load(name), Problem.of(case))


def test_shared_code_is_declared_and_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """The survey records whose code runs in a mode; it does, and in the other mode it doesn't. What is derived from
    such a class has code of its own, and says nothing."""
    small = {mode: Case(mode=mode, hidden_size=4, input_size=4, seq_len=3) for mode in ("inference", "training")}
    surveyor = Surveyor(5.0, Ledger(), memory=False)
    said = {mode: surveyor.survey(case, "stacked-grad").same_as for mode, case in small.items()}
    assert said == {"inference": "hoisted", "training": ""}
    called: list[int] = []
    own = Hoisted.layer

    def layer(
        self: Hoisted, number: int, inputs: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        called.append(number)
        return own(self, number, inputs, state)

    monkeypatch.setattr(Hoisted, "layer", layer)
    for mode, case in small.items():
        workload = Workload(case, StackedGrad, Problem.of(case))
        called.clear()
        workload.renew(1)
        workload(1)
        assert bool(called) == bool(said[mode])
    assert FusedCPU.same_in == StackedGrad.same_in and "same_in" not in vars(FusedCPU)


def test_what_is_needed_is_recorded() -> None:
    """Beside torch, by the class's word or its base's; a class of another tree may not know of it."""
    case = Case(hidden_size=4, input_size=4, seq_len=1)
    assert Surveyor(0.0, Ledger(), memory=False).survey(case, "hoisted").needs == []
    assert CompiledChunk.needs == ("a C++ compiler",)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("chosen", [OWN, STACKED, WHOLE])
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_whatever_is_chosen_is_equal(chosen: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In outputs, states and gradients, for two layers; and no gradient is left of the trying."""
    monkeypatch.setattr("rnn_impls.fused_cpu.fastest", lambda calls: [call() for call in calls.values()] and chosen)
    case = Case(mode=mode, hidden_size=12, input_size=10, seq_len=7, batch_size=2, num_layers=2, network="rnn-relu")
    assert check(Reference.of(case), FusedCPU) < 1e-5
    workload = Workload(case, FusedCPU, Problem.of(case))
    assert workload.module.chosen == chosen
    assert all(parameter.grad is None for parameter in workload.module.parameters())


@pytest.mark.usefixtures("built")
def test_the_price_is_that_of_the_first_build(built: Kernel) -> None:
    """A kernel that was found built says how long that took, whenever it was; that is part of building a cell."""
    case = Case(hidden_size=8, input_size=8, seq_len=2)
    record = Surveyor(5.0, Ledger(), memory=False).survey(case, "fused-cpu")
    assert built.built_in > 0
    assert record.build_seconds is not None
    assert record.build_seconds > built.built_in
    assert record.chosen in (OWN, STACKED, WHOLE)


def test_a_builder_that_was_killed_is_not_waited_for(built: Kernel, tmp_path: Path) -> None:
    """The file that torch's loader locks by is stale once nobody holds ours."""
    (tmp_path / "lock").touch()
    with _alone(tmp_path):
        assert not (tmp_path / "lock").exists()
        another = f"import fcntl; fcntl.flock(open({str(tmp_path / 'building')!r}, 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        held = subprocess.run([sys.executable, "-c", another], capture_output=True, text=True, check=False)
        assert "BlockingIOError" in held.stderr
    assert subprocess.run([sys.executable, "-c", another], check=False).returncode == 0


def test_other_sources_flags_compilers_and_cpus_build_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trees never share a binary, nor pass parity on each other's; machines that share a home folder neither."""
    before = _key(SOURCE, "c++", ("-O1",))
    assert _key(SOURCE, "c++", ("-O1",)) == before
    assert _key(SOURCE, "c++", ("-O2",)) != before
    other = tmp_path / "c++"
    other.write_text("#!/bin/sh\necho another 1.0\n")
    other.chmod(0o755)
    assert _key(SOURCE, str(other), ("-O1",)) != before
    source = tmp_path / "fused_cpu.cpp"
    source.write_text(SOURCE.read_text() + "// another tree\n")
    assert _key(source, "c++", ("-O1",)) != before
    for path in with_headers(SOURCE):
        (tmp_path / path.name).write_text(path.read_text())
    assert _key(source, "c++", ("-O1",)) == before
    (tmp_path / "fused_product.hpp").write_text("// another tree\n")
    assert _key(source, "c++", ("-O1",)) != before
    monkeypatch.setattr(building, "_cpu", lambda: "flags: fewer")
    assert _key(SOURCE, "c++", ("-O1",)) != before


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("variable", [{"OMP_THREAD_LIMIT": "1"}, {"OMP_DYNAMIC": "true"}])
def test_a_smaller_team_than_asked_for_ends(variable: dict[str, str]) -> None:
    """OpenMP may give fewer threads; those that came are waited for, and no others."""
    text = (
        "import torch; from rnn_impls.fused_kernel import kernel; k = kernel(); torch.manual_seed(0)\n"
        "x, h, w = torch.randn(5, 2, 512), torch.randn(2, 512), torch.randn(512, 512) / 99\n"
        "a, b = (k.forward(x, h, k.packed(w), k.packed(w), torch.zeros(512), False, n) for n in (1, 2))\n"
        "assert torch.allclose(a, b, atol=1e-5)"
    )
    command = [sys.executable, "-c", text]
    done = subprocess.run(
        command, env=environment() | variable, timeout=100, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["c++", "ninja"])
def test_without_a_compiler_the_row_says_so(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor without what torch's loader needs."""
    kernel.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Unavailable, match=missing.replace("+", r"\+")):
        kernel()
    kernel.cache_clear()


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile needs one, too."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable, match="needs a C\\+\\+ compiler"):
        Workload(Case(), CompiledChunk, Problem.of(Case()))


@pytest.mark.long
@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(("name", "mode"), [("compiled-step", "inference"), ("compiled-chunk", "training")])
def test_compiled_ones_are_equal_and_compile_once(name: str, mode: str) -> None:
    """With a remainder that fills no chunk; and when prepared, no call compiles anything, but fails if it must."""
    from torch._dynamo.utils import counters

    case = Case(mode=mode, hidden_size=12, input_size=10, seq_len=CHUNK + 3, batch_size=2)
    assert check(Reference.of(case), registry.load(name)) < 1e-5
    workload = Workload(case, registry.load(name), Problem.of(case))
    before = counters["stats"]["unique_graphs"]
    workload(3)
    assert counters["stats"]["unique_graphs"] == before > 0
    with pytest.raises(RuntimeError, match="recompile"):
        workload.module(torch.randn(CHUNK + 3, 5, 10), torch.randn(1, 5, 12))


def test_every_compiled_object_has_a_code_of_its_own() -> None:
    """torch.compile counts by code object, and runs the ninth of one as it is written, without a word."""
    after = networks.load("rnn-tanh")({}).step
    made = [steps_of(after, 1) for _ in range(3)]
    assert len({id(each.__code__) for each in made}) == 3
