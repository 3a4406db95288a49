"""The axes: the fields of `Case` as people ask for them, in every command and in `pytest bench`.

A new field of `Case` is an axis without a word here. What is particular to one, such as an older name that its option
still answers to, is said in its line of `AXES`.

Values are written as a list, `64,128`, as a product, `1:1024:x2`, as a sum, `10:50:10`, or mixed. A field that is true
or false is an option without a value, which makes it true.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.cases import lengths
from bench.cases.case import ALIASES, CHOICES, FIELDS, SIZES, Case
from bench.cases.presets import HIDDEN, Grid
from rnn_impls import networks

FORMS = "64,128 or 1:1024:x2"
YES = "yes"
"""What an option without a value stands for."""

MUST_BE_SAID = ("hidden_size", "seq_len")
"""Axes without which no single case is meant; the others have a usual value."""


@dataclass(frozen=True)
class Axis:
    """A field of `Case` as an option. `aliases` are other names, written as fields, that fill it as well; `about` is
    the help, and `one_value` that where one value is asked for."""

    name: str
    aliases: tuple[str, ...] = ()
    about: str = f"Override this axis: {FORMS}."
    one_value: str = "One value."

    @property
    def options(self) -> tuple[str, ...]:
        """What is typed for it, such as `--hidden-size`; the first is the one that messages name."""
        return tuple(map(as_option, (self.name, *self.aliases)))

    @property
    def flag(self) -> bool:
        """Whether its option has no value."""
        return isinstance(getattr(Case, self.name), bool)

    @property
    def usual(self) -> str:
        """Its value, as typed, in a single case where none is given; nothing where it must be said, or is a flag."""
        if self.name in MUST_BE_SAID or self.flag:
            return ""
        return HIDDEN if self.name == "input_size" else str(getattr(Case, self.name))


AXES = {name: Axis(name) for name in FIELDS} | {
    "network": Axis("network", aliases=tuple(ALIASES)),
    "input_size": Axis("input_size", one_value="One value; `hidden` is as wide as hidden."),
    "bidirectional": Axis("bidirectional", about="Run each layer in both directions."),
    "lengths": Axis("lengths", about=f"Steps of each sequence of a batch: {lengths.FORMS}."),
    "loss": Axis("loss", about="In training, the loss counts all steps, or the last of each sequence."),
    "flush_denormal": Axis("flush_denormal", about="Have numbers below 1.2e-38 taken for zeros."),
    "tf32": Axis("tf32", about="On CUDA, let products of float32 be made in TF32."),
}
OVERRIDES = tuple(name for name in AXES if name != "device")
"""Axes whose values replace a preset's. Devices are chosen beside the preset: a run takes those present."""


@dataclass(frozen=True)
class Axes:
    """What was typed for each axis, unchecked; an empty text is no wish."""

    typed: Mapping[str, str]

    def __bool__(self) -> bool:
        """Whether there is any wish."""
        return any(self.typed.values())

    def overrides(self) -> Grid:
        """The grid that replaces a preset's. Raises ValueError naming the axis."""
        return {axis: parse_axis(axis, text) for axis, text in self.typed.items() if text}

    def case(self) -> Case:
        """The one case that is meant. Raises ValueError naming the option that lacks a value, has several, or means
        nothing here."""
        if lacking := [as_option(axis) for axis in MUST_BE_SAID if not self.typed[axis]]:
            raise ValueError(f"say {' and '.join(lacking)}: an answer is for one case")
        tied = self.typed["input_size"] == HIDDEN
        typed = {axis: text for axis, text in self.typed.items() if text or not AXES[axis].flag}
        fields = {axis: _one(axis, text) for axis, text in typed.items() if axis != "input_size" or not tied}
        case = Case.from_dict(Case().as_dict() | fields)
        if fields.get("tf32") and not case.tf32:
            raise ValueError("--tf32 is for float32 on CUDA")
        return dataclasses.replace(case, input_size=case.hidden_size) if tied else case


def asked(case: Case) -> str:
    """The options that mean this one case: `--hidden-size 128 --seq-len 64`. What is usual goes without saying."""
    values = {name: str(getattr(case, name)) for name in dict.fromkeys((*MUST_BE_SAID, "mode", *FIELDS))}
    if case.input_size == case.hidden_size:
        values["input_size"] = HIDDEN
    flags = [as_option(name) for name in values if AXES[name].flag and getattr(case, name)]
    said = [f"{as_option(n)} {value}" for n, value in values.items() if not AXES[n].flag and value != AXES[n].usual]
    return " ".join(said + flags)


def as_option(name: str) -> str:
    """`hidden_size` -> `--hidden-size`."""
    return f"--{name.replace('_', '-')}"


def parse_axis(axis: str, text: str) -> tuple[Any, ...]:
    """The values of an axis as written on the command line, each once. Raises ValueError naming the axis."""
    if AXES[axis].flag:
        if text not in (YES, "True"):
            raise ValueError(f"{as_option(axis)} takes no value, such as {text!r}")
        return (True,)
    values: list[Any] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if axis not in SIZES or (axis == "input_size" and part == HIDDEN):
            values.append(part)
        else:
            values += _numbers(axis, part)
    if not values:
        raise ValueError(f"{as_option(axis)} is empty")
    if axis == "network":
        values = [networks.find(value) for value in values]
    if axis == "lengths":
        values = [lengths.spelled(value) for value in values]
    known = CHOICES.get(axis)
    for value in values:
        if known and value not in known:
            raise ValueError(f"unknown {axis} {value!r}; known are {', '.join(known)}")
    return tuple(dict.fromkeys(values))


def _numbers(axis: str, part: str) -> list[int]:
    """One number, or `first:last:x2`, or `first:last:10`."""
    wrong = ValueError(f"{as_option(axis)} {part!r}: write numbers as {FORMS} or 10:50:10")
    try:
        if ":" not in part:
            return [int(part)]
        first, last, step = part.split(":")
        start, stop, by = int(first), int(last), int(step.removeprefix("x"))
    except ValueError:
        raise wrong from None
    if step.startswith("x") and start >= 1 and by >= 2:
        return list(itertools.takewhile(lambda n: n <= stop, (start * by**k for k in itertools.count())))
    if not step.startswith("x") and by >= 1:  # going down, the last value would be left out
        return list(range(start, stop + 1, by))
    raise wrong


def _one(axis: str, text: str) -> str | int | bool:
    """The one value of an axis. Raises ValueError naming the option for none or several."""
    values = parse_axis(axis, text)
    if len(values) != 1:
        raise ValueError(f"{as_option(axis)} {text}: one value is needed here, an answer is for one case")
    return values[0] if AXES[axis].flag else int(values[0]) if axis in SIZES else str(values[0])
