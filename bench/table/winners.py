"""Who wins each case, who of a tie is the simplest, whose code others run, and when a longer build has paid off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bench.table.comparison import FASTEST, TIED, UNDECIDED
from bench.table.lines import lines_of
from rnn_impls.registry import ordered

AT_ONCE, NEVER = 0.0, math.inf
"""Calls after which a build has paid off that takes no longer, and one of what is slower."""


@dataclass(frozen=True, eq=False)
class Winner:
    """The implementations that are or may be the fastest in one case, with their cells as `rows`. By their `standing`
    it is one alone, FASTEST; or several that are TIED, the simplest first; or UNDECIDED, in the order of
    `registry.ordered`."""

    standing: str
    names: tuple[str, ...]
    rows: pd.DataFrame

    @property
    def decided(self) -> bool:
        """Whether it says what to use: one alone, or the first of a tie."""
        return self.standing != UNDECIDED


def winners(cells: pd.DataFrame) -> dict[str, Winner]:
    """Case -> its winner, in order; without the cases in which nothing can be said
    (`bench.table.comparison.standings`)."""
    found = {}
    for case, rows in cells[cells["standing"].isin([FASTEST, TIED, UNDECIDED])].groupby("case", sort=True):
        by_name = rows.set_index("implementation", drop=False)
        standing = str(rows["standing"].iloc[0])
        names = simplest_first(by_name) if standing == TIED else ordered(by_name.index)
        found[str(case)] = Winner(standing, tuple(names), by_name.loc[names])
    return found


def simplest_first(by_name: pd.DataFrame) -> list[str]:
    """The implementations of some rows, by name, in the order of what they need, then of their lines of code; where a
    run of an earlier version says neither, the lines are those found here, and what is not found comes last."""

    def costs(name: str) -> tuple[int, float]:
        lines = code_lines(by_name.loc[name])
        needs = by_name.loc[name, "needs"]
        return len(needs), math.inf if math.isnan(lines) else lines

    return sorted(ordered(by_name.index), key=costs)


def code_lines(row: pd.Series) -> float:
    """Lines of code of an implementation: recorded by the run, or else found here; NaN where it isn't."""
    return float((lines_of(row["implementation"]) or math.nan) if pd.isna(row["lines"]) else row["lines"])


def same_code(cells: pd.DataFrame, names: Iterable[str]) -> dict[str, list[str]]:
    """Of these names those whose code others run as well, in these cells: name -> the others."""
    found: dict[str, list[str]] = {}
    for name in names:
        others = cells.loc[(cells["same_as"] == name) & cells["seconds"].notna(), "implementation"]
        if len(others):
            found[name] = ordered(others)
    return found


def payback(build: float, reference_build: float, reference_seconds: float, gain: tuple[float, float, float]) -> float:
    """Calls after which an implementation and its building have taken no longer than the reference and its own.

    That is (build - reference's build) / (reference's seconds x (1 - 1 / gain)), rounded up: what a call saves is taken
    from the gain over the reference, value and ends of its interval, since it was measured in the same rounds. AT_ONCE
    for one that is faster and builds no slower, NEVER for one that is slower; NaN where the interval does not say which
    it is, or a figure is missing.
    """
    value, low, high = gain
    if high < 1:
        return NEVER
    if not low > 1 or any(map(math.isnan, (build, reference_build, reference_seconds))):
        return math.nan
    extra, saved = build - reference_build, reference_seconds * (1 - 1 / value)
    return float(math.ceil(extra / saved * (1 - 1e-12))) if extra > 0 else AT_ONCE  # 100.00000000000001 is 100
