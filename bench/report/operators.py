"""What each implementation calls: one line for each cell, and a table of operators per step.

The line says what bounds the cell, where its time goes, and with how many operators.
"""

from __future__ import annotations

import pandas as pd

from bench.cases.case import MODES
from bench.report import names
from bench.report.facets import usual_case
from bench.report.pictures.scene import Scene
from bench.report.units import missing, per_step, whole_percent
from bench.store.manifest import MEASURED
from bench.why.profile.record import AGREED, PROFILED, Profile, ProfileRecord

Table = list[list[str]]

MOST = 12


SHOWN = 0.05
"""A category below this share is not worth its words, unless it is the second of two."""


def table(scene: Scene, profile: Profile) -> list[tuple[str, Table]]:
    """For each device and mode a title and a table, first row the headings: operators of the usual case, by name, per
    step; then views, allocations, autograd nodes and kernels, which are counted apart."""
    found = []
    records = profile.by_cell()
    for device in sorted(scene.cells["device"].unique()):
        for mode in MODES:
            cells = scene.cells[(scene.cells["device"] == device) & (scene.cells["mode"] == mode)]
            if len(cells):
                case = usual_case(cells)
                own = {name: records[case, name] for name in scene.names if (case, name) in records}
                if own:
                    first = next(iter(own.values()))
                    row: pd.Series = cells[cells["case"] == case].iloc[0]
                    where = f"{names.device(device)}, " if scene.cells["device"].nunique() > 1 else ""
                    title = f"{where}{mode}, hidden {row['hidden_size']}, {names.steps(first.steps)}"
                    found.append((names.capital(title), _table(scene, own)))
    return found


def _table(scene: Scene, own: dict[str, ProfileRecord]) -> Table:
    rates = {name: {op: n / each.steps for op, n in each.counts.by_name.items()} for name, each in own.items()}
    largest = {op: max(by.get(op, 0.0) for by in rates.values()) for by in rates.values() for op in by}
    ranked = sorted(largest, key=lambda op: -largest[op])
    shown = [op for op in ranked[:MOST] if largest[op] >= 0.05]
    lines = [["Operators a step", *(scene.label(name) for name in own)]]
    lines.append(["all", *(per_step(each.counts.operators / each.steps) for each in own.values())])
    lines += [[op, *(_count(rates[name].get(op, 0.0)) for name in own)] for op in shown]
    apart = {
        "views": lambda each: each.counts.views,
        "allocations seen": lambda each: each.counts.allocations,
        "autograd nodes": lambda each: each.counts.nodes,
        "kernels": lambda each: each.counts.kernels,
    }
    for what, get in apart.items():
        if any(get(each) for each in own.values()):
            lines.append([f"besides: {what}", *(_count(get(each) / each.steps) for each in own.values())])
    return lines


def _count(value: float) -> str:
    return per_step(value) if value >= 0.05 else "–"


def with_reasons(cells: pd.DataFrame, profile: Profile | None) -> pd.DataFrame:
    """Add `why`: the line of each profiled cell, or why there is none; empty for a cell whose length is not profiled,
    and for one that was not measured. Nothing is added where no profile was asked for."""
    if profile is None:
        return cells
    records = {each.cell: each for each in profile.records}
    lines = []
    for _, row in cells.iterrows():
        record = records.get((row["case"], row["implementation"]))
        if row["status"] != MEASURED or missing(row["seconds"]):
            lines.append("")
        else:
            lines.append(reason(row, record) if record else profile.missing and f"not profiled: {profile.missing}")
    return cells.assign(why=lines)


def reason(row: pd.Series, record: ProfileRecord) -> str:
    """`overhead-bound: 85 % Python and dispatch, 11 % matrix products; 4.1 operators a step`."""
    if record.status != PROFILED:
        return f"not profiled: {record.reason}"
    known = f"{row['label']}: " if isinstance(row["label"], str) else ""
    off = abs(record.agreement - 1)
    doubt = f" (the parts were {whole_percent(off)} off the time measured)" if off > AGREED else ""
    return f"{known}{parts(record)}; {per_step(row['operators'])} operators a step{doubt}"


def parts(record: ProfileRecord) -> str:
    """The largest categories with their shares: two at least, where there are two."""
    ranked = sorted(record.categories.items(), key=lambda item: -item[1])
    shares = [(name, seconds / record.seconds) for name, seconds in ranked if seconds > 0]
    kept = [each for k, each in enumerate(shares) if each[1] >= SHOWN or k < 2]
    return ", ".join(f"{whole_percent(share)} {name}" for name, share in kept[:3] if round(100 * share))
