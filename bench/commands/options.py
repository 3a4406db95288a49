"""The options that commands share, each defined once, and how a command takes many of them as one parameter.

A group of options is a dataclass whose fields are options, or `Overrides`: an option for every axis. A command under
`@grouped` takes a whole group as one parameter; typer sees its options, in the parameter's place.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from bench.cases.axes import AXES, MUST_BE_SAID, OVERRIDES, YES, Axes, Axis
from bench.cases.settings import Settings, parse_devices
from rnn_impls.registry import GROUPS

PresetName = Annotated[str, typer.Option(help="Named set of cases; `python -m bench list` shows them.")]
Devices = Annotated[str, typer.Option(help="cpu, cuda, mps, comma-separated; default: every one present.")]
Implementations = Annotated[
    str, typer.Option(help=f"Implementations: names, {', '.join(GROUPS)}, path/to/file.py:Name; default: the preset's.")
]
MaxCall = Annotated[str, typer.Option(help="Leave out cells whose single call lasts longer.")]
Timeout = Annotated[str, typer.Option(help="Silence after which a worker is given up.")]
RunsFolder = Annotated[Path, typer.Option(help="Where runs/ and latest lie.")]


@dataclass(frozen=True)
class Selection:
    """What to measure, apart from the axes."""

    preset: PresetName = "quick"
    device: Devices = ""
    impl: Implementations = ""

    def settings(self, axes: Axes, **more: Any) -> Settings:
        """What a run of it is asked to do, with further fields of `Settings`. Raises ValueError naming the option."""
        return Settings(self.preset, parse_devices(self.device), self.impl, overrides=axes.overrides(), **more)


@dataclass(frozen=True)
class Group:
    """Options that a command takes as one object, which `fill` makes of what is given for each."""

    options: tuple[inspect.Parameter, ...]
    fill: Callable[..., Any]


def overriding(**defaults: str) -> Group:
    """An option for every axis whose values replace a preset's, the mode first; the command takes `Axes`."""
    names = dict.fromkeys(("mode", *OVERRIDES))
    return _axis_options((AXES[name], AXES[name].about, defaults.get(name, "")) for name in names)


def one_each() -> Group:
    """An option for the one value of every axis, what is mostly given first; the command takes `Axes`."""
    names = dict.fromkeys((*MUST_BE_SAID, "batch_size", "mode", *AXES))
    return _axis_options((AXES[name], AXES[name].one_value, AXES[name].usual) for name in names)


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command as typer reads it: each parameter that is a group stands for the group's options, in its place."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: found for name, hint in hints.items() if (found := _group(hint))}
    shown: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        shown += groups[name].options if name in groups else [_option(name, hints[name], parameter.default)]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group.fill(**{option.name: given.pop(option.name) for option in group.options})
        command(**given)

    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined] # what typer reads
    called.__annotations__ = {option.name: option.annotation for option in shown}
    return called


def _axis_options(axes: Iterable[tuple[Axis, str, str]]) -> Group:
    """Of (axis, help, default)."""
    options = tuple(
        _option(axis.name, Annotated[bool, typer.Option(*axis.options, help=axis.about, rich_help_panel="Axes")], False)
        if axis.flag
        else _option(axis.name, Annotated[str, typer.Option(*axis.options, help=told, rich_help_panel="Axes")], default)
        for axis, told, default in axes
    )
    return Group(options, lambda **typed: Axes({axis: _as_typed(value) for axis, value in typed.items()}))


def _as_typed(value: str | bool) -> str:
    """A flag as the text that stands for it."""
    return value if isinstance(value, str) else YES if value else ""


def _group(hint: Any) -> Group | None:
    """The options that a parameter of this type stands for, if it stands for any."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint, include_extras=True)
        options = (_option(field.name, hints[field.name], field.default) for field in dataclasses.fields(hint))
        return Group(tuple(options), hint)
    return next((each for each in get_args(hint) if isinstance(each, Group)), None)


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


Overrides = Annotated[Axes, overriding()]
