"""Bare modules: built with what they ask for, found by what they declare, refused in one line."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from bench.cases.case import Case
from bench.measure.parity import ParityError, check
from bench.measure.problem import Feed, Problem
from bench.measure.reference import Reference
from bench.measure.spotcheck import SpotChecks
from bench.measure.workload import Workload
from rnn_impls import registry
from rnn_impls.adapter import adapted
from rnn_impls.arguments import arguments
from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.whole import Whole

CASE = Case(input_size=5, hidden_size=8, batch_size=2, seq_len=4)
SHAPE = NetworkShape(5, 8)
MODES = ("inference", "training")
CELL = {f"{name}_l0": f"cell.{name}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}

Results = tuple[Tensor, Tensor]


class Bare(nn.Module):
    """a loop over a cell

    of which only the sizes can be chosen.
    """

    weight_map: ClassVar[Any] = CELL

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Step by step."""
        state, outputs = hidden[0], []
        for step in inputs:
            state = self.cell(step, state)
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)


class OwnNames(nn.RNN):
    """`nn.RNN` under another name"""


class Inside(nn.Module):
    """has `nn.RNN` inside, and takes everything"""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int, nonlinearity: str, output_size: int, extra: int = 3
    ) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, num_layers, nonlinearity=nonlinearity)
        self.top = nn.Linear(hidden_size, output_size) if output_size else None

    def weight_map(self) -> dict[str, Tensor | str]:
        """Paths and tensors may be mixed."""
        found: dict[str, Tensor | str] = {name: f"rnn.{name}" for name, _ in self.rnn.named_parameters()}
        return found if self.top is None else found | {"weight_ho": self.top.weight, "bias_ho": "top.bias"}

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """One call, and the head of its own."""
        outputs, hidden = self.rnn(inputs, hidden)
        return (outputs if self.top is None else torch.log_softmax(self.top(outputs), -1)), hidden


class ByShape(nn.Module):
    """is given the shape"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.whole = Whole(dataclasses.replace(shape, output_size=0))
        self.linear = nn.Linear(shape.hidden_size, shape.output_size) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """Those of its two parts."""
        found = self.whole.weight_map()
        return found if self.linear is None else found | {"weight_ho": self.linear.weight, "bias_ho": self.linear.bias}

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """One call, and a head."""
        outputs, hidden = self.whole(inputs, hidden)
        return (outputs if self.linear is None else torch.log_softmax(self.linear(outputs), -1)), hidden


class Joined(nn.Module):
    """keeps both weights in one matrix, and one bias"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.split = input_size
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)

    def weight_map(self) -> dict[str, Tensor]:
        """Views of the parts."""
        matrix = self.linear.weight
        parts = {"weight_ih_l0": matrix[:, : self.split], "weight_hh_l0": matrix[:, self.split :]}
        return parts | {"bias_l0": self.linear.bias}

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Step by step."""
        state, outputs = hidden[0], []
        for step in inputs:
            state = torch.tanh(self.linear(torch.cat((step, state), 1)))
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)


def built_by_a_function(input_size: int, hidden_size: int) -> nn.Module:
    """built by a function"""
    return Bare(input_size, hidden_size)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build", [Bare, OwnNames, Inside, ByShape, Joined, built_by_a_function])
@pytest.mark.parametrize("output_size", [0, 3])
def test_a_bare_module_is_equal(build: Callable[..., Any], mode: Any, output_size: int) -> None:
    """With a head, its own or the one it is given, and without one; gradients are found through the same map."""
    case = dataclasses.replace(CASE, mode=mode, output_size=output_size)
    assert check(Reference.of(case), adapted(build)) < 1e-5


@pytest.mark.parametrize("build", [OwnNames, Inside, ByShape])
def test_layers_and_relu_where_the_module_takes_them(build: Callable[..., Any]) -> None:
    """What it has a parameter for, it is told."""
    case = dataclasses.replace(CASE, num_layers=2, network="rnn-relu")
    assert check(Reference.of(case), adapted(build)) < 1e-5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_layers": 2}, "Bare takes no num_layers, and so has one layer"),
        ({"network": "rnn-relu"}, "Bare takes no nonlinearity, and so has tanh alone"),
    ],
)
def test_what_a_module_cannot_be_told_is_unavailable(change: dict[str, Any], reason: str) -> None:
    """It is declined with the reason, not measured as something that it is not."""
    case = dataclasses.replace(CASE, **change)
    with pytest.raises(Unavailable, match=reason):
        Workload(case, adapted(Bare), Problem.of(case))


def test_arguments_are_those_asked_for() -> None:
    """By name, and nothing more; a shape instead of all."""
    everything = {"input_size": 5, "hidden_size": 8, "num_layers": 1, "nonlinearity": "tanh"}
    assert arguments(Bare, SHAPE) == {"input_size": 5, "hidden_size": 8}
    assert arguments(nn.RNN, SHAPE) == everything
    assert arguments(Inside, SHAPE) == everything | {"output_size": 0}
    assert arguments(ByShape, SHAPE) == {"shape": SHAPE}


class Needs(nn.Module):
    """needs something else"""

    def __init__(self, input_size: int, hidden_size: int, colour: str) -> None:
        super().__init__()


class TooFew(nn.Module):
    """has one size alone"""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()


def builds_a_list(input_size: int, hidden_size: int) -> list[int]:
    """builds no module"""
    return [input_size, hidden_size]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Needs, "Needs asks for colour; what it can be given is input_size, hidden_size, num_layers"),
        (TooFew, "TooFew takes no input_size; what it can be given is"),
        (builds_a_list, "builds_a_list builds a list, which is not a torch.nn.Module"),
    ],
)
def test_a_constructor_that_cannot_be_called_is_named(build: Callable[..., Any], message: str) -> None:
    """One line says what it asks for that it can't be given."""
    with pytest.raises(ValueError, match=message) as caught:
        adapted(build)(SHAPE)
    assert "\n" not in str(caught.value)


class NoMap(nn.Module):
    """has other names, and declares nothing"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.Linear(input_size + hidden_size, hidden_size)


class Misspelt(Bare):
    """declares a path that is not there"""

    weight_map: ClassVar[Any] = CELL | {"bias_hh_l0": "cell.bias_hx"}


class NotAParameter(Bare):
    """declares a path to a module"""

    weight_map: ClassVar[Any] = CELL | {"weight_ih_l0": "cell"}


class LeavesOut(Bare):
    """forgets a weight"""

    weight_map: ClassVar[Any] = {name: path for name, path in CELL.items() if name != "bias_hh_l0"}


class Invents(Bare):
    """has a weight that the network has not"""

    weight_map: ClassVar[Any] = CELL | {"weight_xx": "cell.bias_hh"}


class AList(Bare):
    """declares a list"""

    weight_map: ClassVar[Any] = ["cell.weight_ih"]


class Twice(Bare):
    """has two of one name"""

    weight_map: ClassVar[Any] = None

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.first, self.second = nn.RNN(input_size, hidden_size), nn.RNN(input_size, hidden_size)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            NoMap,
            "NoMap declares no weight_map and has no parameter called weight_ih_l0; its parameters are cell.w",
        ),
        (Misspelt, "there is no 'cell.bias_hx', where bias_hh_l0 should be; its parameters are cell.weight_ih, cell"),
        (NotAParameter, "weight_map of NotAParameter: 'cell', where weight_ih_l0 should be, is no parameter"),
        (LeavesOut, "weight_map leaves out bias_hh_l0"),
        (Invents, "weight_map names 'weight_xx', which this network does not have"),
        (AList, "weight_map of AList must be a dict, or a method that returns one, not a list"),
        (Twice, "Twice has two parameters called weight_ih_l0; declare a weight_map"),
    ],
)
def test_a_missing_or_wrong_map_is_one_line(build: Callable[..., Any], message: str) -> None:
    """It names the weight, the place, and what there is instead."""
    with pytest.raises(ValueError, match=message) as caught:
        Workload(CASE, adapted(build), Problem.of(CASE))
    assert "\n" not in str(caught.value)


class OneResult(Bare):
    """returns the outputs alone"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Any:
        """Forget the hidden state."""
        return super().forward(inputs, hidden)[0]


@pytest.mark.parametrize("output_size", [0, 3])
def test_a_module_that_returns_one_tensor_is_told_the_contract(output_size: int) -> None:
    """Also where the head would have been put on top of it."""
    with pytest.raises(ParityError, match="must return the two tensors"):
        check(Reference.of(dataclasses.replace(CASE, output_size=output_size)), adapted(OneResult))


class Prepared(Bare):
    """prepares itself, on CUDA alone"""

    devices = ("cuda",)
    calls: ClassVar[list[tuple[int, ...]]] = []

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Note the shape."""
        self.calls.append(tuple(inputs.shape))


def test_devices_prepare_and_description_are_the_modules() -> None:
    """What an `Implementation` may have, a bare module may have."""
    with pytest.raises(Unavailable, match="runs only on cuda"):
        Workload(CASE, adapted(Prepared), Problem.of(CASE))
    adapted(Prepared)(SHAPE).prepare(torch.zeros(4, 2, 5), torch.zeros(1, 2, 8))
    assert Prepared.calls == [(4, 2, 5)]
    assert adapted(Bare).__doc__ == Bare.__doc__
    assert adapted(NoMap).devices == ()


def test_the_modules_hooks_run_and_its_mode_follows() -> None:
    """It is called as a module, once a call."""
    module = adapted(Bare)(SHAPE)
    (inner,) = (child for child in module.children() if isinstance(child, Bare))
    seen: list[bool] = []
    inner.register_forward_hook(lambda *_: seen.append(inner.training))
    for training in (True, False):
        module.train(training)(torch.zeros(4, 2, 5), torch.zeros(1, 2, 8))
    assert seen == [True, False]


def test_an_implementation_stays_what_it_is_and_a_module_has_one_adapter() -> None:
    """Nothing is wrapped that need not be."""
    assert adapted(Whole) is Whole
    assert adapted(Bare) is adapted(Bare)
    assert issubclass(adapted(Bare), Implementation)


def nothing_at_all() -> Iterable[object]:
    """What is no network: a number, a class, a module, a module already built."""
    return [3, str, torch, nn.RNN(3, 4)]


@pytest.mark.parametrize("found", nothing_at_all(), ids=["number", "class", "python module", "built"])
def test_what_is_no_network_is_refused(found: object) -> None:
    """With what would be one."""
    with pytest.raises(ValueError, match=r"is not a subclass of .*|built already, of one size; give its class"):
        adapted(found)


def test_a_file_with_a_bare_module(tmp_path: Path) -> None:
    """By the same door as an `Implementation`, a class within a class among them."""
    path = tmp_path / "bare.py"
    path.write_text('from torch import nn\n\nclass Outer:\n    class Inner(nn.RNN):\n        """within"""\n')
    assert registry.select(f"{path}:Outer.Inner", "cpu") == [f"{path}:Outer.Inner"]
    assert registry.describe(f"{path}:Outer.Inner") == "within"
    assert check(Reference.of(CASE), registry.load(f"{path}:Outer.Inner")) < 1e-5


class BatchFirst(nn.Module):
    """has the batch first, as torch.nn.RNN can"""

    batch_first = True

    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, num_layers, batch_first=True)

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (B, T, I), hidden (L, B, H) -> outputs (B, T, H), hidden (L, B, H)."""
        outputs, hidden = self.rnn(inputs, hidden)
        return outputs, hidden


class FromZero(nn.Module):
    """takes no hidden state, and returns the outputs alone"""

    takes_hidden = False
    batch_first = True
    sizes: ClassVar[dict[str, str]] = {"input_size": "features", "hidden_size": "width"}

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(features, width, batch_first=True)

    def forward(self, inputs: Tensor) -> Any:
        """inputs (B, T, I) -> outputs (B, T, H)."""
        return self.rnn(inputs)[0]


class FromZeroInAll(FromZero):
    """the same with its last state"""

    def forward(self, inputs: Tensor) -> Any:
        """inputs (B, T, I) -> outputs (B, T, H), hidden (1, B, H)."""
        return self.rnn(inputs)


FROM_ZERO = ("batch first", "without a hidden state", "with features for input_size", "with width for hidden_size")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("output_size", [0, 3])
@pytest.mark.parametrize(
    ("build", "taken"), [(BatchFirst, ("batch first",)), (FromZero, FROM_ZERO), (FromZeroInAll, FROM_ZERO)]
)
def test_modules_that_are_called_otherwise(build: Any, taken: tuple[str, ...], output_size: int, mode: Any) -> None:
    """A line of the class each; held against the network, one without a hidden state against one that begins at zero,
    in parity and in the check of timed calls."""
    case = dataclasses.replace(CASE, mode=mode, output_size=output_size)
    found = adapted(build)
    assert found.taken_as == taken
    assert check(Reference.of(case), found) < 1e-5
    problem = Problem.of(case)
    feed = Feed(problem)
    workload, spots, kept = Workload(case, found, problem, feed), SpotChecks(case, problem, feed), list[object]()
    workload.renew(1, 0, spots.angle(0))
    workload(1, keep=kept)
    spots.check(0, kept[0], workload)


def test_what_a_size_is_called_is_asked_for() -> None:
    """Who forgets to say it is told how; a network that it doesn't compute is unavailable to it."""

    class Wide(nn.Module):
        def __init__(self, input_size: int, width: int) -> None:
            super().__init__()

    with pytest.raises(ValueError, match=r'Wide asks for width; .*sizes = \{"hidden_size": "\.\.\."\}'):
        adapted(Wide)(SHAPE)

    class Relu(Bare):
        networks = ("rnn-relu",)

    with pytest.raises(Unavailable, match="computes only rnn-relu"):
        Workload(CASE, adapted(Relu), Problem.of(CASE))


def test_the_price_of_building_is_that_of_the_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its construction and its `prepare`, on a clock of the test's: not what adapts it, and not loading the weights."""
    now = [0.0]

    class Slow(Bare):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            now[0] += 2.0

        def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
            now[0] += 0.5

    def slow_arguments(*given: Any) -> dict[str, Any]:
        now[0] += 100.0
        return arguments(*given)

    class SlowToLoad(Whole):
        def load(self, weights: dict[str, Tensor]) -> None:
            now[0] += 100.0
            super().load(weights)

    clock = types.SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("rnn_impls.adapter.time", clock)
    monkeypatch.setattr("bench.measure.workload.time", clock)
    monkeypatch.setattr("rnn_impls.adapter.arguments", slow_arguments)
    assert Workload(CASE, adapted(Slow), Problem.of(CASE)).build_seconds == 2.5
    assert Workload(CASE, SlowToLoad, Problem.of(CASE)).build_seconds == 0.0
