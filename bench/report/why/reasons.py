"""One line for each cell: what bounds it, where its time goes, and with how many operators."""

from __future__ import annotations

import pandas as pd

from bench.manifest import MEASURED
from bench.profile.record import AGREED, PROFILED, Profile, ProfileRecord
from bench.report.units import missing, per_step, whole_percent

SHOWN = 0.05
"""A category below this share is not worth its words, unless it is the second of two."""


def with_reasons(cells: pd.DataFrame, profile: Profile | None) -> pd.DataFrame:
    """Add `why`: the line of each measured cell, or why there is none; empty for cells that were not measured. Nothing
    is added where no profile was asked for."""
    if profile is None:
        return cells
    records = {(each.case, each.implementation): each for each in profile.records}
    missing_all = profile.missing or "the profile does not hold it"
    lines = []
    for _, row in cells.iterrows():
        record = records.get((row["case"], row["implementation"]))
        if row["status"] != MEASURED or missing(row["seconds"]):
            lines.append("")
        else:
            lines.append(reason(row, record) if record else f"not profiled: {missing_all}")
    return cells.assign(why=lines)


def reason(row: pd.Series, record: ProfileRecord) -> str:
    """`overhead-bound: 85 % Python and dispatch, 11 % matrix products; 4.1 operators a step`."""
    if record.status != PROFILED:
        return f"not profiled: {record.reason}"
    known = f"{row['label']}: " if isinstance(row["label"], str) else ""
    off = abs(record.agreement - 1)
    doubt = f" (the parts were {whole_percent(off)} off the time measured)" if off > AGREED else ""
    return f"{known}{parts(record)}; {per_step(row['operators'])} operators a step{doubt}"


def parts(record: ProfileRecord) -> str:
    """The largest categories with their shares: two at least, where there are two."""
    ranked = sorted(record.categories.items(), key=lambda item: -item[1])
    shares = [(name, seconds / record.seconds) for name, seconds in ranked if seconds > 0]
    kept = [each for k, each in enumerate(shares) if each[1] >= SHOWN or k < 2]
    return ", ".join(f"{whole_percent(share)} {name}" for name, share in kept[:3] if round(100 * share))
