"""How many passes each cell of a run needs for the precision asked for."""

from __future__ import annotations

from pathlib import Path

from bench.comparison import log_ratios
from bench.results import read_run
from bench.stats import passes_needed
from bench.summary import measured_samples


def passes_wanted(folder: Path, precision: float) -> dict[tuple[str, str], int]:
    """(case, implementation) -> passes in all, from the spread of the first ones, that make its speed-up's 95 %
    interval at most ± `precision` (a fraction). The baseline is left out: its ratio to itself is 1."""
    run = read_run(folder)
    measured = measured_samples(run)
    wanted = {}
    for (case, name), samples in measured.items():
        baseline = measured.get((case, run.manifest.baseline))
        if baseline is not None and name != run.manifest.baseline:
            found = log_ratios(samples, baseline).iloc[: run.manifest.first_passes]
            if len(found) >= 2:
                wanted[case, name] = passes_needed(found["log"].tolist(), precision, errors=found["error"].tolist())
    return wanted
