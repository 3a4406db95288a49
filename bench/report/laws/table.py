"""The table of the scaling laws: three numbers for each way in each setting, and how good they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from bench.law import PARTS
from bench.report.laws.words import Words
from bench.report.names import device
from bench.report.tables import AXES, Column, Entry, entries
from bench.report.units import duration_in, percent
from bench.scaling import Laws

_TITLES = {"fixed": "Fixed", "per_step": "Per step", "per_product": "Per product"}
_HINTS = {
    "fixed": "what a call costs before its first step, with its 95 % interval over passes",
    "per_step": "what a step costs whatever its size, with its 95 % interval over passes",
    "per_product": "what a multiply-add of the forward pass costs, in training with the backward pass that belongs "
                   "to it, with its 95 % interval over passes; 50 ps are 40 GFLOP/s",
}  # fmt: skip
_ERRORS = {
    "error": ("Held-out error", "median error on cells, each predicted by the law fitted to all others"),
    "worst": ("Worst", "the largest of these errors"),
    "largest": ("Largest size", "median error on the cells of the largest size, predicted from the smaller ones"),
    "longest": ("Longest", "median error on the cells of the longest sequence, predicted from the shorter ones"),
}


def rows(found: Laws) -> list[list[Entry]]:
    """The table of the laws, one row each; without passes enough for an interval, the numbers stand alone."""
    return entries(_frame(found), columns(found))


def columns(found: Laws) -> list[Column]:
    """Its columns: implementation, mode and what else varies, the three numbers, four errors, cells."""
    words = Words(found)
    shown = [Column("Implementation", lambda row: words.short[row["implementation"]], _field("implementation"), False)]
    for axis in dict.fromkeys(["mode", *words.varying]):
        shown.append(Column(AXES[axis], _axis_text(axis), _field(axis), axis not in ("mode", "device", "dtype")))
    shown += [Column(_TITLES[part], _part_text(part), _field(part), hint=_HINTS[part]) for part in PARTS]
    shown += [Column(title, _share_text(name), _field(name), hint=hint) for name, (title, hint) in _ERRORS.items()]
    return [*shown, Column("Cells", lambda row: str(row["cells"]), _field("cells"))]


def share(error: float) -> str:
    """An error in two digits: `7.6 %`."""
    return percent(float(f"{error:.2g}"))


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


def _field(name: str) -> Callable[[pd.Series], Any]:
    return lambda row: row[name]


def _axis_text(axis: str) -> Callable[[pd.Series], str]:
    return lambda row: device(row[axis]) if axis == "device" else str(row[axis])


def _part_text(part: str) -> Callable[[pd.Series], str]:
    return lambda row: duration_in(row[part], row[f"{part}_low"], row[f"{part}_high"])


def _share_text(name: str) -> Callable[[pd.Series], str]:
    return lambda row: share(row[name])
