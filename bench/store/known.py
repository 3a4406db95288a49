"""What several runs of one machine know of each cell, and of themselves, as one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.cases.case import Cell
from bench.store.compact import Stored
from bench.store.manifest import FAILED, LEFT_OUT, MEASURED, MISSING, UNAVAILABLE, CellRecord, Manifest
from rnn_impls.registry import ordered

FINISHED = "finished"
_BEST_FIRST = (MEASURED, FAILED, UNAVAILABLE, LEFT_OUT, MISSING)


def records_of(runs: Sequence[Stored]) -> tuple[dict[Cell, CellRecord], list[str]]:
    """What is known of each cell, by Case; of several records the one that says most. A cell that was measured in one
    run and failed in another is measured, and says where it failed."""
    by_cell: dict[Cell, list[tuple[CellRecord, str]]] = {}
    for stored in runs:
        for record in stored.manifest.cells:
            by_cell.setdefault(record.cell, []).append((record, stored.manifest.id))
    place = {name: k for k, name in enumerate(ordered(name for _, name in by_cell))}
    found, doubtful = {}, 0
    for cell in sorted(by_cell, key=lambda cell: (cell[0], place[cell[1]])):
        each = by_cell[cell]
        best = min((record for record, _ in each), key=lambda record: _rank(record.status))
        chosen = sorted({part for record, _ in each for part in record.chosen.split(" or ") if part})
        failed = {run: record.reason for record, run in each if record.status == FAILED}
        reason = best.reason
        if best.status == MEASURED and failed:
            doubtful += 1
            reason = "; ".join(f"failed in run {run}: {why}" for run, why in failed.items())
        found[cell] = dataclasses.replace(best, chosen=" or ".join(chosen), reason=reason)
    many = "cell that was" if doubtful == 1 else "cells that were"
    return found, [f"{doubtful} {many} measured failed in another run, of which nothing counts."] if doubtful else []


def _rank(status: str) -> int:
    """How little a status says."""
    return _BEST_FIRST.index(status) if status in _BEST_FIRST else len(_BEST_FIRST)


def manifest_of(runs: Sequence[Stored], records: list[CellRecord], planned: int, name: str) -> Manifest:
    """What is known of the whole."""
    manifests = [stored.manifest for stored in runs]
    first = manifests[0]
    ledger: Counter[str] = Counter()
    for each in manifests:
        ledger.update(each.ledger)
    baselines = Counter(each.baseline for each in manifests)
    precisions = {each.settings.get("precision") for each in manifests}
    settings: dict[str, Any] = {
        "preset": ",".join(dict.fromkeys(str(each.settings.get("preset", "")) for each in manifests)),
        "implementations": ",".join(ordered(record.implementation for record in records)),
        "baseline": max(baselines, key=lambda name: (baselines[name], name == "manual", name)),
        "passes": planned,
        "precision": precisions.pop() if len(precisions) == 1 else None,
        "runs": len({(each.id, each.started) for each in manifests}),
    }
    late = sum(each.status != FINISHED for each in manifests)
    status = FINISHED if not late else f"{late} of {len(manifests)} runs did not finish"
    commits = [each.commit for each in manifests]
    commit = first.commit if all(each == first.commit for each in commits) else {}
    return Manifest(name, first.started, settings, status, first.machine, commit, records, dict(ledger))
