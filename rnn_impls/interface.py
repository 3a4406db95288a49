"""The contract every implementation keeps, and the one set of weights they all load.

Shapes, here and everywhere: T steps, B sequences in a batch, I inputs, H hidden units, L layers, O outputs.

The network, for layer l at step t (Elman 1990, as torch.nn.RNN states it):

    h_t = f(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        f is tanh or relu
    y_t = log_softmax(W_ho h_t + b_ho)                    on the last layer, only where O > 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


class Unavailable(Exception):
    """Raised by an implementation that cannot run a network or a device; the text says why, for a reader."""


@dataclass(frozen=True)
class NetworkShape:
    """The network an implementation has to build.

    `output_size` 0 leaves the output head away: the outputs are then the last layer's hidden states.
    """

    input_size: int
    hidden_size: int
    num_layers: int = 1
    output_size: int = 0
    nonlinearity: str = "tanh"

    def layer_input_size(self, layer: int) -> int:
        """Width of what `layer` reads: I for the first, H for the others."""
        return self.input_size if layer == 0 else self.hidden_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the network by name, torch.nn.RNN's names where it has one, and its shape."""
        hidden, outputs = self.hidden_size, self.output_size
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            shapes[f"weight_ih_l{layer}"] = (hidden, self.layer_input_size(layer))
            shapes[f"weight_hh_l{layer}"] = (hidden, hidden)
            shapes[f"bias_ih_l{layer}"] = (hidden,)
            shapes[f"bias_hh_l{layer}"] = (hidden,)
        if outputs:
            shapes["weight_ho"] = (outputs, hidden)
            shapes["bias_ho"] = (outputs,)
        return shapes


class Implementation(nn.Module):
    """One way of running the network. Subclass it, build your modules, say where the weights live, run forward.

    The first line of the subclass's docstring is what tables and `python -m bench list` show.
    """

    devices: ClassVar[tuple[str, ...]] = ()
    """Device types it runs on; empty means any."""

    rounds_weights_to: ClassVar[str] = ""
    """A dtype that the matrices W_ih and W_hh are rounded to, for one that says so; it is held against a reference of
    the rounded ones. Empty means that they are used as they are given."""

    same_in: ClassVar[Mapping[str, str]] = {}
    """Mode (`inference`, `training`) -> the name of the implementation whose very code this one runs there. The two are
    one entry there wherever the fastest is chosen. It holds for the class that says it, for none derived from it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """What has to be there beside torch, for a reader: `("a C++ compiler", "ninja")`. Of two that are equally fast the
    one that needs less comes first."""

    compile_seconds: float = 0.0
    """What was spent once before, on a kernel that is kept and that this object found made; part of its price."""

    chosen: str = ""
    """What it decided at `prepare` to run, for one that has a choice; recorded with each cell."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Run the whole sequence: inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H), hidden (L, B, H)."""
        raise NotImplementedError

    def weight_map(self) -> dict[str, Tensor]:
        """Where each weight lives: its name -> your parameter, or a view of the part of one that holds it.

        Names and shapes are those of `NetworkShape.weight_shapes`. torch.nn.RNN has two bias vectors; a cell with
        only one gives it as `bias_l0`, `bias_l1` ... and gets their sum.
        """
        raise NotImplementedError

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Hook: what is done once, before the first call and untimed, such as compiling or capturing a graph."""

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Copy the one set of weights into this implementation's parameters.

        Raises ValueError when `weight_map` leaves a weight out, invents one, or gives one another shape.
        """
        wanted = dict(weights)
        for name, destination in self.weight_map().items():
            value = _take(wanted, name)
            if tuple(destination.shape) != tuple(value.shape):
                raise ValueError(
                    f"weight_map gives {name} the shape {tuple(destination.shape)}, it must be {tuple(value.shape)}"
                )
            destination.copy_(value)
        if wanted:
            raise ValueError(f"weight_map leaves out {', '.join(wanted)}")

    @torch.no_grad()
    def gradients(self) -> dict[str, Tensor]:
        """The gradient of each weight, by the same names as `weight_map`; to be read after a backward pass.

        Raises ValueError for a weight that got no gradient, or that is no part of a parameter, such as a buffer.
        """
        parameters = {parameter.data_ptr(): parameter for parameter in self.parameters()}
        found = {}
        for name, view in self.weight_map().items():
            base = view if view._base is None else view._base
            parameter = parameters.get(base.data_ptr())
            if parameter is None:
                raise ValueError(f"weight_map gives for {name} neither a parameter of this module nor a view of one")
            if parameter.grad is None:
                raise ValueError(f"{name} got no gradient")
            # The map's view, laid over the gradient instead of the parameter: both are dense and alike in layout.
            gradient = torch.empty_like(parameter).copy_(parameter.grad)
            found[name] = gradient.as_strided(view.shape, view.stride(), view.storage_offset() - base.storage_offset())
        return found


def _take(weights: dict[str, Tensor], name: str) -> Tensor:
    """Remove and return the weight `name`; `bias_l0` stands for the sum of the two biases of layer 0."""
    if name in weights:
        return weights.pop(name)
    if name.startswith("bias_l") and f"bias_ih_{name[5:]}" in weights:
        return weights.pop(f"bias_ih_{name[5:]}") + weights.pop(f"bias_hh_{name[5:]}")
    raise ValueError(f"weight_map names {name!r}, which this network does not have (or has twice)")


class Head(nn.Sequential):
    """The output head, log-probabilities from hidden states: (..., H) -> (..., O)."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(nn.Linear(shape.hidden_size, shape.output_size), nn.LogSoftmax(dim=-1))

    def weight_map(self) -> dict[str, Tensor]:
        """Its two weights by name, for the `weight_map` of the implementation that holds it."""
        parameters = dict(self.named_parameters())
        return {"weight_ho": parameters["0.weight"], "bias_ho": parameters["0.bias"]}
