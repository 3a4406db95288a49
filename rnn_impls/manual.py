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

from rnn_impls.interface import Head, Implementation, NetworkShape, Place
from rnn_impls.states import State, apart, together

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

    def weights(self) -> dict[str, Place]:
        """Where the weights of the layer live: W_ih and W_hh side by side in one matrix (H, I + H), since the cell
        multiplies them in one product."""
        matrix, width = self.input_to_hidden.weight, self.input_to_hidden.in_features - self.hidden_size
        return {"weight_ih": matrix[:, :width], "weight_hh": matrix[:, width:], "bias": self.input_to_hidden.bias}


class GRU(nn.Module):
    """The same of a gated recurrent unit; `rnn_impls/networks/gru.py` has its formula.

    Its candidate can't be one product: the reset gate multiplies what comes of the hidden state alone.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.reset_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.update_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.input_to_candidate = nn.Linear(input_size, hidden_size)
        self.hidden_to_candidate = nn.Linear(hidden_size, hidden_size)
        self.input_to_output = nn.Linear(hidden_size, output_size) if output_size else None
        self.softmax = nn.LogSoftmax(dim=-1)

    def forward(self, current_input: Tensor, prev_hidden_state: Tensor) -> tuple[Tensor, Tensor]:
        """current_input (B, I), prev_hidden_state (B, H) -> log-probabilities (B, O), hidden state (B, H)."""
        combined = torch.cat((current_input, prev_hidden_state), dim=1)  # (B, I + H)
        reset = torch.sigmoid(self.reset_gate(combined))  # (B, H), as all that follows
        update = torch.sigmoid(self.update_gate(combined))
        from_input, from_hidden = self.input_to_candidate(current_input), self.hidden_to_candidate(prev_hidden_state)
        candidate = torch.tanh(from_input + reset * from_hidden)
        hidden = (1 - update) * candidate + update * prev_hidden_state
        if self.input_to_output is None:
            return hidden, hidden
        return self.softmax(self.input_to_output(hidden)), hidden

    def weights(self) -> dict[str, Place]:
        """Where the weights of the layer live."""
        r, z = self.reset_gate, self.update_gate
        from_input, from_hidden = self.input_to_candidate, self.hidden_to_candidate
        width = from_input.in_features
        return {
            "weight_ih": (r.weight[:, :width], z.weight[:, :width], from_input.weight),
            "weight_hh": (r.weight[:, width:], z.weight[:, width:], from_hidden.weight),
            "bias_ih": (r.bias, z.bias, from_input.bias),
            "bias_hh": (r.bias, z.bias, from_hidden.bias),
        }


class LSTM(nn.Module):
    """The same of a long short-term memory, which hands on a cell state, too; `rnn_impls/networks/lstm.py` has its
    formula."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.input_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.forget_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.input_to_cell = nn.Linear(input_size + hidden_size, hidden_size)
        self.output_gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.input_to_output = nn.Linear(hidden_size, output_size) if output_size else None
        self.softmax = nn.LogSoftmax(dim=-1)

    def forward(self, current_input: Tensor, prev_state: tuple[Tensor, Tensor]) -> tuple[Tensor, State]:
        """current_input (B, I), prev_state (B, H) twice: hidden and cell -> log-probabilities (B, O), and the two."""
        prev_hidden_state, prev_cell_state = prev_state
        combined = torch.cat((current_input, prev_hidden_state), dim=1)  # (B, I + H)
        write = torch.sigmoid(self.input_gate(combined))  # (B, H), as all that follows
        keep = torch.sigmoid(self.forget_gate(combined))
        candidate = torch.tanh(self.input_to_cell(combined))
        show = torch.sigmoid(self.output_gate(combined))
        cell = keep * prev_cell_state + write * candidate
        hidden = show * torch.tanh(cell)
        if self.input_to_output is None:
            return hidden, (hidden, cell)
        return self.softmax(self.input_to_output(hidden)), (hidden, cell)

    def weights(self) -> dict[str, Place]:
        """Where the weights of the layer live."""
        gates, width = (self.input_gate, self.forget_gate, self.input_to_cell, self.output_gate), self.input_size
        return {
            "weight_ih": tuple(gate.weight[:, :width] for gate in gates),
            "weight_hh": tuple(gate.weight[:, width:] for gate in gates),
            "bias": tuple(gate.bias for gate in gates),
        }


class Cell(nn.Module):
    """The same of a network of one's own, whose step is written out in its file."""

    def __init__(self, shape: NetworkShape, width: int, output_size: int) -> None:
        super().__init__()
        for name, size in shape.network.held(width, shape.hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(size)))
        self.network = shape.network(dict(self.named_parameters()))
        self.input_to_output = nn.Linear(shape.hidden_size, output_size) if output_size else None
        self.softmax = nn.LogSoftmax(dim=-1)

    def forward(self, current_input: Tensor, prev_state: State) -> tuple[Tensor, State]:
        """current_input (B, I), prev_state (B, H) -> log-probabilities (B, O) or output (B, H), state (B, H)."""
        output, state = self.network.step(current_input, prev_state)
        return output if self.input_to_output is None else self.softmax(self.input_to_output(output)), state

    def weights(self) -> dict[str, Place]:
        """Its parameters, called as the network calls them."""
        return dict(self.named_parameters(recurse=False))


def cell_of(shape: NetworkShape, width: int, output_size: int) -> RNN | GRU | LSTM | Cell:
    """The cell of a network that reads so many inputs."""
    if kind := shape.network.nonlinearity:
        return RNN(width, shape.hidden_size, output_size, kind)
    if shape.network.name in BY_HAND:
        return BY_HAND[shape.network.name](width, shape.hidden_size, output_size)
    return Cell(shape, width, output_size)


BY_HAND: dict[str, type[GRU | LSTM]] = {"gru": GRU, "lstm": LSTM}


class Manual(Implementation):
    """the cell written by hand, stepped in Python"""

    bidirectional = True

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self._cells: list[RNN | GRU | LSTM | Cell] = []
        self.head = Head(shape) if shape.bidirectional and shape.output_size else None
        for number, width in enumerate(shape.layer_inputs().values()):
            last = not shape.bidirectional and number == shape.num_layers - 1
            self._cells.append(cell_of(shape, width, shape.output_size if last else 0))
        self.layers = nn.ModuleList(self._cells)  # of a bidirectional network both directions of one, then of the next

    def weight_map(self) -> dict[str, Place]:
        """What the cells say of themselves, and the head of the last."""
        found: dict[str, Place] = {}
        for end, cell in zip(self.shape.layer_inputs(), self._cells, strict=True):
            found |= {f"{name}_{end}": place for name, place in cell.weights().items()}
            if cell.input_to_output is not None:
                found |= {"weight_ho": cell.input_to_output.weight, "bias_ho": cell.input_to_output.bias}
        if self.head is not None:
            found |= self.head.weight_map()
        return found

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One Python loop over the steps, and inside it one over the layers."""
        if self.shape.bidirectional:
            return self._both_ways(inputs, hidden)
        states = apart(hidden)  # L times (B, H)
        outputs = []
        for current_input in inputs.unbind(0):  # T times (B, I)
            below = current_input
            for layer, cell in enumerate(self.layers):
                output, states[layer] = cell(below, states[layer])
                below = output
            outputs.append(output)
        return torch.stack(outputs), together(states)  # (T, B, O or H), (L, B, H)

    def _both_ways(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Layer after layer, since a step of the second needs all of the first; each forward, then backward."""
        states = apart(hidden)  # 2 L times (B, H)
        for layer in range(self.shape.num_layers):
            outputs: list[list[Tensor]] = [[], []]
            for backward in (0, 1):
                number = 2 * layer + backward
                for current_input in inputs.flip(0).unbind(0) if backward else inputs.unbind(0):
                    output, states[number] = self.layers[number](current_input, states[number])
                    outputs[backward].append(output)
            inputs = torch.cat((torch.stack(outputs[0]), torch.stack(outputs[1][::-1])), dim=-1)  # (T, B, 2 H)
        return inputs if self.head is None else self.head(inputs), together(states)


def demo() -> None:
    """The tutorial's first contact: one random step of a 768 -> 128 -> 2 network."""
    model = RNN(input_size=768, hidden_size=128, output_size=2)
    outputs, hidden_state = model(torch.randn(1, 768), model.init_hidden())
    print("outputs size:", outputs.size())
    print("hidden state size:", hidden_state.size())


if __name__ == "__main__":
    demo()
