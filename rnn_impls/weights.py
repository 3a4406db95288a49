"""Plain parameters under torch.nn.RNN's own names, for implementations that call no module of torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape


class Plain(Implementation):
    """An implementation whose weights are its own parameters: `weight_ih_l0`, `weight_hh_l0`, `bias_l0`, and so on.

    There is one bias a layer, the sum of torch's two. Subclasses write `layer`, which runs one layer over all steps;
    the head comes after the last one, for all steps at once.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        hidden = shape.hidden_size
        for layer in range(shape.num_layers):
            own = {
                "weight_ih": (hidden, shape.layer_input_size(layer)),
                "weight_hh": (hidden, hidden),
                "bias": (hidden,),
            }
            for name, size in own.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(size)))
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """The parameters as they are called."""
        own: dict[str, Tensor] = {name: p for name, p in self.named_parameters() if not name.startswith("head.")}
        return own | (self.head.weight_map() if self.head is not None else {})

    def weights(self, layer: int) -> tuple[Tensor, Tensor, Tensor]:
        """W_ih (H, I or H), W_hh (H, H) and the bias (H) of a layer."""
        w_ih, w_hh, bias = (getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias"))
        return w_ih, w_hh, bias

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> Tensor:
        """Run one layer: inputs (T, B, I or H), state (B, H) -> its states (T, B, H)."""
        raise NotImplementedError

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Layer after layer, each over the whole sequence."""
        last = []
        for number in range(self.shape.num_layers):
            inputs = self.layer(number, inputs, hidden[number])
            last.append(inputs[-1])
        return inputs if self.head is None else self.head(inputs), torch.stack(last)
