"""What a network must give: its step as it is written out (see `rnn_impls.networks`), differentiated by autograd, in
float64 and from the very weights and inputs, rounded to the Case's dtype, that implementations are given.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure.problem import Problem, loss, network_shape

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
    hidden: Tensor
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
        first = problem.hidden.double() * (0 if starts_at_zero else 1)
        weights = {
            name: rounded(name, value, rounds_weights_to).double().requires_grad_()
            for name, value in problem.weights.items()
        }
        with torch.set_grad_enabled(case.mode == "training"):
            outputs, hidden = forward(case, weights, problem.inputs.double(), first)
            gradients = {}
            if case.mode == "training":
                target = problem.target.double() if problem.target.is_floating_point() else problem.target
                found = torch.autograd.grad(loss(outputs, target), list(weights.values()), materialize_grads=True)
                gradients = dict(zip(weights, found, strict=True))
        with torch.no_grad():
            turned, _ = forward(case, weights, -problem.inputs[:TURNED_STEPS].double(), -first)
        return cls(asked, case, problem, outputs.detach(), hidden.detach(), gradients, turned)


def rounded(name: str, weight: Tensor, dtype: str) -> Tensor:
    """A weight as an implementation that rounds its matrices has it."""
    matrix = weight.dim() > 1 and not name.endswith("_ho")
    return weight.to(getattr(torch, dtype)).to(weight.dtype) if dtype and matrix else weight


def affordable_steps(case: Case) -> int:
    """How many of a Case's steps the reference can pay for; at least 2."""
    per_step = case.batch_size * max(1, sum(map(sum, network_shape(case).products())))
    passes = 3 if case.mode == "training" else 1  # backward multiplies twice as often as forward
    return min(case.seq_len, max(2, int(REFERENCE_BUDGET / (per_step * passes))))


def forward(case: Case, weights: dict[str, Tensor], inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """The network's own step, layer by layer: inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H) and hidden
    (L, B, H)."""
    states = list(hidden.unbind(0))  # L times (B, H)
    sequence = inputs
    for number, layer in enumerate(network_shape(case).layers(weights)):
        outputs = []
        for x in sequence.unbind(0):  # T times (B, I or H)
            output, states[number] = layer.step(x, states[number])
            outputs.append(output)
        sequence = torch.stack(outputs)
    return head(case, weights, sequence), torch.stack(states)


def head(case: Case, weights: dict[str, Tensor], outputs: Tensor) -> Tensor:
    """Log-probabilities (T, B, O) of outputs (T, B, H) where a Case has a head; else the outputs."""
    if not case.output_size:
        return outputs
    return torch.log_softmax(outputs @ weights["weight_ho"].T + weights["bias_ho"], dim=-1)
