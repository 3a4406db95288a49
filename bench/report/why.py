"""Everything that explains a run, put together for the page and the summary; and sentences by profile and floor.

They say why one implementation takes longer than another, when that changes, and how far all are from the floor.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

import pandas as pd

from bench.cases.case import Cell
from bench.report import gradients, laws, operators
from bench.report.comparisons import Context, Finding, place
from bench.report.facets import usual_case
from bench.report.names import axis_value, capital, listed, on_device
from bench.report.pictures import bars, roofline
from bench.report.pictures.curves import panels
from bench.report.pictures.scene import Group, Picture, Scene
from bench.report.tables import Column, Entry
from bench.report.units import duration, gap, per_step, times, whole_percent
from bench.table.comparison import apart
from bench.table.law import laws as fitted
from bench.table.reading import Run
from bench.why.profile.breakdown import DISPATCH, GRADIENTS, OVERHEAD, PRODUCTS
from bench.why.profile.record import Profile, ProfileRecord

NEAR = 4.0
"""A gap below which an implementation is near what the machine allows."""

Records = dict[Cell, ProfileRecord]


def findings(context: Context, profile: Profile | None) -> list[Finding]:
    """What profile and floors say of the measured cells, device by device."""
    records = profile.by_cell() if profile else {}
    found = []
    for device in context.devices:
        cells = context.on(device)
        found += [
            *_overheads(context, cells, records),
            *_sizes(context, cells, records),
            *_gradients_of_modes(context, cells, records),
        ]
        found += _floors(context, cells)
    return found


def _overheads(context: Context, cells: pd.DataFrame, records: Records) -> list[Finding]:
    """The usual case: how much of a step each spends in calling, and with how many operators; on a GPU, how long
    it has nothing to do meanwhile."""
    at = cells[cells["case"] == usual_case(cells)].set_index("implementation", drop=False)
    rows = [at.loc[name] for name in context.names if name in at.index and (at.loc[name]["case"], name) in records]
    if not rows:
        return []
    each = []
    for row in rows:
        record = records[row["case"], row["implementation"]]
        told = f"({duration(_calling(record) / record.steps)}, {per_step(row['operators'])} operators)"
        share = whole_percent(_calling(record) / record.seconds)
        each.append(f"{share} in {context.phrase(row['implementation'])} {told}")
    where = f"{on_device(rows[0]['device'])}, at {place(rows[0], context.varying)}"
    on_cuda = rows[0]["device"] == "cuda"
    what = "the device does nothing, waiting for the host, for" if on_cuda else "Python and dispatch take of each step"
    text = f"{capital(where)}, {what} {listed(each)}{' of each step' if on_cuda else ''}."
    return [Finding("why", text + _same_operators(context, rows, records))]


def _calling(record: ProfileRecord) -> float:
    """Seconds of a call that calling costs: on CUDA, where the host works ahead, all in which the device is idle."""
    kinds = OVERHEAD if record.case.startswith("cuda") else (DISPATCH,)
    return sum(record.categories[name] for name in kinds)


def _same_operators(context: Context, rows: list[pd.Series], records: Records) -> str:
    """Says it when two call about as many operators and one of them pays much more for each."""
    for one, other in itertools.permutations(rows, 2):
        mine, its = (_calling(records[row["case"], row["implementation"]]) for row in (one, other))
        alike = abs(one["operators"] - other["operators"]) < 0.15 * other["operators"]
        if alike and mine > 2 * its > 0:
            whose, others = (context.phrase(row["implementation"]) for row in (one, other))
            return f" In {whose}, nearly as many operators cost {times(mine / its)} as much to call as in {others}."
    return ""


def _sizes(context: Context, cells: pd.DataFrame, records: Records) -> list[Finding]:
    """How much of a step is products at the smallest and the largest hidden size, in each, along the usual case's
    other axes."""
    usual = cells[cells["case"] == usual_case(cells)].iloc[0]
    same = [axis for axis in ("mode", "seq_len", "batch_size", "dtype", "num_layers", "threads") if axis in cells]
    line = cells[(cells[same] == usual[same]).all(axis=1)].sort_values("hidden_size")
    each, grows = [], []
    for name in context.names:
        own = line[line["implementation"] == name]
        by_size = {
            row["hidden_size"]: round(_share(records[row["case"], name], PRODUCTS), 2)
            for _, row in own.iterrows()
            if (row["case"], name) in records
        }
        shares = list(by_size.values())
        if len(shares) > 1:
            each.append(f"{whole_percent(shares[0])} to {whole_percent(shares[-1])} in {context.phrase(name)}")
            grows.append(shares == sorted(shares) and shares[0] < shares[-1])
    if not each:
        return []
    where = place(usual, context.varying, without=["hidden_size"])
    ends = f"from hidden {line['hidden_size'].min()} to {line['hidden_size'].max()}"
    what = "The larger the network, the more of a step is products:" if all(grows) else "Products take of a step,"
    text = f"{what} at {where}, {ends}, {listed(each)}"
    return [Finding("why:sizes", f"{text}{_closing(context, line)}.")]


def _closing(context: Context, line: pd.DataFrame) -> str:
    """How the focus's gain changes along these hidden sizes, where the intervals of its ends don't overlap."""
    focus = context.focus or ""
    rows = [row for _, row in line[line["implementation"] == focus].iterrows()]
    turn = apart(rows[0], rows[-1], "speedup") if len(rows) > 1 else 0
    if not turn:
        return ""
    ends = f"from {times(rows[0]['speedup'])} to {times(rows[-1]['speedup'])}"
    return f", and the gain of {context.phrase(focus)} {'falls' if turn > 0 else 'grows'} {ends}"


def _gradients_of_modes(context: Context, cells: pd.DataFrame, records: Records) -> list[Finding]:
    """What autograd's own bookkeeping costs in training, at the usual size."""
    training = cells[cells["mode"] == "training"]
    if training.empty:
        return []
    rows = [
        row
        for _, row in training[training["case"] == usual_case(training)].iterrows()
        if (row["case"], row["implementation"]) in records
    ]
    shares = {row["implementation"]: _share(records[row["case"], row["implementation"]], GRADIENTS) for row in rows}
    if not shares or max(shares.values()) < 0.05:
        return []
    each = [f"{whole_percent(share)} in {context.phrase(name)}" for name, share in shares.items()]
    text = f"Autograd's own bookkeeping, apart from the operators of the backward pass, takes {listed(each)}"
    return [Finding("why:autograd", f"{text}, at {place(rows[0], context.varying)}.")]


def _floors(context: Context, cells: pd.DataFrame) -> list[Finding]:
    """How near the nearest is to the floor, and where none is near."""
    known = cells[cells["gap"].notna()]
    if known.empty:
        return []
    best = known.loc[known.groupby("case")["gap"].idxmin()]
    near, nearest, farthest = best[best["gap"] < NEAR], best.loc[best["gap"].idxmin()], best.loc[best["gap"].idxmax()]
    text = (
        f"{capital(on_device(nearest['device']))}, the fastest implementation takes between {gap(nearest['gap'])} the "
        f"floor ({place(nearest, context.varying)}) and {gap(farthest['gap'])} "
        f"({place(farthest, context.varying)}); it comes within {NEAR:g}× in {len(near) or 'none'} of {len(best)} cases"
    )
    sizes = [int(size) for size in sorted(best["hidden_size"].unique()) if size not in set(near["hidden_size"])]
    if len(near) and sizes:
        text += f", in none at {listed([axis_value('hidden_size', size) for size in sizes])}"
    return [Finding("floor", f"{text}.")]


def _share(record: ProfileRecord, category: str) -> float:
    return record.categories[category] / record.seconds


@dataclass(frozen=True)
class Why:
    """What the report says of why; empty parts are left out, and `notes` say what could not be had."""

    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    operators: list[tuple[str, operators.Table]] = field(default_factory=list)
    law_columns: list[Column] = field(default_factory=list)
    law_rows: list[list[Entry]] = field(default_factory=list)
    law_findings: list[Finding] = field(default_factory=list)
    gradients: list[str] = field(default_factory=list)


def why(run: Run, scene: Scene) -> Why:
    """What explains a run; `scene` is what its pictures share."""
    if scene.cells.empty:
        return Why()
    found = fitted(run)
    fits = bool(found.fits)
    context = Context(scene.cells, run.manifest.baseline)
    pictures = [
        bars.picture(scene, run.profile) if run.profile else None,
        roofline.picture(scene, run.limits) if run.limits else None,
        _gradients(run) if run.gradients else None,
    ]
    return Why(
        _notes(run),
        findings(context, run.profile) if run.profile or run.limits else [],
        [picture for picture in pictures if picture],
        operators.table(scene, run.profile) if run.profile else [],
        laws.columns(found) if fits else [],
        laws.rows(found) if fits else [],
        laws.findings(found),
        gradients.sentences(run.gradients) if run.gradients else [],
    )


def _gradients(run: Run) -> Picture:
    assert run.gradients is not None  # asked before
    return Picture("gradients", gradients.TITLE, [Group("", panels(run.gradients), 2)], [])


def _notes(run: Run) -> list[str]:
    """What is missing, and why."""
    notes = []
    missing = run.limits.missing if run.limits else {}
    if run.limits is None:
        notes.append("No floors: this run was not asked what the machine allows.")
    elif "all" in missing:
        notes.append(f"No floors: what this machine allows could not be measured: {missing['all']}.")
    notes += [
        f"Limits of {name} could not be measured: {why}."
        for name, why in missing.items()
        if re.split("[.,]", name)[0] in {cell.case.partition("-")[0] for cell in run.manifest.cells}
    ]
    if run.profile is None:
        notes.append("No profile: this run was not asked where its time goes.")
    elif run.profile.missing:
        notes.append(f"No profile: {run.profile.missing}.")
    if run.gradients is None:
        notes.append("No gradients: how far back they reach was not measured for this run.")
    return notes
