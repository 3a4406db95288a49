"""The working tree against a stored run: measured anew as that run was, and again where something changed."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection
from pathlib import Path

from bench import folder as run_folders
from bench.gate.outcome import IMPROVED, INCONCLUSIVE, REGRESSED, CellVerdict, Outcome
from bench.gate.saved import compare, differing
from bench.listener import Listener
from bench.manifest import Manifest
from bench.process import findings
from bench.results import Run, read_run
from bench.run import Runner
from bench.settings import Settings


def against(
    stored: Run, settings: Settings, min_effect: float, allow_different: Collection[str], listener: Listener
) -> Outcome:
    """Measure what the stored run measured, hold one against the other, and confirm changes by a second, fresh set.

    `settings` is the stored run's own. Raises Incomparable before anything is measured where the machine or the
    software is another one; else what `bench.run.Runner.run` raises.
    """
    with tempfile.TemporaryDirectory(prefix="rnn-bench-gate-") as name:
        reports = Path(name)
        differing(stored.manifest.machine, _machine(reports / "worker.log", settings.timeout), allow_different)
        first = _measured(reports, settings, listener)
        outcome = compare(stored, first, min_effect, allow_different)
        suspects = {verdict.cell for verdict in outcome.changed}
        if suspects:
            listener.note(f"{len(suspects)} cells seem to have changed; measuring them again in fresh processes ...")
            second = _measured_again(reports, first, suspects, listener)
            again = compare(stored, second, min_effect, allow_different)
            outcome.verdicts = confirmed(outcome.verdicts, again.verdicts)
        outcome.notes = differing(stored.manifest.machine, first.manifest.machine, allow_different)
        outcome.notes.append("by times over the control's; changes were confirmed by a second set of fresh processes")
        outcome.head = "this tree"
        return outcome


def confirmed(first: list[CellVerdict], second: list[CellVerdict]) -> list[CellVerdict]:
    """The first verdicts; a change stands, with the figures of the second set, only where that says the same."""
    again = {verdict.cell: verdict for verdict in second}
    found = []
    for verdict in first:
        if verdict.verdict in (REGRESSED, IMPROVED):
            fresh = again.get(verdict.cell)
            if fresh is not None and fresh.verdict == verdict.verdict:
                found.append(fresh)
            else:
                note = f"{verdict.verdict} by the first set of processes, not confirmed by a second"
                found.append(dataclasses.replace(verdict, verdict=INCONCLUSIVE, note=note))
        else:
            found.append(verdict)
    return found


def _machine(log: Path, timeout: float) -> dict[str, object]:
    """What a worker finds this machine and its software to be."""
    job = {"kind": "survey", "devices": [], "max_call": 1.0, "cells": []}
    return next(found["machine"] for found in findings(job, timeout, log) if found["event"] == "ready")


def _measured(reports: Path, settings: Settings, listener: Listener) -> Run:
    """A run of its own."""
    folder = run_folders.create(reports, "gate")
    Runner(folder, run_folders.begin(folder, settings), listener).run()
    return read_run(folder)


def _measured_again(reports: Path, first: Run, cells: set[tuple[str, str]], listener: Listener) -> Run:
    """A run of some cells of another, which were surveyed for that one."""
    folder = run_folders.create(reports, "gate")
    records = [record for record in first.manifest.cells if (record.case, record.implementation) in cells]
    before = first.manifest
    manifest = Manifest(folder.name, before.started, before.settings, "running", before.machine, before.commit, records)
    Runner(folder, manifest, listener).run()
    return read_run(folder)
