"""A run as one small file: what a history needs of it, and nothing else. A folder of them, or a git branch, is a
history; folders of whole runs are read as well.

    FOLDER/<run>.json     one summary a run, as `add` writes it
    FOLDER/<run>/         or the run's own folder, by its run.json and cells.json

A summary of 20 cells has 6 KB, where the run has a megabyte.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.host.identity import fingerprint
from bench.store.files import BrokenFile, read_json, take, write_json
from bench.store.manifest import MEASURED, Manifest, read_manifest
from bench.table.cells import cells
from bench.table.reading import read_run

SCHEMA = 1

FINISHED = "finished"

METERS = ("operators", "nodes", "allocations", "peak_bytes", "launches")
"""What is exact, each for one call; peak_bytes in bytes, the others are counts."""

RATIO = "control_ratio"


@dataclass(frozen=True)
class SummaryCell:
    """What is kept of a measured cell: its time over the control's, with its 95 % interval (NaN from one pass), and
    the exact meters that are known."""

    cell: Cell
    ratio: float
    low: float
    high: float
    meters: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """A run as a history knows it. `commit` has id, branch, dirty and time, or nothing."""

    run: str
    started: str
    commit: dict[str, Any]
    machine: dict[str, Any]
    cells: tuple[SummaryCell, ...]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", fingerprint(self.machine))

    @property
    def commit_id(self) -> str:
        """The whole id of its commit; empty where there was none."""
        return str(self.commit.get("id") or "")

    def by_cell(self) -> dict[Cell, SummaryCell]:
        """Cell -> what is known of it."""
        return {each.cell: each for each in self.cells}


def read(path: Path) -> Summary:
    """The summary in a file, or of a run's folder. Raises BrokenFile naming file and field."""
    return _of_run(path) if path.is_dir() else _of_file(path)


def is_finished(folder: Path) -> bool:
    """Whether the run of a folder came to its end. Raises BrokenFile."""
    return read_manifest(folder).status == FINISHED


def add(run: Path, into: Path) -> Path:
    """Write the summary of a run's folder, or of a summary, into the folder of a history -> its path. Raises
    BrokenFile, also for a run that never came to its end; OSError."""
    if run.is_dir() and not is_finished(run):
        raise BrokenFile(f"{run / 'run.json'}: the run is not finished; go on with it by `run --resume {run}`")
    found = read(run)
    if not found.cells:
        raise BrokenFile(f"{run}: no cell was measured")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{found.run}.json"
    write_json(path, _as_dict(found))
    return path


def _as_dict(summary: Summary) -> dict[str, Any]:
    content = {"summary": SCHEMA, **asdict(summary)}
    del content["fingerprint"]
    content["cells"] = [
        {
            "case": each.cell[0],
            "implementation": each.cell[1],
            RATIO: each.ratio,
            f"{RATIO}_low": _finite(each.low),
            f"{RATIO}_high": _finite(each.high),
            **({"meters": each.meters} if each.meters else {}),
        }
        for each in summary.cells
    ]
    return content


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _of_file(path: Path) -> Summary:
    content = read_json(path)
    if "summary" not in content:
        raise BrokenFile(f"{path}: the field summary is missing; this is no summary of a run")
    if content["summary"] != SCHEMA:
        raise BrokenFile(f"{path}: the field summary is {content['summary']!r}; this version reads {SCHEMA}")
    texts = [take(content, path, name, str) for name in ("run", "started")]
    facts = [take(content, path, name, dict) for name in ("commit", "machine")]
    return _checked(Summary(texts[0], texts[1], facts[0], facts[1], _cells(content, path)), path)


def _of_run(folder: Path) -> Summary:
    manifest, path = read_manifest(folder), folder / "cells.json"
    content = read_json(path) if path.exists() else {"cells": _estimated(folder)}
    found = _cells(content, path)
    return _checked(Summary(manifest.id, manifest.started, _commit(manifest), manifest.machine, found), folder)


def _estimated(folder: Path) -> list[dict[str, Any]]:
    """The same rows where no report was written yet; what is not known is None there, too."""
    rows = cells(read_run(folder)).to_dict("records")
    return [{str(name): None if _is_nan(value) else value for name, value in row.items()} for row in rows]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _commit(manifest: Manifest) -> dict[str, Any]:
    """Nothing outside of a repository, which pytest-benchmark calls unversioned."""
    known = manifest.commit.get("id") not in (None, "unversioned")
    return {name: manifest.commit.get(name) for name in ("id", "branch", "dirty", "time")} if known else {}


def _checked(summary: Summary, path: Path) -> Summary:
    """The same, with times that can be put in order. Raises BrokenFile."""
    try:
        when(summary)
        committed(summary)
    except ValueError as error:
        raise BrokenFile(f"{path}: the field started or commit.time is no time: {error}") from None
    return summary


def when(summary: Summary) -> datetime.datetime:
    """When the run was started. Raises ValueError for what is no time."""
    return _time(summary.started)


def committed(summary: Summary) -> datetime.datetime | None:
    """When its commit was made; None where that is not known. Raises ValueError for what is no time."""
    told = summary.commit.get("time")
    return _time(str(told)) if told else None


def _time(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def _cells(content: dict[str, Any], path: Path) -> tuple[SummaryCell, ...]:
    """The measured cells of a summary or of a cells.json. Raises BrokenFile naming the field."""
    found = []
    for index, row in enumerate(take(content, path, "cells", list)):
        where = f"cells[{index}]"
        if not isinstance(row, dict):
            raise BrokenFile(f"{path}: the field {where} is {type(row).__name__}, not an object")
        if row.get("status", MEASURED) != MEASURED or row.get(RATIO) is None:
            continue  # not measured, or the run ended before
        ratio, low, high = (_number(row, name, path, where) for name in (RATIO, f"{RATIO}_low", f"{RATIO}_high"))
        if not (math.isfinite(ratio) and ratio > 0):
            raise BrokenFile(f"{path}: the field {where}.{RATIO} is {ratio!r}, which is no ratio")
        found.append(SummaryCell(_cell(row, path, where), ratio, low, high, _meters(row, path, where)))
    return tuple(found)


def _cell(row: dict[str, Any], path: Path, where: str) -> Cell:
    try:
        return Case.parse(str(row["case"])).id, str(row["implementation"])
    except (KeyError, ValueError) as error:
        raise BrokenFile(f"{path}: the field {where} has no proper cell: {error}") from None


def _number(row: dict[str, Any], name: str, path: Path, where: str) -> float:
    value = row.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BrokenFile(f"{path}: the field {where}.{name} is {value!r}, which is no number")
    return float(value)


def _meters(row: dict[str, Any], path: Path, where: str) -> dict[str, float]:
    told = row.get("meters") or {}
    if not isinstance(told, dict):
        raise BrokenFile(f"{path}: the field {where}.meters is {type(told).__name__}, not an object")
    if unknown := sorted(set(told) - set(METERS)):
        raise BrokenFile(f"{path}: the field {where}.meters has {unknown[0]!r}; known are {', '.join(METERS)}")
    return {name: _number(told, name, path, f"{where}.meters") for name in METERS if told.get(name) is not None}


def read_all(folders: Sequence[Path]) -> tuple[list[Summary], list[str]]:
    """Every run in these folders, once each whatever folders it lies in; and what of them was left out, in words. A
    folder may also be a run's own, or a summary. Raises BrokenFile, ValueError where there is no run at all."""
    found: dict[str, Summary] = {}
    unfinished: list[str] = []
    for folder in folders:
        for path in _inside(folder):
            if path.is_dir() and not is_finished(path):
                unfinished.append(path.name)
                continue
            summary = read(path)
            found.setdefault(summary.run, summary)
    if not found:
        raise ValueError(f"there is no finished run in {', '.join(map(str, folders))}")
    count = len(unfinished)
    names = f"{', '.join(unfinished[:3])}{' and more' if count > 3 else ''}"
    told = [f"{count} run{'' if count == 1 else 's'} left out, not finished: {names}."] if count else []
    return list(found.values()), told


def _inside(folder: Path) -> list[Path]:
    """The runs and summaries of a folder, by name. Raises ValueError for one that is not there."""
    if folder.is_file() or (folder / "run.json").exists():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder")
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in inside if (path.suffix == ".json" if path.is_file() else (path / "run.json").exists())]
