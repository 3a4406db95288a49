"""Who wins each case, as far as the intervals allow it to be said."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from bench.manifest import MEASURED
from bench.report.comparisons import fastest
from bench.report.names import ordered, short_names
from bench.summary import REFERENCE

GAIN = ("gain", "gain_low", "gain_high")
COLUMNS = ("fastest", "fastest_gain", "fastest_gain_low", "fastest_gain_high")
"""What `with_winners` adds: a name or `undecided: a, b`, and the winner's gain over REFERENCE with its interval."""


@dataclass(frozen=True, eq=False)
class Winner:
    """The ways that may be the fastest in one case, in the order of `names.ordered`: one when it is clear."""

    names: tuple[str, ...]
    rows: pd.DataFrame

    @property
    def clear(self) -> bool:
        """Whether it is one alone."""
        return len(self.names) == 1

    def text(self, short: dict[str, str]) -> str:
        """The name, or those it lies between."""
        return ("" if self.clear else "undecided: ") + ", ".join(short[name] for name in self.names)


def winners(cells: pd.DataFrame) -> dict[str, Winner]:
    """Case -> its winner, in order; without the cases that have no intervals, or nothing to compare."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    found = {}
    for case, rows in measured.groupby("case", sort=True):
        names = fastest(rows)
        if names:
            names = ordered(_unless_refuted(names, rows))
            found[str(case)] = Winner(tuple(names), rows.set_index("implementation", drop=False).loc[names])
    return found


def _unless_refuted(names: list[str], rows: pd.DataFrame) -> list[str]:
    """A clear winner, but with those that its gain over REFERENCE, from the same rounds, does not keep behind it."""
    if len(names) > 1:
        return names
    others = rows[(rows["implementation"] != REFERENCE) & rows["gain_low"].notna()]
    if names == [REFERENCE]:
        return [*names, *others["implementation"][others["gain_high"] >= 1]]
    own = others[others["implementation"] == names[0]]
    return names + ([REFERENCE] if len(own) and not (own["gain_low"] > 1).all() else [])


def with_winners(cells: pd.DataFrame) -> pd.DataFrame:
    """Add COLUMNS to each row of a case that has a winner."""
    found, short = winners(cells), short_names(cells["implementation"])
    texts = {case: winner.text(short) for case, winner in found.items()}
    clear = {case: winner.rows.iloc[0] for case, winner in found.items() if winner.clear}
    table = cells.assign(fastest=[texts.get(case, "") for case in cells["case"]])
    for column, gain in zip(COLUMNS[1:], GAIN, strict=True):
        table[column] = [float(clear[case][gain]) if case in clear else math.nan for case in cells["case"]]
    return table
