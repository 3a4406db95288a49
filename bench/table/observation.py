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
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import pdtri

from bench.table.segments import Segments

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


def counting(seconds: ArrayLike, waited: ArrayLike, switches: ArrayLike) -> tuple[Times, Any]:
    """Of each block of one cell in one pass the seconds that count, but for spikes: NaN where it was stopped for
    nobody knows how long. And whether anything is known of how its blocks were disturbed; without that, all count.

    Here and below, the last axis is that of the blocks: a matrix has a cell and pass in each line."""
    taken, stopped = np.asarray(seconds, float), np.asarray(switches, float)
    running = running_seconds(taken, waited)
    measured = ~np.isnan(running).any(axis=-1, keepdims=True)
    told = ~np.isnan(stopped).any(axis=-1, keepdims=True)
    enough = np.mean(stopped > 0, axis=-1, keepdims=True) <= 1 - STOPPED_ROUNDS_LEFT
    counts = np.where(told & enough & (stopped > 0), math.nan, taken)
    return np.where(measured, running, counts), (measured | told)[..., 0]


def waited_share(seconds: ArrayLike, waited: ArrayLike) -> float:
    """The share of the time of all blocks in which something else had the core; NaN where that is not known."""
    return float(np.asarray(waited, float).sum() / np.asarray(seconds, float).sum())


def spikes(control: ArrayLike) -> Any:
    """How many blocks of the control, less their waiting, in one pass are spikes."""
    blocks = np.asarray(control, float)
    return (blocks > SPIKE * np.median(blocks, axis=-1, keepdims=True)).sum(axis=-1)


def clipped(seconds: ArrayLike, spike_rate: ArrayLike) -> Times:
    """The blocks of one cell in one pass, the largest of them reduced to the next largest: so many as the rate of
    spikes lets expect among them at 95 %. NaN stays."""
    blocks = np.asarray(seconds, float)
    finite = np.isfinite(blocks)
    there = finite.sum(axis=-1, keepdims=True)
    rate = np.broadcast_to(np.asarray(spike_rate, float), there.shape)
    clips = (rate > 0) & (there >= MOST_CLIPPED)
    if not clips.any():
        return blocks
    ranked = np.sort(np.where(finite, blocks, math.nan), axis=-1)  # NaN comes last
    means, at = np.unique(rate * there, return_inverse=True)
    expected = np.array([_poisson_quantile(mean) for mean in means])[at].reshape(there.shape)
    reduced = np.minimum(there // MOST_CLIPPED, expected)
    largest = np.take_along_axis(ranked, np.maximum(there - reduced - 1, 0), axis=-1)
    return np.asarray(np.minimum(blocks, np.where(clips, largest, math.inf)))


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
    log, error = ratios_of_means(numerator, denominator)
    return Observation(float(log), float(error))


def ratios_of_means(numerator: ArrayLike, denominator: ArrayLike) -> tuple[Any, Any]:
    """The same as two arrays, of many pairs: logs, and errors (NaN from a single round)."""
    own, other = np.asarray(numerator, float), np.asarray(denominator, float)
    both = np.isfinite(own) & np.isfinite(other)
    rounds = both.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = [np.where(both, each, 0.0).sum(axis=-1) / rounds for each in (own, other)]
        deviations = np.where(both, own / means[0][..., None] - other / means[1][..., None], 0.0)
        centred = np.where(both, deviations - (deviations.sum(axis=-1) / rounds)[..., None], 0.0)
        spread = np.sqrt((centred**2).sum(axis=-1) / (rounds - 1))
        return np.log(means[0] / means[1]), np.where(rounds > 1, spread / np.sqrt(rounds), math.nan)


def median_of_ratios(numerator: ArrayLike, denominator: ArrayLike) -> Observation:
    """The median, over the rounds, of the log ratio of the two blocks of a round: for passes without evidence."""
    return Observation(float(medians_of_ratios(numerator, denominator)))


def medians_of_ratios(numerator: ArrayLike, denominator: ArrayLike) -> Any:
    """The same of many pairs."""
    return np.median(np.log(np.asarray(numerator, float)) - np.log(np.asarray(denominator, float)), axis=-1)


def observed(own: Times, other: Times, evidence: NDArray[np.bool_]) -> tuple[Times, Times]:
    """Log and error of each pair of lines, one pass each: the ratio of the means where there is `evidence` of how the
    pass was disturbed, else the median of the ratios."""
    logs, errors = np.full(len(own), math.nan), np.full(len(own), math.nan)
    logs[evidence], errors[evidence] = ratios_of_means(own[evidence], other[evidence])
    logs[~evidence] = medians_of_ratios(own[~evidence], other[~evidence])
    return logs, errors


def with_counted(samples: pd.DataFrame) -> pd.DataFrame:
    """Add `counted` and `control_counted`, the seconds of each block that count (NaN: none, it was stopped), and
    `evidence`, whether anything is known of how the block and the control's were disturbed."""
    case, name = (_codes(samples[column]) for column in ("case", "implementation"))
    cell_passes = Segments.of(case, name, samples["pass"])
    evidence = np.ones(len(samples), bool)
    columns = {}
    for whose in ("", "control_"):
        seconds, waited, switches = (
            samples[f"{whose}{name}"].to_numpy(float) for name in ("seconds", "waited_seconds", "switches")
        )
        columns[f"{whose}counted"] = counts = seconds.copy()
        for _, rows in cell_passes.by_length():
            counts[rows], known = counting(seconds[rows], waited[rows], switches[rows])
            evidence[rows] &= known[:, None]
    run = _codes(samples["run"]) if "run" in samples else np.zeros(len(samples), int)
    rates = spike_rates(samples.assign(**columns, evidence=evidence), run)
    if (rates > 0).any():
        for counts in columns.values():
            for _, rows in cell_passes.by_length():
                counts[rows] = clipped(counts[rows], rates[run[rows[:, :1]]])
    return samples.assign(**columns, evidence=evidence)


def spike_rates(frame: pd.DataFrame, run: NDArray[Any]) -> Times:
    """Of each run, by number, the share of the control's blocks that are spikes; 0 where nothing is known of what
    disturbed them."""
    runs = int(run.max(initial=-1)) + 1
    known = np.flatnonzero(frame["evidence"].to_numpy(bool))
    keys = [_codes(frame["case"])[known], *(frame[name].to_numpy()[known] for name in ("pass", "round"))]
    once = Segments.of(*keys).first  # a round's control is the same for all of its implementations
    blocks = frame["control_counted"].to_numpy(float)[known[once]]
    counting = ~np.isnan(blocks)
    blocks, whose = blocks[counting], run[known[once]][counting]
    passes = Segments.of(*(key[once][counting] for key in keys[:2]))
    found = np.zeros(runs)
    for _, rows in passes.by_length():
        found += np.bincount(whose[rows[:, 0]], spikes(blocks[rows]), minlength=runs)
    return found / np.maximum(np.bincount(whose, minlength=runs), 1)


def _codes(column: pd.Series) -> NDArray[Any]:
    """A whole number for each distinct text of a column."""
    return np.asarray(pd.factorize(column)[0] if column.dtype != "category" else column.cat.codes)


def by_pass(frame: pd.DataFrame | Mapping[str, ArrayLike], numerator: str, denominator: str) -> pd.DataFrame:
    """`log` and `error` of the ratio of two columns, pass by pass in order; see `bench.table.observation`."""
    passes, evidence = np.asarray(frame["pass"]), np.asarray(frame["evidence"], bool)
    own, other = np.asarray(frame[numerator], float), np.asarray(frame[denominator], float)
    found = Segments.of(passes)
    logs, errors = np.full(len(found), math.nan), np.full(len(found), math.nan)
    for which, rows in found.by_length():
        logs[which], errors[which] = observed(own[rows], other[rows], np.asarray(evidence[rows].all(axis=1)))
    return pd.DataFrame({"log": logs, "error": errors}, index=pd.Index(passes[found.first], name="pass"))
