"""Fused: all steps of a layer in one call of a C++ kernel, forward and backward.

What torch's own have in common is that they call several operators a step, each of which costs about a microsecond
whatever it computes; at hidden 64 the products of a step take a hundredth of that. Here a step is two nested loops over
weights that were laid out once in the order in which they are read, in vectors as wide as the machine's; the input
product runs ahead in pieces that stay in the cache; tanh is applied while the sums are still in registers. In training
the backward loop is the same kernel with W_hh the other way round, and each weight's gradient is one product for all
steps, as in `stacked-grad`. `fused_cpu.cpp`, beside this file, is the kernel, `fused_kernel.py` builds it;
`fused_gru.py` and `fused_lstm.py` have the functions of a GRU and an LSTM.

Where a library's product is better (large batches on a CPU whose BLAS uses the whole vector unit; calls of a few steps
in training, where weights that change have to be laid out anew for each), `prepare` finds it out and hands over to the
operators of `stacked-grad` or to one `nn.RNN` call: see `choice.py`. What was chosen is recorded.

When it helps: most at small sizes, where it does away with calling; at large ones by reading the weights as one
stream. When it doesn't: beyond the last cache, where everything waits for the memory. It takes a C++ compiler, some
seconds of its time at the first use on a machine, and float32.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from rnn_impls import fused_gru, fused_lstm
from rnn_impls.choice import fastest
from rnn_impls.fused_kernel import kernel
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.stacked_grad import StackedGrad
from rnn_impls.states import State, like, mapped

THREADED = 512
"""Hidden size from which a step is long enough to be shared: waiting for each other costs a part of a microsecond."""


OWN, STACKED, WHOLE = "own kernel", "stacked-grad", "whole"
"""What it may choose, as it is recorded."""

TRIED_STEPS = 128
"""Steps after which a longer sequence changes nothing but the time that choosing takes."""


class Layer(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool, threads: int
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> states (T, B, H)."""
        own = kernel()
        packed = own.packed(w_ih), own.packed(w_hh)
        states: Tensor = own.forward(inputs, state, *packed, bias, relu, threads)
        ctx.save_for_backward(inputs, state, w_ih, w_hh, states)
        ctx.relu, ctx.threads = relu, threads
        return states

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and bias, each where it is asked for."""
        inputs, state, w_ih, w_hh, states = ctx.saved_tensors
        own, threads = kernel(), ctx.threads
        g = own.backward(of_states[0], states, own.packed(w_hh, as_is=True), ctx.relu, threads)
        before = torch.cat((state.unsqueeze(0), states[:-1]))  # (T, B, H): the state that each step began with
        flat, asked = g.flatten(0, 1), ctx.needs_input_grad
        return (
            g @ w_ih if asked[0] else None,
            g[0] @ w_hh if asked[1] else None,
            own.weight_gradient(flat, inputs.flatten(0, 1), threads),
            own.weight_gradient(flat, before.flatten(0, 1), threads),
            flat.sum(0),
            None,
            None,
        )


class FusedCPU(StackedGrad):
    """one C++ kernel for all steps of a layer (needs a compiler)"""

    devices = ("cpu",)
    needs = ("a C++ compiler", "ninja")
    hands_over: ClassVar[bool] = True

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.compile_seconds = kernel().built_in
        self._packed: list[tuple[Tensor, Tensor]] = []

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Lay the weights out once, for inference; training changes them at every step. Then choose."""
        if inputs.dtype != torch.float32:
            raise Unavailable("the kernel computes in float32")
        self._packed = []
        if not self.training:
            for layer in range(len(self.shape.layer_inputs())):
                w_ih, w_hh = (self._laid_out(matrix.detach()) for matrix in self.own(layer)[:2])
                self._packed.append((w_ih, w_hh))
        self.chosen = OWN
        if self.hands_over:
            few = inputs[:TRIED_STEPS]
            self.chosen = fastest({name: partial(self._try, name, few, hidden) for name in (OWN, STACKED, WHOLE)})
            self.zero_grad(set_to_none=True)

    def _laid_out(self, matrix: Tensor) -> Tensor:
        """A matrix of the network in panels."""
        gates = len(self.shape.network.gates)
        return kernel().packed_gates(matrix, gates, halved=self.rounds_weights_to == "bfloat16")

    def _try(self, name: str, inputs: Tensor, hidden: State) -> None:
        """One call as it would be made: with this choice, and in training with its backward pass."""
        self.chosen = name
        if not self.training:
            with torch.inference_mode():
                self(inputs, hidden)
            return
        with torch.enable_grad():
            self.zero_grad(set_to_none=True)
            outputs, _ = self(inputs, hidden)
            outputs.sum().backward()

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One call of the kernel, or of what was chosen instead."""
        if self.chosen == STACKED:
            found: tuple[Tensor, State] = super().layer(number, inputs, state)
            return found
        if self.chosen == WHOLE:
            return self._whole(number, inputs, state)
        threads = torch.get_num_threads() if self.shape.hidden_size >= THREADED else 1
        if not isinstance(state, Tensor):
            return self._lstm(number, inputs, state, threads)
        run = self._elman if self.shape.network.nonlinearity else self._gru
        states = run(number, inputs, state, threads)
        return states, states[-1]

    def _elman(self, number: int, inputs: Tensor, state: Tensor, threads: int) -> Tensor:
        w_ih, w_hh, bias = self.own(number)
        relu = self.shape.nonlinearity == "relu"
        if self.training:
            states: Tensor = Layer.apply(inputs, state, w_ih, w_hh, bias, relu, threads)
            return states
        return kernel().forward(inputs, state, *self._packed[number], bias, relu, threads)

    def _gru(self, number: int, inputs: Tensor, state: Tensor, threads: int) -> Tensor:
        w_ih, w_hh, b_ih, b_hh = self.own(number)
        if self.training:
            states: Tensor = fused_gru.Layer.apply(inputs, state, w_ih, w_hh, b_ih, b_hh, threads)
            return states
        return kernel().gru_forward(inputs, state, *self._packed[number], (b_ih, b_hh), False, threads)[0]

    def _lstm(self, number: int, inputs: Tensor, state: State, threads: int) -> tuple[Tensor, State]:
        w_ih, w_hh, bias = self.own(number)
        hidden, cell = state
        if self.training:
            states, cell = fused_lstm.Layer.apply(inputs, hidden, cell, w_ih, w_hh, bias, threads)
        else:
            states, cell, _ = kernel().lstm_forward(inputs, hidden, cell, *self._packed[number], bias, False, threads)
        return states, (states[-1], cell)

    def _whole(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One call of torch's for a layer."""
        weights: list[Tensor] = [*self.own(number)]
        if len(weights) == 3:  # one bias, where torch wants two
            weights.append(torch.zeros_like(weights[2]))
        of_torch: dict[str, Any] = {
            "gru": torch.gru,
            "lstm": torch.lstm,
            "rnn-tanh": torch.rnn_tanh,
            "rnn-relu": torch.rnn_relu,
        }
        first = mapped(lambda each: each.unsqueeze(0), state)
        outputs, *last = of_torch[self.shape.network.name](
            inputs, first, weights, True, 1, 0.0, self.training, False, False
        )
        return outputs, like(state, [each.squeeze(0) for each in last])


class FusedCPUHalved(FusedCPU):
    """`fused-cpu` with weights rounded to bfloat16, sums in float32 (inference)"""

    rounds_weights_to = "bfloat16"
    hands_over = False

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """The same, for inference alone: half as many bytes are read, and that is all there is to win."""
        if self.training:
            raise Unavailable("made for inference: gradients are of weights that are not rounded")
        super().prepare(inputs, hidden)
