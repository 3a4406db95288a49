"""Operators per step × implementation: what each way calls, and how often in a step."""

from __future__ import annotations

import pandas as pd

from bench.profile.record import Profile, ProfileRecord
from bench.report import names
from bench.report.facets import usual_case
from bench.report.scene import Scene
from bench.report.units import per_step

Table = list[list[str]]

MOST = 12


def table(scene: Scene, profile: Profile) -> list[tuple[str, Table]]:
    """For each device and mode a title and a table, first row the headings: operators of the usual case, by name, per
    step; then views, allocations, autograd nodes and kernels, which are counted apart."""
    found = []
    records = profile.by_cell()
    for device in sorted(scene.cells["device"].unique()):
        for mode in ("inference", "training"):
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
        "views": lambda each: each.counts.views, "allocations seen": lambda each: each.counts.allocations,
        "autograd nodes": lambda each: each.counts.nodes, "kernels": lambda each: each.counts.kernels,
    }  # fmt: skip
    for what, get in apart.items():
        if any(get(each) for each in own.values()):
            lines.append([f"besides: {what}", *(_count(get(each) / each.steps) for each in own.values())])
    return lines


def _count(value: float) -> str:
    return per_step(value) if value >= 0.05 else "–"
