"""With the API's cell, step by step: `nn.RNNCell`, `nn.GRUCell` or `nn.LSTMCell` in a Python loop.

`nn.RNNCell` is what `nn.RNN` is made of, one step at a time: two products, an addition, a tanh, called by one operator.
It takes the input and the state apart, where the cell written by hand joins them first, so that nothing is copied; but
it multiplies twice, and each product is half as large.

When it helps: where the next input depends on the last output, so that no sequence can be handed over, and the network
is large enough that the copy it saves is worth a second product. When it doesn't: at small sizes, where calling is
nearly all of the time and there is as much of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.states import State, apart, tensors, together


class RNNCell(Implementation):
    """`nn.RNNCell`, stepped in Python"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.cells = nn.ModuleList(shape.cells())  # nn.RNNCell(input_size, hidden_size, nonlinearity="tanh"), ...
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """Each cell's parameters have `nn.RNN`'s names but for the number of the layer."""
        found = {
            f"{name}_l{layer}": parameter
            for layer, cell in enumerate(self.cells)
            for name, parameter in cell.named_parameters()
        }
        return found | (self.head.weight_map() if self.head is not None else {})

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One Python loop over the steps, and inside it one over the layers."""
        states = apart(hidden)  # L times (B, H), of an LSTM (h, c)
        outputs = []
        for current in inputs.unbind(0):  # T times (B, I)
            below = current
            for layer, cell in enumerate(self.cells):
                states[layer] = cell(below, states[layer])
                below = tensors(states[layer])[0]  # h
            outputs.append(below)
        found = torch.stack(outputs)  # (T, B, H)
        return found if self.head is None else self.head(found), together(states)
