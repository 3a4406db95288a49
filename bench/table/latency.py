"""How long a step of a streaming Case takes, and how long the slow ones do: each with its interval over passes.

A pass gives one value of each quantile, over the steps that nothing disturbed; the mean of their logarithms over passes
and its interval are as those of any other time, since the fresh process is the unit and not the step.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.cases.case import QUANTILES
from bench.table.reading import Run
from bench.table.stats import interval_of_ratio

KEYS = ["case", "implementation"]
FIGURES = tuple(f"latency_{name}{end}" for name in QUANTILES for end in ("", "_low", "_high"))
COUNTS = ("latency_steps", "latency_disturbed")


def latencies(run: Run) -> pd.DataFrame:
    """One row for each cell whose steps were looked at, in order: KEYS, FIGURES in seconds, and COUNTS of steps over
    all passes: those that the figures are of, and those of disturbed blocks.

    A pass in which every block was disturbed has no figures; where none has, they are NaN, as are the ends of an
    interval from a single pass.
    """
    rows = []
    for (case, name), own in run.latencies.groupby(KEYS, sort=True):
        row: dict[str, object] = {"case": case, "implementation": name}
        known = own[own["steps"] > 0]
        first = int((known["pass"] <= (run.manifest.first_passes or np.inf)).sum())
        for quantile in QUANTILES if len(known) else ():
            found = interval_of_ratio(np.log(known[quantile].to_numpy(float)).tolist(), first)
            for end, value in (("", found.value), ("_low", found.low), ("_high", found.high)):
                row[f"latency_{quantile}{end}"] = value
        row |= {"latency_steps": int(own["steps"].sum()), "latency_disturbed": int(own["disturbed"].sum())}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*KEYS, *FIGURES, *COUNTS])


def with_latency(cells: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Add FIGURES and COUNTS to cells, if there are any; NaN for what was not measured, or is of another mode."""
    found = latencies(run)
    if found.empty:
        return cells
    table = cells.merge(found, how="left", on=KEYS, validate="one_to_one")
    table.loc[table["seconds"].isna(), [*FIGURES, *COUNTS]] = np.nan
    return table
