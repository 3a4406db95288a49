"""By hand, compiled: the formula as plain loops in Python, which numba turns into machine code.

This is what somebody writes who knows no library: a loop over steps, sequences, units and inputs, with a sum in the
middle. LLVM makes vectors of the sums, which it may add up in any order. There is no call inside, no allocation, and no
library's product either.

When it helps: small networks at batch 1, where the loop is all there is to do; and for trying out a cell of one's own.
When it doesn't: from hidden 256 or batch 16 on, where a product that keeps the caches in mind is several times faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from rnn_impls.runtimes.foreign import Array, Foreign, array, arrays
from rnn_impls.states import State, like

SUMS = {"reassoc", "contract"}
"""What LLVM may do with floating-point numbers: add up in another order, and fuse a product with its sum."""


class Numba(Foreign):
    """plain loops in Python, compiled by numba (needs `numba`)"""

    requires: ClassVar[dict[str, str]] = {"numba": "0.59"}
    extra: ClassVar[str] = "numba"
    copies: ClassVar[tuple[str, ...]] = ("states",)
    needs: ClassVar[tuple[str, ...]] = ("numba",)

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Compile the loops for this network."""
        self._layers = self.matrices()
        name, start = self.shape.network.name, time.perf_counter()
        self._run, seconds = loops("rnn" if self.shape.network.nonlinearity else name, self.shape.bidirectional)
        self.compile_seconds = max(0.0, seconds - (time.perf_counter() - start))  # of loops that were found compiled
        self._more = [name == "rnn-relu"] if self.shape.network.nonlinearity else []

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Layer after layer, each direction by one call of the loops."""
        states, below, last = arrays(hidden), array(inputs), []
        for layer in range(self.shape.num_layers):
            sides = []
            for way in range(self.shape.directions):
                number = layer * self.shape.directions + way
                own = [each[number].copy() for each in states]
                read = below[::-1] if way else below
                outputs = self._run(read, *own, *self._layers[number], *self._more)
                sides.append(outputs[::-1] if way else outputs)
                last.append(own)
            below = sides[0] if len(sides) == 1 else np.concatenate(sides, -1)
        found = torch.from_numpy(np.ascontiguousarray(below))
        ends = [torch.from_numpy(np.stack(each)) for each in zip(*last, strict=True)]
        return found if self.head is None else self.head(found), like(hidden, ends)


Loops = Callable[..., Array]
"""inputs (T, B, I), the states (B, H), which become the last, W_ih, W_hh, b_ih, b_hh -> outputs (T, B, H)."""


@cache
def loops(name: str, backwards: bool) -> tuple[Loops, float]:
    """The compiled loops of one layer, with `backwards` also for inputs from the last to the first, and the seconds
    that compiling them took."""
    import numba

    start = time.perf_counter()
    jit: Any = numba.njit(fastmath=SUMS)
    compiled: Loops = jit({"rnn": _rnn, "gru": _gru, "lstm": _lstm}[name])
    gates, more = {"rnn": (1, [False]), "gru": (3, []), "lstm": (4, [])}[name]
    states = [np.zeros((1, 1), np.float32) for _ in range(2 if name == "lstm" else 1)]
    weights = [np.zeros((gates, 1), np.float32)] * 2 + [np.zeros(gates, np.float32)] * 2
    inputs = np.zeros((1, 1, 1), np.float32)
    for given in [inputs, inputs[::-1]] if backwards else [inputs]:
        compiled(given, *states, *weights, *more)  # it compiles for the types that it is called with
    return compiled, time.perf_counter() - start


def _rnn(inputs: Array, hidden: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, relu: bool) -> Array:
    steps, batch, width = inputs.shape
    size = hidden.shape[1]
    outputs = np.empty((steps, batch, size), np.float32)
    for t in range(steps):
        for b in range(batch):
            for j in range(size):
                total = b_ih[j] + b_hh[j]
                for i in range(width):
                    total += w_ih[j, i] * inputs[t, b, i]
                for i in range(size):
                    total += w_hh[j, i] * hidden[b, i]
                outputs[t, b, j] = max(total, np.float32(0)) if relu else np.tanh(total)
        hidden[:] = outputs[t]
    return outputs


def _gru(inputs: Array, hidden: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Array:
    steps, batch, width = inputs.shape
    size = hidden.shape[1]
    outputs = np.empty((steps, batch, size), np.float32)
    from_input, from_hidden = np.empty(3, np.float32), np.empty(3, np.float32)
    for t in range(steps):
        for b in range(batch):
            for j in range(size):
                for gate in range(3):
                    row = gate * size + j
                    total = b_ih[row]
                    for i in range(width):
                        total += w_ih[row, i] * inputs[t, b, i]
                    from_input[gate] = total
                    total = b_hh[row]
                    for i in range(size):
                        total += w_hh[row, i] * hidden[b, i]
                    from_hidden[gate] = total
                r = np.float32(1) / (np.float32(1) + np.exp(-from_input[0] - from_hidden[0]))
                z = np.float32(1) / (np.float32(1) + np.exp(-from_input[1] - from_hidden[1]))
                n = np.tanh(from_input[2] + r * from_hidden[2])
                outputs[t, b, j] = (np.float32(1) - z) * n + z * hidden[b, j]
        hidden[:] = outputs[t]
    return outputs


def _lstm(inputs: Array, hidden: Array, cell: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array) -> Array:
    steps, batch, width = inputs.shape
    size = hidden.shape[1]
    outputs = np.empty((steps, batch, size), np.float32)
    sums = np.empty(4, np.float32)
    for t in range(steps):
        for b in range(batch):
            for j in range(size):
                for gate in range(4):
                    row = gate * size + j
                    total = b_ih[row] + b_hh[row]
                    for i in range(width):
                        total += w_ih[row, i] * inputs[t, b, i]
                    for i in range(size):
                        total += w_hh[row, i] * hidden[b, i]
                    sums[gate] = total
                write = np.float32(1) / (np.float32(1) + np.exp(-sums[0]))
                keep = np.float32(1) / (np.float32(1) + np.exp(-sums[1]))
                show = np.float32(1) / (np.float32(1) + np.exp(-sums[3]))
                cell[b, j] = keep * cell[b, j] + write * np.tanh(sums[2])
                outputs[t, b, j] = show * np.tanh(cell[b, j])
        hidden[:] = outputs[t]
    return outputs
