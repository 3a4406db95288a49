"""The long short-term memory, `lstm`: S. Hochreiter and J. Schmidhuber, Neural Computation 9(8), 1997, with the forget
gate of F. Gers, J. Schmidhuber and F. Cummins, 2000, as torch.nn.LSTM states it.

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t c_{t-1} + i_t g_t
    h_t = o_t tanh(c_t)

The matrices of i, f, g and o lie below each other, in this order, and so do their biases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rnn_impls.networks.network import Network, Parts, Products, Shapes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rnn_impls.states import State


class Lstm(Network):
    """a long short-term memory"""

    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")

    states: ClassVar[tuple[str, ...]] = ("h", "c")

    sums: ClassVar[Mapping[str, tuple[str, str]]] = {"bias": ("bias_ih", "bias_hh")}

    chain: ClassVar[int] = 5  # a multiplication; then sigmoid, multiply-add, tanh, multiplication at the least

    weight_ih: Tensor  # (4 H, I)
    weight_hh: Tensor  # (4 H, H)
    bias: Tensor  # (4 H)

    def weight_shapes(self, input_size: int, hidden_size: int) -> Shapes:
        """torch.nn.LSTM's names, less the number of the layer."""
        return {
            "weight_ih": (4 * hidden_size, input_size),
            "weight_hh": (4 * hidden_size, hidden_size),
            "bias_ih": (4 * hidden_size,),
            "bias_hh": (4 * hidden_size,),
        }

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """The formula; the output is h, the state (h, c)."""
        hidden, cell = state
        return gated(x @ self.weight_ih.T + hidden @ self.weight_hh.T + self.bias, cell)

    def parts(self) -> Parts:
        """W_ih x_t + b knows nothing of the state: one large product for all steps."""
        import torch

        def ahead(inputs: Tensor) -> Tensor:
            return torch.nn.functional.linear(inputs, self.weight_ih, self.bias)

        def after(ahead: Tensor, state: State, recurrent: Tensor) -> tuple[Tensor, State]:
            hidden, cell = state
            return gated(torch.addmm(ahead, hidden, recurrent), cell)

        return Parts(ahead, after, lambda: (self.weight_hh.t(),))

    def products(self, input_size: int, hidden_size: int) -> Products:
        """Four matrices each, of x and of h."""
        return Products(4 * hidden_size * input_size, 4 * hidden_size * hidden_size)

    def library(self, input_size: int, hidden_size: int, num_layers: int, **how: Any) -> nn.RNNBase:
        """`nn.LSTM`."""
        from torch import nn

        return nn.LSTM(input_size, hidden_size, num_layers, **how)

    def cell(self, input_size: int, hidden_size: int) -> nn.Module:
        """`nn.LSTMCell`."""
        from torch import nn

        return nn.LSTMCell(input_size, hidden_size)


def gated(sums: Tensor, cell: Tensor) -> tuple[Tensor, State]:
    """The gates: the sums before them (B, 4 H), the cell's state c (B, H) -> h (B, H), and (h, c)."""
    i, f, g, o = sums.chunk(4, dim=-1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    hidden = o.sigmoid() * cell.tanh()
    return hidden, (hidden, cell)
