"""A bare `torch.nn.Module` as an implementation: it only has to say where its weights lie.

What is adapted is a class derived from `nn.Module`, or a function that builds one. It is called with what it has
parameters for, by name:

- either `shape`, a `NetworkShape`, where it has a parameter of that name;
- or `input_size` and `hidden_size`, and of `num_layers`, `nonlinearity` and `output_size` those that it has. One
  without `num_layers` has one layer, one without `nonlinearity` is a tanh network; other networks are unavailable to
  it. One without `output_size` computes hidden states alone, and is given the head that `whole` has.

Its forward takes inputs (T, B, I) and hidden (L, B, H), and returns outputs (T, B, O or H) and hidden (L, B, H).

Its `weight_map` is a dict, or a method that returns one, from the names of the weights to where each lives: the dotted
path of a parameter, such as "cell.weight_ih", or the parameter itself or a view of a part of one. Where the parameters
have `nn.RNN`'s own names, also inside a submodule, nothing has to be declared.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from rnn_impls.interface import Head, Implementation, NetworkShape, Unavailable

SIZES = ("input_size", "hidden_size")
USUAL = {"num_layers": 1, "nonlinearity": "tanh"}
"""What a network has whose constructor does not ask."""


class Adapter(Implementation):
    """A module of somebody's, built for a network and called as it is; a subclass knows how to build it."""

    build: ClassVar[Callable[..., object]]

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        given = arguments(self.build, shape)
        module = self.build(**given)
        if not isinstance(module, nn.Module):
            raise ValueError(f"{self.name} builds a {type(module).__name__}, which is not a torch.nn.Module")
        self.module = module
        has_own_head = "shape" in given or "output_size" in given
        self.head = Head(shape) if shape.output_size and not has_own_head else None

    @property
    def name(self) -> str:
        """What it is called in its file."""
        return getattr(self.build, "__name__", "the module")

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The module's own, with the head on top where it has none."""
        results: tuple[Tensor, Tensor] = self.module(inputs, hidden)
        if self.head is None or not isinstance(results, tuple):
            return results
        outputs, hidden = results
        return self.head(outputs), hidden

    def __call__(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Straight to forward: going through two modules would make it slower than an `Implementation`."""
        return self.forward(inputs, hidden)

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """The module's own `prepare`, where it has one."""
        prepare = getattr(self.module, "prepare", None)
        if callable(prepare):
            prepare(inputs, hidden)

    def weight_map(self) -> dict[str, Tensor]:
        """What the module declares, or its parameters of `nn.RNN`'s names; raises ValueError for a wrong one."""
        declared = getattr(self.module, "weight_map", None)
        if callable(declared):
            declared = declared()
        if declared is None:
            found = self._by_name()
        elif isinstance(declared, Mapping):
            found = {str(name): self._lookup(str(name), place) for name, place in declared.items()}
        else:
            told = type(declared).__name__
            raise ValueError(f"weight_map of {self.name} must be a dict, or a method that returns one, not a {told}")
        return found if self.head is None else found | self.head.weight_map()

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

    def _by_name(self) -> dict[str, Tensor]:
        """Parameters whose own name, whatever submodule they are in, is that of a weight."""
        wanted = [name for name in self.shape.weight_shapes() if self.head is None or not name.endswith("_ho")]
        found: dict[str, Tensor] = {}
        for path, parameter in self.module.named_parameters():
            name = path.rpartition(".")[2]
            if name in found:
                raise ValueError(f"{self.name} has two parameters called {name}; declare a weight_map")
            if name in wanted or name.startswith("bias_l"):
                found[name] = parameter
        missing = [name for name in wanted if name not in found and f"bias_l{name.rpartition('_l')[2]}" not in found]
        if missing:
            raise ValueError(
                f"{self.name} declares no weight_map and has no parameter called {missing[0]}; {self._its_parameters()}"
            )
        return found

    def _its_parameters(self) -> str:
        names = [path for path, _ in self.module.named_parameters()]
        return f"its parameters are {', '.join(names)}" if names else "it has no parameters"


def arguments(build: Callable[..., object], shape: NetworkShape) -> dict[str, Any]:
    """What to call a class or function with, to have it build a network.

    Raises ValueError where it asks for something else, Unavailable for a network that it can't be told to build.
    """
    asked = inspect.signature(build).parameters
    name = getattr(build, "__name__", "it")
    if "shape" in asked:
        return {"shape": shape}
    kinds = {parameter.kind for parameter in asked.values()}
    # `nn.RNN` itself and what derives from it take anything by name, but know of no head.
    takes = set(asked) | ({*SIZES, *USUAL} if inspect.Parameter.VAR_KEYWORD in kinds else set())
    sizes = (*SIZES, *USUAL, "output_size")
    unknown = [
        parameter.name
        for parameter in asked.values()
        if parameter.name not in sizes
        and parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if unknown or not takes.issuperset(SIZES):
        told = f"asks for {unknown[0]}" if unknown else f"takes no {next(s for s in SIZES if s not in takes)}"
        raise ValueError(f"{name} {told}; what it can be given is {', '.join(sizes)}, or shape alone")
    for axis, usual in USUAL.items():
        if axis not in takes and getattr(shape, axis) != usual:
            raise Unavailable(f"{name} takes no {axis}, and so has {usual} alone" if axis == "nonlinearity" else
                              f"{name} takes no {axis}, and so has one layer")  # fmt: skip
    return {size: getattr(shape, size) for size in sizes if size in takes}


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
    about = {"build": staticmethod(build), "__doc__": build.__doc__, "devices": tuple(getattr(build, "devices", ()))}
    return type(f"Adapted{getattr(build, '__name__', '')}", (Adapter,), about)
