"""The Elman network, `rnn-tanh` and `rnn-relu`: J. L. Elman, Finding Structure in Time, Cognitive Science 14, 1990, as
torch.nn.RNN states it.

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        f is tanh or relu
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rnn_impls.networks.network import Network, Parts, Products, Shapes

if TYPE_CHECKING:
    from torch import Tensor, nn


class Elman(Network):
    """One layer; the two that follow say what f is."""

    sums: ClassVar[Mapping[str, tuple[str, str]]] = {"bias": ("bias_ih", "bias_hh")}

    chain: ClassVar[int] = 2  # a multiplication, and f

    weight_ih: Tensor  # (H, I)
    weight_hh: Tensor  # (H, H)
    bias: Tensor  # (H)

    def weight_shapes(self, input_size: int, hidden_size: int) -> Shapes:
        """torch.nn.RNN's names, less the number of the layer."""
        return {
            "weight_ih": (hidden_size, input_size),
            "weight_hh": (hidden_size, hidden_size),
            "bias_ih": (hidden_size,),
            "bias_hh": (hidden_size,),
        }

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The formula; the output is the state."""
        state = self.squash(x @ self.weight_ih.T + state @ self.weight_hh.T + self.bias)
        return state, state

    def squash(self, sums: Tensor) -> Tensor:
        """f."""
        raise NotImplementedError

    def parts(self) -> Parts:
        """W_ih x_t + b knows nothing of the state: one large product for all steps."""
        import torch

        squash = getattr(torch, self.nonlinearity)

        def ahead(inputs: Tensor) -> Tensor:
            return torch.nn.functional.linear(inputs, self.weight_ih, self.bias)

        def after(ahead: Tensor, state: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
            state = squash(torch.addmm(ahead, state, recurrent))
            return state, state

        return Parts(ahead, after, lambda: (self.weight_hh.t(),))

    def products(self, input_size: int, hidden_size: int) -> Products:
        """W_ih x, and W_hh h."""
        return Products(hidden_size * input_size, hidden_size * hidden_size)

    def library(self, input_size: int, hidden_size: int, num_layers: int, **how: Any) -> nn.RNNBase:
        """`nn.RNN`."""
        from torch import nn

        return nn.RNN(input_size, hidden_size, num_layers, nonlinearity=self.nonlinearity, **how)

    def cell(self, input_size: int, hidden_size: int) -> nn.Module:
        """`nn.RNNCell`."""
        from torch import nn

        return nn.RNNCell(input_size, hidden_size, nonlinearity=self.nonlinearity)


class Tanh(Elman):
    """an Elman network with tanh"""

    nonlinearity = "tanh"

    def squash(self, sums: Tensor) -> Tensor:
        """Tanh."""
        return sums.tanh()


class Relu(Elman):
    """an Elman network with relu"""

    nonlinearity = "relu"

    def squash(self, sums: Tensor) -> Tensor:
        """Relu."""
        return sums.relu()
