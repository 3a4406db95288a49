"""With the API, at once: one `nn.RNN`, `nn.GRU` or `nn.LSTM` call for the whole sequence.

Knowing all inputs beforehand, it multiplies them with W_ih for all steps in one large product, and only W_hh h stays
in the loop over steps, which runs in C++. On CUDA the call goes to cuDNN; on the CPU an `nn.LSTM` goes to oneDNN. What
it cannot do is let you look at, or change, a step from Python.

Which of cuDNN's algorithms runs is torch's choice, made for the forward and the backward pass apart (`get_algo` in
pytorch/pytorch, aten/src/ATen/native/cudnn/RNN.cpp, commit 00fc08aa). The first of these that fits:

    PERSIST_STATIC_SMALL_H   weights on the chip over all steps. All dtypes but float64. An Elman network up to hidden
                             384 forward and 256 backward, a GRU or an LSTM up to 192 and 128
    PERSIST_STATIC           the same for more. float16 alone, one layer, one direction; input and hidden size multiples
                             of 128, hidden up to 1024; batch a multiple of 8, up to 128 (an Elman network of hidden 896
                             or more: below 96); no GRU; a GPU of capability 8 or more with at least 98 multiprocessors
                             that is no 8.6
    STANDARD                 a product a step, which reads the weights again. All else: float32 and bfloat16 from
                             hidden 512 on whatever the network, float64, and packed batches

So an Elman network of hidden 320 in training runs forward by one and backward by the other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.states import State


def flatten(rnn: nn.RNNBase) -> None:
    """Lay the weights of a module out in one block, as cuDNN wants them, once instead of at every call; nothing happens
    elsewhere.

    `flatten_parameters` leaves bfloat16 as it is: Python's list of the dtypes that cuDNN takes lacks it
    (torch/backends/cudnn), while ATen hands it to cuDNN all the same, which then copies all weights at every call.
    """
    rnn.flatten_parameters()
    weights, cudnn = [weight for weight in rnn._flat_weights if weight is not None], torch.backends.cudnn
    left_out = weights[0].dtype == torch.bfloat16 and torch.bfloat16 not in cudnn.CUDNN_TENSOR_DTYPES
    if not (left_out and weights[0].is_cuda and cudnn.enabled and cudnn.is_available()):
        return
    with torch.cuda.device_of(weights[0]), torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            weights,
            4 if rnn.bias else 2,
            rnn.input_size,
            cudnn.rnn.get_cudnn_mode(rnn.mode),
            rnn.hidden_size,
            rnn.proj_size,
            rnn.num_layers,
            rnn.batch_first,
            bool(rnn.bidirectional),
        )


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
        """Lay the weights out in one block once, instead of at every call."""
        flatten(self.rnn)

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
