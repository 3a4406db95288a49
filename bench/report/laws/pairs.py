"""Crossovers of a run: sentences for every two ways in one setting, and for every way on two devices."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from bench.report.context import Finding
from bench.report.laws.crossings import Told, by_length, by_size
from bench.report.laws.words import Words
from bench.report.names import capital, on_device
from bench.scaling import Fit

Part = tuple[Fit, list[Told]]
"""What is told of a pair in one mode."""


def ways(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """Every two ways in one setting, over the steps."""
    found = []
    for pairs in _by_mode((one, other) for one, other in combinations(fits, 2) if one.setting == other.setting):
        parts = [(one, by_size(one, other, (words.way(one), words.way(other)))) for one, other in pairs]
        one, other = pairs[0]
        text = _sentences("by the laws, ", parts, words.where)
        found.append(Finding(f"law:{one.implementation}:{other.implementation}", text))
    return [finding for finding in found if finding.text]


def devices(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """Every way on the CPU and on another device, over the hidden sizes."""
    found = []
    for pairs in _by_mode((one, other) for one, other in combinations(fits, 2) if _only_device_differs(one, other)):
        parts = [(one, by_length(one, other, (_this(one), _this(other)))) for one, other in pairs]
        one, other = pairs[0]
        text = _sentences(f"by the laws of {words.way(one)}, ", parts, partial(words.where, device=False))
        found.append(Finding(f"law:{one.implementation}:{other.setting['device']}", text))
    return [finding for finding in found if finding.text]


def _by_mode(pairs: Iterable[tuple[Fit, Fit]]) -> list[list[tuple[Fit, Fit]]]:
    """Pairs that differ in mode alone, together."""
    alike: dict[Hashable, list[tuple[Fit, Fit]]] = {}
    for pair in pairs:
        key = tuple((fit.implementation, *_but("mode", fit)) for fit in pair)
        alike.setdefault(key, []).append(pair)
    return list(alike.values())


def _but(axis: str, fit: Fit) -> tuple[Any, ...]:
    """A setting without one of its axes."""
    return tuple(value for name, value in fit.setting.items() if name != axis)


def _only_device_differs(one: Fit, other: Fit) -> bool:
    """Whether the one is on the CPU, and the other is the same elsewhere."""
    same = one.implementation == other.implementation and _but("device", one) == _but("device", other)
    return same and one.setting["device"] == "cpu" != other.setting["device"]


def _this(fit: Fit) -> str:
    """The device of a law: `this CPU`."""
    return on_device(fit.setting["device"]).removeprefix("on ")


def _sentences(lead: str, parts: Iterable[Part], where: Callable[[Fit, Sequence[str]], str]) -> str:
    """What holds of a pair, mode by mode, and of several modes at once where it is the same; empty for nothing."""
    modes: dict[tuple[Told, ...], list[Fit]] = {}
    for fit, told in parts:
        modes.setdefault(tuple(told), []).append(fit)
    said = [
        f"{where(fits[0], [fit.setting['mode'] for fit in fits])}, {at}, {what}."
        for told, fits in modes.items()
        for at, what in told
    ]
    return " ".join(capital(text) for text in [lead + said[0], *said[1:]]) if said else ""
