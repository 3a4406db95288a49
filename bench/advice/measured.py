"""Advice on a case that the run holds."""

from __future__ import annotations

import pandas as pd

from bench.advice.advice import MEASURED, Advice, Ranked
from bench.cases import Case
from bench.payback import payback
from bench.report.names import ordered
from bench.report.outcome import with_outcome
from bench.report.units import missing
from bench.report.use.winners import same_code, winners
from bench.stats import Estimate
from bench.summary import REFERENCE


def advice(cells: pd.DataFrame, case: Case) -> Advice | None:
    """What was measured of this very case; None if nothing was."""
    rows = with_outcome(cells[cells["case"] == case.id])
    there = rows[rows["outcome"] == MEASURED].set_index("implementation", drop=False)
    if there.empty:
        return None
    base = there.loc[REFERENCE] if REFERENCE in there.index else None
    by = "behind" if there["behind"].notna().all() else "seconds"
    ranking = [_ranked(row, base) for _, row in there.sort_values(by, kind="stable").iterrows()]
    won = winners(there).get(case.id)
    fastest, standing = (list(won.names), won.standing) if won else ([], "")
    same = same_code(there, there.index)
    return Advice(case, MEASURED, ranking, fastest, left(rows), standing=standing, same=same)


def left(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """The ways among these cells that were not measured in any of them, and why; the first reason of each."""
    there = set(rows.loc[rows["outcome"] == MEASURED, "implementation"])
    lost = rows[~rows["implementation"].isin(there)].drop_duplicates("implementation").set_index("implementation")
    return [(name, reason(lost.loc[name])) for name in ordered(lost.index)]


def reason(row: pd.Series) -> str:
    """`unavailable: made for one layer`."""
    return f"{row['outcome']}: {' '.join(str(row['reason']).split()) or 'no reason was recorded'}"


def _ranked(row: pd.Series, base: pd.Series | None) -> Ranked:
    gain = None if base is None or missing(row["gain"]) else _estimate(row, "gain")
    calls = float("nan")
    if base is not None and gain is not None:
        ends = (gain.value, gain.low, gain.high)
        calls = payback(row["build_seconds"], base["build_seconds"], base["seconds"], ends)
    return Ranked(
        row["implementation"], _estimate(row, "seconds"), gain, row["build_seconds"], calls, warnings=row["warnings"]
    )


def _estimate(row: pd.Series, name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], int(row["passes"]))
