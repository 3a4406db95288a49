"""What flushing denormals gains, cell by cell, and from how many steps on.

flushed(run)     one row per cell that was measured both ways
onsets(table)    from how many steps on it gains
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.cases.case import FIELDS, Case
from bench.table.comparison import FASTER, Comparison
from bench.table.reading import Run
from bench.table.stats import Estimate, interval_of_ratio

APART = [name for name in FIELDS if name != "seq_len"]


def flushed(run: Run) -> pd.DataFrame:
    """One row per cell that has times. Columns: case (id), the fields of Case, implementation; backward_seconds and
    flushed_seconds, of a backward pass as it is and with denormals flushed; gain, their ratio, and call_gain, that of a
    whole training call, each with _low and _high over processes; relation, of the gain; parity_error as it is, and
    flushed_error; of the Case share and zeros, first and last (`bench.why.denormals.table_file.Count`). NaN where
    nothing is known. Empty for a run that was not asked."""
    if run.denormals is None:
        return pd.DataFrame()
    counts = {each.case: each for each in run.denormals.counts}
    records = run.manifest.by_cell()
    rows = []
    for each in run.denormals.flushing:
        if not each.backward or each.cell not in records:
            continue
        gain, call = _gain(each.backward), _gain(each.call)
        row: dict[str, Any] = {"case": each.case, **Case.parse(each.case).as_dict()}
        row |= {"implementation": each.implementation, "flushed_seconds": _mean(pair[1] for pair in each.backward)}
        row["backward_seconds"] = row["flushed_seconds"] * gain.value
        for name, found in (("gain", gain), ("call_gain", call)):
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        row["relation"] = Comparison(each.case, "flushed", "as it is", gain).relation
        row |= {"parity_error": records[each.cell].parity_error, "flushed_error": each.parity_error}
        count = counts.get(each.case)
        row |= {name: getattr(count, name, None) for name in ("share", "zeros", "first", "last")}
        rows.append(row)
    return pd.DataFrame(rows)


def onsets(table: pd.DataFrame) -> pd.DataFrame:
    """For cells that differ in their steps alone: the fields but seq_len, implementation, and `since`, the fewest steps
    from which on flushing gains for certain at every length measured; NaN where it does not at the longest."""
    rows = []
    for key, group in table.groupby([*APART, "implementation"], sort=False):
        fields = dict(zip([*APART, "implementation"], key, strict=True))
        rows.append(fields | {"since": _since(group.sort_values("seq_len"))})
    return pd.DataFrame(rows)


def _since(rows: pd.DataFrame) -> float:
    since = math.nan
    for _, row in rows.iloc[::-1].iterrows():
        if row["relation"] != FASTER:
            break
        since = float(row["seq_len"])
    return since


def _gain(pairs: Sequence[Sequence[float]]) -> Estimate:
    return interval_of_ratio([math.log(before / after) for before, after in pairs])


def _mean(seconds: Any) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(list(seconds)))))
