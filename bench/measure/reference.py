"""What a network must give: its step as it is written out (see `rnn_impls.networks`), differentiated by autograd, in
float64 and from the very weights and inputs, rounded to the Case's dtype, that implementations are given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure.fault import Fault
from bench.measure.problem import Problem, loss, network_shape
from rnn_impls.networks import Network
from rnn_impls.states import State, apart, mapped, tensors, together

REFERENCE_BUDGET = 4e9
"""Multiplications the reference may spend on a Case, about two seconds of one core; longer sequences are checked on
as many of their first steps as that pays for."""


TURNED_STEPS = 2
"""Steps on which outputs for other inputs are compared: what an earlier call left behind shows at the first."""


@dataclass(frozen=True)
class Reference:
    """What a Case's network must give, in float64: outputs (T, B, O or H), hidden (L, B, H), gradients by weight.

    `asked` is the Case it was made for, `case` the same with as many steps as are checked. `turned` is the outputs of
    the first steps for inputs and hidden of the opposite sign.
    """

    asked: Case
    case: Case
    problem: Problem
    outputs: Tensor
    hidden: State
    gradients: dict[str, Tensor]
    turned: Tensor

    @classmethod
    def of(cls, case: Case, rounds_weights_to: str = "", starts_at_zero: bool = False) -> Reference:
        """Compute the reference of a Case, on its device, on the first steps only where all would cost too much.

        With a dtype, the reference of the network whose matrices are rounded to it; `starts_at_zero` has it begin with
        zeros, whatever state it is given.
        """
        asked, case = case, dataclasses.replace(case, seq_len=affordable_steps(case))
        problem = Problem.of(case)
        first = mapped(lambda state: state.double() * (0 if starts_at_zero else 1), problem.hidden)
        weights = {
            name: rounded(name, value, rounds_weights_to).double().requires_grad_()
            for name, value in problem.weights.items()
        }
        with torch.set_grad_enabled(case.mode == "training"):
            outputs, hidden = forward(case, weights, problem.inputs.double(), first)
            outputs = problem.masked(outputs)
            gradients = {}
            if case.mode == "training":
                target = problem.target.double() if problem.target.is_floating_point() else problem.target
                found = torch.autograd.grad(
                    loss(outputs, target, case.loss, problem.lengths), list(weights.values()), materialize_grads=True
                )
                gradients = dict(zip(weights, found, strict=True))
        with torch.no_grad():
            turned = problem.masked(_turned(case, weights, problem.inputs.double(), first))
        return cls(asked, case, problem, outputs.detach(), mapped(Tensor.detach, hidden), gradients, turned)


def rounded(name: str, weight: Tensor, dtype: str) -> Tensor:
    """A weight as an implementation that rounds its matrices has it."""
    matrix = weight.dim() > 1 and not name.endswith("_ho")
    return weight.to(getattr(torch, dtype)).to(weight.dtype) if dtype and matrix else weight


def affordable_steps(case: Case) -> int:
    """How many of a Case's steps the reference can pay for; at least 2."""
    per_step = case.batch_size * max(1, sum(map(sum, network_shape(case).products())))
    passes = 3 if case.mode == "training" else 1  # backward multiplies twice as often as forward
    return min(case.seq_len, max(2, int(REFERENCE_BUDGET / (per_step * passes))))


def _turned(case: Case, weights: dict[str, Tensor], inputs: Tensor, first: State) -> Tensor:
    """Outputs of the first steps for inputs and hidden of the opposite sign. Those of a network that runs in both
    directions depend on all steps."""
    steps = len(inputs) if case.bidirectional else TURNED_STEPS
    return forward(case, weights, -inputs[:steps], mapped(Tensor.neg, first))[0][:TURNED_STEPS]


def forward(case: Case, weights: dict[str, Tensor], inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
    """The network's own step, layer by layer: inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H) and hidden
    (L, B, H). In both directions: every second layer goes from the last step to the first, and reads what the one
    before it reads. Raises Fault where a step gives another number of states than the network has."""
    last: list[State] = []
    below, beside = inputs, inputs
    for number, (layer, first) in enumerate(zip(network_shape(case).layers(weights), apart(hidden), strict=True)):
        backward = case.bidirectional and number % 2 == 1
        outputs, state = _all_steps(layer, below.flip(0) if backward else below, first)
        last.append(state)
        if not case.bidirectional:
            below = outputs
        elif not backward:
            beside = outputs
        else:
            below = torch.cat((beside, outputs.flip(0)), dim=-1)  # (T, B, 2 H)
    return head(case, weights, below), together(last)


def _all_steps(layer: Network, inputs: Tensor, state: State) -> tuple[Tensor, State]:
    """One layer in one direction: inputs (T, B, I), state (B, H) -> outputs (T, B, H), state (B, H)."""
    outputs = []
    for x in inputs.unbind(0):
        output, state = layer.step(x, state)
        outputs.append(output)
    if not (isinstance(state, Tensor | tuple) and len(tensors(state)) == len(layer.states)):
        told = f"{len(state)} states" if isinstance(state, tuple) else f"a {type(state).__name__}"
        raise Fault(f"the step of {layer.name} returns {told} for the state; its states are {', '.join(layer.states)}")
    return torch.stack(outputs), state


def head(case: Case, weights: dict[str, Tensor], outputs: Tensor) -> Tensor:
    """Log-probabilities (T, B, O) of outputs (T, B, H or 2 H) where a Case has a head; else the outputs."""
    if not case.output_size:
        return outputs
    return torch.log_softmax(outputs @ weights["weight_ho"].T + weights["bias_ho"], dim=-1)
