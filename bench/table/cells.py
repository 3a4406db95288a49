"""Samples -> one row per Case x Implementation, with intervals and standings. All that is shown starts here.

cells(run)                       the table
with_outcome, with_input         columns that only some readers need
reached, passes_wanted           the precision asked for: is it there, and how many passes it takes
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.cases.case import FIELDS, Case, Cell
from bench.store.manifest import MEASURED, CellRecord
from bench.table import comparison
from bench.table.comparison import (
    NOT_PINNED,
    TAKEN_AGAIN,
    EstimateWarning,
    against_the_leader,
    compare,
    log_ratios,
    standings,
)
from bench.table.observation import by_pass, with_counted
from bench.table.reading import Run, read_run
from bench.table.stats import Estimate, interval_of_ratio, passes_needed
from bench.why.floor import floor
from bench.why.limits.limits import Limits
from bench.why.profile.record import ProfileRecord, label, overhead_share
from bench.why.work import Counted, NoFloor

ESTIMATES = ("seconds", "event_seconds", "control_ratio", "speedup", "gain", "behind")
"""Columns that come with `_low` and `_high` beside them."""

REFERENCE = "whole"
"""What gains are over, whatever the baseline: one call of the library, which is there without any effort."""


def cells(run: Run) -> pd.DataFrame:
    """One row per cell of the run, also for those that were not measured.

    Columns: case (id), the fields of Case, implementation, status, reason, about, same_as, needs, lines, passes,
    rounds; seconds per call, event_seconds, control_ratio (time over the control's), speedup (the baseline's time over
    this one's, from the same passes and rounds), gain (the same over REFERENCE) and behind (this one's time over that
    of the case's leader, the same way), each with _low and _high, the ends of the 95 % interval over passes; standing
    among those of its case, empty where nothing can be said or it doesn't compete (`bench.table.comparison.standings`);
    step_seconds (seconds / T); floor_seconds, and gap (seconds / floor), label, overhead (a share of the time),
    operators (a step) where limits and profile are known; peak_bytes, build_seconds, parity_error, parity_seq_len,
    weights_dtype; products, where any were counted; useful_steps, where any batch is ragged; kernel, where any was
    seen; meters, a dict of a call's counts (`bench.why.meters`), where any were counted; warnings, a tuple of what
    qualifies the estimates (`bench.table.comparison`). NaN where nothing is to be said.
    """
    measured = measured_samples(run)
    first = run.manifest.first_passes or None
    profiles = run.profile.by_cell() if run.profile else {}
    by_case: dict[str, dict[str, pd.DataFrame]] = {}
    for (of, name), samples in measured.items():
        by_case.setdefault(of, {})[name] = samples
    behind, standing = _standings(run, by_case)
    rows = []
    for record in run.manifest.cells:
        case, cell = Case.parse(record.case), record.cell
        row = {"case": record.case, **case.as_dict(), **{k: v for k, v in record.__dict__.items() if k != "case"}}
        row |= {"warnings": (), "standing": standing.get(cell, "")}
        samples = measured.get(cell)
        if samples is not None:
            row |= _measured(samples, first) | {"rounds": len(samples)}
            there = by_case[record.case]
            for what, other in (("speedup", run.manifest.baseline), ("gain", REFERENCE)):
                if other in there:
                    row |= _ends(what, compare(record.case, record.implementation, other, there, first).ratio)
            row |= _ends("behind", behind[cell]) if cell in behind else {}
            row["step_seconds"] = row["seconds"] / case.seq_len
            profile = profiles.get(cell)
            row |= _gap(record, row, run.limits) | _label(profile, run.limits, record.products)
            row["warnings"] = comparison.joined(
                warnings(run, samples),
                comparison.of_profile(profile),
                comparison.of_gap(row.get("gap")),
                comparison.of_products(record.products),
            )
        rows.append(row)
    wanted = ["case", *FIELDS, "implementation", "status", "reason", "about", "same_as", "needs", "lines"]
    wanted += ["passes", "rounds", *(f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high"))]
    wanted += ["standing", "step_seconds", "floor_seconds", "gap", "label", "overhead", "operators", "call_seconds"]
    wanted += ["peak_bytes", "build_seconds", "parity_error", "parity_seq_len", "weights_dtype", "chosen", "warnings"]
    wanted += ["products"] if any(record.products for record in run.manifest.cells) else []
    wanted += ["useful_steps"] if any(record.useful_steps for record in run.manifest.cells) else []
    wanted += ["kernel"] if any(record.kernel for record in run.manifest.cells) else []
    wanted += ["meters"] if any(record.meters for record in run.manifest.cells) else []
    return pd.DataFrame(rows).reindex(columns=wanted)


def _standings(
    run: Run, by_case: Mapping[str, Mapping[str, pd.DataFrame]]
) -> tuple[dict[Cell, Estimate], dict[Cell, str]]:
    """How far each measured cell is behind the leader of its case, and its standing there.

    Two kinds of cells compete with nobody: what computes another network, of rounded weights; and what runs the code of
    an implementation that is there itself, since one code can't be faster than itself.
    """
    records = run.manifest.by_cell()
    first = run.manifest.first_passes or None
    behind: dict[Cell, Estimate] = {}
    standing: dict[Cell, str] = {}
    for case, samples in by_case.items():
        own = {name: records[case, name] for name in samples}
        competing = [name for name in samples if not own[name].weights_dtype and own[name].same_as not in samples]
        found = against_the_leader(case, {name: samples[name] for name in competing}, first)
        if not found:
            continue
        leader = found[0].one
        found_by = {each.other: each for each in found}
        for name in samples:
            each = found_by.get(name) or compare(case, leader, name, samples, first)
            behind[case, name] = each.ratio
        standing |= {(case, name): said for name, said in standings(found).items()}
    return behind, standing


def _gap(record: CellRecord, row: Mapping[str, Any], limits: Limits | None) -> dict[str, float]:
    """The floor and how many times as long it takes; nothing where a limit is missing."""
    case = Case.parse(record.case)
    try:
        counts = record.products, record.useful_steps
        least = floor(case, limits, record.weights_dtype, *counts).seconds if limits else math.nan
    except NoFloor:
        return {}
    return {"floor_seconds": least, "gap": row["seconds"] / least}


def _label(record: ProfileRecord | None, limits: Limits | None, counted: Counted) -> dict[str, Any]:
    """What bounds a cell, by its profile."""
    if record is None:
        return {}
    found = {"overhead": overhead_share(record.categories), "operators": record.counts.operators / record.steps}
    try:
        case, known = Case.parse(record.profiled), limits or Limits({}, "")
        bound = label(case, record.categories, record.counts, known, counted)
    except NoFloor:
        return found
    return found | {"label": bound}


def measured_samples(run: Run) -> dict[Cell, pd.DataFrame]:
    """(case, implementation) -> samples, of the cells that count as measured; a cell that failed in a pass doesn't.

    What counts of each block stands beside it; see `bench.table.observation`.
    """
    by_cell = dict(list(with_counted(run.samples).groupby(["case", "implementation"], sort=False)))
    sound = {record.cell for record in run.manifest.cells if record.status == MEASURED}
    return {cell: samples for cell, samples in by_cell.items() if cell in sound}


def warnings(run: Run, samples: pd.DataFrame) -> list[EstimateWarning]:
    """What qualifies whatever is estimated from the samples of one cell of a run."""
    found = comparison.of_samples(samples, run.manifest.first_passes or None)
    if again := run.taken_again.get(samples["case"].iloc[0], 0):
        found.append(EstimateWarning(TAKEN_AGAIN, again))
    if run.manifest.machine.get("pinned") is False:
        found.append(EstimateWarning(NOT_PINNED))
    return found


def pass_seconds(run: Run) -> dict[Cell, pd.Series]:
    """(case, implementation) -> seconds per call by pass, of measured cells.

    Only of the passes that were planned before any was seen: those added for a precision hold some cells only.
    """
    first = run.manifest.first_passes or np.inf
    return {
        cell: np.exp(by_pass(samples[samples["pass"] <= first].assign(unit=1.0), "counted", "unit")["log"])
        for cell, samples in measured_samples(run).items()
        if (samples["pass"] <= first).any()
    }


def log_controls(samples: pd.DataFrame) -> pd.DataFrame:
    """The same of their time over the control's."""
    return by_pass(samples, "counted", "control_counted")


def _measured(samples: pd.DataFrame, first: int | None) -> dict[str, float]:
    """The estimates of one cell that need no other."""
    samples = samples.assign(unit=1.0)
    row: dict[str, float] = {}
    found = {"seconds": by_pass(samples, "counted", "unit"), "control_ratio": log_controls(samples)}
    if samples["event_seconds"].notna().all():
        found["event_seconds"] = by_pass(samples, "event_seconds", "unit")
    for name, logs in found.items():
        if len(logs):
            row |= _ends(name, interval_of_ratio(logs["log"].tolist(), first, errors=logs["error"].tolist()))
    row["passes"] = float(len(found["seconds"]))
    return row


def _ends(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as columns."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


NOT_REACHED = "not reached"


def with_outcome(cells: pd.DataFrame) -> pd.DataFrame:
    """Add `outcome`: the status, but NOT_REACHED for a cell that was to be measured and has no sample."""
    missed = (cells["status"] == MEASURED) & cells["seconds"].isna()
    why = "no finished pass holds it: the run ended before"
    reason = cells["reason"].fillna("").where(~missed, why)
    return cells.assign(outcome=cells["status"].where(~missed, NOT_REACHED), reason=reason)


def with_input(cells: pd.DataFrame) -> pd.DataFrame:
    """Add `input`: `hidden` where the input is as wide as the hidden state and grows with it, else its size.

    An input that equals the hidden size but keeps its size beside another hidden size is a fixed one.
    """
    others = [name for name in FIELDS if name not in ("mode", "hidden_size", "seq_len", "input_size")]
    hidden_per_input = cells.groupby([*others, "input_size"], sort=False)["hidden_size"].transform("nunique")
    tied = (cells["input_size"] == cells["hidden_size"]) & (hidden_per_input == 1)
    return cells.assign(input=cells["input_size"].astype(str).where(~tied, "hidden"))


def reached(frame: pd.DataFrame, precision: float) -> pd.Series:
    """Whether each speed-up's interval is as narrow as asked for; true for the baseline, whose ratio is 1."""
    half = np.log(frame["speedup_high"] / frame["speedup_low"]) / 2
    return (half <= precision) | (frame["speedup"].isna())


def passes_wanted(folder: Path, precision: float) -> dict[Cell, int]:
    """(case, implementation) -> passes in all, from the spread of the first ones, that make its speed-up's 95 %
    interval at most ± `precision` (a fraction). The baseline is left out: its ratio to itself is 1."""
    run = read_run(folder)
    measured = measured_samples(run)
    wanted = {}
    for (case, name), samples in measured.items():
        baseline = measured.get((case, run.manifest.baseline))
        if baseline is not None and name != run.manifest.baseline:
            found = log_ratios(samples, baseline).iloc[: run.manifest.first_passes]
            if len(found) >= 2:
                wanted[case, name] = passes_needed(found["log"].tolist(), precision, errors=found["error"].tolist())
    return wanted
