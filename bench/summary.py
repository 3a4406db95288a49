"""Samples -> one row per Case x Implementation, with intervals. Everything shown to a person starts here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench import warning
from bench.cases import FIELDS, Case
from bench.counted import by_pass, with_counted
from bench.floor import NoFloor, floor
from bench.limits.limits import Limits
from bench.manifest import MEASURED
from bench.profile.label import label, overhead_share
from bench.profile.record import ProfileRecord
from bench.results import Run
from bench.stats import Estimate, interval_of_ratio
from bench.warning import NOT_PINNED, TAKEN_AGAIN, EstimateWarning

ESTIMATES = ("seconds", "event_seconds", "control_ratio", "speedup", "gain")
"""Columns that come with `_low` and `_high` beside them."""

REFERENCE = "whole"
"""What gains are over, whatever the baseline: one call of the library, which is there without any effort."""


def cells(run: Run) -> pd.DataFrame:
    """One row per cell of the run, also for those that were not measured.

    Columns: case (id), the fields of Case, implementation, status, reason, about, passes, rounds; seconds per call,
    event_seconds, control_ratio (time over the control's), speedup (the baseline's time over this one's, from the same
    passes and rounds) and gain (the same over REFERENCE), each with _low and _high, the ends of the 95 % interval over
    passes; step_seconds (seconds / T); floor_seconds, and gap (seconds / floor), label, overhead (a share of the time),
    operators (a step) where limits and profile are known; peak_bytes, build_seconds, parity_error, parity_seq_len,
    weights_dtype; warnings, a tuple of what qualifies the estimates (`bench.warning`). NaN where nothing is to be said.
    """
    measured = measured_samples(run)
    first = run.manifest.first_passes or None
    profiles = run.profile.by_cell() if run.profile else {}
    rows = []
    for record in run.manifest.cells:
        case = Case.parse(record.case)
        row = {"case": record.case, **case.as_dict(), **{k: v for k, v in record.__dict__.items() if k != "case"}}
        row["warnings"] = ()
        samples = measured.get((record.case, record.implementation))
        if samples is not None:
            against = {"speedup": run.manifest.baseline, "gain": REFERENCE}
            others = {what: measured.get((record.case, name)) for what, name in against.items()}
            row |= _measured(samples, others, first) | {"rounds": len(samples)}
            row["step_seconds"] = row["seconds"] / case.seq_len
            profile = profiles.get((record.case, record.implementation))
            row |= _gap(case, row, run.limits, record.weights_dtype) | _label(profile, run.limits)
            row["warnings"] = warning.joined(
                warnings(run, samples), warning.of_profile(profile), warning.of_gap(row.get("gap"))
            )
        rows.append(row)
    wanted = ["case", *FIELDS, "implementation", "status", "reason", "about", "passes", "rounds"]
    wanted += [f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high")]
    wanted += ["step_seconds", "floor_seconds", "gap", "label", "overhead", "operators", "call_seconds"]
    wanted += ["peak_bytes", "build_seconds", "parity_error", "parity_seq_len", "weights_dtype", "warnings"]
    return pd.DataFrame(rows).reindex(columns=wanted)


def _gap(case: Case, row: Mapping[str, Any], limits: Limits | None, weights_dtype: str) -> dict[str, float]:
    """The floor and how many times as long it takes; nothing where a limit is missing."""
    try:
        least = floor(case, limits, weights_dtype).seconds if limits else math.nan
    except NoFloor:
        return {}
    return {"floor_seconds": least, "gap": row["seconds"] / least}


def _label(record: ProfileRecord | None, limits: Limits | None) -> dict[str, Any]:
    """What bounds a cell, by its profile."""
    if record is None:
        return {}
    found = {"overhead": overhead_share(record.categories), "operators": record.counts.operators / record.steps}
    try:
        bound = label(Case.parse(record.profiled), record.categories, record.counts, limits or Limits({}, ""))
    except NoFloor:
        return found
    return found | {"label": bound}


def measured_samples(run: Run) -> dict[tuple[str, str], pd.DataFrame]:
    """(case, implementation) -> samples, of the cells that count as measured; a cell that failed in a pass doesn't.

    What counts of each block stands beside it; see `bench.counted`.
    """
    by_cell = dict(list(with_counted(run.samples).groupby(["case", "implementation"], sort=False)))
    sound = {(record.case, record.implementation) for record in run.manifest.cells if record.status == MEASURED}
    return {cell: samples for cell, samples in by_cell.items() if cell in sound}


def warnings(run: Run, samples: pd.DataFrame) -> list[EstimateWarning]:
    """What qualifies whatever is estimated from the samples of one cell of a run."""
    found = warning.of_samples(samples, run.manifest.first_passes or None)
    if again := run.taken_again.get(samples["case"].iloc[0], 0):
        found.append(EstimateWarning(TAKEN_AGAIN, again))
    if run.manifest.machine.get("pinned") is False:
        found.append(EstimateWarning(NOT_PINNED))
    return found


def pass_seconds(run: Run) -> dict[tuple[str, str], pd.Series]:
    """(case, implementation) -> seconds per call by pass, of measured cells.

    Only of the passes that were planned before any was seen: those added for a precision hold some cells only.
    """
    first = run.manifest.first_passes or np.inf
    return {
        cell: np.exp(by_pass(samples[samples["pass"] <= first].assign(unit=1.0), "counted", "unit")["log"])
        for cell, samples in measured_samples(run).items()
        if (samples["pass"] <= first).any()
    }


def log_ratios(samples: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame:
    """By pass, over the passes and rounds that both have: `log`, of the time of the baseline over that of these
    samples, and its `error` within the pass."""
    both = baseline.merge(samples, on=["pass", "round"], suffixes=("_base", ""))
    return by_pass(both.assign(evidence=both["evidence_base"] & both["evidence"]), "counted_base", "counted")


def log_controls(samples: pd.DataFrame) -> pd.DataFrame:
    """The same of their time over the control's."""
    return by_pass(samples, "counted", "control_counted")


def _measured(samples: pd.DataFrame, others: Mapping[str, pd.DataFrame | None], first: int | None) -> dict[str, float]:
    """The estimates of one cell; `others` are the samples that each of its ratios is taken over."""
    samples = samples.assign(unit=1.0)
    row: dict[str, float] = {}
    found = {
        "seconds": by_pass(samples, "counted", "unit"),
        "control_ratio": log_controls(samples),
    }
    if samples["event_seconds"].notna().all():
        found["event_seconds"] = by_pass(samples, "event_seconds", "unit")
    found |= {what: log_ratios(samples, other) for what, other in others.items() if other is not None}
    for name, logs in found.items():
        if len(logs):
            estimate: Estimate = interval_of_ratio(logs["log"].tolist(), first, errors=logs["error"].tolist())
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    row["passes"] = float(len(found["seconds"]))
    return row


def reached(frame: pd.DataFrame, precision: float) -> pd.Series:
    """Whether each speed-up's interval is as narrow as asked for; true for the baseline, whose ratio is 1."""
    half = np.log(frame["speedup_high"] / frame["speedup_low"]) / 2
    return (half <= precision) | (frame["speedup"].isna())
