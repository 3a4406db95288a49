"""Recorded series in which nothing changed: whole runs of one tree one after the other, pairs of unchanged gates, and
histories made up of the passes of reference runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.history.series import DATE, history
from bench.history.shifts import MIN_POINTS, Values
from bench.history.summary import read_all
from bench.table.measured import log_controls, measured_samples
from bench.table.reading import read_run

ROOT = Path(__file__).resolve().parents[2] / "reports" / "reference"

Histories = list[list[Values]]

LENGTH, CELLS = 40, 8
"""Of a history that is made up."""

PASSES = 5
"""Of a reference run whose passes are drawn from."""


def recorded(series: int) -> Iterator[tuple[str, Histories]]:
    """(what it is, histories); of what is made up so many series."""
    for folder in sorted(ROOT.glob("*-history")):
        yield f"runs of one commit, {folder.name.removesuffix('-history')}", [_runs(folder)]
    for path in sorted(ROOT.glob("*/trust*/runs.jsonl")):
        yield f"pairs of unchanged gates, {path.parent.parent.name}, {path.parent.name}", list(_pairs(path))
    yield "made up of the passes of reference runs", list(_made_up(series))


def _runs(folder: Path) -> list[Values]:
    """The cells of a folder of summaries."""
    summaries, _ = read_all([folder])
    return [np.asarray(each.logs) for each in history(summaries, DATE).series]


def _pairs(path: Path) -> Iterator[list[Values]]:
    """Head over base of each pair, one history a gate; of the cells that were measured in MIN_POINTS pairs or more."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        cells = [np.asarray(cell["logs"]) for cell in row["cells"]] if row.get("delay") == 0 else []
        if long := [logs for logs in cells if len(logs) >= MIN_POINTS]:
            yield long


def _made_up(series: int) -> Iterator[list[Values]]:
    """Histories whose runs are drawn from the passes of a reference run, whole: all cells of a run are of one pass, so
    that what they share stays shared."""
    rng = np.random.default_rng(7)
    tables = [table for path in sorted(ROOT.glob("*/run.json")) if (table := _passes(path.parent)) is not None]
    for number in range(series // CELLS):
        table = tables[number % len(tables)]
        chosen = table[rng.choice(len(table), min(CELLS, len(table)), replace=False)]
        yield list(chosen[:, rng.integers(0, chosen.shape[1], LENGTH)])


def _passes(folder: Path) -> Values | None:
    """Logarithms of the control ratio, less the cell's mean: cells by passes; None where there are too few passes."""
    run = read_run(folder)
    logs = [log_controls(samples)["log"].to_numpy() for samples in measured_samples(run).values()]
    whole = [each - each.mean() for each in logs if len(each) >= PASSES]
    return np.asarray([each[:PASSES] for each in whole]) if whole else None
