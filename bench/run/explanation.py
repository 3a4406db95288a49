"""Why a run's cells take the time they take: the files beside its samples that say so, each made where it is missing.

    limits.json      what the machine allows (`bench.why.limits`): the floors follow from it
    profile.json     where the time of each cell goes (`bench.why.profile`); traces/ holds its traces
    gradients.json   how far back gradients reach (`bench.why.gradients`): the same on every machine

None is needed: what can't be had is noted, and the report says so. Cells are profiled in fresh processes, those of a
user's code in ones of their own; what takes its process down costs that cell alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.cases.case import Case, Cell
from bench.host.clock import Ledger
from bench.host.process import WorkerDied, findings
from bench.run.crew import HOME, file_name, seat_of
from bench.run.kept import TIMEOUT, kept_gradients, limits_of
from bench.run.survey import MOST_LOST
from bench.store.files import BrokenFile, write_json
from bench.store.folder import LOGS
from bench.store.manifest import MEASURED, Manifest, write_manifest
from bench.table.reading import GRADIENTS, LIMITS, PROFILE
from bench.why.limits.limits import Limits, write_limits
from bench.why.profile.record import FAILED, Profile, ProfileRecord, from_dict, write_profile

STEPS = 32
"""Steps of a profiled call: enough to tell what a step does, and few enough for a trace that opens quickly."""


def profiled(
    cells: Sequence[Cell],
    log: Path,
    *,
    steps: int = STEPS,
    folder: Path | None = None,
    done: Callable[[ProfileRecord], None] = lambda record: None,
) -> Profile:
    """Profile the cells; those that are alike but for the steps beyond `steps` are profiled once.

    Trace files go to `folder`. A worker's death costs the cell it was at. Raises OSError.
    """
    alike: dict[Cell, list[Cell]] = {}
    for case_id, name in cells:
        case = Case.parse(case_id)
        alike.setdefault((replace(case, seq_len=min(case.seq_len, steps)).id, name), []).append((case_id, name))
    found = Profile()
    for place in dict.fromkeys(seat_of(name) for _, name in alike):
        remaining = [cell for cell in alike if seat_of(cell[1]) == place]
        lost = 0
        while remaining and lost < MOST_LOST:
            job = {"kind": "profile", "cells": remaining, "steps": steps, "folder": str(folder) if folder else ""}
            current: Cell | None = None
            try:
                for finding in findings(job, TIMEOUT, log.with_stem(f"{log.stem}-{file_name(place)}")):
                    if finding["event"] == "start":
                        current = (finding["case"], finding["implementation"])
                    elif finding["event"] == "profile":
                        record = from_dict(finding["record"])
                        remaining.remove((record.case, record.implementation))
                        _add(found, record, alike)
                        done(record)
                remaining = []
            except WorkerDied as death:
                if current is None or current not in remaining:
                    found.missing = f"no worker can be had: {death}"
                    return found
                lost += place != HOME
                remaining.remove(current)
                _add(found, ProfileRecord(*current, status=FAILED, reason=str(death), profiled=current[0]), alike)
        for cell in remaining:
            reason = f"not tried, its process was lost {MOST_LOST} times before"
            _add(found, ProfileRecord(*cell, status=FAILED, reason=reason, profiled=cell[0]), alike)
    return found


def _add(found: Profile, record: ProfileRecord, alike: dict[Cell, list[Cell]]) -> None:
    """The record for each cell that it speaks for."""
    for case, name in alike[record.case, record.implementation]:
        found.records.append(replace(record, case=case, implementation=name))


TRACES = "traces"

Note = Callable[[str], None]


def explain(
    folder: Path, manifest: Manifest, reports: Path, note: Note, *, traces: bool = False, steps: int = STEPS
) -> None:
    """Put the files beside the samples of a run: limits and gradients from what is kept under `reports`, or measured
    now, and a profile of every measured cell at `steps` steps at most, with its traces where they are wanted. Raises
    OSError."""
    ledger = Ledger(manifest.ledger)
    with ledger.on("limits"):
        _limits(folder, manifest, reports, note)
    with ledger.on("profile"):
        _profile(folder, manifest, note, traces, steps)
    with ledger.on("gradients"):
        _gradients(folder, manifest, reports, note)
    write_manifest(folder, manifest)


def _limits(folder: Path, manifest: Manifest, reports: Path, note: Note) -> None:
    threads = sorted({Case.parse(each.case).threads for each in manifest.cells})
    try:
        found = limits_of(manifest.machine, reports, note, threads)
    except WorkerDied as death:
        note(f"no limits: {death}")
        found = Limits(manifest.machine, "", missing={"all": str(death)})
    write_limits(folder / LIMITS, found)


def _profile(folder: Path, manifest: Manifest, note: Note, traces: bool, steps: int) -> None:
    note("Profiling where the time goes ...")
    into = folder / TRACES if traces else None
    if into is not None:
        into.mkdir(exist_ok=True)
    cells = [(each.case, each.implementation) for each in manifest.cells if each.status == MEASURED]
    found = profiled(cells, folder / LOGS / "profile.log", steps=steps, folder=into)
    if found.missing:
        note(f"no profile: {found.missing}")
    write_profile(folder / PROFILE, found)


def _gradients(folder: Path, manifest: Manifest, reports: Path, note: Note) -> None:
    try:
        write_json(folder / GRADIENTS, kept_gradients(reports, str(manifest.machine.get("torch", ""))))
    except (WorkerDied, BrokenFile) as error:
        note(f"no gradients: {error}")
