"""Who is faster, and who is the fastest: two implementations of a Case held against each other by their paired ratio.

log_ratios(samples, baseline)       what each pass says of a ratio
compare(...)                        one Comparison
standings(comparisons)              who is the fastest, ties with it, or may be it
EstimateWarning, of_profile, of_gap warnings: facts that qualify an estimate, carried by it as data

Rounds are paired: in each, all implementations of a Case take their turn within milliseconds. What the machine and the
process add to all of them cancels in the ratio of two, not in the times nor in the speed-ups over a third. So two are
told apart by the interval of their own ratio, never by whether two intervals overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.table.observation import SPIKE
from bench.table.sampled import Sampled
from bench.table.stats import CONFIDENCE, Estimate, holm
from bench.why.profile.record import AGREED, PROFILED, ProfileRecord
from bench.why.work import Counted

DISTURBED = "disturbed"
"""The share of the blocks' time in which something else had the core; where only switches are known, of the blocks."""
TAKEN_AGAIN = "taken again"
"""Passes in which the Case was taken again because it was disturbed, and the calmer of the two counts."""
DRIFT = "drift"
"""The control's time in the slowest pass over that in the fastest: the time of a call is a mean of such machines."""
FEW_ROUNDS = "few rounds"
"""Rounds of the shortest pass."""
FEW_PASSES = "few passes"
"""Passes that the interval rests on."""
PARTS = "parts"
"""How far the profile's parts are from adding up to the time measured, as a share of it."""
GAP = "gap below 1"
"""Time over floor: a floor that is beaten is no floor."""
NO_EVIDENCE = "no evidence"
"""Passes of which nothing is known but times, as in files of earlier versions; they are read by the median."""
COUNTED = "counted"
"""The network does not state its operations; they were counted, and floor and laws rest on that. No value."""
SHARED_CORE = "shared core"
"""Passes during which another run measured on the same core of the same machine."""
NOT_PINNED = "not pinned"
"""The system binds no process to a core, so that implementations and control may have met different ones; no value."""
ONE_PROCESS, UNCHECKED = "one process", "unchecked"
"""Of functions: all passes share one process and its luck with memory; nobody looked whether results are equal."""

DISTURBED_FROM, DRIFT_FROM, FEW_ROUNDS_BELOW, FEW_PASSES_BELOW = 0.05, SPIKE, 7, 3


@dataclass(frozen=True, order=True)
class EstimateWarning:
    """Its kind, one of the above, and how much of it there is."""

    kind: str
    value: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, "value": self.value}


def of_profile(record: ProfileRecord | None) -> list[EstimateWarning]:
    """Parts that don't add up."""
    if record is None or record.status != PROFILED or abs(record.agreement - 1) <= AGREED:
        return []
    return [EstimateWarning(PARTS, abs(record.agreement - 1))]


def of_products(counted: Counted) -> list[EstimateWarning]:
    """Operations that were counted."""
    return [EstimateWarning(COUNTED)] if counted else []


def of_gap(gap: float | None) -> list[EstimateWarning]:
    """A floor that is beaten."""
    return [EstimateWarning(GAP, gap)] if gap is not None and gap < 1 else []


def joined(*each: Iterable[EstimateWarning]) -> tuple[EstimateWarning, ...]:
    """All of them, of each kind the worst: the least of what should be more, the most of the rest."""
    worst: dict[str, EstimateWarning] = {}
    for warning in (one for some in each for one in some):
        less_is_worse = warning.kind in (FEW_ROUNDS, FEW_PASSES, GAP)
        pick = min if less_is_worse else max
        worst[warning.kind] = pick(worst.get(warning.kind, warning), warning)
    return tuple(worst.values())


TIE = 0.03
"""Two whose ratio lies within this of 1, either way, are equal for whoever chooses: the gate's usual minimum effect."""

FASTER, SLOWER, TIED, UNDECIDED, UNKNOWN = "faster", "slower", "tie", "undecided", "unknown"
"""Relations of one implementation to another. UNKNOWN: there is no interval."""

FASTEST = "fastest"
"""The standing of one that all others are slower than; SLOWER, TIED and UNDECIDED are standings as well."""


@dataclass(frozen=True)
class Comparison:
    """How many times as long as `one` the `other` takes: above 1, `one` is faster.

    `one` and `other` are two implementations of the Case `case`, or two sides of one implementation. `ratio` has its
    interval at 95 %, or at the level that whoever made it says. `p` is the one-sided p-value of "`one` is not faster",
    NaN where it is not known.
    """

    case: str
    one: str
    other: str
    ratio: Estimate
    warnings: tuple[EstimateWarning, ...] = ()
    p: float = math.nan

    @property
    def relation(self) -> str:
        """What `one` is to `other` for certain: a tie where the whole interval lies within TIE of 1; else faster or
        slower where it leaves out 1; else undecided."""
        return relation_of(self.ratio.low, self.ratio.high)


def relation_of(low: float, high: float) -> str:
    """The relation that an interval decides."""
    if math.isnan(low) or math.isnan(high):
        return UNKNOWN
    if low >= 1 / (1 + TIE) and high <= 1 + TIE:
        return TIED
    return FASTER if low > 1 else SLOWER if high < 1 else UNDECIDED


def relations(low: pd.Series, high: pd.Series) -> pd.Series:
    """The same of many."""
    return pd.Series(list(map(relation_of, low.tolist(), high.tolist())), low.index, dtype=object)


NEEDED = ("pass", "round", "counted", "evidence")
"""Columns of samples that a ratio is made of."""


def together(samples: Mapping[str, pd.DataFrame]) -> Sampled:
    """The samples of a case's implementations, which need NEEDED; the first has the number 0."""
    frames = [frame[list(NEEDED)].assign(case="", implementation=f"{k:04}") for k, frame in enumerate(samples.values())]
    return Sampled(pd.concat(frames, ignore_index=True))


def log_ratios(samples: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """By pass, over the passes and rounds that both have: `log`, of the time of the baseline over that of these
    samples, and its `error` within the pass."""
    if samples.empty or baseline.empty:
        return pd.DataFrame({"log": [], "error": []})
    found = together({"own": samples, "base": baseline}).logs(np.array([0]), np.array([1]))
    return pd.DataFrame({"log": found.log, "error": found.error}, index=pd.Index(found.passes, name="pass"))


def compare(
    case: str, one: str, other: str, samples: Mapping[str, pd.DataFrame], first: int | None = None
) -> Comparison:
    """One implementation against another by their samples, which are as `bench.table.observation.with_counted` gives
    them; the ratio is NaN where they share no round. `first` is as in `bench.table.sampled.Logs.estimates`."""
    found = together({"one": samples[one], "other": samples[other]}).ratios(np.array([0]), np.array([1]), first)
    return Comparison(case, one, other, found.at(0), p=float(found.p[0]))


def of_row(row: Mapping[str, Any] | pd.Series, ratio: str) -> Comparison:
    """The Comparison of a row of `bench.table.cells.cells` with whatever its column `ratio` (`speedup`, `gain`) is
    over."""
    estimate = Estimate(row[ratio], row[f"{ratio}_low"], row[f"{ratio}_high"], int(row["passes"]))
    return Comparison(row["case"], row["implementation"], "baseline", estimate, row["warnings"])


def apart(one: Mapping[str, Any] | pd.Series, other: Mapping[str, Any] | pd.Series, column: str) -> int:
    """1 if `one` is larger than `other` by intervals that don't overlap, -1 if smaller, 0 if that can't be said. For
    cells of two Cases, which share no rounds; two of one Case have a Comparison."""
    if one[f"{column}_low"] > other[f"{column}_high"]:
        return 1
    return -1 if one[f"{column}_high"] < other[f"{column}_low"] else 0


def standings(found: Sequence[Comparison]) -> dict[str, str]:
    """Name -> its standing among those that a leader was compared with (`one` of each), and the leader's own:

        fastest     all others are slower for certain
        tie         it is the leader or ties with it, and all who don't are slower for certain
        undecided   it is the leader, or not yet excluded, and so are others: the fastest is one of these
        slower      slower than the leader for certain

    Nothing for nothing to compare, and where a pair has no interval.

    Choosing the first of k makes k - 1 comparisons at once, with a leader that had luck. Each at 95 % alone, the truly
    fastest of 16 equal ones would be called slower in 16 % of cases, of five in 7 %. So "slower" is decided by Holm's
    step-down procedure over the k - 1, one-sided at 2.5 %: in simulations of 2 to 16 implementations and 3 to 10 passes
    (equal ones, two or three equal ones far ahead, a staircase, one that scatters five times as much) the truly fastest
    was lost in at most 2.7 % of cases, and a wrong one named as the fastest in no more. The last rival to be excluded
    is held against the usual 95 % interval, and rivals that are far behind cost nothing: where two are in front, k
    hardly matters. A tie claims that every one of its pairs is within TIE, so that each at 95 % is enough
    (intersection-union test: R. L. Berger, Technometrics 24, 1982, 295-300).
    """
    if not found or any(each.relation == UNKNOWN for each in found):
        return {}
    apart = [each for each in found if each.relation != TIED]
    excluded, _ = holm({each.other: each.p for each in apart}, (1 - CONFIDENCE) / 2, len(found))
    first = UNDECIDED if len(excluded) < len(apart) else TIED if len(apart) < len(found) else FASTEST
    named = {found[0].one: first} | {each.other: first for each in found}
    return named | dict.fromkeys(excluded, SLOWER)
