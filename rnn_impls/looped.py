"""With the API, step by step: `nn.RNN` called once for every step of the sequence.

This is what people write when the next input depends on the last output, or when they port a cell to the API and
keep their loop. Every call pays for what `nn.RNN` does to run a whole sequence (checking its arguments, collecting
its weights, choosing a kernel, assembling outputs) to run a single step of one.

`python -m rnn_impls.looped` runs the tutorial's demonstration of one step with the API.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.states import State
from rnn_impls.whole import flatten


class RNN(nn.Module):
    """One step of the network around `nn.RNN`, or around another `rnn` of torch's: the tutorial's second model.

    `output_size` 0 leaves the head away; the output is then the last layer's hidden state.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, num_layers: int = 1, rnn: nn.RNNBase | None = None
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.rnn = rnn or nn.RNN(input_size, hidden_size, num_layers)
        self.input_to_output = nn.Linear(hidden_size, output_size) if output_size else None
        self.softmax = nn.LogSoftmax(dim=-1)

    def forward(self, current_input: Tensor, prev_hidden_state: State) -> tuple[Tensor, State]:
        """current_input (B, I), prev_hidden_state (L, B, H) -> log-probabilities (1, B, O), hidden (L, B, H); an
        `nn.LSTM` has (h, c) for the hidden state."""
        sequence = current_input.unsqueeze(0)  # (1, B, I): a sequence of one step
        output, hidden = self.rnn(sequence, prev_hidden_state)
        if self.input_to_output is None:
            return output, hidden
        return self.softmax(self.input_to_output(output)), hidden

    def init_hidden(self, batch_size: int = 1) -> Tensor:
        """A hidden state of zeros, (L, B, H)."""
        return torch.zeros(self.num_layers, batch_size, self.hidden_size)


class Looped(Implementation):
    """`nn.RNN`, called once for every step"""

    def __init__(self, shape: NetworkShape) -> None:
        if shape.bidirectional:
            raise Unavailable("steps one by one can't run backward: that begins at the end of the sequence")
        super().__init__(shape)
        sizes = (shape.input_size, shape.hidden_size, shape.output_size, shape.num_layers)
        self.model = RNN(*sizes, rnn=shape.library())

    def weight_map(self) -> dict[str, Tensor]:
        """The module's own parameters under their own names."""
        found: dict[str, Tensor] = dict(self.model.rnn.named_parameters())
        if self.model.input_to_output is not None:
            head = self.model.input_to_output
            found |= {"weight_ho": head.weight, "bias_ho": head.bias}
        return found

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Lay the weights out in one block once, as cuDNN wants them, instead of at every call."""
        flatten(self.model.rnn)

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One Python loop over the steps; `nn.RNN` runs the layers."""
        outputs = []
        for current in inputs.unbind(0):  # T times (B, I)
            output, hidden = self.model(current, hidden)
            outputs.append(output)
        return torch.cat(outputs), hidden  # (T, B, O or H), (L, B, H)


def demo() -> None:
    """The tutorial's first contact with the API: one random step of a 768 -> 128 -> 2 network."""
    model = RNN(input_size=768, hidden_size=128, output_size=2)
    outputs, hidden_state = model(torch.randn(1, 768), model.init_hidden())
    print("outputs size:", outputs.size())
    print("hidden state size:", hidden_state.size())


if __name__ == "__main__":
    demo()
