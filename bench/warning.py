"""Warnings: facts that qualify an estimate, carried by it as data. They are worded where they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.observation import SPIKE, waited_share
from bench.profile.record import AGREED, PROFILED, ProfileRecord

if TYPE_CHECKING:
    import pandas as pd

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
NOT_PINNED = "not pinned"
"""The system binds no process to a core, so that contenders and control may have met different ones; no value."""

DISTURBED_FROM, DRIFT_FROM, FEW_ROUNDS_BELOW, FEW_PASSES_BELOW = 0.05, SPIKE, 7, 3


@dataclass(frozen=True, order=True)
class EstimateWarning:
    """Its kind, one of the above, and how much of it there is."""

    kind: str
    value: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, "value": self.value}


def of_samples(samples: pd.DataFrame, first_passes: int | None) -> list[EstimateWarning]:
    """What the samples of a cell say against its estimates; they are as `bench.counted.with_counted` gives them."""
    found = [EstimateWarning(DISTURBED, share) for share in [disturbed(samples)] if share > DISTURBED_FROM]
    by_pass = samples.groupby("pass")
    speeds = by_pass["control_counted"].median()
    if (drift := float(speeds.max() / speeds.min())) > DRIFT_FROM:
        found.append(EstimateWarning(DRIFT, drift))
    if (rounds := int(by_pass.size().min())) < FEW_ROUNDS_BELOW:
        found.append(EstimateWarning(FEW_ROUNDS, rounds))
    if len(speeds) < min(FEW_PASSES_BELOW, first_passes or FEW_PASSES_BELOW) or len(speeds) < 2:
        found.append(EstimateWarning(FEW_PASSES, len(speeds)))
    if blind := int((~by_pass["evidence"].all()).sum()):
        found.append(EstimateWarning(NO_EVIDENCE, blind))
    return found


def disturbed(samples: pd.DataFrame) -> float:
    """The share of the time of these blocks in which something else had the core, or of the blocks that were stopped;
    NaN where neither is known."""
    known = samples[samples["waited_seconds"].notna()]
    if len(known):
        return waited_share(known["seconds"] * known["calls"], known["waited_seconds"] * known["calls"])
    stopped = samples["switches"].dropna()
    return float((stopped > 0).mean())


def of_profile(record: ProfileRecord | None) -> list[EstimateWarning]:
    """Parts that don't add up."""
    if record is None or record.status != PROFILED or abs(record.agreement - 1) <= AGREED:
        return []
    return [EstimateWarning(PARTS, abs(record.agreement - 1))]


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
