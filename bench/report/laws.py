"""The scaling laws of a run: how well they hold, in a sentence; their numbers, in a table; what has none, and why.

`bench.report.pictures.costs` draws the numbers, `bench.report.crossings` says who overtakes whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from bench.cases.case import SIZES
from bench.report.crossings import Crossings, Words, crossings
from bench.report.names import capital, listed
from bench.report.tables import AXES, Column, Entry, axis_text, entries, plain
from bench.report.units import duration_in, percent, rough_percent
from bench.table.law import PARTS, TRUSTED, Fit, Laws, Unfitted

LAW = "time = fixed + steps × (per step + per product × products of a step)"

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


@dataclass(frozen=True)
class Scaling:
    """What the report says of a run's laws: a sentence, the table, a line for each reason that one is lacking."""

    quality: str = ""
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Entry]] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    crossings: Crossings = field(default_factory=Crossings)

    def __bool__(self) -> bool:
        return bool(self.rows or self.lacking)


def scaling(found: Laws) -> Scaling:
    """All of it, in words. A setting of a single size has none that anybody would miss, beside others that have."""
    if found.fits:
        found = Laws(found.fits, [each for each in found.unfitted if each.cells > 1])
    words = Words(found)
    frame = _frame(words, found.fits)
    shown = _columns(words) if found.fits else []
    return Scaling(_quality(found.fits), shown, entries(frame, shown), _lacking(words, found), crossings(words, found))


def _quality(fits: Iterable[Fit]) -> str:
    """What any of the trusted laws is good for."""
    errors = [fit.held_out_error for fit in fits if fit.trusted]
    if not errors:
        return ""
    which = "The law predicts" if len(errors) == 1 else "Each law predicts"
    return f"{which} half of the cells that it has not seen to {rough_percent(max(errors))} or better."


def _columns(words: Words) -> list[Column]:
    """The table's: implementation, mode and what else varies, the three numbers, four errors, cells."""
    shown = [Column("Implementation", lambda row: words.short[row["implementation"]], "implementation", False)]
    for axis in dict.fromkeys(["mode", *words.varying]):
        shown.append(Column(AXES[axis], axis_text(axis), axis, axis in SIZES))
    shown += [Column(_TITLES[part], _part_text(part), part, hint=_HINTS[part]) for part in PARTS]
    shown += [Column(title, _share_text(name), name, hint=hint) for name, (title, hint) in _ERRORS.items()]
    return [*shown, Column("Cells", plain("cells"), "cells")]


def _frame(words: Words, fits: Iterable[Fit]) -> pd.DataFrame:
    """One row for each law; without passes enough for an interval, the numbers stand alone."""
    rows = []
    for fit in words.sort(fits):
        row = {"implementation": fit.implementation, **fit.setting, "cells": len(fit.points)}
        for name, part in fit.parts.items():
            row |= {name: part.value, f"{name}_low": part.low, f"{name}_high": part.high}
        row |= {"error": fit.held_out_error, "worst": abs(fit.worst[1])}
        row |= {"largest": fit.beyond(lambda point: point.products), "longest": fit.beyond(lambda point: point.steps)}
        rows.append(row)
    return pd.DataFrame(rows)


def _part_text(part: str) -> Callable[[pd.Series], str]:
    return lambda row: duration_in(row[part], row[f"{part}_low"], row[f"{part}_high"])


def _share_text(name: str) -> Callable[[pd.Series], str]:
    return lambda row: rough_percent(row[name])


def _lacking(words: Words, found: Laws) -> list[str]:
    """A line for each reason for which a law is lacking or none of its crossovers shown."""
    by_reason: dict[str, list[Fit | Unfitted]] = {}
    for fit in words.sort(found.fits):
        if len(fit.passes) < 2:
            by_reason.setdefault("Not trusted, because one pass gives no interval", []).append(fit)
        elif not fit.trusted:
            text = f"Not trusted, because half of the held-out cells are missed by more than {percent(TRUSTED)}"
            by_reason.setdefault(text, []).append(fit)
    for each in found.unfitted:
        by_reason.setdefault(f"No law, because {each.reason}", []).append(each)
    every: list[Fit | Unfitted] = [*found.fits, *found.unfitted]
    return [f"{capital(reason)}: {_who(words, lacking, every)}." for reason, lacking in by_reason.items()]


def _who(words: Words, lacking: Iterable[Fit | Unfitted], every: Iterable[Fit | Unfitted]) -> str:
    """The implementations, each with the settings in which it lacks something where these are not all of its own."""
    settings: dict[str, list[str]] = {}
    for law in lacking:
        settings.setdefault(law.implementation, []).append(words.where(law))
    count = {name: sum(law.implementation == name for law in every) for name in settings}
    said = []
    for name in sorted(settings, key=words.names.index):
        own, text = settings[name], f"`{words.short[name]}`"
        if len(own) < count[name]:
            text += f" ({own[0]})" if len(own) == 1 else f" (in {len(own)} of {count[name]} settings)"
        said.append(text)
    return listed(said)
