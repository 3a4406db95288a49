"""What became of each cell: measured, or why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.manifest import MEASURED, Manifest
from bench.report.facets import pick
from bench.report.names import axis_value, device, listed

NOT_REACHED = "not reached"


def with_outcome(cells: pd.DataFrame) -> pd.DataFrame:
    """Add `outcome`: the status, but `not reached` for a cell that was to be measured and has no sample."""
    missed = (cells["status"] == MEASURED) & cells["seconds"].isna()
    why = "no finished pass holds it: the run ended before"
    reason = cells["reason"].fillna("").where(~missed, why)
    return cells.assign(outcome=cells["status"].where(~missed, NOT_REACHED), reason=reason)


@dataclass(frozen=True)
class Skipped:
    """Cells of one implementation that were skipped for the same reason, and what their cases are."""

    implementation: str
    outcome: str
    reason: str
    count: int
    cases: str


def skipped(cells: pd.DataFrame) -> list[Skipped]:
    """Everything that was not measured, and why."""
    frame = with_outcome(cells)
    frame = frame[frame["outcome"] != MEASURED]
    groups = frame.groupby(["implementation", "outcome", "reason"], sort=False)
    return [
        Skipped(str(name), str(outcome), str(reason) or "no reason was recorded", len(part), cases_in_words(part))
        for (name, outcome, reason), part in groups
    ]


def cases_in_words(part: pd.DataFrame) -> str:
    """The range of cases: `CPU, inference and training, hidden 32 to 512, 1 to 512 steps`."""
    words = [listed([device(name) for name in sorted(part["device"].unique())])]
    words.append(listed(sorted(part["mode"].unique())))
    for axis in ("hidden_size", "seq_len", "batch_size"):
        words.append(value_range(axis, [int(value) for value in part[axis].unique()]))
    words += [listed(sorted(part[axis].unique())) for axis in ("dtype",)]
    return ", ".join(words)


def value_range(axis: str, values: Sequence[int]) -> str:
    """The least and the greatest of the values of one axis in words: `hidden 32 to 512`, `1 to 8 steps`."""
    ends = pick(values, 2)
    text = axis_value(axis, ends[-1])
    return text if len(ends) == 1 else text.replace(str(ends[-1]), f"{ends[0]} to {ends[-1]}", 1)


def notices(cells: pd.DataFrame, manifest: Manifest) -> list[str]:
    """What the reader must know before anything else: a run cut short, cells that are missing."""
    found = []
    frame = with_outcome(cells)
    passes = frame["passes"].max()
    done = 0 if pd.isna(passes) else int(passes)
    if manifest.status != "finished":
        planned = f" of {manifest.first_passes} planned" if manifest.first_passes else ""
        found.append(
            f"This run did not finish: its last state is “{manifest.status}”. What follows rests on {done}{planned} "
            f"pass{'' if done == 1 else 'es'}."
        )
    missing = frame[frame["outcome"] != MEASURED]
    if len(missing):
        counts = missing["outcome"].value_counts()
        parts = [f"{count} {outcome}" for outcome, count in counts.items()]
        has = "has" if len(missing) == 1 else "have"
        found.append(f"{len(missing)} of {len(frame)} cells {has} no result ({listed(parts)}).")
    return found
