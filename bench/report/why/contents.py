"""Everything that explains a run, put together for the page and the summary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pandas as pd

from bench.report import gradients, laws
from bench.report.context import Context, Finding
from bench.report.scene import Group, Picture, Scene
from bench.report.tables import Column, Entry
from bench.report.why import bars, operators, roofline
from bench.report.why.findings import findings
from bench.results import Run
from bench.scaling import laws as fitted


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


def why(run: Run, cells: pd.DataFrame, scene: Scene) -> Why:
    """What explains a run; `cells` is its table, `scene` what its pictures share."""
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
    return Picture("gradients", gradients.TITLE, [Group("", gradients.panels(run.gradients), 2)], [])


def _notes(run: Run) -> list[str]:
    """What is missing, and why."""
    notes = []
    missing = run.limits.missing if run.limits else {}
    if run.limits is None:
        notes.append("No floors: this run was not asked what the machine allows.")
    elif "all" in missing:
        notes.append(f"No floors: what this machine allows could not be measured: {missing['all']}.")
    notes += [f"Limits of {name} could not be measured: {why}." for name, why in missing.items()
              if re.split("[.,]", name)[0] in _devices(run)]  # fmt: skip
    if run.profile is None:
        notes.append("No profile: this run was not asked where its time goes.")
    elif run.profile.missing:
        notes.append(f"No profile: {run.profile.missing}.")
    if run.gradients is None:
        notes.append("No gradients: how far back they reach was not measured for this run.")
    return notes


def _devices(run: Run) -> set[str]:
    return {cell.case.split("-")[0] for cell in run.manifest.cells}
