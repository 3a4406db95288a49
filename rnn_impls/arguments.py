"""What a class or function of somebody's is called with, to have it build a network: by the names of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from rnn_impls.shape import NetworkShape, Unavailable

SIZES = ("input_size", "hidden_size")
USUAL = {"num_layers": 1, "bidirectional": False, "nonlinearity": "tanh"}
"""What a network has whose constructor does not ask."""


def arguments(build: Callable[..., object], shape: NetworkShape) -> dict[str, Any]:
    """What to call a class or function with, to have it build a network.

    Raises ValueError where it asks for something else, Unavailable for a network that it can't be told to build.
    """
    asked = inspect.signature(build).parameters
    name = getattr(build, "__name__", "it")
    if "shape" in asked:
        return {"shape": shape}
    called = _called(build)
    kinds = {parameter.kind for parameter in asked.values()}
    # `nn.RNN` itself and what derives from it take anything by name, but know of no head.
    takes = set(asked) | ({*SIZES, *USUAL} if inspect.Parameter.VAR_KEYWORD in kinds else set())
    unknown = [each for each in unclaimed(build) if asked[each].default is inspect.Parameter.empty]
    if unknown or not takes.issuperset(called[size] for size in SIZES):
        told = f"asks for {unknown[0]}" if unknown else f"takes no {next(s for s in SIZES if called[s] not in takes)}"
        listed = ", ".join(called.values())
        raise ValueError(
            f"{name} {told}; what it can be given is {listed}, or shape alone; a size that it calls otherwise: "
            'sizes = {"hidden_size": "..."}'
        )
    if called["num_layers"] not in takes and shape.num_layers > 1:
        raise Unavailable(f"{name} takes no num_layers, and so has one layer")
    if called["bidirectional"] not in takes and shape.bidirectional:
        raise Unavailable(f"{name} takes no bidirectional, and so runs in one direction")
    kind = shape.network.nonlinearity
    alone = called["nonlinearity"] not in takes and shape.network.name not in getattr(build, "networks", ())
    if alone and kind not in ("", USUAL["nonlinearity"]):
        raise Unavailable(f"{name} takes no nonlinearity, and so has {USUAL['nonlinearity']} alone")
    given = {size: getattr(shape, size) for size in called if size != "nonlinearity"} | {"nonlinearity": kind}
    asked_for = {size: value for size, value in given.items() if called[size] in takes}
    return {called[size]: value for size, value in asked_for.items() if value != "" and value is not False}


def _called(build: Callable[..., object]) -> dict[str, str]:
    """What a constructor calls each thing that it can be given."""
    own = getattr(build, "sizes", {})
    return {size: str(own.get(size, size)) for size in (*SIZES, *USUAL, "output_size")}


def unclaimed(build: Callable[..., object]) -> list[str]:
    """Parameters of a constructor that it is given nothing for."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = {*_called(build).values(), "shape"}
    asked = inspect.signature(build).parameters.values()
    return [each.name for each in asked if each.name not in known and each.kind not in variable]
