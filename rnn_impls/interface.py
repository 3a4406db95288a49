"""The contract every implementation keeps, and the one set of weights they all load.

Shapes, here and everywhere: T steps, B sequences in a batch, I inputs, H hidden units, L layers, O outputs.

Which network that is, its formula and its weights, says `rnn_impls.networks`. On the last layer's outputs, and only
where O > 0, comes a head, y_t = log_softmax(W_ho h_t + b_ho).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from rnn_impls import networks
from rnn_impls.networks import Network, Products
from rnn_impls.networks.network import counted_products

Module = TypeVar("Module", bound=nn.Module)


class Unavailable(Exception):
    """Raised by an implementation that cannot run a network or a device; the text says why, for a reader."""


@dataclass(frozen=True, init=False)
class NetworkShape:
    """The network an implementation has to build.

    `output_size` 0 leaves the output head away: the outputs are then the last layer's. `network` is a class of
    `rnn_impls.networks`; it can be given by its name, and by `nonlinearity="relu"`, what torch.nn.RNN calls it. Raises
    ValueError for a network that there is not.
    """

    input_size: int
    hidden_size: int
    num_layers: int
    output_size: int
    network: type[Network]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        output_size: int = 0,
        network: type[Network] | str = networks.DEFAULT,
        nonlinearity: str = "",
    ) -> None:
        named = nonlinearity or network
        fields = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        fields |= {"output_size": output_size}
        self.__dict__.update(fields, network=networks.load(named) if isinstance(named, str) else named)

    @property
    def nonlinearity(self) -> str:
        """What torch.nn.RNN calls the network. Raises Unavailable for those that it does not compute: who asks is made
        for its formula, and has a row that says so."""
        if not self.network.nonlinearity:
            raise Unavailable("made for rnn-tanh and rnn-relu")
        return self.network.nonlinearity

    def library(self) -> nn.RNNBase:
        """The module of torch's that computes the network, all its layers. Raises Unavailable where torch has none."""
        return self._of_torch(self.network({}).library(self.input_size, self.hidden_size, self.num_layers))

    def cells(self) -> list[nn.Module]:
        """The module of torch's that computes one step, for each layer. Raises Unavailable where torch has none."""
        widths = [self.layer_input_size(layer) for layer in range(self.num_layers)]
        return [self._of_torch(self.network({}).cell(width, self.hidden_size)) for width in widths]

    @staticmethod
    def _of_torch(module: Module | None) -> Module:
        if module is None:
            *first, last = networks.BUILTIN
            raise Unavailable(f"made for {', '.join(first)} and {last}, which torch has modules for")
        return module

    def layer_input_size(self, layer: int) -> int:
        """Width of what `layer` reads: I for the first, H for the others."""
        return self.input_size if layer == 0 else self.hidden_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the network and its shape, by the network's name for it and the number of the layer, as
        torch.nn.RNN has it: `weight_ih_l0`; then those of the head."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.num_layers):
            own = self.network.shapes(self.layer_input_size(layer), self.hidden_size)
            shapes |= {f"{name}_l{layer}": shape for name, shape in own.items()}
        if self.output_size:
            shapes["weight_ho"] = (self.output_size, self.hidden_size)
            shapes["bias_ho"] = (self.output_size,)
        return shapes

    def layers(self, weights: Mapping[str, Tensor]) -> list[Network]:
        """The layers, bound to weights that have the names above."""
        names = list(self.network.shapes(self.input_size, self.hidden_size))
        return [self.network.bound({name: weights[f"{name}_l{k}"] for name in names}) for k in range(self.num_layers)]

    def products(self) -> list[Products]:
        """Multiply-adds of a step of each layer for one sequence, as the network states them, or else counted."""
        widths = [self.layer_input_size(layer) for layer in range(self.num_layers)]
        stated = {width: self.network({}).products(width, self.hidden_size) for width in set(widths)}
        found = {width: own or counted_products(self.network, width, self.hidden_size) for width, own in stated.items()}
        return [found[width] for width in widths]

    def summed(self, name: str) -> tuple[str, str] | None:
        """The two biases that one of this name stands for, such as `bias_l0`; None for any other."""
        bias, _, layer = name.rpartition("_l")
        pair = self.network.sums.get(bias)
        return (f"{pair[0]}_l{layer}", f"{pair[1]}_l{layer}") if pair else None


class Implementation(nn.Module):
    """An implementation of the network. Subclass it, build your modules, say where the weights live, run forward.

    The first line of the subclass's docstring is what tables and `python -m bench list` show.
    """

    devices: ClassVar[tuple[str, ...]] = ()
    """Device types it runs on; empty means any."""

    networks: ClassVar[tuple[str, ...]] = ()
    """Names of the networks it computes; empty means any that it doesn't refuse itself. It is unavailable to others."""

    rounds_weights_to: ClassVar[str] = ""
    """A dtype that the matrices W_ih and W_hh are rounded to, for one that says so; it is held against a reference of
    the rounded ones. Empty means that they are used as they are given."""

    starts_at_zero: ClassVar[bool] = False
    """Whether it takes no notice of the state it is given; it is held against a reference that begins with zeros."""

    same_in: ClassVar[Mapping[str, str]] = {}
    """Mode (`inference`, `training`) -> the name of the implementation whose very code this one runs there. The two are
    one entry there wherever the fastest is chosen. It holds for the class that says it, for none derived from it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """What has to be there beside torch, for a reader: `("a C++ compiler", "ninja")`. Of two that are equally fast the
    one that needs less comes first."""

    taken_as: ClassVar[tuple[str, ...]] = ()
    """How the adapter calls a module of somebody's, where that is in another way than usual; `check` says it."""

    compile_seconds: float = 0.0
    """What was spent once before, on a kernel that is kept and that this object found made; part of its price."""

    adapted_seconds: float | None = None
    """What constructing somebody's module took, of the adapter that was built around it; the rest is not its price."""

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
        only one gives it as `bias_l0`, `bias_l1` ... and gets their sum (`Network.sums`).
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
            value = self._take(wanted, name)
            if tuple(destination.shape) != tuple(value.shape):
                raise ValueError(
                    f"weight_map gives {name} the shape {tuple(destination.shape)}, it must be {tuple(value.shape)}"
                )
            destination.copy_(value)
        if wanted:
            raise ValueError(f"weight_map leaves out {', '.join(wanted)}")

    def _take(self, weights: dict[str, Tensor], name: str) -> Tensor:
        """Remove and return the weight `name`, or the sum of the two that it stands for."""
        pair = self.shape.summed(name)
        if name in weights:
            return weights.pop(name)
        if pair is not None and pair[0] in weights:
            return weights.pop(pair[0]) + weights.pop(pair[1])
        raise ValueError(f"weight_map names {name!r}, which this network does not have (or has twice)")

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


class Head(nn.Sequential):
    """The output head, log-probabilities from hidden states: (..., H) -> (..., O)."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(nn.Linear(shape.hidden_size, shape.output_size), nn.LogSoftmax(dim=-1))

    def weight_map(self) -> dict[str, Tensor]:
        """Its two weights by name, for the `weight_map` of the implementation that holds it."""
        parameters = dict(self.named_parameters())
        return {"weight_ho": parameters["0.weight"], "bias_ho": parameters["0.bias"]}
