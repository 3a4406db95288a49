"""Which results that others published are of cases of a run. Nothing is divided: the machines differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench.cases.case import Case
from bench.published.results import Result
from bench.table.cells import REFERENCE
from bench.table.winners import Winner, winners

_ANY: dict[str, Any] = {"device": "cpu", "dtype": "float32", "threads": 1}
"""Fields in which a case of the run may differ from the published one."""


@dataclass(frozen=True, eq=False)
class Beside:
    """A published result, and what the run has of its case: seconds of a call of REFERENCE, NaN where it has none, and
    the winner, where one can be told."""

    result: Result
    case: Case
    reference_seconds: float
    winner: Winner | None


def beside(cells: pd.DataFrame, results: Iterable[Result]) -> list[Beside]:
    """Every result of a case that the run has a time of, case by case in the order of their ids: of the same network,
    mode, sizes, layers, directions, batch and steps."""
    published: dict[Case, list[Result]] = {}
    for result in results:
        published.setdefault(_matched(result.case), []).append(result)
    measured = cells[cells["seconds"].notna()]
    reference = measured[measured["implementation"] == REFERENCE].set_index("case")["seconds"]
    won = winners(measured)
    return [
        Beside(result, case, float(reference.get(case.id, math.nan)), won.get(case.id))
        for case in sorted(map(Case.parse, measured["case"].unique()))
        for result in published.get(_matched(case), [])
    ]


def _matched(case: Case) -> Case:
    return replace(case, **_ANY)
