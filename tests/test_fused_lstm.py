"""The LSTM by the kernel and by stacked gradients, and rounded weights of gates: against torch's own in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from rnn_impls import fused_lstm, stacked_lstm
from rnn_impls.fused_kernel import WIDTHS, Kernel, kernel
from rnn_impls.interface import Unavailable

SIZES = [  # T, B, I, H, threads
    (1, 1, 3, 4, 1),
    (4, 2, 5, 3, 1),
    (9, 5, 39, 37, 1),
    (70, 2, 132, 130, 1),
    (400, 1, 20, 96, 1),
    (7, 16, 128, 128, 1),
    (3, 3, 522, 520, 2),
]
"""A step; less than a panel; parts of one; beyond a piece of the input products, twice; whole tiles; two threads."""

Run = Callable[..., tuple[Tensor, Tensor]]


def stacked(*arguments: Tensor | int) -> tuple[Tensor, Tensor]:
    """`stacked_lstm` has no threads of its own."""
    states, last = stacked_lstm.Layer.apply(*arguments[:-1])
    return states, last


RUNS = {"fused": fused_lstm.Layer.apply, "stacked": stacked}


@pytest.fixture
def built() -> Kernel:
    """The kernel, where this machine has a compiler."""
    try:
        return kernel()
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(params=WIDTHS)
def own(request: pytest.FixtureRequest, built: Kernel) -> Kernel:
    """The kernel with vectors of every width that this machine can run."""
    if request.param == "avx2" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this CPU has no AVX2")
    return built if request.param == "native" else kernel(request.param)


@dataclass(frozen=True)
class Problem:
    """A module of torch's in float64, and what it is called on."""

    module: nn.LSTM
    inputs: Tensor
    hidden: Tensor
    cell: Tensor

    @classmethod
    def of(cls, steps: int, batch: int, width: int, size: int) -> Problem:
        """Random numbers, the same each time."""
        torch.manual_seed(steps + size)
        module = nn.LSTM(width, size).double()
        found = (torch.randn(shape).double() for shape in ((steps, batch, width), (batch, size), (batch, size)))
        inputs, hidden, cell = (each.float().double() for each in found)
        for parameter in module.parameters():
            parameter.data = parameter.data.float().double()
        return cls(module, inputs, hidden, cell)

    def arguments(self) -> list[Tensor]:
        """What the functions take, in float32."""
        weights = dict(self.module.named_parameters())
        bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
        taken = self.inputs, self.hidden, self.cell, weights["weight_ih_l0"], weights["weight_hh_l0"], bias
        return [each.detach().float() for each in taken]


def close(found: Tensor, expected: Tensor) -> None:
    """Within float32's rounding of the largest number there."""
    size = float(expected.abs().max().clamp_min(1e-30))
    torch.testing.assert_close(found.double() / size, expected / size, rtol=0, atol=3e-6)


def expected(problem: Problem, of_states: Tensor | None, of_last: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
    """Results and gradients in float64, in the functions' order."""
    inputs, hidden, cell = (each.clone().requires_grad_() for each in (problem.inputs, problem.hidden, problem.cell))
    states, (_, last) = problem.module(inputs, (hidden.unsqueeze(0), cell.unsqueeze(0)))
    results = [states, last[0]]
    wanted = [(each, g) for each, g in zip(results, (of_states, of_last), strict=True) if g is not None]
    weights = dict(problem.module.named_parameters())
    asked = [inputs, hidden, cell, weights["weight_ih_l0"], weights["weight_hh_l0"], weights["bias_ih_l0"]]
    return results, list(torch.autograd.grad([each for each, _ in wanted], asked, [g for _, g in wanted]))


@pytest.mark.parametrize("gradients", ["both", "states", "last cell"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RUNS)
def test_results_and_gradients_are_torchs(name: str, size: tuple[int, ...], gradients: str, built: Kernel) -> None:
    """Of both results together and of each alone; every gradient, those of the first states, too."""
    *sizes, threads = size
    problem = Problem.of(*sizes)
    arguments = [each.requires_grad_() for each in problem.arguments()]
    results = RUNS[name](*arguments, threads)
    given = [torch.randn(each.shape) for each in results]
    of_states = given[0] if gradients != "last cell" else None
    of_last = given[1] if gradients != "states" else None
    right, right_gradients = expected(
        problem, *(each if each is None else each.double() for each in (of_states, of_last))
    )
    for found, one in zip(results, right, strict=True):
        close(found.detach(), one.detach())
    wanted = [(each, g) for each, g in zip(results, (of_states, of_last), strict=True) if g is not None]
    ours = torch.autograd.grad([each for each, _ in wanted], arguments, [g for _, g in wanted])
    for found, one in zip(ours, right_gradients, strict=True):
        close(found, one)


@pytest.mark.parametrize("name", RUNS)
def test_only_what_is_asked_for_is_given(name: str, built: Kernel) -> None:
    """Any one gradient alone is what it is among all; a graph that is kept can be gone back through again."""
    arguments = Problem.of(5, 2, 6, 20).arguments()
    whole = [each.clone().requires_grad_() for each in arguments]
    loss = RUNS[name](*whole, 1)[0].square().sum()
    every = torch.autograd.grad(loss, whole, retain_graph=True)
    for first, second in zip(every, torch.autograd.grad(loss, whole), strict=True):
        assert torch.equal(first, second)
    for position, right in enumerate(every):
        own = [each.clone().requires_grad_(number == position) for number, each in enumerate(arguments)]
        RUNS[name](*own, 1)[0].square().sum().backward()
        assert torch.equal(own[position].grad, right)  # type: ignore[arg-type]
        assert all(each.grad is None for number, each in enumerate(own) if number != position)


@pytest.mark.parametrize("size", SIZES)
def test_every_width_gives_it(own: Kernel, size: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels of other vectors, of inference and of training."""
    *sizes, threads = size
    monkeypatch.setattr("rnn_impls.fused_lstm.kernel", lambda: own)
    problem = Problem.of(*sizes)
    inputs, hidden, cell, w_ih, w_hh, bias = arguments = problem.arguments()
    right, right_gradients = expected(problem, torch.ones(sizes[0], sizes[1], sizes[3]).double(), None)
    packed = own.packed_gates(w_ih, 4), own.packed_gates(w_hh, 4)
    states, last, kept = own.lstm_forward(inputs, hidden, cell, *packed, bias, False, threads)
    close(states, right[0].detach())
    close(last, right[1].detach())
    assert kept is None
    arguments = [each.requires_grad_() for each in arguments]
    fused_lstm.Layer.apply(*arguments, threads)[0].sum().backward()
    for found, one in zip(arguments, right_gradients, strict=True):
        assert found.grad is not None
        close(found.grad, one)


def test_threads_share_a_step_and_change_nothing(built: Kernel) -> None:
    """Two and three that wait for each other give the very bits of one."""
    inputs, hidden, cell, w_ih, w_hh, bias = Problem.of(6, 2, 40, 200).arguments()
    packed = built.packed_gates(w_ih, 4), built.packed_gates(w_hh, 4)
    backward = built.packed(w_hh, as_is=True)
    found = []
    for threads in (1, 2, 3):
        states, last, kept = built.lstm_forward(inputs, hidden, cell, *packed, bias, True, threads)
        assert kept is not None
        found.append((states, last, *built.lstm_backward(states, last, kept, backward, threads)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def round_weights(module: nn.RNNBase) -> None:
    """W_ih and W_hh to bfloat16, and back."""
    for name, parameter in module.named_parameters():
        if name.startswith("weight"):
            parameter.data = parameter.data.bfloat16().to(parameter.dtype)


@pytest.mark.parametrize("size", SIZES)
def test_rounded_weights_of_an_lstm(own: Kernel, size: tuple[int, ...]) -> None:
    """Panels of bfloat16, of odd depths, too, give what torch gives with weights that are rounded so, and not what it
    gives with those that aren't."""
    *sizes, threads = size
    problem = Problem.of(*sizes)
    inputs, hidden, cell, w_ih, w_hh, bias = problem.arguments()
    packed = own.packed_gates(w_ih, 4, halved=True), own.packed_gates(w_hh, 4, halved=True)
    states, last, _ = own.lstm_forward(inputs, hidden, cell, *packed, bias, False, threads)
    plain = problem.module(problem.inputs, (problem.hidden.unsqueeze(0), problem.cell.unsqueeze(0)))[0].detach()
    assert float((states - plain).abs().max()) > 1e-5
    round_weights(problem.module)
    right, (_, right_last) = problem.module(problem.inputs, (problem.hidden.unsqueeze(0), problem.cell.unsqueeze(0)))
    close(states, right.detach())
    close(last, right_last[0].detach())


@pytest.mark.parametrize("size", SIZES)
def test_rounded_weights_of_a_gru(own: Kernel, size: tuple[int, ...]) -> None:
    """The same."""
    steps, batch, width, hidden_size, threads = size
    torch.manual_seed(steps)
    module = nn.GRU(width, hidden_size)
    inputs, hidden = torch.randn(steps, batch, width), torch.randn(batch, hidden_size)
    w_ih, w_hh, b_ih, b_hh = (each.detach().clone() for each in module.parameters())
    packed = own.packed_gates(w_ih, 3, halved=True), own.packed_gates(w_hh, 3, halved=True)
    states, _ = own.gru_forward(inputs, hidden, *packed, (b_ih, b_hh), False, threads)
    module.double()
    round_weights(module)
    right = module(inputs.double(), hidden.unsqueeze(0).double())[0]
    close(states, right.detach())
