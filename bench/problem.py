"""The data of a Case: weights, inputs, first hidden state, target; and the loss that training minimises.

Everything is drawn once from a fixed seed on the CPU, so that every implementation, on every device, in every
process, gets the same numbers. Inputs are random, never zeros: zeros can run faster and hide unwritten outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench.cases import Case
from rnn_impls.interface import NetworkShape

SEED = 20261123


def network_shape(case: Case) -> NetworkShape:
    """The network a Case asks for."""
    return NetworkShape(case.input_size, case.hidden_size, case.num_layers, case.output_size, case.nonlinearity)


@dataclass(frozen=True)
class Problem:
    """What every implementation of a Case is given, on the Case's device and in its dtype."""

    weights: dict[str, Tensor]
    inputs: Tensor  # (T, B, I)
    hidden: Tensor  # (L, B, H)
    target: Tensor  # (T, B) class indices with a head, else (T, B, H)

    @classmethod
    def of(cls, case: Case) -> Problem:
        """Draw the problem of a Case. Weights are uniform in ±1/sqrt(H), torch.nn.RNN's own initialisation."""
        draw = torch.Generator().manual_seed(SEED)
        dtype, device = getattr(torch, case.dtype), torch.device(case.device)
        bound = 1 / math.sqrt(case.hidden_size)

        def uniform(*shape: int, width: float = 1.0) -> Tensor:
            return torch.empty(shape).uniform_(-width, width, generator=draw).to(device, dtype)

        steps, batch = case.seq_len, case.batch_size
        shapes = network_shape(case).weight_shapes()
        weights = {name: uniform(*shape, width=bound) for name, shape in shapes.items()}
        inputs = torch.empty(steps, batch, case.input_size).normal_(generator=draw).to(device, dtype)
        hidden = uniform(case.num_layers, batch, case.hidden_size)
        if case.output_size:
            target = torch.randint(case.output_size, (steps, batch), generator=draw).to(device)
        else:
            target = uniform(steps, batch, case.hidden_size)
        return cls(weights, inputs, hidden, target)


def loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Sum over steps, mean over the batch: negative log-likelihood with a head, squared error without.

    A sum, as back-propagation through time adds it up, keeps the size of the gradients independent of T, so that
    they neither underflow nor overflow float16; for the same reason it is taken in float32 at least.
    outputs (T, B, O or H), target (T, B) or (T, B, H) -> a scalar.
    """
    batch = outputs.shape[1]
    if outputs.dtype in (torch.bfloat16, torch.float16):
        outputs, target = outputs.float(), target.float() if target.is_floating_point() else target
    if target.is_floating_point():
        return functional.mse_loss(outputs, target, reduction="sum") / batch
    return functional.nll_loss(outputs.flatten(0, 1), target.flatten(), reduction="sum") / batch
