"""By hand: the tutorial's cell, stepped in Python.

Each step joins the input and the previous hidden state into one vector, multiplies it once, and squashes it. It is
the network as a textbook draws it, and nothing stops you from changing any line. The price is paid per step: about
four operators (concatenate, product, tanh, bookkeeping), each of which Python has to call and torch to dispatch, and
a concatenation that copies. At small hidden sizes that overhead is nearly all of the time; at large ones it fades.

`python -m rnn_impls.manual` runs the tutorial's demonstration of one step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape

NONLINEARITIES = {"tanh": nn.Tanh, "relu": nn.ReLU}


class RNN(nn.Module):
    """One step of the network: the tutorial's model.

    `output_size` 0 leaves the head away; the output is then the hidden state itself.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, nonlinearity: str = "tanh") -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.input_to_hidden = nn.Linear(input_size + hidden_size, hidden_size)
        self.nonlinearity = NONLINEARITIES[nonlinearity]()
        self.input_to_output = nn.Linear(hidden_size, output_size) if output_size else None
        self.softmax = nn.LogSoftmax(dim=-1)

    def forward(self, current_input: Tensor, prev_hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """current_input (B, I), prev_hidden_state (B, H) -> log-probabilities (B, O), hidden state (B, H)."""
        combined = torch.cat((current_input, prev_hidden_state), dim=1)  # (B, I + H)
        hidden = self.nonlinearity(self.input_to_hidden(combined))  # (B, H)
        if self.input_to_output is None:
            return hidden, hidden
        return self.softmax(self.input_to_output(hidden)), hidden

    def init_hidden(self, batch_size: int = 1) -> Tensor:
        """A hidden state of zeros, (B, H)."""
        return torch.zeros(batch_size, self.hidden_size)


class Cell(nn.Module):
    """The same of any other network, whose step is written out in `rnn_impls.networks` or in a file of one's own."""

    def __init__(self, shape: NetworkShape, layer: int, output_size: int) -> None:
        super().__init__()
        held = shape.network.held(shape.layer_input_size(layer), shape.hidden_size)
        for name, size in held.items():
            self.register_parameter(name, nn.Parameter(torch.empty(size)))
        self.network = shape.network(dict(self.named_parameters()))
        self.head = Head(shape) if output_size else None

    def forward(self, current_input: Tensor, prev_state: Tensor) -> tuple[Tensor, Tensor]:
        """current_input (B, I), prev_state (B, H) -> log-probabilities (B, O) or output (B, H), state (B, H)."""
        output, state = self.network.step(current_input, prev_state)
        return (output if self.head is None else self.head(output)), state

    def weight_map(self, layer: int) -> dict[str, Tensor]:
        """Its parameters, called as the network calls them."""
        own = {f"{name}_l{layer}": p for name, p in self.named_parameters(recurse=False)}
        return own | (self.head.weight_map() if self.head is not None else {})


class Manual(Implementation):
    """the cell written by hand, stepped in Python"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.layers = nn.ModuleList()
        for layer in range(shape.num_layers):
            outputs = shape.output_size if layer == shape.num_layers - 1 else 0
            if kind := shape.network.nonlinearity:
                self.layers.append(RNN(shape.layer_input_size(layer), shape.hidden_size, outputs, kind))
            else:
                self.layers.append(Cell(shape, layer, outputs))

    def weight_map(self) -> dict[str, Tensor]:
        """W_ih and W_hh lie side by side in one matrix (H, I + H), since the cell multiplies them in one product."""
        own = dict(self.named_parameters())
        found: dict[str, Tensor] = {}
        for layer, cell in enumerate(self.layers):
            if isinstance(cell, Cell):
                found |= cell.weight_map(layer)
                continue
            matrix = own[f"layers.{layer}.input_to_hidden.weight"]
            width = self.shape.layer_input_size(layer)
            found[f"weight_ih_l{layer}"], found[f"weight_hh_l{layer}"] = matrix[:, :width], matrix[:, width:]
            found[f"bias_l{layer}"] = own[f"layers.{layer}.input_to_hidden.bias"]
            if cell.input_to_output is not None:
                found["weight_ho"] = own[f"layers.{layer}.input_to_output.weight"]
                found["bias_ho"] = own[f"layers.{layer}.input_to_output.bias"]
        return found

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One Python loop over the steps, and inside it one over the layers."""
        states = list(hidden.unbind(0))  # L times (B, H)
        outputs = []
        for current_input in inputs.unbind(0):  # T times (B, I)
            below = current_input
            for layer, cell in enumerate(self.layers):
                output, states[layer] = cell(below, states[layer])
                below = output
            outputs.append(output)
        return torch.stack(outputs), torch.stack(states)  # (T, B, O or H), (L, B, H)


def demo() -> None:
    """The tutorial's first contact: one random step of a 768 -> 128 -> 2 network."""
    model = RNN(input_size=768, hidden_size=128, output_size=2)
    outputs, hidden_state = model(torch.randn(1, 768), model.init_hidden())
    print("outputs size:", outputs.size())
    print("hidden state size:", hidden_state.size())


if __name__ == "__main__":
    demo()
