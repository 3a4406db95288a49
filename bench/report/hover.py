"""What the page's pictures answer when they are pointed at: every measured cell in words, and its ratio over each
baseline that can be chosen. The page's script only shows this.

    {"cells": [[implementation, case, time, time per step, gap, kernel if it is known], ...],  as in `Scene.cells`
     "baselines": [name, ...],                                            the run's own first
     "over": [[[ratio with interval, ratio on a tile, colour role], ...], ...]}      by baseline, then by cell
"""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from bench.cases.case import Cell
from bench.report.comparisons import Context
from bench.report.pictures.palette import heat_role
from bench.report.pictures.scene import Scene
from bench.report.units import duration, duration_in, gap, missing, short_times, times
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTER, SLOWER, TIED, UNKNOWN, Comparison
from bench.table.ratios import ratios
from bench.table.reading import Run

MOST = 6
"""Baselines to choose from; a page holds each one's ratio to every cell."""

_WORDS = {TIED: "a tie", UNKNOWN: "one pass, no interval"}


def baselines(scene: Scene) -> list[str]:
    """The run's own, the library's call, then the others in their order."""
    measured = set(scene.cells["implementation"])
    first = [name for name in (scene.baseline, REFERENCE) if name in measured]
    return list(dict.fromkeys([*first, *(name for name in scene.names if name in measured)]))[:MOST]


def answers(run: Run, scene: Scene) -> dict[str, Any]:
    """All of it, for JSON; empty for a run in which nothing was measured."""
    if scene.cells.empty:
        return {}
    chosen = baselines(scene)
    found, context = ratios(run, chosen, set(scene.cells["case"])), Context(scene.cells, scene.baseline)
    rows = [row for _, row in scene.cells.iterrows()]
    return {
        "cells": [_cell(context, row) for row in rows],
        "baselines": [scene.label(name) for name in chosen],
        "over": [[_over((row["case"], row["implementation"]), base, found) for row in rows] for base in chosen],
    }


def _cell(context: Context, row: pd.Series) -> list[str]:
    on = f", {row['device']}" if len(context.devices) > 1 else ""
    step = "" if row["seq_len"] == 1 else f"{duration(row['seconds'] / row['seq_len'])} a step"
    least = "" if missing(row["gap"]) else f"{gap(row['gap'])} its floor"
    time = duration_in(row["seconds"], row["seconds_low"], row["seconds_high"])
    kernel = [row["kernel"]] if row.get("kernel") else []
    return [context.short[row["implementation"]], context.place(row) + on, time, step, least, *kernel]


def _over(cell: Cell, base: str, found: dict[tuple[Cell, str], Comparison]) -> list[str] | None:
    """A ratio as the page shows it; None where the baseline was not measured in the same rounds."""
    if cell[1] == base:
        return ["1×", "1×", "even"]
    known = found.get((cell, base))
    if known is None or math.isnan(known.ratio.value):
        return None
    ratio, relation = known.ratio, known.relation
    said = f", {_WORDS[relation]}" if relation in _WORDS else "" if relation in (FASTER, SLOWER) else ", undecided"
    role = heat_role(ratio.value, relation in (FASTER, SLOWER))
    return [times(ratio.value, ratio.low, ratio.high) + said, short_times(ratio.value), role]


def as_json(found: dict[str, Any]) -> str:
    """For a script element, which `</` would end."""
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
