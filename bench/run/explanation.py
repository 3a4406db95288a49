"""Why a run's cells take the time they take: the files beside its samples that say so, each made where it is missing.

    limits.json      what the machine allows (`bench.why.limits`): the floors follow from it
    profile.json     where the time of each cell goes (`bench.why.profile`); traces/ holds its traces
    gradients.json   how far back gradients reach (`bench.why.gradients`): the same on every machine
    denormals.json   what denormal numbers cost training with a loss on the last step (`bench.why.denormals`)

None is needed: what can't be had is noted, and the report says so. Cells are profiled in fresh processes, those of a
user's code in ones of their own; what takes its process down costs that cell alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cases.case import Case, Cell
from bench.host.clock import Ledger
from bench.host.process import WorkerDied
from bench.run import flushing
from bench.run.cellwise import told_of
from bench.run.kept import gradients_path, kept_gradients, kept_path, limits_of
from bench.run.plan import STARTING_SECONDS
from bench.run.progress import Listener
from bench.store.files import write_json
from bench.store.folder import LOGS
from bench.store.manifest import MEASURED, Manifest, write_manifest
from bench.table.reading import DENORMALS, GRADIENTS, LIMITS, PROFILE
from bench.why.denormals.table_file import write as write_denormals
from bench.why.limits.limits import Limits, write_limits
from bench.why.profile.record import FAILED, Profile, ProfileRecord, from_dict, write_profile

USUAL_STEPS = 64
"""The length at which a step's time is explained; that of the case which sentences quote."""

STEPS = 16
"""Steps of a profiled call: enough to tell what a step does, and few enough for a trace that opens quickly."""


def profiled(
    cells: Sequence[Cell],
    log: Path,
    *,
    steps: int = STEPS,
    folder: Path | None = None,
    listener: Listener | None = None,
) -> Profile:
    """Profile the cells; those that are alike but for the steps beyond `steps` are profiled once.

    Trace files go to `folder`. A worker's death costs the cell it was at. Raises OSError.
    """
    alike: dict[Cell, list[Cell]] = {}
    for case_id, name in cells:
        case = Case.parse(case_id)
        alike.setdefault((replace(case, seq_len=min(case.seq_len, steps)).id, name), []).append((case_id, name))
    listener = listener or Listener()
    listener.explaining("where the time goes", len(alike))
    found = Profile()
    try:
        for cell, told in told_of("profile", alike, log, steps=steps, folder=str(folder) if folder else ""):
            failed = ProfileRecord(*cell, status=FAILED, reason=str(told), profiled=cell[0])
            _add(found, failed if isinstance(told, str) else from_dict(told["record"]), alike)
            listener.explained()
    except WorkerDied as death:
        found.missing = f"no worker can be had: {death}"
    return found


def _add(found: Profile, record: ProfileRecord, alike: dict[Cell, list[Cell]]) -> None:
    """The record for each cell that it speaks for."""
    for case, name in alike[record.cell]:
        found.records.append(replace(record, case=case, implementation=name))


TRACES = "traces"


@dataclass(frozen=True)
class Explaining:
    """How a run is to be explained: profiled at how many steps at most, every cell or those of one length for each
    setting, with trace files or without."""

    steps: int = STEPS
    every: bool = False
    traces: bool = False


LIMITS_SECONDS, GRADIENTS_SECONDS, PROFILE_SECONDS = 12.0, 3.5, 0.25
"""About what limits and gradients take where none are kept, and the profile of a cell (AMD EPYC); they only make the
estimate that a person is told."""


def expected_seconds(manifest: Manifest, cache: Path, how: Explaining) -> float:
    """About how long `explain` will take."""
    chosen = profiled_cells(manifest, how)
    alike = {
        (replace(Case.parse(case), seq_len=min(Case.parse(case).seq_len, how.steps)), name) for case, name in chosen
    }
    seconds = PROFILE_SECONDS * len(alike) + STARTING_SECONDS
    seconds += flushing.expected_seconds(manifest)
    seconds += 0.0 if kept_path(cache, manifest.machine).exists() else LIMITS_SECONDS
    return seconds + (0.0 if gradients_path(cache, _torch(manifest)).exists() else GRADIENTS_SECONDS)


def explain(folder: Path, manifest: Manifest, cache: Path, listener: Listener, how: Explaining) -> None:
    """Put the files beside the samples of a run: limits and gradients from what is kept in `cache`, or measured now,
    and a profile of its cells. Raises OSError."""
    ledger = Ledger(manifest.ledger)
    with ledger.on("limits"):
        _limits(folder, manifest, cache, listener)
    with ledger.on("profile"):
        _profile(folder, manifest, listener, how)
    with ledger.on("gradients"):
        _gradients(folder, manifest, cache, listener)
    if cells := flushing.cells(manifest):
        with ledger.on("denormals"):
            write_denormals(folder / DENORMALS, flushing.denormals(cells, folder / LOGS / "denormals.log", listener))
    write_manifest(folder, manifest)


def profiled_cells(manifest: Manifest, how: Explaining) -> list[Cell]:
    """The measured cells that are profiled: every one; or of cases that differ in their length alone those of the
    length nearest to USUAL_STEPS, and those whose profile is the same, being cut at `how.steps`."""
    cells = [each.cell for each in manifest.cells if each.status == MEASURED]
    if how.every:
        return cells
    lengths: dict[Case, set[int]] = {}
    for case in (Case.parse(case_id) for case_id, _ in cells):
        lengths.setdefault(replace(case, seq_len=1), set()).add(case.seq_len)
    nearest = {case: min(found, key=lambda steps: (abs(steps - USUAL_STEPS), steps)) for case, found in lengths.items()}

    def same(case: Case) -> bool:
        return min(case.seq_len, how.steps) == min(nearest[replace(case, seq_len=1)], how.steps)

    return [cell for cell in cells if same(Case.parse(cell[0]))]


def _torch(manifest: Manifest) -> str:
    return str(manifest.machine.get("torch", ""))


def _limits(folder: Path, manifest: Manifest, cache: Path, listener: Listener) -> None:
    threads = sorted({Case.parse(each.case).threads for each in manifest.cells})
    try:
        found = limits_of(manifest.machine, cache, listener, threads)
    except WorkerDied as death:
        listener.note(f"no limits: {death}")
        found = Limits(manifest.machine, "", missing={"all": str(death)})
    write_limits(folder / LIMITS, found)


def _profile(folder: Path, manifest: Manifest, listener: Listener, how: Explaining) -> None:
    into = folder / TRACES if how.traces else None
    if into is not None:
        into.mkdir(exist_ok=True)
    cells = profiled_cells(manifest, how)
    found = profiled(cells, folder / LOGS / "profile.log", steps=how.steps, folder=into, listener=listener)
    if found.missing:
        listener.note(f"no profile: {found.missing}")
    write_profile(folder / PROFILE, found)


def _gradients(folder: Path, manifest: Manifest, cache: Path, listener: Listener) -> None:
    try:
        write_json(folder / GRADIENTS, kept_gradients(cache, _torch(manifest), listener))
    except WorkerDied as error:
        listener.note(f"no gradients: {error}")
