"""The network that an implementation has to build: its sizes, and what its weights are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

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
    bidirectional: bool

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        output_size: int = 0,
        network: type[Network] | str = networks.DEFAULT,
        nonlinearity: str = "",
        bidirectional: bool = False,
    ) -> None:
        named = nonlinearity or network
        fields = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        fields |= {"output_size": output_size, "bidirectional": bidirectional}
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
        sizes, how = (self.input_size, self.hidden_size, self.num_layers), {"bidirectional": self.bidirectional}
        return self._of_torch(self.network({}).library(*sizes, **how))

    def cells(self) -> list[nn.Module]:
        """The module of torch's that computes one step, for each layer. Raises Unavailable where torch has none."""
        widths = self.layer_inputs().values()
        return [self._of_torch(self.network({}).cell(width, self.hidden_size)) for width in widths]

    @staticmethod
    def _of_torch(module: Module | None) -> Module:
        if module is None:
            *first, last = networks.BUILTIN
            raise Unavailable(f"made for {', '.join(first)} and {last}, which torch has modules for")
        return module

    @property
    def directions(self) -> int:
        """How often each layer runs: twice where the network is bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def features(self) -> int:
        """Width of the last layer's outputs: H, or 2 H."""
        return self.directions * self.hidden_size

    def layer_input_size(self, layer: int) -> int:
        """Width of what `layer` reads: I for the first, H or 2 H for the others."""
        return self.input_size if layer == 0 else self.features

    def layer_inputs(self) -> dict[str, int]:
        """Each direction of each layer, in the order of the states, by what the names of its weights end with, and the
        width of what it reads: `{"l0": I, "l0_reverse": I, "l1": 2 H, ...}`."""
        ways = ("", "_reverse")[: self.directions]
        return {f"l{k}{way}": self.layer_input_size(k) for k in range(self.num_layers) for way in ways}

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every weight of the network and its shape, by the network's name for it and the number of the layer, as
        torch.nn.RNN has it: `weight_ih_l0`; then those of the head."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, width in self.layer_inputs().items():
            own = self.network.shapes(width, self.hidden_size)
            shapes |= {f"{name}_{layer}": shape for name, shape in own.items()}
        if self.output_size:
            shapes["weight_ho"] = (self.output_size, self.features)
            shapes["bias_ho"] = (self.output_size,)
        return shapes

    def layers(self, weights: Mapping[str, Tensor]) -> list[Network]:
        """The layers, in each direction, bound to weights that have the names above."""
        names = list(self.network.shapes(self.input_size, self.hidden_size))
        return [self.network.bound({name: weights[f"{name}_{k}"] for name in names}) for k in self.layer_inputs()]

    def products(self) -> list[Products]:
        """Multiply-adds of a step of each layer and direction for one sequence, as the network states them, or else
        counted."""
        widths = list(self.layer_inputs().values())
        stated = {width: self.network({}).products(width, self.hidden_size) for width in set(widths)}
        found = {width: own or counted_products(self.network, width, self.hidden_size) for width, own in stated.items()}
        return [found[width] for width in widths]

    def summed(self, name: str) -> tuple[str, str] | None:
        """The two biases that one of this name stands for, such as `bias_l0`; None for any other."""
        bias, _, layer = name.rpartition("_l")  # `0`, or `0_reverse`
        pair = self.network.sums.get(bias)
        return (f"{pair[0]}_l{layer}", f"{pair[1]}_l{layer}") if pair else None
