"""Why a run's cells take the time they take: the files beside its samples that say so, and how they come there.

    limits.json      what the machine allows (`bench.limits`): the floors follow from it
    profile.json     where the time of each cell goes (`bench.profile`); traces/ holds its traces
    gradients.json   how far back gradients reach (`bench.gradients`): the same on every machine

Each is made where it is missing, none is needed: what can't be had is noted, and the report says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cases import Case
from bench.files import BrokenFile, write_json
from bench.folder import LOGS
from bench.gradients.keep import kept_gradients
from bench.limits.command import limits_of
from bench.limits.limits import Limits, write_limits
from bench.manifest import MEASURED, Manifest, write_manifest
from bench.process import WorkerDied
from bench.profile.command import STEPS, profiled
from bench.profile.record import write_profile
from bench.results import GRADIENTS, LIMITS, PROFILE

TRACES = "traces"

Note = Callable[[str], None]


def explain(
    folder: Path, manifest: Manifest, reports: Path, note: Note, *, traces: bool = False, steps: int = STEPS
) -> None:
    """Put the files beside the samples of a run: limits and gradients from what is kept under `reports`, or measured
    now, and a profile of every measured cell at `steps` steps at most, with its traces where they are wanted. Raises
    OSError."""
    with _on(manifest, "limits"):
        _limits(folder, manifest, reports, note)
    with _on(manifest, "profile"):
        _profile(folder, manifest, note, traces, steps)
    with _on(manifest, "gradients"):
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


@contextmanager
def _on(manifest: Manifest, activity: str) -> Iterator[None]:
    """Put the time of a with-block down in the run's ledger."""
    start = time.perf_counter()
    try:
        yield
    finally:
        manifest.ledger[activity] = manifest.ledger.get(activity, 0.0) + time.perf_counter() - start
