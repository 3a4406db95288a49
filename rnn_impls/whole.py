"""With the API, at once: one `nn.RNN`, `nn.GRU` or `nn.LSTM` call for the whole sequence.

Knowing all inputs beforehand, it multiplies them with W_ih for all steps in one large product, and only W_hh h stays
in the loop over steps, which runs in C++. On CUDA the call goes to cuDNN, which picks among kernels that keep weights
on the chip between steps; on the CPU an `nn.LSTM` goes to oneDNN. What it cannot do is let you look at, or change, a
step from Python.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.states import State


class Whole(Implementation):
    """one `nn.RNN` call for the whole sequence"""

    bidirectional = True

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.rnn = shape.library()  # nn.RNN(input_size, hidden_size, num_layers, nonlinearity="tanh"), or nn.LSTM
        self.head = Head(shape) if shape.output_size else None

    def weight_map(self) -> dict[str, Tensor]:
        """The module's own parameters under their own names."""
        found: dict[str, Tensor] = dict(self.rnn.named_parameters())
        return found if self.head is None else found | self.head.weight_map()

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Lay the weights out in one block once, as cuDNN wants them, instead of at every call."""
        self.rnn.flatten_parameters()

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """No loop in sight: the head, too, runs once over all steps."""
        outputs, hidden = self.rnn(inputs, hidden)  # (T, B, H), (L, B, H), of an LSTM (h, c)
        return (outputs if self.head is None else self.head(outputs)), hidden


class Without(Whole):
    """One call with a library of torch's switched off."""

    library: ClassVar[Any]
    """Of `torch.backends`. Its `flags` would set further switches at every call."""

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Backward follows the graph that forward recorded, so the switch is needed only here."""
        was_enabled = self.library.enabled
        self.library.enabled = False
        try:
            return super().forward(inputs, hidden)
        finally:
            self.library.enabled = was_enabled


class WholeNoCudnn(Without):
    """one `nn.RNN` call with cuDNN switched off: ATen's own CUDA kernels"""

    devices: ClassVar[tuple[str, ...]] = ("cuda",)
    library: ClassVar[Any] = torch.backends.cudnn


class WholeNoOnednn(Without):
    """one `nn.LSTM` call with oneDNN switched off: ATen's own loop"""

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    networks: ClassVar[tuple[str, ...]] = ("lstm",)  # all others go without it anyway
    library: ClassVar[Any] = torch.backends.mkldnn
