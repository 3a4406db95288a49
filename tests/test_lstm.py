"""The long short-term memory: torch's formula, its two states, every implementation that computes it, and who not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.measure.fault import Fault
from bench.measure.parity import ParityError, check
from bench.measure.problem import Feed, Problem
from bench.measure.reference import Reference
from bench.measure.spotcheck import SpotChecks
from bench.measure.workload import Workload
from bench.store.manifest import FAILED, UNAVAILABLE
from bench.worker.surveyor import Surveyor
from rnn_impls import build, networks, registry
from rnn_impls.adapter import adapted
from rnn_impls.fused_cpu import FusedCPUHalved
from rnn_impls.fused_kernel import kernel
from rnn_impls.interface import Implementation
from rnn_impls.states import apart, like, mapped, tensors, together

NAMES = ("manual", "looped", "whole", "whole-no-onednn", "rnncell", "hoisted", "stacked-grad", "scan")
"""Those that run on a CPU and compile nothing."""


def small(mode: str = "inference", **sizes: Any) -> Case:
    """A small case of it."""
    found = Case(mode=mode, network="lstm", input_size=3, hidden_size=4, batch_size=2, seq_len=5)
    return dataclasses.replace(found, **sizes)


def surveyed(case: Case, name: str) -> tuple[str, str]:
    """Status and reason of a cell."""
    record = Surveyor(max_call=5.0, ledger=Ledger(), memory=False).survey(case, name)
    return record.status, record.reason


def test_the_step_is_torchs() -> None:
    """Written out, it gives what nn.LSTMCell gives, in float64 to the last digits."""
    cell = nn.LSTMCell(3, 4).double()
    layer = networks.load("lstm").bound({name: value.detach() for name, value in cell.named_parameters()})
    x, state = torch.randn(2, 3).double(), (torch.randn(2, 4).double(), torch.randn(2, 4).double())
    output, (hidden, memory) = layer.step(x, state)
    wanted = cell(x, state)
    torch.testing.assert_close((hidden, memory), tuple(t.detach() for t in wanted), rtol=1e-12, atol=1e-14)
    assert output is hidden


def test_one_state_is_a_tensor_and_two_are_a_tuple() -> None:
    """What takes a state apart gives it back as it was."""
    one, two = torch.randn(3, 2, 4), (torch.randn(3, 2, 4), torch.randn(3, 2, 4))
    for hidden in (one, two):
        layers = apart(hidden)
        assert len(layers) == 3
        assert all(map(torch.equal, tensors(together(layers)), tensors(hidden)))
        assert isinstance(together(layers), type(hidden))
        assert type(mapped(Tensor.neg, hidden)) is type(like(hidden, tensors(hidden))) is type(hidden)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_it(name: str, mode: str) -> None:
    """Outputs, both last states and every gradient, of one step, of several, of layers with a head."""
    for case in (small(mode), small(mode, seq_len=1), small(mode, num_layers=2, output_size=3)):
        assert check(Reference.of(case), registry.load(name)) < 1e-5


@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm"])
def test_rounded_weights_are_those_of_the_reference(network: str) -> None:
    """`fused-cpu-bf16` computes the network of rounded weights exactly, and the one that it was given not so."""
    case = small(network=network, hidden_size=37, num_layers=2, output_size=3)
    assert check(Reference.of(case), registry.load("fused-cpu-bf16")) < 1e-5
    with pytest.raises(ParityError, match=" differs first at "):
        check(Reference.of(case), Liar)


class Liar(FusedCPUHalved):
    """rounds its weights and doesn't say so where it is looked up"""

    rounds_weights_to = ""

    def _laid_out(self, matrix: Tensor) -> Tensor:
        return kernel().packed_gates(matrix, len(self.shape.network.gates), halved=True)


@pytest.mark.parametrize(
    ("name", "mode", "kernel_seen"),
    [
        ("whole", "inference", "oneDNN (inference)"),
        ("whole", "training", "oneDNN (training)"),
        ("whole-no-onednn", "inference", "ATen's loop; oneDNN: switched off"),
        ("looped", "inference", "oneDNN (inference), a step a call"),
        ("rnncell", "inference", "ATen's cell"),
    ],
)
def test_each_names_its_kernel(name: str, mode: str, kernel_seen: str) -> None:
    """As the survey saw it."""
    record = Surveyor(max_call=5.0, ledger=Ledger(), memory=False).survey(small(mode, seq_len=12), name)
    assert record.kernel == kernel_seen


@pytest.mark.long
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["compiled-step", "compiled-chunk"])
def test_they_compile_it(name: str, mode: str) -> None:
    """The same by torch.compile."""
    assert check(Reference.of(small(mode, num_layers=2, output_size=3)), registry.load(name)) < 1e-5


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_results_of_timed_calls_are_checked(mode: str) -> None:
    """With new inputs and both states anew; of one that hands on a wrong c it is said."""
    case = small(mode)
    problem = Problem.of(case)
    feed = Feed(problem)
    checks = SpotChecks(case, problem, feed)
    for own, wrong in ((registry.load("hoisted"), False), (ForgetsCell, True)):
        workload = Workload(case, own, problem, feed)
        workload.renew(1, 0, checks.angle(0))
        kept: list[object] = []
        workload(1, kept)
        if wrong:
            with pytest.raises(ParityError, match="hidden c differs first at layer 0"):
                checks.check(0, kept[0], workload)
        else:
            checks.check(0, kept[0], workload)


class ForgetsCell(Implementation):
    """right outputs, and zeros for c"""

    def __init__(self, shape: Any) -> None:
        super().__init__(shape)
        self.lstm = shape.library()

    def weight_map(self) -> dict[str, Tensor]:
        """The module's own."""
        return dict(self.lstm.named_parameters())

    def forward(self, inputs: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        """As nn.LSTM, but for c."""
        outputs, (h, c) = self.lstm(inputs, hidden)
        return outputs, (h, torch.zeros_like(c))


class Bare(nn.LSTM):
    """nn.LSTM as somebody would hand it in"""


class Joined(nn.Module):
    """a cell with a Linear for each gate, weights named part by part"""

    networks = ("lstm",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList(nn.Linear(input_size + hidden_size, hidden_size) for _ in range(4))
        self.width = input_size

    def weight_map(self) -> dict[str, object]:
        """Rows of one weight in four parameters."""
        gates = [gate for gate in self.gates if isinstance(gate, nn.Linear)]
        return {
            "weight_ih_l0": tuple(gate.weight[:, : self.width] for gate in gates),
            "weight_hh_l0": [gate.weight[:, self.width :] for gate in gates],
            "bias_l0": tuple(f"gates.{k}.bias" for k in range(4)),
        }

    def forward(self, inputs: Tensor, hidden: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(T, B, I), (h, c) of (1, B, H) each -> (T, B, H), (h, c)."""
        h, c = hidden[0][0], hidden[1][0]
        outputs = []
        for x in inputs:
            i, f, g, o = (gate(torch.cat((x, h), dim=1)) for gate in self.gates)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))


class Alone(Joined):
    """gives h alone"""

    def forward(self, inputs: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        """As the others, without c."""
        outputs, (h, _) = super().forward(inputs, hidden)
        return outputs, h


class Swapped(Joined):
    """gives (c, h)"""

    def forward(self, inputs: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        """As the others, the wrong way round."""
        outputs, (h, c) = super().forward(inputs, hidden)
        return outputs, (c, h)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("module", [Bare, Joined])
def test_somebodys_module_is_measured(module: type[nn.Module], mode: str) -> None:
    """With torch's module, and with a parameter for each gate."""
    for case in (small(mode), small(mode, output_size=3)):
        assert check(Reference.of(case), adapted(module)) < 1e-5


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (Alone, r"forward must return the tensors \(outputs, \(h, c\)\); it returns one state in place of \(h, c\)$"),
        (Swapped, "hidden h differs first at layer 0"),
    ],
)
def test_wrong_states_are_one_clear_line(module: type[nn.Module], told: str) -> None:
    """The number of states, or which is which."""
    with pytest.raises(ParityError, match=told):
        check(Reference.of(small()), adapted(module))


def test_two_states_where_there_is_one() -> None:
    """The other way round."""

    class Twice(nn.Module):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.rnn = nn.RNN(input_size, hidden_size)

        def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Any]:
            outputs, last = self.rnn(inputs, hidden)
            return outputs, (last, last)

    with pytest.raises(
        ParityError, match=r"return the two tensors \(outputs, hidden\); it returns a tuple of 2 in place of"
    ):
        check(Reference.of(small(network="rnn-tanh")), adapted(Twice))


def test_a_network_whose_step_gives_too_few_states_is_named() -> None:
    """One of somebody's own."""
    found = networks.load("lstm")

    class Few(found):  # type: ignore[misc,valid-type] # a class made at run time
        name = "few.py:Few"

        def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
            output, _ = super().step(x, state)
            return output, output

    from bench.measure import reference

    layer = Few.bound({name: torch.randn(shape) for name, shape in Few.shapes(3, 4).items()})
    with pytest.raises(Fault, match=r"the step of few\.py:Few returns a Tensor for the state; its states are h, c"):
        reference._all_steps(layer, torch.zeros(1, 2, 3), (torch.zeros(2, 4), torch.zeros(2, 4)))


class Projected(nn.LSTM):
    """with proj_size"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, proj_size=2)


def test_a_projection_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a module that is handed in, and in one that is to be replaced."""
    monkeypatch.setitem(registry.REGISTERED, "projected", f"{__file__}:Projected")
    status, told = surveyed(small(), "projected")
    assert status == FAILED
    assert told == "ValueError: Projected has proj_size=2, and no network here projects its state"
    with pytest.raises(ValueError, match=r"made for an nn\.LSTM without proj_size=2"):
        build("hoisted", nn.LSTM(3, 4, proj_size=2))


@pytest.mark.parametrize(
    ("network", "name", "told"),
    [
        ("lstm", "scripted", "the script is written for one state"),
        ("lstm", "persistent-triton", "runs only on cuda"),
        ("gru", "whole-no-onednn", "computes only lstm"),
    ],
)
def test_who_does_not_says_so(network: str, name: str, told: str) -> None:
    """A row with the reason."""
    assert surveyed(small(network=network), name) == (UNAVAILABLE, told)


def test_torchs_module_of_another_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What derives from nn.LSTM computes an LSTM."""
    monkeypatch.setitem(registry.REGISTERED, "bare", f"{__file__}:Bare")
    assert surveyed(small(network="gru"), "bare") == (UNAVAILABLE, "computes only lstm")


def test_onednn_is_off_in_its_call_alone() -> None:
    """And on again afterwards, also when the call raises."""
    module = registry.load("whole-no-onednn")(networks_shape())
    assert torch.backends.mkldnn.enabled
    seen: list[object] = []
    module.rnn.register_forward_pre_hook(lambda *_: seen.append(torch.backends.mkldnn.enabled))  # type: ignore[union-attr]
    module(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))
    with pytest.raises(RuntimeError):
        module(torch.zeros(5, 2, 7), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))
    assert seen == [False, False]
    assert torch.backends.mkldnn.enabled


def networks_shape() -> Any:
    """That of a small LSTM."""
    from rnn_impls.interface import NetworkShape

    return NetworkShape(3, 4, network="lstm")


@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_can_be_put_in_the_stead_of_torchs_own(bidirectional: bool) -> None:
    """`build` takes an nn.LSTM as it takes an nn.RNN."""
    ways = 2 if bidirectional else 1
    rnn, inputs = nn.LSTM(3, 4, 2, bidirectional=bidirectional), torch.randn(5, 2, 3)
    hidden = torch.randn(2 * ways, 2, 4), torch.randn(2 * ways, 2, 4)
    outputs, last = build("hoisted", rnn)(inputs, hidden)
    wanted, wanted_last = rnn(inputs, hidden)
    torch.testing.assert_close((outputs, last), (wanted, wanted_last))
