"""What counts of each block, and what one pass says of a ratio: the one estimator of runs, gate, compare and accuracy.

What is asked for is the mean time of a call: a call that takes twice as long every fourth time costs 1.25 times as
much, at one call a block as at many, and so does one that sleeps or works in a thread of its own in between.
So no block is dropped for being long, and none is preferred for being short. What a noisy machine adds is taken off by
evidence that does not look at the outcome:

    1. seconds - waited: what the kernel saw the block wait for its core is no time of the code (`bench.host.clock`)
    2. where only switches are known: rounds in which a block was stopped do not count, if three quarters are left
    3. what a hypervisor takes shows in no counter, but in the control, whose work never changes: a block of it that is
       SPIKE times its median is a spike. From their rate follows how many blocks of others to expect (Poisson, 95 %);
       so many of the largest count as the next largest. Without spikes in the control nothing is touched.
    4. the ratio of the means of what is left, both over the same rounds, in which the machine's moods cancel

Tried on 40 passes beside a neighbour that is busy half of the time, speed-ups of five passes, standard deviation over
mean (whole over manual; known truths; worst known truth): the median of the rounds' log ratios 0.8 %, 0.2 to 0.5 %,
1.6 %; the ratio of 20 % quantiles 0.6 %, 0.3 to 0.4 %, 1.0 %, but a call that takes twice as long every fourth time
reads as 1.01; rounds without any waiting 0.6 %, 0.4 to 0.6 %, and 1.21 for that call, since longer blocks are stopped
more often; this one 0.6 %, 0.2 to 0.4 %, 0.9 %, and 1.24.

Runs without evidence (of earlier versions, or of a system that has none) are read by the median of the log ratios.

    with_counted(samples)   what counts of each block of a run, beside it
    by_pass(...)            what each pass says of a ratio, and how sure it is
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import pdtri

SPIKE = 1.3
"""Times the median of the control's blocks in a pass: its blocks vary by 5 to 10 %, stolen ones by whole
milliseconds of 2."""

MOST_CLIPPED = 7
"""At most every so manyth block counts as less than it took."""

STOPPED_ROUNDS_LEFT = 0.75
"""Share of a cell's rounds that must be left for those with a switch not to count; of a pair half are then."""

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """What one pass says: the logarithm of a ratio, and its standard error within the pass (NaN: not known)."""

    log: float
    error: float = math.nan


def running_seconds(seconds: ArrayLike, waited: ArrayLike) -> Times:
    """Seconds less the waiting, by block; NaN where that is not known. A block's own time is never less than a
    hundredth of it: a clock and a counter may differ by microseconds."""
    taken = np.asarray(seconds, float)
    return np.asarray(np.maximum(taken - np.asarray(waited, float), taken / 100))


def counting(seconds: ArrayLike, waited: ArrayLike, switches: ArrayLike) -> tuple[Times, bool]:
    """Of each block of one cell in one pass the seconds that count, but for spikes: NaN where it was stopped for
    nobody knows how long. And whether anything is known of how its blocks were disturbed; without that, all count."""
    taken, stopped = np.asarray(seconds, float), np.asarray(switches, float)
    running = running_seconds(taken, waited)
    if not np.isnan(running).any():
        return running, True
    if np.isnan(stopped).any():
        return taken, False
    enough = np.mean(stopped > 0) <= 1 - STOPPED_ROUNDS_LEFT
    return np.where((stopped > 0) & enough, math.nan, taken), True


def waited_share(seconds: ArrayLike, waited: ArrayLike) -> float:
    """The share of the time of all blocks in which something else had the core; NaN where that is not known."""
    return float(np.asarray(waited, float).sum() / np.asarray(seconds, float).sum())


def spikes(control: ArrayLike) -> int:
    """How many blocks of the control, less their waiting, in one pass are spikes."""
    blocks = np.asarray(control, float)
    return int((blocks > SPIKE * np.median(blocks)).sum())


def clipped(seconds: ArrayLike, spike_rate: float) -> Times:
    """The blocks of one cell in one pass, the largest of them reduced to the next largest: so many as the rate of
    spikes lets expect among them at 95 %. NaN stays."""
    blocks = np.asarray(seconds, float)
    ranked = np.sort(blocks[np.isfinite(blocks)])
    if not spike_rate > 0 or len(ranked) < MOST_CLIPPED:
        return blocks
    count = min(len(ranked) // MOST_CLIPPED, _poisson_quantile(spike_rate * len(ranked)))
    return np.asarray(np.minimum(blocks, ranked[-count - 1]))


def _poisson_quantile(mean: float) -> int:
    """The least count that a Poisson variable exceeds with 5 %."""
    count = 0
    while pdtri(count, 0.95) < mean:  # the mean at which `count` or fewer have this probability
        count += 1
    return count


def ratio_of_means(numerator: ArrayLike, denominator: ArrayLike) -> Observation:
    """The log ratio of the means of two cells' blocks, over the rounds in which both count (are not NaN).

    Its error is that of the rounds' own deviations, own / mean - other / mean, taken to be independent.
    """
    own, other = np.asarray(numerator, float), np.asarray(denominator, float)
    both = np.isfinite(own) & np.isfinite(other)
    own, other = own[both], other[both]
    log = math.log(own.mean() / other.mean())
    if len(own) < 2:
        return Observation(log)
    deviations = own / own.mean() - other / other.mean()
    return Observation(log, float(deviations.std(ddof=1)) / math.sqrt(len(own)))


def median_of_ratios(numerator: ArrayLike, denominator: ArrayLike) -> Observation:
    """The median, over the rounds, of the log ratio of the two blocks of a round: for passes without evidence."""
    return Observation(float(np.median(np.log(np.asarray(numerator, float)) - np.log(np.asarray(denominator, float)))))


PASS = ["case", "pass"]
CELL_PASS = [*PASS, "implementation"]


def with_counted(samples: pd.DataFrame) -> pd.DataFrame:
    """Add `counted` and `control_counted`, the seconds of each block that count (NaN: none, it was stopped), and
    `evidence`, whether anything is known of how the block and the control's were disturbed."""
    groups = samples.groupby(CELL_PASS, sort=False).indices.values()
    evidence = np.ones(len(samples), bool)
    columns = {}
    for whose in ("", "control_"):
        seconds, waited, switches = (
            samples[f"{whose}{name}"].to_numpy(float) for name in ("seconds", "waited_seconds", "switches")
        )
        columns[f"{whose}counted"] = counts = seconds.copy()
        for index in groups:
            counts[index], known = counting(seconds[index], waited[index], switches[index])
            evidence[index] &= known
    frame = samples.assign(**columns, evidence=evidence)
    if (rate := spike_rate(frame)) > 0:
        for counts in columns.values():
            for index in groups:
                counts[index] = clipped(counts[index], rate)
        frame = frame.assign(**columns)
    return frame


def spike_rate(frame: pd.DataFrame) -> float:
    """The share of the control's blocks in a run that are spikes; 0 where nothing is known of what disturbed them."""
    once = frame[frame["evidence"]].drop_duplicates([*PASS, "round"]).dropna(subset="control_counted")
    if once.empty:
        return 0.0
    return sum(spikes(blocks) for _, blocks in once.groupby(PASS)["control_counted"]) / len(once)


def by_pass(frame: pd.DataFrame | Mapping[str, ArrayLike], numerator: str, denominator: str) -> pd.DataFrame:
    """`log` and `error` of the ratio of two columns, pass by pass in order; see `bench.table.observation`."""
    passes, evidence = np.asarray(frame["pass"]), np.asarray(frame["evidence"], bool)
    own, other = np.asarray(frame[numerator], float), np.asarray(frame[denominator], float)
    found: dict[int, Observation] = {}
    for number in np.unique(passes):
        rounds = passes == number
        estimate = ratio_of_means if evidence[rounds].all() else median_of_ratios
        found[int(number)] = estimate(own[rounds], other[rounds])
    return pd.DataFrame(
        {"log": [each.log for each in found.values()], "error": [each.error for each in found.values()]},
        index=pd.Index(list(found), name="pass"),
    )
