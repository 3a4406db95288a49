"""Plain parameters under the network's own names, for implementations that call no module of torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.networks import Network


class Plain(Implementation):
    """An implementation whose weights are its own parameters: `weight_ih_l0`, `weight_hh_l0`, `bias_l0`, and so on.

    There is one bias for each two whose sum counts. Subclasses write `layer`, which runs one layer over all steps; the
    head comes after the last one, for all steps at once.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self._bound: list[Network] = []
        for layer in range(shape.num_layers):
            held = shape.network.held(shape.layer_input_size(layer), shape.hidden_size)
            own = {name: nn.Parameter(torch.empty(size)) for name, size in held.items()}
            for name, parameter in own.items():
                self.register_parameter(f"{name}_l{layer}", parameter)
            self._bound.append(shape.network(own))
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """The parameters as they are called."""
        own: dict[str, Tensor] = {name: p for name, p in self.named_parameters() if not name.startswith("head.")}
        return own | (self.head.weight_map() if self.head is not None else {})

    def bound(self, layer: int) -> Network:
        """A layer's formula, bound to its parameters."""
        return self._bound[layer]

    def elman(self, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """W_ih (H, I or H), W_hh (H, H) and the bias (H) of a layer of an Elman network."""
        w_ih, w_hh, bias = (getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias"))
        return w_ih, w_hh, bias

    def gru(self, layer: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W_ih (3 H, I or H), W_hh (3 H, H) and their biases (3 H) of a layer of a GRU."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_ih, w_hh, b_ih, b_hh = (getattr(self, f"{name}_l{layer}") for name in names)
        return w_ih, w_hh, b_ih, b_hh

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run one layer: inputs (T, B, I or H), state (B, H) -> its outputs (T, B, H) and last state (B, H)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Layer after layer, each over the whole sequence."""
        last = []
        for number in range(self.shape.num_layers):
            inputs, state = self.layer(number, inputs, hidden[number])
            last.append(state)
        return inputs if self.head is None else self.head(inputs), torch.stack(last)


class PlainElman(Plain):
    """The same of an Elman network, for implementations that are made for its formula."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.nonlinearity = shape.nonlinearity  # raises Unavailable for other networks
