"""A ranking of the ways for one case, and whether it was measured or predicted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bench.advice.held_out import HeldOut
from bench.cases import Case
from bench.comparison import UNDECIDED
from bench.results import Run
from bench.stats import Estimate
from bench.warning import EstimateWarning

MEASURED, INTERPOLATED, EXTRAPOLATED = "measured", "interpolated", "extrapolated"


@dataclass(frozen=True)
class Ranked:
    """One way: seconds per call, gain over REFERENCE (None where that has no time), and its price.

    `error` is the share of the time that its law misses nine in ten unseen cells by at most, NaN for what was measured
    and where it is not known; `payback` is that of `bench.payback`.
    """

    name: str
    seconds: Estimate
    gain: Estimate | None
    build_seconds: float
    payback: float
    basis: str = MEASURED
    error: float = math.nan
    warnings: tuple[EstimateWarning, ...] = ()


@dataclass(frozen=True)
class Advice:
    """What a run says of a case. Without a ranking, `reason` says why.

    `ranking` has the fastest first, by the ratio to it where that is known; `fastest` those that may be it (none where
    no interval allows to say so), `left` the ways that have no answer with their reasons, `outside` the sizes that lie
    beyond what was measured, in words. `rivals` are those of `left` that may be the fastest in some of the `around`
    cases measured nearest to this one, with in how many: an answer that passes over them in silence would be a wrong
    one. `standing` says what several `fastest` are: a tie, the one to use first, or undecided; `same` which others run
    the code of one of the ranking.
    """

    case: Case
    basis: str
    ranking: list[Ranked] = field(default_factory=list)
    fastest: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    reason: str = ""
    held_out: HeldOut | None = None
    """Of a prediction: what became of such predictions of the cases that were measured in this setting."""
    rivals: list[tuple[str, int]] = field(default_factory=list)
    around: int = 0
    standing: str = UNDECIDED
    same: dict[str, list[str]] = field(default_factory=dict)


def advise(run: Run, case: Case) -> Advice:
    """The ranking of a run's ways for a case."""
    from bench.advice import measured, predicted
    from bench.summary import cells

    table = cells(run)
    return measured.advice(table, case) or predicted.advice(run, table, case)
