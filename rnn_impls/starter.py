"""An implementation of your own of a recurrent network. It is right as it is; change it, then ask:

    python -m bench check my_rnn.py:MyRNN                  is it still the same network?
    python -m bench run --impl default,my_rnn.py:MyRNN     what does it cost, beside the others?

T steps, B sequences in a batch, I inputs, H hidden units, L layers, O outputs. The network, at step t:

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)         f is tanh or relu
    y_t = log_softmax(W_ho h_t + b_ho)                     only where O > 0
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rnn_impls.interface import Head, Implementation, NetworkShape, Unavailable


class MyRNN(Implementation):
    """an RNN of my own: one product for all inputs, then a loop over the steps"""  # this line is what tables show

    # devices = ("cuda",)    # where it runs; without this line anywhere

    def __init__(self, shape: NetworkShape) -> None:
        """Build what a network of this shape needs. What the weights are does not matter, they are loaded later."""
        super().__init__(shape)
        if shape.num_layers > 1:
            raise Unavailable("made for one layer")  # a row that says so; every other shape is measured
        self.w_ih = nn.Parameter(torch.empty(shape.hidden_size, shape.input_size))
        self.w_hh = nn.Parameter(torch.empty(shape.hidden_size, shape.hidden_size))
        self.bias = nn.Parameter(torch.empty(shape.hidden_size))
        self.squash = torch.tanh if shape.nonlinearity == "tanh" else torch.relu
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """Where each weight lives, so that all are given the same ones, and their gradients can be compared.

        A part of a parameter is given as a view of it, such as `self.both[:, :width]`. A network has two biases for
        each layer; where you add them only once, `bias_l0` stands for their sum.
        """
        found: dict[str, Tensor] = {"weight_ih_l0": self.w_ih, "weight_hh_l0": self.w_hh, "bias_l0": self.bias}
        return found if self.head is None else found | self.head.weight_map()

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """What is done once and is not timed, such as compiling. The shapes are those of the calls to come."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H), hidden (L, B, H); this is what is timed.

        In training, autograd goes backward through what is done here. Keep nothing between calls, and leave the inputs
        as they are: each would be found, and said.
        """
        # No input has to wait for a state: one large product for all steps costs less than T small ones.
        projected = functional.linear(inputs, self.w_ih, self.bias)  # (T, B, H)
        state = hidden[0]  # (B, H)
        states = []
        for step in projected.unbind(0):  # every line in here is paid for T times
            state = self.squash(torch.addmm(step, state, self.w_hh.t()))
            states.append(state)
        outputs = torch.stack(states)  # (T, B, H)
        if self.head is not None:
            outputs = self.head(outputs)  # (T, B, O)
        return outputs, state.unsqueeze(0)
