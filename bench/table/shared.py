"""The Cases that several machines ran, side by side. Every ratio is of one machine; machines are only put in one table.

Speed-ups over a baseline can be read across machines, since each is of the blocks of one process on one machine; times
and ratios of times of two machines are never formed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.table.winners import Winner, winners
from rnn_impls.registry import ordered


@dataclass(frozen=True, eq=False)
class Shared:
    """The shared Cases in order; the measured cells of each machine by case and implementation, and its winners; and
    the cases of which two machines have different winners for certain: no implementation is, or may be, the fastest on
    both."""

    cases: list[str]
    cells: dict[str, pd.DataFrame]
    won: dict[str, dict[str, Winner]]
    differing: list[str]

    @property
    def implementations(self) -> list[str]:
        """All that were measured in any of them."""
        return ordered(name for cells in self.cells.values() for name in cells["implementation"].unique())


def shared(tables: Mapping[str, pd.DataFrame]) -> Shared:
    """What the tables of cells of several machines, by fingerprint, have in common: Cases that two or more measured."""
    measured = {digits: table[table["seconds"].notna()] for digits, table in tables.items()}
    counts = pd.Series([case for table in measured.values() for case in table["case"].unique()], dtype=object)
    both = counts.value_counts(sort=False)
    cases = sorted(both.index[both > 1])
    kept = {digits: table[table["case"].isin(cases)] for digits, table in measured.items()}
    won = {digits: winners(table) for digits, table in kept.items()}
    indexed = {
        digits: table.set_index(["case", "implementation"], drop=False).sort_index() for digits, table in kept.items()
    }
    return Shared(cases, indexed, won, [case for case in cases if _differ([each.get(case) for each in won.values()])])


def _differ(won: list[Winner | None]) -> bool:
    """Whether two of the winners of a case that are known for certain have no implementation in common."""
    names = [set(winner.names) for winner in won if winner and winner.decided]
    return any(not one & other for k, one in enumerate(names) for other in names[k + 1 :])
