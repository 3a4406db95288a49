"""What the samples of cells say against their estimates, as warnings (`bench.table.comparison`)."""

from __future__ import annotations

import math

import numpy as np

from bench.table.comparison import (
    DISTURBED,
    DISTURBED_FROM,
    DRIFT,
    DRIFT_FROM,
    FEW_PASSES,
    FEW_PASSES_BELOW,
    FEW_ROUNDS,
    FEW_ROUNDS_BELOW,
    NO_EVIDENCE,
    EstimateWarning,
)
from bench.table.sampled import Sampled
from bench.table.segments import groups
from bench.table.stats import Floats


def of_samples(sampled: Sampled, first_passes: int | None) -> list[list[EstimateWarning]]:
    """Of each cell, in the order of its number."""
    if not sampled.cells:
        return []
    cells, passes = sampled.pass_starts, sampled.pass_counts
    speeds = _control_medians(sampled)
    with np.errstate(invalid="ignore"):
        drift = np.fmax.reduceat(speeds, cells) / np.fmin.reduceat(speeds, cells)
    few = max(2, min(FEW_PASSES_BELOW, first_passes or FEW_PASSES_BELOW))
    blind = np.add.reduceat(~sampled.evidence, cells, dtype=np.int64)
    rounds, share = np.minimum.reduceat(sampled.lengths, cells), disturbed(sampled)
    found: list[list[EstimateWarning]] = [[] for _ in sampled.cells]
    for kind, values, carried in (
        (DISTURBED, share, share > DISTURBED_FROM),
        (DRIFT, drift, drift > DRIFT_FROM),
        (FEW_ROUNDS, rounds, rounds < FEW_ROUNDS_BELOW),
        (FEW_PASSES, passes, passes < few),
        (NO_EVIDENCE, blind, blind > 0),
    ):
        for k in np.flatnonzero(carried):
            found[k].append(EstimateWarning(kind, values[k].item()))
    return found


def disturbed(sampled: Sampled) -> Floats:
    """Of each cell the share of the time of its blocks in which something else had the core; where only switches are
    known, of the blocks that were stopped; NaN where neither is."""
    seconds, waited, calls, switches = (
        sampled.frame[name].to_numpy(float) for name in ("seconds", "waited_seconds", "calls", "switches")
    )
    known, told = ~np.isnan(waited), ~np.isnan(switches)
    starts = sampled.ends[:-1]
    with np.errstate(invalid="ignore"):
        by_time = np.add.reduceat(np.where(known, waited * calls, 0.0), starts)
        by_time /= np.add.reduceat(np.where(known, seconds * calls, 0.0), starts)
        by_count = np.add.reduceat(np.where(told, switches > 0, 0.0), starts)
        by_count /= np.add.reduceat(told, starts, dtype=float)
    return np.where(np.logical_or.reduceat(known, starts), by_time, by_count)


def _control_medians(sampled: Sampled) -> Floats:
    """The median of the control's blocks that count in each pass of each cell; NaN where none does."""
    control = sampled.frame["control_counted"].to_numpy(float)
    found = np.full(len(sampled.starts), math.nan)
    for which in groups(sampled.lengths):
        blocks = control[sampled.starts[which][:, None] + np.arange(sampled.lengths[which[0]])]
        found[which] = np.median(blocks, axis=1)
        for k in np.flatnonzero(np.isnan(blocks).any(axis=1) & np.isfinite(blocks).any(axis=1)):
            found[which[k]] = np.nanmedian(blocks[k])
    return found
