"""The working tree against a stored run: measured anew as that run was, and again where something changed.

A change is asked for twice, of fresh processes here and of other passes there:

    suspected   by the first set of processes against the odd passes of the stored run, each family at ERROR
    confirmed   by a second set against its even passes, likewise

So neither this tree's luck nor the stored run's counts twice: an hour that was slow for some of its passes may raise a
suspicion, but not confirm it. What is unchanged is told by the first set against all passes.

Simulated with 5 passes a run, 18 cells, +3 % as the limit: with all cells just at the limit 0.5 to 0.8 % of runs say
that one is slower; of cells 10 % slower 93 % are found where passes differ by 1.5 %, and 42 % where they do by 2.5 %.
All passes both times, each at 1 %, found 87 and 26 %.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from bench.cases.case import Cell
from bench.cases.settings import Settings
from bench.gate.saved import compare, differing
from bench.host.process import findings
from bench.run.progress import Listener
from bench.run.runner import Runner
from bench.store import folder as run_folders
from bench.store.manifest import Manifest
from bench.table.outcome import IMPROVED, INCONCLUSIVE, REGRESSED, CellVerdict, Outcome
from bench.table.reading import Run, read_run

ODD, EVEN = slice(0, None, 2), slice(1, None, 2)
"""Passes of the stored run: the first, the third ... and the second, the fourth ..."""

ERROR = 0.05
"""Of each family of hypotheses, each of the two times that it is asked."""


def against(
    stored: Run, settings: Settings, min_effect: float, allow_different: Collection[str], listener: Listener
) -> Outcome:
    """Measure what the stored run measured, hold one against the other, and confirm changes by a second set.

    `settings` is the stored run's own. Raises Incomparable before anything is measured where the machine or the
    software is another one; else what `bench.run.runner.Runner.run` raises.
    """
    with tempfile.TemporaryDirectory(prefix="rnn-bench-gate-") as name:
        reports = Path(name)
        differing(stored.manifest.machine, _machine(reports / "worker.log", settings.timeout), allow_different)
        first = _measured(reports, settings, listener)
        outcome = compare(stored, first, min_effect, allow_different)
        suspected = _changes(compare(stored, first, min_effect, allow_different, ODD, ERROR))
        again: dict[Cell, CellVerdict] = {}
        if suspected:
            listener.note(f"{len(suspected)} cells seem to have changed; measuring them again in fresh processes ...")
            second = _measured_again(reports, first, set(suspected), listener)
            again = _changes(compare(stored, second, min_effect, allow_different, EVEN, ERROR))
        outcome.verdicts = confirmed(outcome.verdicts, suspected, again)
        outcome.notes = differing(stored.manifest.machine, first.manifest.machine, allow_different)
        outcome.notes.append(
            "by times over the control's; changes were confirmed by a second set of fresh processes and by other "
            "passes of the stored run"
        )
        outcome.head = "this tree"
        return outcome


def confirmed(
    verdicts: list[CellVerdict], suspected: Mapping[Cell, CellVerdict], again: Mapping[Cell, CellVerdict]
) -> list[CellVerdict]:
    """The verdicts by all passes; but a change stands, with the figures of the second set, only where both the
    suspicion and the second set say so."""
    found = []
    for verdict in verdicts:
        suspicion, fresh = suspected.get(verdict.cell), again.get(verdict.cell)
        if suspicion is not None and fresh is not None and fresh.verdict == suspicion.verdict:
            found.append(fresh)
        elif verdict.verdict in (REGRESSED, IMPROVED):
            of = "all passes of the stored run, not by its odd ones alone"
            if suspicion is not None:
                of = "the first set of processes, not confirmed by a second"
            note = f"{verdict.verdict} by {of}"
            found.append(dataclasses.replace(verdict, verdict=INCONCLUSIVE, note=note))
        else:
            found.append(verdict)
    return found


def _changes(outcome: Outcome) -> dict[Cell, CellVerdict]:
    """What changed, by cell."""
    return {verdict.cell: verdict for verdict in outcome.changed}


def _machine(log: Path, timeout: float) -> dict[str, object]:
    """What a worker finds this machine and its software to be."""
    job = {"kind": "survey", "devices": [], "max_call": 1.0, "cells": []}
    return next(found["machine"] for found in findings(job, timeout, log) if found["event"] == "ready")


def _measured(reports: Path, settings: Settings, listener: Listener) -> Run:
    """A run of its own."""
    folder = run_folders.create(reports, "gate")
    Runner(folder, run_folders.begin(folder, settings), listener).run()
    return read_run(folder)


def _measured_again(reports: Path, first: Run, cells: set[Cell], listener: Listener) -> Run:
    """A run of some cells of another, which were surveyed for that one."""
    folder = run_folders.create(reports, "gate")
    records = [record for record in first.manifest.cells if (record.case, record.implementation) in cells]
    before = first.manifest
    manifest = Manifest(folder.name, before.started, before.settings, "running", before.machine, before.commit, records)
    Runner(folder, manifest, listener).run()
    return read_run(folder)
