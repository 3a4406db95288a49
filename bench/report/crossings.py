"""Crossovers in words: which of two is faster from where on, and whether the measured times allow it to be said.

`Words` is what the laws of a run are called in all sentences about them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from bench.report.facets import pick, value_range
from bench.report.names import axis_value, listed, on_device, phrase, short_names
from bench.table.crossover import Crossover, along_products, along_steps, common, contradicted
from bench.table.law import SETTING, Fit, Laws, Point, Unfitted
from rnn_impls.registry import ordered

FAR = 4
"""A crossover beyond this many times the end of the measured range is not mentioned."""

Told = tuple[str, str]
"""Where, `at hidden 32 and 128`, and what holds there."""

Place = TypeVar("Place")

_NOT_TOLD = "can't be told"
_EVERY = {"seq_len": "at every length measured", "hidden_size": "at every size measured"}


class Words:
    """What the laws of a run are called in its sentences."""

    def __init__(self, found: Laws) -> None:
        every: list[Fit | Unfitted] = [*found.fits, *found.unfitted]
        self.names = ordered(each.implementation for each in every)
        self.short = short_names(self.names)
        self.varying = [axis for axis in SETTING if len({each.setting[axis] for each in every}) > 1]

    def named(self, law: Fit | Unfitted) -> str:
        """The implementation of a law."""
        return phrase(law.implementation, self.short)

    def where(self, law: Fit | Unfitted, modes: Sequence[str] = (), device: bool = True) -> str:
        """Its setting: `on this CPU in training, float32`; the device where there are several, the rest that varies."""
        words = [on_device(law.setting["device"])] if device and "device" in self.varying else []
        words.append(f"in {listed(list(modes) or [law.setting['mode']])}")
        rest = [axis for axis in self.varying if axis not in ("mode", "device")]
        return ", ".join([" ".join(words), *(axis_value(axis, law.setting[axis]) for axis in rest)])

    def whole(self, law: Fit | Unfitted) -> str:
        """Implementation and setting."""
        return f"{self.named(law)} {self.where(law)}"

    def sort(self, fits: Iterable[Fit]) -> list[Fit]:
        """By setting, and in each the known implementations first."""
        return sorted(fits, key=lambda fit: (*fit.setting.values(), self.names.index(fit.implementation)))


def by_size(one: Fit, other: Fit, names: tuple[str, str]) -> list[Told]:
    """Up to how many steps and from how many on which of two is faster, at up to three sizes."""
    points = common(one, other)
    sizes = sorted({(point.products, point.hidden_size, point.input_size) for point in points})
    told: list[tuple[Point, str]] = []
    for k in pick(range(len(sizes))):
        here = [point for point in points if (point.products, point.hidden_size, point.input_size) == sizes[k]]
        refuted = [point.steps for point in here if contradicted(one, other, point)]
        found = along_steps(one, other, here[0].products)
        told.append((here[0], clause(found, names, "seq_len", [point.steps for point in here], refuted)))
    return _merged(told, _sizes)


def by_length(one: Fit, other: Fit, names: tuple[str, str]) -> list[Told]:
    """Up to which hidden size and from which on which of two is faster, at up to three lengths of sequence."""
    points = _one_input(common(one, other))
    told: list[tuple[int, str]] = []
    for steps in pick([point.steps for point in points]):
        here = [point for point in points if point.steps == steps]
        if len(here) > 1:
            refuted = [point.hidden_size for point in here if contradicted(one, other, point)]
            found = along_products(one, other, steps, here[0].products, here[-1].products)
            found = replace(found, until=hidden_at(found.until, here), since=hidden_at(found.since, here))
            sizes = [point.hidden_size for point in here]
            told.append((steps, clause(found, names, "hidden_size", sizes, refuted)))
    return _merged(told, _lengths)


def clause(  # noqa: PLR0911 # a clause a return
    found: Crossover, names: tuple[str, str], axis: str, values: Sequence[int], refuted: Sequence[int] = ()
) -> str:
    """What a crossover says, as a clause. `names` are those of the one and of the other, `values` those of the axis
    at which both were measured, `refuted` those at which the measured times say the opposite of the laws."""
    if refuted:
        where = listed([axis_value(axis, value) for value in refuted])
        return f"nothing is claimed of {names[0]} and {names[1]}: at {where} the measured times contradict the laws"
    if not found.start and not found.end:
        return f"it {_NOT_TOLD} which of {names[0]} and {names[1]} is faster"
    ahead, behind = names if (found.start or found.end) < 0 else names[::-1]
    said = f"{ahead} is faster than {behind}"
    if not found.end:
        return f"{said} {_until(found, axis, values)}; beyond, it {_NOT_TOLD}"
    if not found.start:
        return f"{said} {_since(found, axis, values)}; below, it {_NOT_TOLD}"
    if found.start != found.end:
        return f"{said} {_until(found, axis, values)} and slower {_since(found, axis, values)}"
    if len(values) == 1:
        return f"{said} at {axis_value(axis, values[0])}"
    return f"{said} {_EVERY[axis]}, {value_range(axis, values)}{_outside(found, behind, axis, values)}"


def hidden_at(products: float, points: Sequence[Point]) -> float:
    """The hidden size at which a step has so many products, by those of two or more points that differ in it alone.

    Products are a H^2 + b H, whatever the layers, batch, head, and whether the input grows with H or not. NaN for
    products below 0.
    """
    first, last = points[0], points[-1]
    ends = (first.products / first.hidden_size, last.products / last.hidden_size)
    a = (ends[1] - ends[0]) / (last.hidden_size - first.hidden_size)
    b = ends[0] - a * first.hidden_size
    return (math.sqrt(b**2 + 4 * a * products) - b) / (2 * a) if products >= 0 else math.nan


def _until(found: Crossover, axis: str, values: Sequence[int]) -> str:
    """The last whole value at which the start's answer is sure."""
    last = math.ceil(found.until) - 1
    return f"{'up to' if last > min(values) else 'at'} {axis_value(axis, last)}"


def _since(found: Crossover, axis: str, values: Sequence[int]) -> str:
    """The first whole value at which the end's answer is sure."""
    first = math.floor(found.since) + 1
    return f"from {axis_value(axis, first)} on" if first < max(values) else f"at {axis_value(axis, first)}"


def _outside(found: Crossover, behind: str, axis: str, values: Sequence[int]) -> str:
    """Where the other would be ahead by the laws, although nothing was measured there."""
    if max(values) < found.until and found.since <= FAR * max(values):
        there = f"from {axis_value(axis, math.floor(found.since) + 1)} on, beyond"
    elif found.since < min(values) and found.until > 1:
        last = math.ceil(found.until) - 1
        there = f"{'up to' if last > 1 else 'at'} {axis_value(axis, last)}, below"
    else:
        return ""
    return f"; by the laws {behind} would be ahead {there} what was measured"


def _sizes(points: Sequence[Point]) -> str:
    """The sizes of points in words; an input as wide as the hidden state goes without saying."""
    if all(point.input_size == point.hidden_size for point in points):
        return axis_value("hidden_size", listed([str(point.hidden_size) for point in points]))
    each = ((axis_value(name, getattr(point, name)) for name in ("hidden_size", "input_size")) for point in points)
    return listed([" with ".join(words) for words in each])


def _lengths(steps: Sequence[int]) -> str:
    """Lengths of sequences in words."""
    *rest, last = steps
    return listed([*map(str, rest), axis_value("seq_len", last)])


def _one_input(points: Iterable[Point]) -> list[Point]:
    """Those points that are one row of hidden sizes: the input grows with them, or is the same; the longer such row."""
    rows: dict[int, list[Point]] = {}
    for point in points:
        rows.setdefault(point.input_size, []).append(point)
    tied = [point for row in rows.values() for point in row if point.input_size == point.hidden_size]
    return sorted(max([tied, *rows.values()], key=lambda row: len({point.hidden_size for point in row})))


def _merged(told: Iterable[tuple[Place, str]], words: Callable[[list[Place]], str]) -> list[Told]:
    """What holds at several places, once."""
    places: dict[str, list[Place]] = {}
    for where, what in told:
        places.setdefault(what, []).append(where)
    return [(f"at {words(where)}", what) for what, where in places.items()]
