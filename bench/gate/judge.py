"""The judge: a verdict on every cell from fresh pairs of processes, looked at again and again until it is clear; where
it is not, what it would take.

An observation is one pair's log ratio of a cell, head over base: log(1.05) is 5 % slower. Pairs are independent, and
the logarithms are taken to be roughly normal. Whenever the number of pairs reaches one of LOOKS:

    for each cell not decided, with its t distribution over pairs:
        suspected (slower or faster) when its bound lies beyond the minimum effect
        unchanged                      when both of its bounds lie within it
    for each that is suspected, from the pairs that came after it was, alone:
        regressed or improved          when its bound lies beyond the minimum effect again

Errors. There are three questions (is it slower, is it faster, is it unchanged), and the first two are asked twice,
of different processes. Each is a family of one-sided hypotheses over all cells, with the error ERROR:

- over cells by Holm's step-down procedure (S. Holm, Scandinavian Journal of Statistics 6, 1979, 65-70): the smallest
  p-value is held against level / m, the next against level / (m - 1), and so on;
- over looks by Bonferroni: every look gets an equal share of the error. Rejections are carried on to the next look (as
  in Ye, Li, Liu and Yao, Statistics in Medicine 32, 2013, 1112-1124). Why that is right: let t of the m hypotheses be
  true. Until the first of them is rejected only false ones have been, so its level at look k is at most share_k / t;
  over K looks and t hypotheses that adds up to no more than the error. Nothing is assumed of how looks depend on each
  other, nor on which cells are still measured.

A cell whose true change is within the minimum effect is thus called slower in some run with a probability of at most
ERROR, and, since the confirming pairs know nothing of the first ones, confirmed with at most ERROR x ERROR: 0.25 % of
runs for slower and as much for faster, all cells together, even with every cell just at the limit. Cells that did not
change at all lie well within it and are called so far more rarely: `python -m bench trust` counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from bench.cases.case import Cell
from bench.table.comparison import Comparison, EstimateWarning
from bench.table.outcome import BASE, HEAD, IMPROVED, INCONCLUSIVE, REGRESSED, UNCHANGED, CellVerdict, Outcome
from bench.table.stats import Estimate, holm, p_above, t_half_width

LOOKS = (6, 9, 13, 19, 28, 42, 63, 94)
"""Numbers of pairs after which the judge looks: fewer than 6 make a t bound too wide to say anything, and each time
half as many again make the bounds a fifth narrower."""

ERROR = 0.05
"""Of each family; see above for what it means for a run."""

LEAST_CONFIRMING = 3
"""Pairs that confirm, at the least: two make a bound that is never narrow enough."""

SUSPECTED = "suspected of having "
"""Before a verdict: the first of the two times that the question is asked."""


@dataclass
class Hearing:
    """What the judge has heard of one cell. `logs` holds one log ratio, head over base, per pair."""

    cell: Cell
    logs: list[float] = field(default_factory=list)
    verdict: str = INCONCLUSIVE
    decided: bool = False
    suspected: str = ""
    suspected_after: int = 0
    level: float = ERROR

    @property
    def confirming(self) -> list[float]:
        """The pairs that came after the cell was suspected of a change."""
        return self.logs[self.suspected_after :] if self.suspected else []

    @property
    def deciding(self) -> list[float]:
        """What the verdict rests on: the confirming pairs for a change, which are free of the luck that made the cell
        a suspect; else all pairs."""
        return self.confirming if self.verdict in (REGRESSED, IMPROVED) else self.logs

    @property
    def log_effect(self) -> float:
        """The mean of the deciding pairs; NaN where there are none."""
        return float(np.mean(self.deciding)) if self.deciding else math.nan

    @property
    def log_bounds(self) -> tuple[float, float]:
        """Lower and upper bound, each at the level at which the cell was decided or last looked at."""
        if len(self.deciding) < 2:
            return -math.inf, math.inf
        mean, error, freedom = _moments(self.deciding)
        half = t_half_width(error, freedom, self.level)
        return mean - half, mean + half

    def comparison(self, warnings: tuple[EstimateWarning, ...] = ()) -> Comparison:
        """The base against the head by the deciding pairs, with the bounds above as its interval."""
        low, high = self.log_bounds
        ratio = Estimate(math.exp(self.log_effect), math.exp(low), math.exp(high), len(self.deciding))
        return Comparison(self.cell[0], BASE, HEAD, ratio, warnings)

    def pairs_wanted(self, limit: float) -> float:
        """About how many pairs in all would decide it, if mean and spread stay as they are; `limit` is a log ratio."""
        logs = self.confirming if len(self.confirming) >= LEAST_CONFIRMING else self.logs
        if len(logs) < 2:
            return math.nan
        mean, error, _ = _moments(logs)
        distance = abs(abs(mean) - limit)
        spread = error * math.sqrt(len(logs))
        wanted = math.inf if distance == 0 else (float(ndtri(self.level)) * spread / distance) ** 2
        return len(self.logs) - len(logs) + max(wanted, len(logs))


class Judge:
    """Hears every cell, and decides what can be decided."""

    def __init__(self, cells: list[Cell], min_effect: float, beside: int = 0) -> None:
        """`min_effect` is a fraction: 0.03 means that less than 3 % slower or faster is of no interest. `beside` is how
        many cells another judge of the same gate hears: they count as hypotheses that never fall, so that what is said
        of both holds together."""
        self.hearings = {cell: Hearing(cell) for cell in cells}
        self.hypotheses = len(cells) + beside
        self.limit = math.log1p(min_effect)
        self.pairs = 0
        self._looked = 0
        self._rejected: Counter[str] = Counter()

    @property
    def open(self) -> list[Cell]:
        """The cells that are not decided yet."""
        return [cell for cell, found in self.hearings.items() if not found.decided]

    @property
    def exhausted(self) -> bool:
        """Whether all looks have been had."""
        return self._looked == len(LOOKS)

    def add(self, pair: dict[Cell, float]) -> bool:
        """Take in one pair's log ratios, of the open cells; look where it is time to, and say whether it was."""
        self.pairs += 1
        for cell, log_ratio in pair.items():
            self.hearings[cell].logs.append(log_ratio)
        due = not self.exhausted and self.pairs >= LOOKS[self._looked]
        if due:
            self.look()
        return due

    def drop(self, cell: Cell) -> None:
        """Leave a cell out from now on; it keeps its place among the hypotheses, so that no level becomes milder."""
        self.hearings[cell].decided = True

    def look(self) -> None:
        """Decide what can be decided, at the cost of one look; also called once when the budget ends before time."""
        self._looked += 1
        for change in (REGRESSED, IMPROVED):
            suspected = {cell: found.confirming for cell, found in self._undecided() if found.suspected == change}
            enough = {cell: logs for cell, logs in suspected.items() if len(logs) >= LEAST_CONFIRMING}
            for found in self._reject(change, {cell: self._p_of(change, logs) for cell, logs in enough.items()}):
                found.verdict, found.decided = change, True
        p_values = {cell: self._p_of(UNCHANGED, found.logs) for cell, found in self._undecided()}
        for found in self._reject(UNCHANGED, p_values):
            found.verdict, found.decided = UNCHANGED, True
        for change in (REGRESSED, IMPROVED):
            p_values = {
                cell: self._p_of(change, found.logs) for cell, found in self._undecided() if not found.suspected
            }
            for found in self._reject(SUSPECTED + change, p_values):
                found.suspected, found.suspected_after = change, len(found.logs)

    def _undecided(self) -> list[tuple[Cell, Hearing]]:
        return [(cell, self.hearings[cell]) for cell in self.open]

    def _p_of(self, verdict: str, logs: list[float]) -> float:
        """The p-value of the hypothesis that a verdict rejects; 1 where there are too few pairs to say."""
        if len(logs) < 2:
            return 1.0
        mean, error, freedom = _moments(logs)
        if verdict == UNCHANGED:
            return max(p_above(mean, error, freedom, -self.limit), p_above(-mean, error, freedom, -self.limit))
        return p_above(mean if verdict == REGRESSED else -mean, error, freedom, self.limit)

    def _reject(self, family: str, p_values: dict[Cell, float]) -> list[Hearing]:
        """Holm's step down through one family at one look; the hearings whose hypothesis falls."""
        share, before = ERROR / len(LOOKS), self._rejected[family]
        fallen, standing = holm(p_values, share, self.hypotheses, before)
        for cell in p_values:
            self.hearings[cell].level = fallen.get(cell, standing)
        self._rejected[family] += len(fallen)
        return [self.hearings[cell] for cell in fallen]


def _moments(logs: list[float]) -> tuple[float, float, int]:
    """Mean, standard error of it, degrees of freedom."""
    return float(np.mean(logs)), float(np.std(logs, ddof=1)) / math.sqrt(len(logs)), len(logs) - 1


Warnings = tuple[EstimateWarning, ...]

HOPELESS = 20
"""Times the pairs there were: a cell that wants more than that is at the limit, not short of pairs."""


def conclude(
    outcome: Outcome, judge: Judge, given_up: set[Cell], pair_seconds: float, warnings: Mapping[Cell, Warnings]
) -> None:
    """Write what the judge has come to into the outcome; cells that were given up have no verdict."""
    kept = [found for cell, found in judge.hearings.items() if cell not in given_up]
    outcome.pairs += judge.pairs
    outcome.verdicts = [verdict_of(found, judge.limit, pair_seconds, warnings.get(found.cell, ())) for found in kept]
    if kept and judge.pairs < LOOKS[0]:
        outcome.too_few = f"{judge.pairs} pairs of processes fitted into the budget, and a first look takes {LOOKS[0]}"
    outcome.raw |= {
        "log_ratios": [[*found.cell, found.logs] for found in kept],
        "suspected": [[*found.cell, found.suspected, found.suspected_after] for found in kept if found.suspected],
    }


def verdict_of(found: Hearing, limit: float, pair_seconds: float, warnings: Warnings = ()) -> CellVerdict:
    """What was come to of one cell; `limit` is the minimum effect as a log ratio."""
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
    more_pairs = f"{pairs} more pair{'' if pairs == 1 else 's'}"
    return f"{suspicion}about {more_pairs} would decide it, {pairs * pair_seconds:.0f} s more of --budget"
