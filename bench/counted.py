"""Samples with what counts of them beside: the estimator of `bench.observation` on the tables of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.observation import (
    STOPPED_ROUNDS_LEFT,
    Observation,
    clipped,
    median_of_ratios,
    ratio_of_means,
    running_seconds,
    spikes,
)

PASS = ["case", "pass"]


def with_counted(samples: pd.DataFrame) -> pd.DataFrame:
    """Add `counted` and `control_counted`, the seconds of each block that count (NaN: none, it was stopped), and
    `evidence`, whether anything is known of how the block was disturbed."""
    frame = samples.assign(
        counted=_running(samples, ""),
        control_counted=_running(samples, "control_"),
        evidence=_known(samples, "") & _known(samples, "control_"),
    )
    rate = spike_rate(frame)
    if rate > 0:
        groups = frame.groupby([*PASS, "implementation"], sort=False)
        for column in ("counted", "control_counted"):
            frame[column] = groups[column].transform(lambda blocks: clipped(blocks.to_numpy(), rate))
    return frame


def spike_rate(frame: pd.DataFrame) -> float:
    """The share of the control's blocks in a run that are spikes; 0 where nothing is known of how they were disturbed."""
    once = frame[frame["evidence"]].drop_duplicates([*PASS, "round"])
    if once.empty:
        return 0.0
    return sum(spikes(blocks.dropna()) for _, blocks in once.groupby(PASS)["control_counted"]) / len(once)


def by_pass(frame: pd.DataFrame, numerator: str, denominator: str) -> pd.DataFrame:
    """`log` and `error` of the ratio of two columns, pass by pass in order; see `bench.observation`."""
    found = {number: _observed(rounds, numerator, denominator) for number, rounds in frame.groupby("pass", sort=True)}
    return pd.DataFrame(
        {"log": [each.log for each in found.values()], "error": [each.error for each in found.values()]},
        index=pd.Index(found, name="pass"),
    )


def _observed(rounds: pd.DataFrame, numerator: str, denominator: str) -> Observation:
    if not rounds["evidence"].all():
        return median_of_ratios(rounds[numerator].dropna(), rounds[denominator].dropna())
    counts = rounds[[numerator, denominator]].dropna()
    return ratio_of_means(counts[numerator], counts[denominator])


def _known(samples: pd.DataFrame, whose: str) -> pd.Series:
    return samples[f"{whose}waited_seconds"].notna() | samples[f"{whose}switches"].notna()


def _running(samples: pd.DataFrame, whose: str) -> pd.Series:
    """Seconds less the waiting; where only switches are known, those of blocks that were not stopped, if enough of
    the pass are left; where nothing is, all."""
    seconds, waited = samples[f"{whose}seconds"], samples[f"{whose}waited_seconds"]
    stopped = waited.isna() & (samples[f"{whose}switches"] > 0)
    if stopped.any():
        share = stopped.groupby([samples[key] for key in (*PASS, "implementation")]).transform("mean")
        stopped &= share <= 1 - STOPPED_ROUNDS_LEFT
    running = pd.Series(running_seconds(seconds, waited), samples.index).where(waited.notna(), seconds)
    return running.where(~stopped, np.nan)
