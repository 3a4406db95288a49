"""The conclusion of a contest: the judge's hearings as verdicts, and what it would take where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bench.gate.judge import Hearing, Judge
from bench.gate.outcome import INCONCLUSIVE, REGRESSED, Cell, CellVerdict, Outcome
from bench.warning import EstimateWarning

Warnings = tuple[EstimateWarning, ...]

HOPELESS = 20
"""Times the pairs there were: a cell that wants more than that is at the limit, not short of pairs."""


def conclude(
    outcome: Outcome, judge: Judge, given_up: set[Cell], pair_seconds: float, warnings: Mapping[Cell, Warnings]
) -> None:
    """Write what the judge has come to into the outcome; cells that were given up have no verdict."""
    kept = [found for cell, found in judge.hearings.items() if cell not in given_up]
    outcome.pairs = judge.pairs
    outcome.verdicts = [_verdict(found, judge.limit, pair_seconds, warnings.get(found.cell, ())) for found in kept]
    if kept and judge.pairs < judge.looks[0]:
        outcome.too_few = (
            f"{judge.pairs} pairs of processes fitted into the budget, and a first look takes {judge.looks[0]}"
        )
    outcome.raw = {
        "log_ratios": [[*found.cell, found.logs] for found in kept],
        "suspected": [[*found.cell, found.suspected, found.suspected_after] for found in kept if found.suspected],
    }


def _verdict(found: Hearing, limit: float, pair_seconds: float, warnings: Warnings) -> CellVerdict:
    note = wanted(found, limit, pair_seconds) if found.verdict == INCONCLUSIVE else ""
    return CellVerdict.of(found.cell, found.verdict, found.comparison(warnings), note)


def wanted(found: Hearing, limit: float, pair_seconds: float) -> str:
    """What it would take to decide a cell, in words; `limit` is the minimum effect as a log ratio."""
    if found.decided:
        return "not pursued, since the gate had failed already"
    suspicion = ""
    if found.suspected:
        word = "slower" if found.suspected == REGRESSED else "faster"
        suspicion = (
            f"{word} by the first {found.suspected_after} pairs, not confirmed by {len(found.confirming)} more; "
        )
    more = found.pairs_wanted(limit) - len(found.logs)
    if not more <= HOPELESS * max(len(found.logs), 1):
        return f"{suspicion}it lies at the limit: another --min-effect would decide it, more pairs hardly"
    pairs = max(1, math.ceil(more))
    return f"{suspicion}about {pairs} more pairs would decide it, {pairs * pair_seconds:.0f} s more of --budget"
