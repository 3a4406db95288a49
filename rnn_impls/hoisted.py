"""Hoisted: whatever does not depend on the step before leaves the loop.

`W_ih x_t + b` knows nothing of the state, so all steps' worth of it is one large product before the loop, which runs
at the rate of large products. What is left of a step of an Elman network is `tanh(a_t + W_hh h)`: one product that adds
as it goes, and a tanh, which in inference writes straight into the row of the outputs where the state belongs, so that
nothing is allocated, joined or copied. Another network says itself what is left (`Network.parts`).

When it helps: nearly always against a loop that multiplies the inputs step by step; `nn.RNN` does the same in C++. When
it doesn't: a single step has nothing to hoist, and on large networks the product with W_hh, which can't be hoisted, is
what takes the time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.networks import Network
from rnn_impls.states import State
from rnn_impls.weights import Plain

IN_PLACE = {"tanh": torch.tanh_, "relu": torch.relu_}
FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu}


class Hoisted(Plain):
    """the input product taken out of the loop, steps in place"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        if shape.network.parts is Network.parts:
            raise Unavailable(f"{shape.network.name} does not say what of its step needs no state")

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """One product for all inputs, then one product a step."""
        if not self.shape.network.nonlinearity:
            return self._by_parts(number, inputs, state)
        w_ih, w_hh, bias = self.own(number)
        ahead = torch.nn.functional.linear(inputs, w_ih, bias)  # (T, B, H): the product that leaves the loop
        recurrent = w_hh.t()
        if torch.is_grad_enabled():
            return self._with_gradients(ahead, recurrent, state)
        squash = IN_PLACE[self.shape.nonlinearity]
        for step in ahead.unbind(0):  # T times (B, H): views, so that each is overwritten by the state it becomes
            state = squash(step.addmm_(state, recurrent))
        return ahead, state

    def _with_gradients(self, ahead: Tensor, recurrent: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Autograd needs every state as it was, so nothing is overwritten."""
        squash = FUNCTIONS[self.shape.nonlinearity]
        states = []
        for step in ahead.unbind(0):
            state = squash(torch.addmm(step, state, recurrent))
            states.append(state)
        return torch.stack(states), state

    def _by_parts(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """What needs no state for all inputs at once, then the rest of each step."""
        parts = self.bound(number).parts()
        read, outputs = parts.read(), []
        for ahead in parts.ahead(inputs).unbind(0):  # T times (B, ...)
            output, state = parts.after(ahead, state, *read)
            outputs.append(output)
        return torch.stack(outputs), state
