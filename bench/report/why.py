"""Everything that explains a run, put together for the page and the summary; and sentences by profile and floor.

The sentences say what takes most of a step of the baseline, what would help, and how near any comes to the floor.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

from bench.cases.case import MODES, Cell
from bench.report import gradients, laws, operators
from bench.report.comparisons import Context, Finding, place, side
from bench.report.facets import usual_case
from bench.report.names import capital
from bench.report.pictures import bars, costs, roofline
from bench.report.pictures.curves import panels
from bench.report.pictures.scene import Group, Picture, Scene
from bench.report.units import gap, whole_percent
from bench.table.comparison import FASTER
from bench.table.law import laws as fitted
from bench.table.reading import Run
from bench.why.profile.breakdown import COPIES, DISPATCH, ELEMENTS, GRADIENTS, OVERHEAD, PRODUCTS, UNSEEN
from bench.why.profile.record import Profile, ProfileRecord

FEWER = 0.85
"""Share of another's operators below which one calls clearly fewer."""

IDLE = "waiting for the host"
"""On CUDA all in which the device computes nothing is one: the host works ahead of it."""

PARTS = {
    DISPATCH: ("Python and dispatch take", "Call fewer operators"),
    IDLE: ("waiting for the host takes", "Launch fewer kernels"),
    GRADIENTS: ("autograd takes", "Record fewer operators for the backward pass"),
    COPIES: ("copies and allocation take", "Copy and allocate less"),
    ELEMENTS: ("elementwise operators take", "Join them into fewer"),
    PRODUCTS: ("matrix products take", "Only smaller or faster ones help"),
    UNSEEN: ("work inside one call takes", "A profiler of that code can say more"),
}
"""What is said of the largest part of a step, and what helps against it."""

Records = dict[Cell, ProfileRecord]


def findings(context: Context, profile: Profile | None) -> list[Finding]:
    """What profile and floors say of the measured cells, device by device: of each mode, then of the floor."""
    records = profile.by_cell() if profile else {}
    return [
        finding
        for device in context.devices
        for finding in (*_largest(context, context.on(device), records), *_floors(context, context.on(device)))
    ]


def _largest(context: Context, cells: pd.DataFrame, records: Records) -> list[Finding]:
    """What takes most of a step of the usual case, mode by mode, in the baseline or else in the slowest profiled."""
    found, said = [], set()
    for mode in MODES:
        own = cells[cells["mode"] == mode]
        rows = [] if own.empty else _rows(context, own[own["case"] == usual_case(own)], records)
        if not rows:
            continue
        slowest = max(rows, key=lambda row: (row["implementation"] == context.baseline, row["seconds"]))
        record = records[slowest["case"], slowest["implementation"]]
        parts = _parts(record)
        name = max(parts, key=lambda part: parts[part])
        takes, cure = PARTS[name]
        where = f"in {mode}{context.on_several(slowest['device'])} at "
        where += context.place(slowest, without=["mode"])
        share = (
            f"{whole_percent(parts[name] / record.seconds)} of a step of {context.phrase(slowest['implementation'])}"
        )
        text = f"{capital(where)}, {takes} {share}."
        cure += _example(context, slowest, rows, name) + "."
        found.append(Finding(f"why:{mode}", text if cure in said else f"{text} {cure}"))
        said.add(cure)
    return found


def _rows(context: Context, at: pd.DataFrame, records: Records) -> list[pd.Series]:
    """The cells of a case that have a profile, in the order of the implementations."""
    by_name = at.set_index("implementation", drop=False)
    return [by_name.loc[name] for name in context.names if name in by_name.index and _known(by_name.loc[name], records)]


def _known(row: pd.Series, records: Records) -> bool:
    return (row["case"], row["implementation"]) in records


def _parts(record: ProfileRecord) -> dict[str, float]:
    """Seconds of each category; on CUDA, those in which the device computes nothing are one."""
    if not record.case.startswith("cuda"):
        return record.categories
    work = {name: seconds for name, seconds in record.categories.items() if name not in OVERHEAD}
    return {IDLE: sum(record.categories[name] for name in OVERHEAD), **work}


def _example(context: Context, slow: pd.Series, rows: Iterable[pd.Series], name: str) -> str:
    """Who shows that fewer calls help: the fastest of those that make clearly fewer than the baseline and beat it."""
    if slow["implementation"] != context.baseline or name not in (IDLE, *OVERHEAD):
        return ""
    competing = (row for row in rows if row["standing"])  # of rounded weights is another network
    fewer = [row for row in competing if row["operators"] < FEWER * slow["operators"] and side(row) == FASTER]
    return f", as {context.phrase(min(fewer, key=_seconds)['implementation'])} does" if fewer else ""


def _seconds(row: pd.Series) -> float:
    return float(row["seconds"])


def _floors(context: Context, cells: pd.DataFrame) -> list[Finding]:
    """How near the nearest comes to the floor."""
    known = cells[cells["gap"].notna()]
    if known.empty:
        return []
    nearest = known.loc[known["gap"].idxmin()]
    what = f"{context.phrase(nearest['implementation'])} comes nearest to the floor"
    what += context.on_several(nearest["device"])
    return [Finding("floor", f"{capital(what)}: {gap(nearest['gap'])}, at {place(nearest, context.varying)}.")]


@dataclass(frozen=True)
class Why:
    """What the report says of why; empty parts are left out, and `notes` say what could not be had."""

    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    operators: list[tuple[str, operators.Table]] = field(default_factory=list)
    scaling: laws.Scaling = field(default_factory=laws.Scaling)
    gradients: list[str] = field(default_factory=list)


def why(run: Run, scene: Scene) -> Why:
    """What explains a run; `scene` is what its pictures share."""
    if scene.cells.empty:
        return Why()
    found = fitted(run, set(scene.cells["case"]))
    context = Context(scene.cells, run.manifest.baseline)
    pictures = [
        bars.picture(scene, run.profile) if run.profile else None,
        roofline.picture(scene, run.limits) if run.limits else None,
        costs.picture(scene, found),
        _gradients(run) if run.gradients else None,
    ]
    return Why(
        _notes(run),
        findings(context, run.profile) if run.profile or run.limits else [],
        [picture for picture in pictures if picture],
        operators.table(scene, run.profile) if run.profile else [],
        laws.scaling(found),
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
