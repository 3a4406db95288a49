"""The gated recurrent unit, `gru`: K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, as
torch.nn.GRU states it: the reset gate multiplies the product with W_hn, its bias b_hn included.

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    z_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t (W_hn h_{t-1} + b_hn))
    h_t = (1 - z_t) n_t + z_t h_{t-1}

The matrices of r, z and n lie below each other, in this order, and so do their biases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rnn_impls.networks.network import Network, Parts, Products, Shapes

if TYPE_CHECKING:
    from torch import Tensor, nn


class Gru(Network):
    """a gated recurrent unit"""

    gates: ClassVar[tuple[str, ...]] = ("r", "z", "n")

    chain: ClassVar[int] = 5  # a multiplication; then sigmoid, multiply-add, tanh, multiply-add at the least

    weight_ih: Tensor  # (3 H, I)
    weight_hh: Tensor  # (3 H, H)
    bias_ih: Tensor  # (3 H)
    bias_hh: Tensor  # (3 H)

    def weight_shapes(self, input_size: int, hidden_size: int) -> Shapes:
        """torch.nn.GRU's names, less the number of the layer. Its two biases don't add up: r multiplies b_hn."""
        return {
            "weight_ih": (3 * hidden_size, input_size),
            "weight_hh": (3 * hidden_size, hidden_size),
            "bias_ih": (3 * hidden_size,),
            "bias_hh": (3 * hidden_size,),
        }

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The formula; the output is the state."""
        return gated(x @ self.weight_ih.T + self.bias_ih, state @ self.weight_hh.T + self.bias_hh, state)

    def parts(self) -> Parts:
        """W_ih x_t + b_ih knows nothing of the state: one large product for all steps."""
        import torch

        def ahead(inputs: Tensor) -> Tensor:
            return torch.nn.functional.linear(inputs, self.weight_ih, self.bias_ih)

        def after(ahead: Tensor, state: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
            return gated(ahead, torch.addmm(bias, state, recurrent), state)

        return Parts(ahead, after, lambda: (self.weight_hh.t(), self.bias_hh))

    def products(self, input_size: int, hidden_size: int) -> Products:
        """Three matrices each, of x and of h."""
        return Products(3 * hidden_size * input_size, 3 * hidden_size * hidden_size)

    def library(self, input_size: int, hidden_size: int, num_layers: int, **how: Any) -> nn.RNNBase:
        """`nn.GRU`."""
        from torch import nn

        return nn.GRU(input_size, hidden_size, num_layers, **how)

    def cell(self, input_size: int, hidden_size: int) -> nn.Module:
        """`nn.GRUCell`."""
        from torch import nn

        return nn.GRUCell(input_size, hidden_size)


def gated(of_input: Tensor, of_state: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The gates: sums of the input's and of the state's products (B, 3 H), state (B, H) -> output and state (B, H)."""
    input_r, input_z, input_n = of_input.chunk(3, dim=-1)
    state_r, state_z, state_n = of_state.chunk(3, dim=-1)
    r = (input_r + state_r).sigmoid()
    z = (input_z + state_z).sigmoid()
    n = (input_n + r * state_n).tanh()
    state = n + z * (state - n)
    return state, state
