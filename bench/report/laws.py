"""The scaling laws of a run: how well they hold and where two of them cross, in sentences; their numbers in a table.

Sentences are for every two implementations in one setting, and for every one on two devices; where they cross is put
into words by `bench.report.crossings`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import pandas as pd

from bench.report.comparisons import Finding
from bench.report.crossings import Told, Words, by_length, by_size
from bench.report.names import axis_value, capital, listed, on_device
from bench.report.tables import AXES, Column, Entry, axis_text, entries, plain
from bench.report.units import duration_in, missing, percent, rough_percent
from bench.table.law import PARTS, TRUSTED, Fit, Laws, Unfitted

_TITLES = {"fixed": "Fixed", "per_step": "Per step", "per_product": "Per product"}
_HINTS = {
    "fixed": "what a call costs before its first step, with its 95 % interval over passes",
    "per_step": "what a step costs whatever its size, with its 95 % interval over passes",
    "per_product": "what a multiply-add of the forward pass costs, in training with the backward pass that belongs "
    "to it, with its 95 % interval over passes; 50 ps are 40 GFLOP/s",
}
_ERRORS = {
    "error": ("Held-out error", "median error on cells, each predicted by the law fitted to all others"),
    "worst": ("Worst", "the largest of these errors"),
    "largest": ("Largest size", "median error on the cells of the largest size, predicted from the smaller ones"),
    "longest": ("Longest", "median error on the cells of the longest sequence, predicted from the shorter ones"),
}


MOST = 4
"""Longer lists are cut short."""

LAW = "time = fixed + steps × (per step + per product × products of a step)"

Part = tuple[Fit, list[Told]]
"""What is told of a pair in one mode."""


def rows(found: Laws) -> list[list[Entry]]:
    """The table of the laws, one row each; without passes enough for an interval, the numbers stand alone."""
    return entries(_frame(found), columns(found))


def columns(found: Laws) -> list[Column]:
    """Its columns: implementation, mode and what else varies, the three numbers, four errors, cells."""
    words = Words(found)
    shown = [Column("Implementation", lambda row: words.short[row["implementation"]], "implementation", False)]
    for axis in dict.fromkeys(["mode", *words.varying]):
        shown.append(Column(AXES[axis], axis_text(axis), axis, axis not in ("mode", "device", "dtype")))
    shown += [Column(_TITLES[part], _part_text(part), part, hint=_HINTS[part]) for part in PARTS]
    shown += [Column(title, _share_text(name), name, hint=hint) for name, (title, hint) in _ERRORS.items()]
    return [*shown, Column("Cells", plain("cells"), "cells")]


def _frame(found: Laws) -> pd.DataFrame:
    """One row for each law."""
    rows = []
    for fit in Words(found).sort(found.fits):
        row = {"implementation": fit.implementation, **fit.setting, "cells": len(fit.points)}
        for name, part in fit.parts.items():
            row |= {name: part.value, f"{name}_low": part.low, f"{name}_high": part.high}
        row |= {"error": fit.held_out_error, "worst": abs(fit.worst[1])}
        row |= {"largest": fit.beyond(lambda point: point.products), "longest": fit.beyond(lambda point: point.steps)}
        rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["implementation"])


def _part_text(part: str) -> Callable[[pd.Series], str]:
    return lambda row: duration_in(row[part], row[f"{part}_low"], row[f"{part}_high"])


def _share_text(name: str) -> Callable[[pd.Series], str]:
    return lambda row: rough_percent(row[name])


def implementations(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """Every two implementations in one setting, over the steps."""
    found = []
    for pairs in _by_mode((one, other) for one, other in combinations(fits, 2) if one.setting == other.setting):
        parts = [(one, by_size(one, other, (words.named(one), words.named(other)))) for one, other in pairs]
        one, other = pairs[0]
        text = _sentences("by the laws, ", parts, words.where)
        found.append(Finding(f"law:{one.implementation}:{other.implementation}", text))
    return [finding for finding in found if finding.text]


def devices(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """Every implementation on the CPU and on another device, over the hidden sizes."""
    found = []
    for pairs in _by_mode((one, other) for one, other in combinations(fits, 2) if _only_device_differs(one, other)):
        parts = [(one, by_length(one, other, (_this(one), _this(other)))) for one, other in pairs]
        one, other = pairs[0]
        text = _sentences(f"by the laws of {words.named(one)}, ", parts, partial(words.where, device=False))
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


def findings(found: Laws) -> list[Finding]:
    """How well the laws hold; where two implementations, or devices, cross; which laws are missing or not used, why."""
    words = Words(found)
    fits = words.sort(found.fits)
    usable = [fit for fit in fits if fit.trusted]
    return [
        *_quality(words, fits),
        *implementations(words, usable),
        *devices(words, usable),
        *_unused(words, fits),
        *_unfitted(words, found.unfitted),
    ]


def _quality(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """How far the laws miss cells that they have not seen: within the grid, at the worst, and beyond it."""
    if not fits:
        return []
    worst = max(fits, key=lambda fit: abs(fit.worst[1]))
    point, error = worst.worst
    at = f"{axis_value('hidden_size', point.hidden_size)}, {axis_value('seq_len', point.steps)}"
    text = f"The law {LAW} predicts cells held out of its fit with a median error of "
    text += f"{_span([fit.held_out_error for fit in fits])}; at worst it is {rough_percent(abs(error))} too "
    text += f"{'high' if error > 0 else 'low'}, for {words.whole(worst)}, at {at}."
    sizes = _span([fit.beyond(lambda point: point.products) for fit in fits])
    lengths = _span([fit.beyond(lambda point: point.steps) for fit in fits])
    if sizes and lengths:
        text += " Beyond what it was fitted to it can be worse: predicted from the smaller sizes alone, the largest "
        text += f"size is missed by {sizes}; from the shorter sequences alone, the longest one by {lengths}."
    return [Finding("law", text)]


def _span(errors: Sequence[float]) -> str:
    """The least and the largest of some errors: `0.6 to 7.6 %`; empty if there are none."""
    known = [error for error in errors if not missing(error)]
    ends = list(dict.fromkeys(rough_percent(end(known)) for end in (min, max))) if known else []
    return " to ".join([*(text.removesuffix(" %") for text in ends[:-1]), *ends[-1:]])


def _unused(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """The laws that no crossover is drawn from."""
    found = []
    if alone := [fit for fit in fits if len(fit.passes) < 2]:
        text = "one pass" if len(alone) == len(fits) else f"one pass of {listed([words.whole(fit) for fit in alone])}"
        found.append(f"No crossover is drawn from {text}: it gives the numbers of a law, but no interval.")
    if poor := sorted((fit for fit in fits if fit.held_out_error > TRUSTED), key=lambda fit: -fit.held_out_error):
        each = [f"{words.whole(fit)} ({percent(fit.held_out_error)})" for fit in poor]
        text = f"No crossover is drawn from a law that misses held-out cells by more than {percent(TRUSTED)}"
        found.append(f"{text} in the median: {listed(_few(each, 'others'))}.")
    return [Finding("law:unused", " ".join(found))] if found else []


def _unfitted(words: Words, unfitted: Sequence[Unfitted]) -> list[Finding]:
    """What has no law, by reason; those that lack it in the same settings together."""
    lacks: dict[str, dict[str, list[str]]] = {}
    for each in sorted(unfitted, key=lambda each: words.names.index(each.implementation)):
        where = f"{words.where(each)} ({each.cells} cell{'' if each.cells == 1 else 's'})"
        lacks.setdefault(each.reason, {}).setdefault(words.named(each), []).append(where)
    found = []
    for reason, by_name in lacks.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, settings in by_name.items():
            alike.setdefault(tuple(settings), []).append(name)
        who = [f"{listed(names)} {listed(_few(list(where), 'other settings'))}" for where, names in alike.items()]
        found.append(Finding("law:unfitted", f"No law for {'; nor for '.join(who)}: {reason}."))
    return found


def _few(parts: list[str], others: str) -> list[str]:
    """The parts, or the first of them and how many others there are."""
    return parts if len(parts) <= MOST else [*parts[: MOST - 1], f"{len(parts) - MOST + 1} {others}"]
