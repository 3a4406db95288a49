"""Samples -> one row per Case x Implementation, with intervals and standings. All that is shown starts here.

cells(run)                       the table
with_outcome, with_input         columns that only some readers need
reached, passes_wanted           the precision asked for: is it there, and how many passes it takes
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.cases.case import FIELDS, Case, Cell
from bench.store.manifest import MEASURED, CellRecord
from bench.table import comparison
from bench.table.comparison import Comparison, log_ratios, standings
from bench.table.leader import leaders
from bench.table.measured import measured_numbers, measured_samples, number_of, sampled_of, warnings
from bench.table.reading import Run, read_run
from bench.table.sampled import Ratios, Sampled
from bench.table.segments import Ints
from bench.table.stats import Floats, passes_needed
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
    if not (records := run.manifest.cells):
        return pd.DataFrame([]).reindex(columns=_wanted(run))
    sampled, cases = sampled_of(run), {name: Case.parse(name) for name in {record.case for record in records}}
    of = [cases[record.case] for record in records]
    number = np.array([number_of(sampled, record) for record in records])
    behind, standing = _standings(run, sampled)
    table: dict[str, Any] = {name: [getattr(case, name) for case in of] for name in FIELDS}
    table |= {name: [getattr(record, name) for record in records] for name in records[0].__dict__}
    table["standing"] = [standing.get(k, "") for k in number.tolist()]
    times = _times(sampled, run.manifest.first_passes or None)
    for name, found in {**times, **_speedups(run, sampled), "behind": behind}.items():
        for end in ("value", "low", "high"):
            table[name if end == "value" else f"{name}_{end}"] = _placed(getattr(found, end), number)
    table["passes"] = _placed(sampled.pass_counts, number)
    rounds = _placed(np.diff(sampled.ends), number)
    table["rounds"] = rounds if np.isnan(rounds).any() else rounds.astype(int)
    table["step_seconds"] = table["seconds"] / np.array([case.seq_len for case in of])
    table |= _why(run, of, table["seconds"])
    table["warnings"] = _qualified(run, sampled, number, table.get("gap"))
    return pd.DataFrame(table).reindex(columns=_wanted(run))


def _wanted(run: Run) -> list[str]:
    """The columns of the table."""
    wanted = ["case", *FIELDS, "implementation", "status", "reason", "about", "same_as", "needs", "lines"]
    wanted += ["passes", "rounds", *(f"{name}{end}" for name in ESTIMATES for end in ("", "_low", "_high"))]
    wanted += ["standing", "step_seconds", "floor_seconds", "gap", "label", "overhead", "operators", "call_seconds"]
    wanted += ["peak_bytes", "build_seconds", "parity_error", "parity_seq_len", "weights_dtype", "chosen", "warnings"]
    for name in ("products", "useful_steps", "kernel", "meters"):  # where any cell has them
        wanted += [name] if any(getattr(record, name) for record in run.manifest.cells) else []
    return wanted


def _placed(values: Floats | Ints, number: Ints) -> Floats:
    """Values by the number of a cell, in the order of the records; NaN for what has no samples."""
    return np.where(number >= 0, np.append(values, math.nan)[number], math.nan)


def _times(sampled: Sampled, first: int | None = None) -> dict[str, Ratios]:
    """The estimates of each cell that need no other."""
    count = len(sampled.cells)
    found = {"seconds": sampled.over("counted"), "control_ratio": sampled.over("counted", "control_counted")}
    estimates = {name: logs.estimates(count, first) for name, logs in found.items()}
    events = ~np.isnan(sampled.column("event_seconds"))
    if count and (whole := np.logical_and.reduceat(events, sampled.ends[:-1])).any():
        timed = sampled.over("event_seconds").estimates(count, first)
        value, low, high = (np.where(whole, each, math.nan) for each in (timed.value, timed.low, timed.high))
        estimates["event_seconds"] = Ratios(value, low, high, timed.passes, timed.p)
    return estimates


def _speedups(run: Run, sampled: Sampled) -> dict[str, Ratios]:
    """Of each cell over the baseline, and over REFERENCE, where these were measured in the same case."""
    first = run.manifest.first_passes or None
    known = measured_numbers(run, sampled)
    found = {}
    for what, other in (("speedup", run.manifest.baseline), ("gain", REFERENCE)):
        base = {sampled.cells[k][0]: k for k in known if sampled.cells[k][1] == other}
        own = np.array([k for k in known if sampled.cells[k][0] in base], np.int64)
        ratios = sampled.ratios(own, np.array([base[sampled.cells[k][0]] for k in own], np.int64), first)
        found[what] = ratios.scattered(own, len(sampled.cells))
    return found


def _standings(run: Run, sampled: Sampled) -> tuple[Ratios, dict[int, str]]:
    """How far each measured cell is behind the leader of its case, and its standing there, by the number of the cell.

    Two kinds of cells compete with nobody: what computes another network, of rounded weights; and what runs the code of
    an implementation that is there itself, since one code can't be faster than itself.
    """
    records, first = run.manifest.by_cell(), run.manifest.first_passes or None
    by_case: dict[str, list[int]] = {}
    for k in measured_numbers(run, sampled):
        by_case.setdefault(sampled.cells[k][0], []).append(k)
    competing = {}
    for case, numbers in by_case.items():
        names = {sampled.cells[k][1] for k in numbers}
        own = [(k, records[sampled.cells[k]]) for k in numbers]
        competing[case] = [k for k, record in own if not record.weights_dtype and record.same_as not in names]
    raced = [case for case, numbers in competing.items() if len(numbers) > 1]
    led = leaders(sampled, [competing[case] for case in raced], first)
    found: list[list[Comparison]] = [[] for _ in raced]
    for at, k in enumerate(led.cells.tolist()):
        race = int(led.whose[at])
        if k != led.leader[race]:
            one, other = sampled.cells[led.leader[race]][1], sampled.cells[k][1]
            found[race].append(Comparison(raced[race], one, other, led.ratios.at(at), p=float(led.ratios.p[at])))
    standing = {
        sampled.number[case, name]: said
        for case, each in zip(raced, found, strict=True)
        for name, said in standings(each).items()
    }
    every = np.array([k for case in raced for k in by_case[case]], np.int64)
    first_of = np.repeat(led.leader, [len(by_case[case]) for case in raced])
    return sampled.ratios(first_of, every, first).scattered(every, len(sampled.cells)), standing


def _why(run: Run, of: Sequence[Case], seconds: Floats) -> dict[str, Any]:
    """Floors, gaps, and what bounds each cell, where limits and profiles are known."""
    profiles, floors = run.profile.by_cell() if run.profile else {}, dict[tuple[Any, ...], float | None]()
    found: dict[str, list[Any]] = {
        name: [math.nan] * len(of) for name in ("floor_seconds", "gap", "label", "overhead", "operators")
    }
    for k in np.flatnonzero(~np.isnan(seconds)).tolist():
        record = run.manifest.cells[k]
        key = (record.case, record.weights_dtype, str(record.products), record.useful_steps)
        if key not in floors:
            floors[key] = _floor(of[k], record, run.limits)
        if (least := floors[key]) is not None:
            found["floor_seconds"][k], found["gap"][k] = least, float(seconds[k]) / least
        for name, value in _label(profiles.get(record.cell), run.limits, record.products).items():
            found[name][k] = value
    return found


def _floor(case: Case, record: CellRecord, limits: Limits | None) -> float | None:
    """The floor, NaN where a limit is missing; None where the network's operations are not known."""
    try:
        counts = record.products, record.useful_steps
        return floor(case, limits, record.weights_dtype, *counts).seconds if limits else math.nan
    except NoFloor:
        return None


def _qualified(run: Run, sampled: Sampled, number: Ints, gaps: Sequence[float] | None) -> list[Any]:
    """Of each cell its warnings."""
    profiles = run.profile.by_cell() if run.profile else {}
    carried = warnings(run)
    found: list[Any] = []
    for record, k, gap in zip(run.manifest.cells, number.tolist(), gaps or [], strict=True):
        found.append(
            comparison.joined(
                carried[record.cell],
                comparison.of_profile(profiles.get(record.cell)),
                comparison.of_gap(gap),
                comparison.of_products(record.products),
            )
            if k >= 0
            else ()
        )
    return found


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
