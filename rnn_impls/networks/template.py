"""A recurrent network of your own: change it, then ask, with `--network my_cell.py:Leaky` on any command,

    python -m bench run --network my_cell.py:Leaky --impl manual,compiled-step      what does a step of it cost?
    python -m bench check my_rnn.py:Mine --network my_cell.py:Leaky                  is my fast version the same?

B sequences in a batch, I inputs, H hidden units. This one is a leaky integrator:

    h_t = (1 - a) h_{t-1} + a tanh(W x_t + U h_{t-1} + b)
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnn_impls.networks import Network


class Leaky(Network):
    """a leaky integrator"""  # this line is what tables show

    a = 0.3  # whatever is no weight is written as it is

    W: Tensor
    U: Tensor
    b: Tensor

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """The weights of a layer, which are this object's attributes when `step` is called."""
        return {"W": (hidden_size, input_size), "U": (hidden_size, hidden_size), "b": (hidden_size,)}

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I), state (B, H) -> output (B, H), state (B, H), written as plainly as the formula: in float64 this is
        what every implementation is held against, and autograd goes backward through it."""
        h = (1 - self.a) * h + self.a * torch.tanh(x @ self.W.T + h @ self.U.T + self.b)
        return h, h
