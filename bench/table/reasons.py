"""Why cells were not measured: each distinct reason once, with all that it met.

Reasons that differ in a number alone, such as a size or a value, are one: the first stands for all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from bench.store.manifest import MEASURED
from rnn_impls.registry import ordered

_NUMBER = re.compile(r"(?<![A-Za-z_\d])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def alike(reason: str) -> str:
    """What reasons that differ in numbers alone have in common."""
    return _NUMBER.sub("#", reason)


@dataclass(frozen=True, eq=False)
class Reason:
    """What became of some cells (`outcome`), why, and their `rows`; `first` is the reason of the first of them, and
    `same` tells that all others have it word by word."""

    outcome: str
    first: str
    same: bool
    rows: pd.DataFrame

    @property
    def implementations(self) -> list[str]:
        """Those that it met, in the order of reports."""
        return ordered(self.rows["implementation"])


def reasons(cells: pd.DataFrame) -> list[Reason]:
    """The distinct reasons of a table as `bench.table.cells.with_outcome` gives it, in the order of its rows."""
    lost = cells[cells["outcome"] != MEASURED]
    told = [" ".join(str(reason).split()) for reason in lost["reason"]]
    lost = lost.assign(reason=told, alike=[alike(reason) for reason in told])
    return [
        Reason(str(outcome), part["reason"].iloc[0], part["reason"].nunique() == 1, part)
        for (outcome, _), part in lost.groupby(["outcome", "alike"], sort=False)
    ]
