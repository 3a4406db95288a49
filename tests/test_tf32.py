"""TF32: fixed for every Case, by torch's old names and its new ones, whatever was set before; asked for by `--tf32`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.cases.axes import AXES, YES, Axes
from bench.cases.case import LATER, Case
from bench.cases.settings import Settings
from bench.host import machine
from bench.host.machine import allows_tf32, fix_numerics
from bench.measure import state
from bench.measure.parity import GRADIENT_TOLERANCE, TOLERANCE, ParityError, check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.spotcheck import ALLOWED
from bench.measure.workload import Workload
from bench.report.build import build
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.why.floor import floor
from bench.why.limits.limits import Limits
from bench.why.work import NoFloor
from rnn_impls.interface import Unavailable
from rnn_impls.whole import Whole
from tests.synthetic import write_run
from tests.test_parity import spoiled

PLAIN = Case("cuda")
TF32 = Case("cuda", tf32=True)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What is set here is no other test's."""
    before = state.now()
    yield
    state.changes(before)


# Case and options


def test_an_id_ends_with_it_and_others_are_as_they_were() -> None:
    """Files of before have no such field."""
    assert TF32.id == f"{PLAIN.id}-TF32"
    assert [Case.parse(text) for text in (TF32.id, TF32.short)] == [TF32, TF32]
    assert LATER["tf32"] is False
    assert Case.from_dict({name: value for name, value in PLAIN.as_dict().items() if name not in LATER}) == PLAIN
    every = [Case("cuda", mode="training", loss=a, tf32=b) for a in ("all", "last") for b in (False, True)]
    assert sorted(every) == sorted(every, key=lambda case: case.id)


def test_where_there_is_none_it_is_the_plain_case() -> None:
    """On the CPU, and in other dtypes; so a list of devices or dtypes may have it."""
    assert Case("cpu", tf32=True) == Case()
    assert Case("cuda", "bfloat16", tf32=True) == Case("cuda", "bfloat16")
    found = Settings(devices=("cpu", "cuda"), overrides={"tf32": (True,), "dtype": ("float32", "float16")}).cells()
    assert {(case.device, case.dtype, case.tf32) for case, _ in found} == {
        ("cpu", "float32", False),
        ("cpu", "float16", False),
        ("cuda", "float32", True),
        ("cuda", "float16", False),
    }


def test_asked_for_where_nothing_can_have_it_is_an_error() -> None:
    """Nobody is to take a plain run for one with TF32."""
    with pytest.raises(ValueError, match="--tf32 is for float32 on CUDA"):
        Settings(devices=("cpu",), overrides={"tf32": (True,)}).cells()
    typed = {name: axis.usual for name, axis in AXES.items()} | {"hidden_size": "8", "seq_len": "4", "tf32": YES}
    assert Axes(typed | {"device": "cuda"}).case().tf32
    with pytest.raises(ValueError, match="--tf32 is for float32 on CUDA"):
        Axes(typed | {"device": "cpu"}).case()


# What a process is set to


def _new(name: str, value: str) -> Callable[[], None]:
    return lambda: setattr(machine.fp32_owners()[name], "fp32_precision", value)


BEFORE: dict[str, Callable[[], None]] = {
    "as torch starts": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "old names": lambda: setattr(torch.backends.cudnn, "allow_tf32", True),
    "new, cuBLAS": _new("cuBLAS", "tf32"),
    "new, RNN alone": _new("cuDNN's RNN", "tf32"),
    "new, RNN alone, none": _new("cuDNN's RNN", "none"),
    "new, all": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
}


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("before", BEFORE.values(), ids=list(BEFORE))
def test_it_is_fixed_whatever_was_set(before: Callable[[], None], allowed: bool) -> None:
    """By both names, which then agree, so that nobody's reading of the old ones raises; and it is described."""
    before()
    allows_tf32()  # never raises
    fix_numerics(allowed)
    assert allows_tf32() == {"matmul": allowed, "cudnn": allowed}
    assert torch.backends.cuda.matmul.allow_tf32 is torch.backends.cudnn.allow_tf32 is allowed
    described = machine.describe()
    assert (described["tf32_matmul"], described["tf32_cudnn"]) == (allowed, allowed)
    setattr(torch.backends, "fp32_precision", "none" if allowed else "tf32")  # noqa: B010 # not in torch's stubs
    assert allows_tf32() == {"matmul": allowed, "cudnn": allowed}, "it follows what anybody may set"


def test_a_machine_is_described_where_the_names_disagree() -> None:
    """Where the old getters raise."""
    _new("cuDNN's RNN", "ieee")()
    _new("cuDNN's convolutions", "tf32")()
    with pytest.raises(RuntimeError):
        _ = torch.backends.cudnn.allow_tf32
    assert machine.describe()["tf32_cudnn"] is False


def test_an_older_torch_has_the_old_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing new is written there: an attribute of a module would be made, and mean nothing."""
    rnn = SimpleNamespace()
    backends = SimpleNamespace(
        cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)),
        cudnn=SimpleNamespace(allow_tf32=True, benchmark=True, rnn=rnn),
    )
    monkeypatch.setattr(torch, "backends", backends)
    assert machine.fp32_owners() == {}
    assert allows_tf32() == {"matmul": True, "cudnn": True}
    fix_numerics()
    assert allows_tf32() == {"matmul": False, "cudnn": False}
    assert not vars(rnn)


def test_of_the_old_names_nobody_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some versions do, once, and a worker's log would end with it."""

    class Warns:
        """What has such a name."""

        def __setattr__(self, name: str, value: object) -> None:
            warnings.warn("Please use the new API settings to control TF32 behavior", UserWarning, stacklevel=2)
            vars(self)[name] = value

    owner = Warns()
    monkeypatch.setattr(torch, "backends", SimpleNamespace(cuda=SimpleNamespace(matmul=owner), cudnn=SimpleNamespace()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fix_numerics()
    assert vars(owner) == {"allow_tf32": False}


@pytest.mark.skipif(not machine.fp32_owners(), reason="this torch has the old names alone")
def test_a_case_sets_it_for_itself() -> None:
    """The next one finds it off again."""
    state.arrange(TF32)
    assert allows_tf32() == {"matmul": True, "cudnn": True}
    state.arrange(PLAIN)
    assert allows_tf32() == {"matmul": False, "cudnn": False}


# What follows from it


def test_it_may_err_as_float16_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have ten bits; without it, an error of that size is one."""
    for table in (TOLERANCE, GRADIENT_TOLERANCE, ALLOWED):
        assert table[TF32.arithmetic] == table["float16"] != table[PLAIN.arithmetic]
    small = Case(hidden_size=8, input_size=8, seq_len=4)
    rounded = spoiled(lambda results: (results[0] * (1 + 2.0**-10), results[1]))
    with pytest.raises(ParityError, match=r"allowed 1e-04"):
        check(Reference.of(small), rounded)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    allowed = Reference.of(small)
    object.__setattr__(allowed.case, "tf32", True)  # which the CPU itself has not
    assert 1e-4 < check(allowed, rounded) < TOLERANCE[TF32.arithmetic]


def test_an_older_gpu_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that says so, instead of float32 under its name."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    with pytest.raises(Unavailable, match="this GPU has no TF32"):
        Workload(TF32, Whole, Problem.of(Case()))


def test_its_floor_goes_by_its_own_rate() -> None:
    """That of float32 would be beaten; where it was not measured there is no floor."""
    case = dataclasses.replace(TF32, batch_size=4096, hidden_size=1024, input_size=1024)
    values = {"cuda.peak.float32": [60e12], "cuda.peak.float32-tf32": [400e12], "cuda.stream.memory": [1e15]}
    found = [floor(each, Limits({}, "", values)).compute for each in (dataclasses.replace(case, tf32=False), case)]
    assert found[0] / found[1] == pytest.approx(400 / 60)
    del values["cuda.peak.float32-tf32"]
    with pytest.raises(NoFloor, match="products in float32-tf32 on CUDA was not measured"):
        floor(case, Limits({}, "", values))


@pytest.mark.usefixtures("no_png")
def test_a_report_tells_cases_with_it_from_those_without(tmp_path: Path) -> None:
    """In its table and its words, from ids alone; here TF32 makes all of a call half as long."""
    sizes = [
        Case("cuda", hidden_size=hidden, input_size=hidden, tf32=on) for hidden in (64, 512) for on in (False, True)
    ]
    folder = write_run(
        tmp_path / "run", devices=("cuda",), cases=sizes, truth=lambda case, name: 1e-4 if case.tf32 else 2e-4
    )
    build(folder)
    summary = (folder / "summary.md").read_text()
    assert "TF32 allowed" in summary
    table = cells(read_run(folder))
    seconds = table[table["implementation"] == "whole"].set_index(["hidden_size", "tf32"])["seconds"]
    assert (seconds.loc[(512, True)] / seconds.loc[(512, False)]) == pytest.approx(0.5, rel=0.1)
