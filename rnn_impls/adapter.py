"""A bare `torch.nn.Module` as an implementation: it only has to say where its weights lie.

What is adapted is a class derived from `nn.Module`, or a function that builds one. It is called with what it has
parameters for, by name:

- either `shape`, a `NetworkShape`, where it has a parameter of that name;
- or `input_size` and `hidden_size`, and of `num_layers`, `bidirectional`, `nonlinearity` and `output_size` those that
  it has. One without `num_layers` has one layer, one without `bidirectional` one direction, one without `nonlinearity`
  is no relu network; others are unavailable to it. One without `output_size` computes hidden states alone, and is given
  the head that `whole` has.

Its forward takes inputs (T, B, I) and hidden (L, B, H), and returns outputs (T, B, O or H) and hidden (L, B, H); an
LSTM's hidden is (h, c), two such. What derives from `nn.RNN`, `nn.GRU` or `nn.LSTM` computes that. A line in the class
says what is otherwise:

    batch_first = True                       inputs and outputs are (B, T, ...), as torch.nn.RNN has it
    takes_hidden = False                     it is called with the inputs alone, begins with zeros, and may return the
                                             outputs alone where it has one layer
    sizes = {"hidden_size": "d_model"}       what its constructor calls a size
    networks = ("my_cell.py:Leaky",)         the networks that it computes; without it any is tried
    takes_lengths = True                     its forward takes `lengths`, too (`rnn_impls.interface`)

Its `weight_map` is a dict, or a method that returns one, from the names of the weights to where each lives: the dotted
path of a parameter, such as "cell.weight_ih", or the parameter itself or a view of a part of one; a tuple of such where
the rows of a weight lie in several, as with a matrix for each gate. Where the parameters have the network's own names,
also inside a submodule, nothing has to be declared; of one layer they may leave out its number.
"""

from __future__ import annotations

import functools
import inspect
import operator
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rnn_impls import networks
from rnn_impls.arguments import arguments
from rnn_impls.interface import Head, Implementation, NetworkShape, Place, Unavailable
from rnn_impls.states import State, ended

OTHERWISE = ("batch_first", "takes_hidden", "sizes")
"""Attributes by which a class says that it is called in another way."""


class Adapter(Implementation):
    """A module of somebody's, built for a network and called as it is; a subclass knows how to build it."""

    build: ClassVar[Callable[..., object]]

    bidirectional = True

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        given = arguments(self.build, shape)
        start = time.perf_counter()
        module = self.build(**given)
        self.adapted_seconds = time.perf_counter() - start
        if not isinstance(module, nn.Module):
            raise ValueError(f"{self.name} builds a {type(module).__name__}, which is not a torch.nn.Module")
        if projected := next((part for part in module.modules() if getattr(part, "proj_size", 0)), None):
            raise ValueError(f"{self.name} has proj_size={projected.proj_size}, and no network here projects its state")
        self.module = module
        has_own_head = "shape" in given or "output_size" in given
        self.head = Head(shape) if shape.output_size and not has_own_head else None

    @property
    def name(self) -> str:
        """What it is called in its file."""
        return getattr(self.build, "__name__", "the module")

    def forward(self, inputs: Tensor, hidden: State, **lengths: Tensor) -> tuple[Tensor, State]:
        """The module's own, with the head on top where it has none; `lengths` (B,) only where it takes them."""
        results = self.call(inputs, hidden, **lengths)
        if self.head is None or not isinstance(results, tuple) or len(results) != 2:
            return results
        outputs, hidden = results
        outputs = self.head(outputs)  # its bias is no zero
        return ended(outputs, **lengths) if lengths else outputs, hidden

    def call(self, inputs: Tensor, hidden: State, **lengths: Tensor) -> tuple[Tensor, State]:
        """The module, called as it wants to be: inputs (T, B, I), hidden (L, B, H) -> (T, B, O or H), (L, B, H)."""
        results: Any = self.module(inputs, hidden, **lengths)
        return results  # type: ignore[no-any-return] # whatever it returns: parity looks at it

    def __call__(self, inputs: Tensor, hidden: State, **lengths: Tensor) -> tuple[Tensor, State]:
        """Straight to forward: going through two modules would make it slower than an `Implementation`."""
        return self.forward(inputs, hidden, **lengths)

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """The module's own `prepare`, where it has one."""
        prepare = getattr(self.module, "prepare", None)
        if callable(prepare):
            prepare(inputs, hidden)

    def load(self, weights: dict[str, Tensor]) -> None:
        """The same; a network that its weights don't fit is one that it does not run, where they fit another."""
        try:
            super().load(weights)
        except ValueError:
            shape = self.shape
            others = [name for name in networks.BUILTIN if name != shape.network.name and self._fits(name)]
            self.shape = shape
            if others:
                known = " or ".join(others)
                raise Unavailable(f"{self.name} has the weights of {known} (--network {others[0]})") from None
            raise

    def _fits(self, network: str) -> bool:
        """Whether it has the weights of another network of these sizes."""
        self.shape = replace(self.shape, network=networks.load(network))
        try:
            super().load({name: torch.zeros(size) for name, size in self.shape.weight_shapes().items()})
        except ValueError:
            return False
        return True

    def weight_map(self) -> dict[str, Place]:
        """What the module declares, or its parameters of `nn.RNN`'s names; raises ValueError for a wrong one."""
        declared = getattr(self.module, "weight_map", None)
        if callable(declared):
            declared = declared()
        if declared is None:
            found = self._by_name()
        elif isinstance(declared, Mapping):
            found = {str(name): self._place(str(name), place) for name, place in declared.items()}
        else:
            told = type(declared).__name__
            raise ValueError(f"weight_map of {self.name} must be a dict, or a method that returns one, not a {told}")
        return {**found, **(self.head.weight_map() if self.head is not None else {})}

    def _place(self, name: str, place: object) -> Place:
        """The tensor that is meant, or each of those that are."""
        if isinstance(place, tuple | list) and place:
            return tuple(self._lookup(name, part) for part in place)
        return self._lookup(name, place)

    def _lookup(self, name: str, place: object) -> Tensor:
        """The tensor at a dotted path, or the tensor given."""
        found = place
        if isinstance(place, str):
            try:
                found = operator.attrgetter(place)(self.module)
            except AttributeError:
                told = f"there is no {place!r}, where {name} should be; {self._its_parameters()}"
                raise ValueError(f"weight_map of {self.name}: {told}") from None
        if not isinstance(found, Tensor):
            raise ValueError(f"weight_map of {self.name}: {place!r}, where {name} should be, is no parameter")
        return found

    def _by_name(self) -> dict[str, Place]:
        """Parameters whose own name, whatever submodule they are in, is that of a weight."""
        wanted = [name for name in self.shape.weight_shapes() if self.head is None or not name.endswith("_ho")]
        found: dict[str, Place] = {}
        for path, parameter in self.module.named_parameters():
            name = self._with_layer(path.rpartition(".")[2], wanted)
            if name in found:
                raise ValueError(f"{self.name} has two parameters called {name}; declare a weight_map")
            if name in wanted or self.shape.summed(name):
                found[name] = parameter
        summed = {weight for name in found for weight in self.shape.summed(name) or ()}
        missing = [name for name in wanted if name not in found and name not in summed]
        if missing:
            raise ValueError(
                f"{self.name} declares no weight_map and has no parameter called {missing[0]}; {self._its_parameters()}"
            )
        return found

    def _with_layer(self, name: str, wanted: list[str]) -> str:
        """A parameter's name as a weight's: of one layer it may leave out the number."""
        longer = f"{name}_l0"
        known = longer in wanted or self.shape.summed(longer)
        return longer if self.shape.num_layers == 1 and name not in wanted and known else name

    def _its_parameters(self) -> str:
        names = [path for path, _ in self.module.named_parameters()]
        return f"its parameters are {', '.join(names)}" if names else "it has no parameters"


class Otherwise(Adapter):
    """One that says that it is called in another way; see OTHERWISE."""

    takes_hidden: ClassVar[bool] = True

    def call(self, inputs: Tensor, hidden: State, **lengths: Tensor) -> tuple[Tensor, State]:
        """With the batch first or no hidden state, as it has it; the results as everybody else's."""
        batch_first = bool(getattr(self.build, "batch_first", getattr(self.module, "batch_first", False)))
        given = inputs.transpose(0, 1) if batch_first else inputs
        results: Any = self.module(*([given, hidden] if self.takes_hidden else [given]), **lengths)
        if isinstance(results, Tensor) and not self.takes_hidden and self.shape.num_layers == 1:
            results = results, results.select(1 if batch_first else 0, -1).unsqueeze(0)
        if batch_first and isinstance(results, tuple) and len(results) == 2:
            results = results[0].transpose(0, 1), results[1]
        return results  # type: ignore[no-any-return] # whatever it returns: parity looks at it


def adapted(found: object) -> type[Implementation]:
    """An `Implementation` as it is, and a bare module's class, or a function that builds one, adapted.

    Raises ValueError for anything else; the text goes on from its name.
    """
    if isinstance(found, type) and issubclass(found, Implementation):
        return found
    if isinstance(found, nn.Module):
        raise ValueError("is a module that is built already, of one size; give its class, or a function that builds it")
    if (isinstance(found, type) and issubclass(found, nn.Module)) or inspect.isfunction(found):
        build: Any = found
        return _adapter(build)
    raise ValueError(
        "is not a subclass of rnn_impls.interface.Implementation or torch.nn.Module, nor a function that builds one"
    )


@functools.cache
def _adapter(build: Any) -> type[Adapter]:
    """One class of adapters for each class or function."""
    about: dict[str, Any] = {"build": staticmethod(build), "__doc__": build.__doc__}
    about |= {name: tuple(getattr(build, name, ())) for name in ("devices", "networks")}
    about["networks"] = about["networks"] or _of_torch(build)
    about["takes_lengths"] = bool(getattr(build, "takes_lengths", False))
    base: type[Adapter] = Adapter
    if any(hasattr(build, name) for name in OTHERWISE):
        base, takes_hidden = Otherwise, bool(getattr(build, "takes_hidden", True))
        about |= {
            "takes_hidden": takes_hidden,
            "starts_at_zero": not takes_hidden,
            "taken_as": tuple(_otherwise(build)),
        }
    return type(f"Adapted{getattr(build, '__name__', '')}", (base,), about)


def _of_torch(build: Any) -> tuple[str, ...]:
    """The networks that a class derived from one of torch's modules computes; nothing is known of any other."""
    derived = build if isinstance(build, type) else object
    return tuple(name for name, module in networks.MODULES.items() if issubclass(derived, getattr(nn, module)))


def _otherwise(build: Any) -> Iterator[str]:
    """What a class says of how it is called, for a reader."""
    if getattr(build, "batch_first", False):
        yield "batch first"
    if not getattr(build, "takes_hidden", True):
        yield "without a hidden state"
    for size, name in getattr(build, "sizes", {}).items():
        yield f"with {name} for {size}"
