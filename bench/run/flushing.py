"""What denormal numbers cost a run's cells, found out by fresh processes after its passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.cases.case import TRAINING, Case, Cell
from bench.host.process import WorkerDied
from bench.run.cellwise import told_of
from bench.run.plan import STARTING_SECONDS
from bench.run.progress import Listener
from bench.store.manifest import MEASURED, Manifest
from bench.why.denormals.table_file import Count, Denormals, Flushing

PROCESSES = 3
"""Fresh processes that find out what denormals cost: its interval is over them."""
CELL_SECONDS = 0.6
"""About what a cell takes in a process; it only makes the estimate that a person is told."""


def cells(manifest: Manifest) -> list[Cell]:
    """The measured cells whose gradients may vanish through denormal numbers, on the CPU with one thread."""
    wanted = {"device": "cpu", "mode": TRAINING, "loss": "last", "threads": 1, "flush_denormal": False}
    return [
        each.cell
        for each in manifest.cells
        if each.status == MEASURED and wanted.items() <= Case.parse(each.case).as_dict().items()
    ]


def denormals(chosen: Sequence[Cell], log: Path, listener: Listener) -> Denormals:
    """What denormal numbers cost these cells, by PROCESSES fresh processes for each. Raises OSError."""
    listener.explaining("what denormals cost", PROCESSES * len(chosen))
    found: dict[Cell, Flushing] = {cell: Flushing(*cell) for cell in chosen}
    counts: dict[str, Count] = {}
    missing = ""
    try:
        for number in range(PROCESSES):
            for cell, told in told_of("denormals", chosen, log, first=not number):
                listener.explained()
                own = found[cell]
                if isinstance(told, str) or "reason" in told["record"]:
                    own.reason = told if isinstance(told, str) else told["record"]["reason"]
                    continue
                own.backward += told["record"]["backward"]
                own.call += told["record"]["call"]
                own.parity_error = told["record"].get("parity_error", own.parity_error)
                if told["count"]:
                    counts[cell[0]] = Count(**told["count"])
    except WorkerDied as death:
        missing = f"no worker can be had: {death}"
    return Denormals(list(counts.values()), list(found.values()), missing)


def expected_seconds(manifest: Manifest) -> float:
    """About how long that will take."""
    count = len(cells(manifest))
    return PROCESSES * (STARTING_SECONDS + CELL_SECONDS * count) if count else 0.0
