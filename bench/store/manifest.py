"""The manifest of a run, run.json: what was asked for, on what machine, and what is known of each cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.store.files import BrokenFile, read_json, take, write_json

SCHEMA = 1

MEASURED, FAILED, UNAVAILABLE, LEFT_OUT, MISSING = "measured", "failed", "unavailable", "left out", "missing"
EQUAL, DIFFERS = "equal", "differs"
"""Of a check alone, beside FAILED and UNAVAILABLE."""


@dataclass
class CellRecord:
    """What is known of one Case x Implementation apart from its samples: sizes in bytes, times in seconds.

    `weights_dtype` is what it rounds its weights to, and is held against; empty where they are used as they are given.
    `same_as` is the implementation whose very code it runs in this mode, empty for one that has its own; `needs` what
    has to be there beside torch; `lines` those of its code (`bench.table.lines`), None where they were not counted;
    `chosen` what it decided to run for this case when it was prepared, empty for one that has no choice;
    `products` those of a step of each layer (`rnn_impls.networks.Products`), where they were counted since the network
    states none; `useful_steps` those of all sequences of a ragged batch together, None where all have T; `kernel` what
    really ran in a call of the survey, and why no faster one (`bench.why.kernel`), empty where nothing was looked at;
    `meters` what is exact of a call (`bench.why.meters`), those known alone, None where nothing was counted.
    Runs of earlier versions have none of the eight.
    """

    case: str
    implementation: str
    status: str = MEASURED
    reason: str = ""
    about: str = ""
    call_seconds: float | None = None
    build_seconds: float | None = None
    peak_bytes: int | None = None
    parity_error: float | None = None
    parity_seq_len: int | None = None
    weights_dtype: str = ""
    same_as: str = ""
    needs: list[str] = field(default_factory=list)
    lines: int | None = None
    chosen: str = ""
    products: list[list[int]] | None = None
    kernel: str = ""
    useful_steps: int | None = None
    meters: dict[str, float] | None = None

    @property
    def cell(self) -> Cell:
        """Whose record it is."""
        return self.case, self.implementation


@dataclass
class Manifest:
    """run.json: everything about a run but its samples."""

    id: str
    started: str
    settings: dict[str, Any]
    status: str = "surveying"
    machine: dict[str, Any] = field(default_factory=dict)
    commit: dict[str, Any] = field(default_factory=dict)
    cells: list[CellRecord] = field(default_factory=list)
    ledger: dict[str, float] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def baseline(self) -> str:
        """The implementation that speed-ups are relative to."""
        return str(self.settings.get("baseline", ""))

    @property
    def first_passes(self) -> int:
        """How many passes were planned before any was seen (see `bench.table.stats.interval_of_ratio`)."""
        return int(self.settings.get("passes", 0))

    def by_cell(self) -> dict[Cell, CellRecord]:
        """Cell -> its record."""
        return {record.cell: record for record in self.cells}

    def fail(self, cell: Cell, reason: str) -> None:
        """A cell that passed the survey has failed while it was measured."""
        for record in self.cells:
            if record.cell == cell and record.status == MEASURED:
                record.status, record.reason = FAILED, reason


MANY = 2000
"""Cells beyond which run.json is written on one line."""


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write run.json. Raises OSError."""
    content = manifest.__dict__ | {"cells": [cell.__dict__ for cell in manifest.cells]}
    write_json(folder / "run.json", content, None if len(manifest.cells) > MANY else 1)


def read_manifest(folder: Path) -> Manifest:
    """Read run.json. Raises BrokenFile naming file and field."""
    path = folder / "run.json"
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    for name, kind in (
        ("id", str),
        ("started", str),
        ("status", str),
        ("settings", dict),
        ("machine", dict),
        ("commit", dict),
        ("ledger", dict),
        ("cells", list),
    ):
        take(content, path, name, kind)
    if "passes" in content["settings"]:
        take(content, path, "settings.passes", int)
    try:
        cells = [CellRecord(**cell) for cell in content.pop("cells")]
        for cell in cells:
            Case.parse(cell.case)
        return Manifest(**content, cells=cells)
    except (TypeError, ValueError) as error:
        raise BrokenFile(f"{path}: the field cells or one beside it is not as expected: {error}") from None
