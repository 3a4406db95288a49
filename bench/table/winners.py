"""Who wins each case, who of a tie is the simplest, whose code others run, and when a longer build has paid off."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pandas as pd

from bench.table.comparison import FASTEST, TIED, UNDECIDED
from bench.table.lines import lines_of
from rnn_impls.registry import ordered

AT_ONCE, NEVER = 0.0, math.inf
"""Calls after which a build has paid off that takes no longer, and one of what is slower."""


@dataclass(frozen=True, eq=False)
class Winner:
    """The implementations that are or may be the fastest in one case: in `table`, the rows numbered `at`. By their
    `standing` it is one alone, FASTEST; or several that are TIED, the simplest first; or UNDECIDED, in the order of
    `registry.ordered`."""

    standing: str
    names: tuple[str, ...]
    table: pd.DataFrame
    at: tuple[int, ...]

    @property
    def decided(self) -> bool:
        """Whether it says what to use: one alone, or the first of a tie."""
        return self.standing != UNDECIDED

    @property
    def rows(self) -> pd.DataFrame:
        """Their cells."""
        return self.table.iloc[list(self.at)].set_index("implementation", drop=False)


def winners(cells: pd.DataFrame) -> dict[str, Winner]:
    """Case -> its winner, in order; without the cases in which nothing can be said
    (`bench.table.comparison.standings`).

    Of a tie the simplest comes first: who needs the least beside torch, then who has the fewest lines of code; where a
    run of an earlier version says neither, the lines are those found here."""
    columns = [cells[name].tolist() for name in ("case", "standing", "implementation")]
    by_case: dict[str, list[int]] = {}
    for k, (case, standing, _) in enumerate(zip(*columns, strict=True)):
        if standing in (FASTEST, TIED, UNDECIDED):
            by_case.setdefault(case, []).append(k)
    place = {name: k for k, name in enumerate(ordered(columns[2]))}
    needs, recorded = cells["needs"].tolist(), [None if pd.isna(each) else each for each in cells["lines"]]

    @cache
    def lines(name: str, known: float | None) -> float:
        found = code_lines(name, known)  # NaN is not known here either: it comes last
        return math.inf if math.isnan(found) else found

    found = {}
    for case in sorted(by_case):
        at = sorted(by_case[case], key=lambda k: place[columns[2][k]])
        if (standing := columns[1][at[0]]) == TIED:
            at.sort(key=lambda k: (len(needs[k]), lines(columns[2][k], recorded[k])))
        found[case] = Winner(standing, tuple(columns[2][k] for k in at), cells, tuple(at))
    return found


def code_lines(name: str, recorded: float | None) -> float:
    """Lines of code of an implementation: recorded by the run, or else found here; NaN where it isn't."""
    return float((lines_of(name) or math.nan) if recorded is None or math.isnan(recorded) else recorded)


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
