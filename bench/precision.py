"""How many passes each cell of a run needs for the precision asked for."""

from __future__ import annotations

from pathlib import Path

from bench.manifest import MEASURED
from bench.results import read_run
from bench.stats import passes_needed
from bench.summary import log_ratios


def passes_wanted(folder: Path, precision: float) -> dict[tuple[str, str], int]:
    """(case, implementation) -> passes in all, from the spread of the first ones, that make its speed-up's 95 %
    interval at most ± `precision` (a fraction). The baseline is left out: its ratio to itself is 1."""
    run = read_run(folder)
    by_cell = dict(list(run.samples.groupby(["case", "implementation"], sort=False)))
    wanted = {}
    for record in run.manifest.cells:
        own = by_cell.get((record.case, record.implementation))
        baseline = by_cell.get((record.case, run.manifest.baseline))
        if record.status != MEASURED or own is None or baseline is None or own is baseline:
            continue
        logs = log_ratios(own, baseline).iloc[: run.manifest.first_passes]
        if len(logs) >= 2:
            wanted[record.case, record.implementation] = passes_needed(logs.tolist(), precision)
    return wanted
