"""Samples with what counts of them beside: the estimator of `bench.observation` on the tables of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.observation import Observation, clipped, counting, median_of_ratios, ratio_of_means, spikes

PASS = ["case", "pass"]
CONTENDER = [*PASS, "implementation"]


def with_counted(samples: pd.DataFrame) -> pd.DataFrame:
    """Add `counted` and `control_counted`, the seconds of each block that count (NaN: none, it was stopped), and
    `evidence`, whether anything is known of how the block and the control's were disturbed."""
    groups = samples.groupby(CONTENDER, sort=False).indices.values()
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


def by_pass(frame: pd.DataFrame, numerator: str, denominator: str) -> pd.DataFrame:
    """`log` and `error` of the ratio of two columns, pass by pass in order; see `bench.observation`."""
    passes, evidence = frame["pass"].to_numpy(), frame["evidence"].to_numpy(bool)
    own, other = frame[numerator].to_numpy(float), frame[denominator].to_numpy(float)
    found: dict[int, Observation] = {}
    for number in np.unique(passes):
        rounds = passes == number
        estimate = ratio_of_means if evidence[rounds].all() else median_of_ratios
        found[int(number)] = estimate(own[rounds], other[rounds])
    return pd.DataFrame(
        {"log": [each.log for each in found.values()], "error": [each.error for each in found.values()]},
        index=pd.Index(list(found), name="pass"),
    )
