"""The contract every implementation keeps, and the one set of weights they all load.

Shapes, here and everywhere: T steps, B sequences in a batch, I inputs, H hidden units, L layers, O outputs.

Which network that is, its formula and its weights, says `rnn_impls.networks`. On the last layer's outputs, and only
where O > 0, comes a head, y_t = log_softmax(W_ho h_t + b_ho).

A network that is bidirectional runs each layer a second time from the last step to the first, with weights of their own
(`weight_ih_l0_reverse`). A step's output is then both of its results side by side, (T, B, 2 H), and the layer above
reads that; states are (2 L, B, H), the two of a layer one after the other, as torch.nn.RNN has it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnn_impls.shape import NetworkShape, Unavailable
from rnn_impls.states import State, tensors

__all__ = ["Head", "Implementation", "NetworkShape", "Place", "State", "Unavailable"]

Place = Tensor | tuple[Tensor, ...]
"""Where a weight lives: a parameter, a view of a part of one, or the parts that its rows lie in, in order."""


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

    bidirectional: ClassVar[bool] = False
    """Whether it runs networks in both directions, too. It is unavailable to them otherwise."""

    takes_lengths: ClassVar[bool] = False
    """Whether `forward` takes the steps of each sequence of a ragged batch as a third argument, `lengths`: (B,), on the
    CPU, longest first. It then gives zeros beyond their ends, its states are not looked at, and it is unavailable where
    all sequences are of one length. Any other runs over the padding, and has zeros put there."""

    starts_at_zero: ClassVar[bool] = False
    """Whether it takes no notice of the state it is given; it is held against a reference that begins with zeros."""

    same_in: ClassVar[Mapping[str, str]] = {}
    """Mode (`inference`, `training`) -> the name of the implementation whose very code this one runs there. The two are
    one entry there wherever the fastest is chosen. It holds for the class that says it, for none derived from it."""

    needs: ClassVar[tuple[str, ...]] = ()
    """What has to be there beside torch, for a reader: `("a C++ compiler", "ninja")`. Of two that are equally fast the
    one that needs less comes first."""

    own_allocator: ClassVar[bool] = False
    """Whether it takes memory past torch's allocator. The peak of a call is then taken from the whole process."""

    taken_as: ClassVar[tuple[str, ...]] = ()
    """How the adapter calls a module of somebody's, where that is in another way than usual; `check` says it."""

    compile_seconds: float = 0.0
    """What was spent once before, on a kernel that is kept and that this object found made; part of its price."""

    adapted_seconds: float | None = None
    """What of constructing it is its price, where the rest is not: building an adapter around somebody's module, or
    importing a runtime. None: all of it."""

    chosen: str = ""
    """What it decided at `prepare` to run, for one that has a choice; recorded with each cell."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        if shape.bidirectional and not self.bidirectional:
            raise Unavailable("made for one direction")
        self.shape = shape

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Run the whole sequence: inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H), hidden (L, B, H). The
        hidden state of an LSTM is a tuple of two such, (h, c): a `State`. One that runs networks of a single state
        alone says Tensor here."""
        raise NotImplementedError

    def weight_map(self) -> Mapping[str, Place]:
        """Where each weight lives: its name -> your parameter, or a view of the part of one that holds it.

        Names and shapes are those of `NetworkShape.weight_shapes`. torch.nn.RNN has two bias vectors; a cell with
        only one gives it as `bias_l0`, `bias_l1` ... and gets their sum (`Network.sums`). A weight whose rows lie in
        several parameters, such as an LSTM's with a matrix for each gate, is a tuple of them; a part that two weights
        name, such as the one bias of a gate, gets their sum.
        """
        raise NotImplementedError

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Hook: what is done once, before the first call and untimed, such as compiling or capturing a graph."""

    @torch.no_grad()
    def load(self, weights: dict[str, Tensor]) -> None:
        """Copy the one set of weights into this implementation's parameters.

        Raises ValueError when `weight_map` leaves a weight out, invents one, or gives one another shape.
        """
        wanted = dict(weights)
        places = {name: tensors(place) for name, place in self.weight_map().items()}
        for part in itertools.chain.from_iterable(places.values()):
            part.zero_()
        for name, parts in places.items():
            value = self._take(wanted, name)
            given, counts = [tuple(part.shape) for part in parts], [*map(_rows, parts)]
            if sum(counts) != len(value) or any(shape[1:] != value.shape[1:] for shape in given):
                shown = f"shape {given[0]}" if len(given) == 1 else f"shapes {', '.join(map(str, given))}"
                raise ValueError(f"weight_map gives {name} the {shown}, it must be {tuple(value.shape)}")
            for part, rows in zip(parts, value.split(counts), strict=True):
                part.add_(rows)
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
        return {
            name: torch.cat([self._gradient(name, part, parameters) for part in tensors(place)])
            for name, place in self.weight_map().items()
        }

    @staticmethod
    def _gradient(name: str, view: Tensor, parameters: Mapping[int, Tensor]) -> Tensor:
        """That of a part of a parameter; `parameters` by where their data lie."""
        base = view if view._base is None else view._base
        parameter = parameters.get(base.data_ptr())
        if parameter is None:
            raise ValueError(f"weight_map gives for {name} neither a parameter of this module nor a view of one")
        if parameter.grad is None:
            raise ValueError(f"{name} got no gradient")
        # The map's view, laid over the gradient instead of the parameter: both are dense and alike in layout.
        gradient = torch.empty_like(parameter).copy_(parameter.grad)
        return gradient.as_strided(view.shape, view.stride(), view.storage_offset() - base.storage_offset())


def _rows(part: Tensor) -> int:
    return part.shape[0] if part.dim() else 0


class Head(nn.Sequential):
    """The output head, log-probabilities from hidden states: (..., H) -> (..., O)."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(nn.Linear(shape.features, shape.output_size), nn.LogSoftmax(dim=-1))

    def weight_map(self) -> dict[str, Tensor]:
        """Its two weights by name, for the `weight_map` of the implementation that holds it."""
        parameters = dict(self.named_parameters())
        return {"weight_ho": parameters["0.weight"], "bias_ho": parameters["0.bias"]}
