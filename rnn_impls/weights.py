"""Plain parameters under the network's own names, for implementations that call no module of torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.networks import Network
from rnn_impls.states import State, apart, together


class Plain(Implementation):
    """An implementation whose weights are its own parameters: `weight_ih_l0`, `weight_hh_l0`, `bias_l0`, and so on.

    There is one bias for each two whose sum counts. Subclasses write `layer`, which runs one layer over all steps; in a
    bidirectional network each direction is one, and the second gets its inputs from the last to the first. The head
    comes after the last one, for all steps at once.
    """

    bidirectional = True

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self._bound: list[Network] = []
        self._own: list[list[nn.Parameter]] = []
        for end, width in shape.layer_inputs().items():
            held = shape.network.held(width, shape.hidden_size)
            own = {name: nn.Parameter(torch.empty(size)) for name, size in held.items()}
            for name, parameter in own.items():
                self.register_parameter(f"{name}_{end}", parameter)
            self._own.append(list(own.values()))
            self._bound.append(shape.network(own))
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """The parameters as they are called."""
        own: dict[str, Tensor] = {name: p for name, p in self.named_parameters() if not name.startswith("head.")}
        return own | (self.head.weight_map() if self.head is not None else {})

    def bound(self, layer: int) -> Network:
        """A layer's formula, bound to its parameters."""
        return self._bound[layer]

    def own(self, layer: int) -> list[nn.Parameter]:
        """A layer's parameters, in the order of `Network.held`: of a GRU W_ih (3 H, I), W_hh (3 H, H) and their biases
        (3 H); of an Elman network and an LSTM, with G gates, W_ih (G H, I), W_hh (G H, H) and the one bias (G H)."""
        return self._own[layer]

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one layer in one direction: inputs (T, B, I), state (B, H) -> its outputs (T, B, H) and last state
        (B, H); an LSTM's state is (h, c)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Layer after layer, each over the whole sequence."""
        last: list[State] = []
        for number, first in enumerate(apart(hidden)):
            if not self.shape.bidirectional:
                inputs, state = self.layer(number, inputs, first)
            elif number % 2 == 0:
                ahead, state = self.layer(number, inputs, first)
            else:
                back, state = self.layer(number, inputs.flip(0), first)
                inputs = torch.cat((ahead, back.flip(0)), dim=-1)  # (T, B, 2 H)
            last.append(state)
        return inputs if self.head is None else self.head(inputs), together(last)


class PlainElman(Plain):
    """The same of an Elman network, for implementations that are made for its formula."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.nonlinearity = shape.nonlinearity  # raises Unavailable for other networks
