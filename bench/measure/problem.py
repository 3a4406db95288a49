"""The data of a Case: weights, inputs, first hidden state, target; and the loss that training minimises.

Everything is drawn once from a fixed seed on the CPU, so that every implementation, on every device, in every
process, gets the same numbers. Inputs are random, never zeros: zeros can run faster and hide unwritten outputs.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench.cases import lengths
from bench.cases.case import Case
from bench.measure.fault import Fault
from rnn_impls import networks
from rnn_impls.interface import NetworkShape
from rnn_impls.networks import Network
from rnn_impls.states import State, like, tensors

SEED = 20261123


def network_shape(case: Case) -> NetworkShape:
    """The network a Case asks for. Raises Fault."""
    sizes = case.input_size, case.hidden_size, case.num_layers, case.output_size
    return NetworkShape(*sizes, network=network_of(case.network), bidirectional=case.bidirectional)


def network_of(name: str) -> type[Network]:
    """The network of this name. Raises Fault where a file of one's own has none."""
    try:
        return networks.load(name)
    except ValueError as error:
        raise Fault(str(error)) from None


@dataclass(frozen=True)
class Problem:
    """What every implementation of a Case is given, on the Case's device and in its dtype.

    Of a ragged batch `lengths` are the steps of each sequence, longest first, and `mask` is 1 at those steps and 0
    beyond them. The inputs beyond them are as random as the others, and the target is zero there.
    """

    weights: dict[str, Tensor]
    inputs: Tensor  # (T, B, I)
    hidden: State  # (L, B, H), of several states a tuple; 2 L where it runs in both directions
    target: Tensor  # (T, B) class indices with a head, else (T, B, H or 2 H)
    lengths: Tensor | None = None  # (B,), whole numbers, on the CPU
    mask: Tensor | None = None  # (T, B, 1)

    @classmethod
    def of(cls, case: Case) -> Problem:
        """Draw the problem of a Case. Weights are uniform in ±1/sqrt(H), torch.nn.RNN's own initialisation."""
        draw = torch.Generator().manual_seed(SEED)
        dtype, device = getattr(torch, case.dtype), torch.device(case.device)
        bound = 1 / math.sqrt(case.hidden_size)

        def uniform(*shape: int, width: float = 1.0) -> Tensor:
            return torch.empty(shape).uniform_(-width, width, generator=draw).to(device, dtype)

        steps, batch = case.seq_len, case.batch_size
        network = network_shape(case)
        weights = {name: uniform(*shape, width=bound) for name, shape in network.weight_shapes().items()}
        inputs = torch.empty(steps, batch, case.input_size).normal_(generator=draw).to(device, dtype)
        states = [uniform(len(network.layer_inputs()), batch, case.hidden_size) for _ in network.network.states]
        hidden = states[0] if len(states) == 1 else tuple(states)
        if case.output_size:
            target = torch.randint(case.output_size, (steps, batch), generator=draw).to(device)
        else:
            target = uniform(steps, batch, network.features)
        if not case.ragged:
            return cls(weights, inputs, hidden, target)
        own = torch.tensor(lengths.of(case))
        mask = (torch.arange(steps)[:, None] < own).unsqueeze(-1).to(device, dtype)  # (T, B, 1)
        target = target * mask if target.is_floating_point() else target * mask.squeeze(-1).to(target.dtype)
        return cls(weights, inputs, hidden, target, own, mask)

    def masked(self, outputs: Tensor) -> Tensor:
        """Outputs of the first steps (t, B, ...) with zeros beyond the end of each sequence of a ragged batch."""
        return outputs if self.mask is None else outputs * self.mask[: len(outputs)]


Given = tuple[Tensor, State]
"""What a call is given: inputs (T, B, I) and hidden (L, B, H)."""


class Feed:
    """Inputs for calls that are timed, of which no value recurs: whoever remembers results gains nothing by it.

    Call k gets cos(a_k) A + sin(a_k) B, of the problem's own inputs A, others B drawn like them, and an angle a_k that
    is drawn anew: normal for every angle as A and B are, and two products a value where drawing takes ten times that.
    The same for the hidden state. The angles come from a generator that nobody's seeds reach.
    """

    ALIGNMENT = 64
    """Bytes; what `torch.empty` keeps to on the CPU, and what vector units and compilers ask for."""

    def __init__(self, problem: Problem) -> None:
        self._draw = torch.Generator().manual_seed(int.from_bytes(os.urandom(7), "little"))
        inputs, self._hidden = problem.inputs, problem.hidden
        states = tensors(self._hidden)
        self._first = (inputs, *states)
        self._other = (
            torch.empty(inputs.shape).normal_(generator=self._draw).to(inputs.device, inputs.dtype),
            *(torch.empty(h.shape).uniform_(-1, 1, generator=self._draw).to(h.device, h.dtype) for h in states),
        )
        self._rows: tuple[Tensor, ...] = ()
        self._given: list[Given] = []

    def angle(self) -> float:
        """One that was not given before."""
        return float(2 * math.pi * torch.rand((), generator=self._draw, dtype=torch.float64))

    def fill(self, calls: int, at: int = -1, angle: float = 0.0) -> list[Given]:
        """Inputs for so many calls, in buffers that are kept and filled anew; those of call `at`, if any, for this
        angle."""
        if len(self._given) < calls:
            self._grow(calls)
        angles = 2 * math.pi * torch.rand(calls, generator=self._draw, dtype=torch.float64)
        if at >= 0:
            angles[at] = angle
        for rows, first, other in zip(self._rows, self._first, self._other, strict=True):
            cos, sin = (weight.to(first.dtype).to(first.device)[:, None] for weight in (angles.cos(), angles.sin()))
            torch.mul(cos, first.reshape(1, -1), out=rows[:calls]).addcmul_(sin, other.reshape(1, -1))
        return self._given[:calls]

    def _grow(self, calls: int) -> None:
        """Buffers for more calls: a row each, aligned."""
        self._rows = tuple(self._buffer(calls, tensor) for tensor in self._first)
        self._given = []
        for k in range(calls):
            # `data`: a tensor of its own for autograd and for compilers, no view of the buffer.
            inputs, *states = (row[k].view_as(first).data for row, first in zip(self._rows, self._first, strict=True))
            self._given.append((inputs, like(self._hidden, states)))

    def _buffer(self, calls: int, like: Tensor) -> Tensor:
        """Memory for so many tensors like this one, a row each: (calls, number of values)."""
        step = self.ALIGNMENT // like.element_size()
        pitch = -(-like.numel() // step) * step
        return torch.empty(calls, pitch, device=like.device, dtype=like.dtype)[:, : like.numel()]


def loss(outputs: Tensor, target: Tensor, of: str = "all", lengths: Tensor | None = None) -> Tensor:
    """Sum over steps, mean over the batch: negative log-likelihood with a head, squared error without.

    A sum, as back-propagation through time adds it up, keeps the size of the gradients independent of T, so that
    they neither underflow nor overflow float16; for the same reason it is taken in float32 at least. `of` is the `loss`
    of a Case: `last` counts nothing but the last step of each sequence. Beyond the `lengths` of a ragged batch (B,)
    outputs and target are zeros, which count nothing.
    outputs (T, B, O or H), target (T, B) or as the outputs -> a scalar.
    """
    batch = outputs.shape[1]
    if of == "last":
        outputs, target = _last(outputs, lengths), _last(target, lengths)
    if outputs.dtype in (torch.bfloat16, torch.float16):
        outputs, target = outputs.float(), target.float() if target.is_floating_point() else target
    if target.is_floating_point():
        return functional.mse_loss(outputs, target, reduction="sum") / batch
    return functional.nll_loss(outputs.flatten(0, 1), target.flatten(), reduction="sum") / batch


def _last(steps: Tensor, lengths: Tensor | None) -> Tensor:
    """Of (T, B, ...) each sequence's last step: (1, B, ...)."""
    if lengths is None:
        return steps[-1:]
    return steps[lengths.to(steps.device) - 1, torch.arange(steps.shape[1], device=steps.device)].unsqueeze(0)
