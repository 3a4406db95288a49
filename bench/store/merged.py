"""A merged run on disk: the runs of several machines, each machine's as one.

    merged.json                 its machines by fingerprint: facts, the runs pooled there, and what is to be known
    machines/<fingerprint>/     the runs of one machine as an ordinary run folder in compact form
    cells.parquet               every cell of every machine, keyed by fingerprint
    index.html                  of several machines, by `report`

Whatever a run says of another is a ratio, and ratios are of one machine and software; so nothing is ever formed across
`machines/`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.store.compact import write_stored
from bench.store.files import BrokenFile, read_json, take, write_json
from bench.store.manifest import SCHEMA
from bench.store.pooled import Pool

MERGED, MACHINES, CELLS = "merged.json", "machines", "cells.parquet"
BESIDE = ("limits.json", "gradients.json")
"""What explains a run and holds for its machine: the first that any run has stands for all."""
BY_CELL = {"profile.json": ("records",), "denormals.json": ("counts", "flushing")}
"""What explains single cells: file -> its lists, whose entries name case and implementation."""


@dataclass(frozen=True)
class Machine:
    """A machine of a merged run: what it is, its run folder, the runs pooled there (id, started, status, passes and the
    folder each came from), and notes on how they fit together."""

    fingerprint: str
    facts: dict[str, Any]
    folder: Path
    runs: list[dict[str, Any]]
    notes: list[str]


def run_folders_in(place: Path) -> list[Path]:
    """The run folders that a path stands for: itself, those of a merged run, or every one below it. Raises BrokenFile
    where there is none."""
    if (place / "run.json").is_file():
        return [place]
    if is_merged(place):
        return [machine.folder for machine in read_merged(place)]
    found: list[Path] = []
    for above, below, files in os.walk(place):
        below.sort()
        if "run.json" in files:
            found.append(Path(above))
            below.clear()  # what a run keeps of others, such as a gate's, is no run of its own
    if not found:
        what = "no run.json in it, or below it" if place.is_dir() else "there is no such folder"
        raise BrokenFile(f"{place}: no run folder ({what})")
    return found


def is_merged(folder: Path) -> bool:
    """Whether a folder holds a merged run."""
    return (folder / MERGED).is_file()


def read_merged(folder: Path) -> list[Machine]:
    """The machines of a merged run, in order. Raises BrokenFile naming file and field."""
    path = folder / MERGED
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    found = []
    for digits, told in take(content, path, "machines", dict).items():
        facts, runs, notes = (take(told, path, name, kind) for name, kind in _FIELDS)
        found.append(Machine(digits, facts, folder / MACHINES / digits, runs, notes))
    return found


_FIELDS: tuple[tuple[str, type], ...] = (("machine", dict), ("runs", list), ("notes", list))


def check_target(folder: Path) -> None:
    """Raise BrokenFile for a folder that a merged run may not be written to, since something else is there."""
    if folder.exists() and not is_merged(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise BrokenFile(f"{folder}: is there, and is no merged run; choose another folder for it")


def write_merged(folder: Path, pools: Sequence[Pool], then: Callable[[Path], None]) -> None:
    """Write a merged run, whole or not at all: it takes the place of the merged run that may be there only when `then`,
    which adds what is made from it, is done. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        new.mkdir()
        for each in pools:
            own = new / MACHINES / each.fingerprint
            own.mkdir(parents=True)
            write_stored(own, each.stored)
            _write_explanation(own, [stored.folder for stored in each.runs])
        write_json(new / MERGED, {"schema": SCHEMA, "machines": {each.fingerprint: _told(each) for each in pools}})
        then(new)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def _told(each: Pool) -> dict[str, Any]:
    """What merged.json says of a machine."""
    passes: dict[tuple[str, str], int] = {}
    for source in each.stored.sources:
        passes[source.run, source.started] = passes.get((source.run, source.started), 0) + 1
    runs = [
        {"id": run, "started": started, "passes": count, "folder": str(_folder_of(each, run, started))}
        for (run, started), count in sorted(passes.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    return {"machine": each.stored.manifest.machine, "runs": runs, "notes": each.notes}


def _folder_of(each: Pool, run: str, started: str) -> Path:
    """The folder that the passes of a run were read from."""
    return next(
        stored.folder
        for stored in each.runs
        if any((source.run, source.started) == (run, started) for source in stored.sources)
    )


def _write_explanation(folder: Path, sources: Iterable[Path]) -> None:
    """What lies beside the samples of some runs of one machine, as files of one."""
    sources = list(sources)
    for name in BESIDE:
        if there := [source / name for source in sources if (source / name).exists()]:
            write_json(folder / name, read_json(there[0]))
    for name, lists in BY_CELL.items():
        if there := [source / name for source in sources if (source / name).exists()]:
            write_json(folder / name, _union([read_json(path) for path in there], lists))


def _union(contents: list[dict[str, Any]], lists: tuple[str, ...]) -> dict[str, Any]:
    """Tables of cells as one; of a cell that is in several the first counts."""
    found = dict(contents[0])
    for name in lists:
        entries: dict[Any, Any] = {}
        for content in contents:
            for entry in content.get(name, []):
                entries.setdefault((entry.get("case"), entry.get("implementation")), entry)
        found[name] = list(entries.values())
    if any(found[name] for name in lists):
        found["missing"] = ""
    return found
