"""Run folders: what a run leaves on disk, and how it is read back.

    reports/runs/<id>/run.json            the manifest: what was asked for, on what machine, each cell's survey
    reports/runs/<id>/passes/pass-001.json  one per pass, in pytest-benchmark's JSON format

A pass file is what `pytest bench --benchmark-json` writes, too: its reader takes both. Samples lie in each
benchmark's `extra_info`, unrounded, in seconds per call and in the order of the rounds.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.cases import FIELDS, Case
from bench.files import BrokenFile, read_json, take, write_json

SCHEMA = 1

MEASURED, FAILED, UNAVAILABLE, LEFT_OUT = "measured", "failed", "unavailable", "left out"


@dataclass
class CellRecord:
    """What is known of one Case x Implementation apart from its samples: sizes in bytes, times in seconds."""

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
        """How many passes were planned before any was seen (see `bench.stats.interval_of_ratio`)."""
        return int(self.settings.get("passes", 0))


@dataclass
class Run:
    """A run read back: its manifest, one row per sample, and the cells that failed while being measured.

    Columns of `samples`: run, pass, the fields of Case, case (its id), implementation, round, calls, seconds,
    event_seconds (NaN off CUDA), control_seconds (the control's block of the same round).
    """

    folder: Path
    manifest: Manifest
    samples: pd.DataFrame


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write run.json. Raises OSError."""
    write_json(folder / "run.json", manifest.__dict__ | {"cells": [cell.__dict__ for cell in manifest.cells]})


def read_manifest(folder: Path) -> Manifest:
    """Read run.json. Raises BrokenFile naming file and field."""
    path = folder / "run.json"
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    for name, kind in (("id", str), ("started", str), ("status", str), ("settings", dict), ("machine", dict),
                       ("commit", dict), ("ledger", dict), ("cells", list)):
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


def write_pass(
    folder: Path, number: int, manifest: Manifest, benchmarks: list[dict[str, Any]], failures: list[dict[str, str]]
) -> None:
    """Write a pass in pytest-benchmark's JSON format, whole or not at all. Raises OSError naming the file."""
    header = {"schema": SCHEMA, "pass": number, "run": manifest.id, "failures": failures}
    content = {
        "machine_info": {"rnn_bench": manifest.machine},
        "commit_info": manifest.commit,
        "benchmarks": benchmarks,
        "datetime": datetime.datetime.now(datetime.UTC).isoformat(),
        "version": importlib.metadata.version("pytest-benchmark"),
        "rnn_bench": header,
    }
    write_json(folder / "passes" / f"pass-{number:03}.json", content)


def pass_files(folder: Path) -> list[Path]:
    """The pass files of a run that are there, in order."""
    return sorted((folder / "passes").glob("pass-*.json"))


def read_run(folder: Path) -> Run:
    """Read a run folder, whole or cut short. Raises BrokenFile naming file and field."""
    manifest = read_manifest(folder)
    rows: list[dict[str, Any]] = []
    seen: set[int] = set()
    for path in pass_files(folder):
        content = read_json(path)
        number = take(content, path, "rnn_bench.pass", int)
        if number in seen:
            raise BrokenFile(f"{path}: the field rnn_bench.pass is {number}, as in another file")
        seen.add(number)
        rows += _rows(content, path, manifest.id, number)
        for failure in take(content, path, "rnn_bench.failures", list):
            _mark_failed(manifest, failure, path)
    return Run(folder, manifest, _frame(rows))


def read_pytest_json(paths: Iterable[Path]) -> Run:
    """Read files that `pytest bench --benchmark-json` or `--benchmark-autosave` wrote, one pass each.

    Raises BrokenFile naming file and field, also when the files are of different machines.
    """
    rows: list[dict[str, Any]] = []
    manifest = Manifest("", "", {})
    cells: dict[tuple[str, str], CellRecord] = {}
    for number, path in enumerate(paths, start=1):
        content = read_json(path)
        machine = take(content, path, "machine_info", dict).get("rnn_bench", {})
        if number == 1:
            settings = {"baseline": "", "passes": 0, "source": "pytest"}
            manifest = Manifest(path.stem, take(content, path, "datetime", str), settings, "finished", machine)
            manifest.commit = take(content, path, "commit_info", dict)
        elif machine != manifest.machine:
            raise BrokenFile(f"{path}: the field machine_info.rnn_bench differs from the first file's")
        rows += _rows(content, path, manifest.id, number)
        for benchmark in content["benchmarks"]:
            info = benchmark["extra_info"]
            key = (info["case"], info["implementation"])
            cells[key] = CellRecord(*key, peak_bytes=info.get("peak_bytes"), build_seconds=info.get("build_seconds"))
    manifest.cells = list(cells.values())
    names = list(dict.fromkeys(cell.implementation for cell in manifest.cells))
    manifest.settings |= {"passes": number, "baseline": "manual" if "manual" in names else (names or [""])[0]}
    return Run(Path(), manifest, _frame(rows))


def extra_info(
    case: Case, implementation: str, samples: dict[str, Any], control_seconds: list[float], record: CellRecord
) -> dict[str, Any]:
    """What a benchmark carries beside pytest-benchmark's statistics."""
    ratios = sorted(own / control for own, control in zip(samples["seconds"], control_seconds, strict=True))
    return {
        "schema": SCHEMA,
        "case": case.id,
        **case.as_dict(),
        "implementation": implementation,
        "calls": samples["calls"],
        "seconds": samples["seconds"],
        "control_seconds": control_seconds,
        "event_seconds": samples["event_seconds"] or None,
        "control_ratio": ratios[len(ratios) // 2],
        "peak_bytes": record.peak_bytes,
        "build_seconds": record.build_seconds,
    }


def benchmark_entry(info: dict[str, Any]) -> dict[str, Any]:
    """One benchmark in pytest-benchmark's format; `pytest-benchmark compare` reads it."""
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for seconds in info["seconds"]:
        stats.update(seconds)
    param = f"{info['case']}-{info['implementation']}"
    return {
        "group": info["case"],
        "name": f"test_rnn[{param}]",
        "fullname": f"bench/test_rnn.py::test_rnn[{param}]",
        "params": {"case": info["case"], "implementation": info["implementation"]},
        "param": param,
        "extra_info": info,
        "options": {"timer": "alternation"},
        "stats": stats.as_dict() | {"iterations": 1},
    }


def _rows(content: dict[str, Any], path: Path, run: str, number: int) -> list[dict[str, Any]]:
    """The samples of one pass, checked."""
    rows = []
    for index, benchmark in enumerate(take(content, path, "benchmarks", list)):
        where = f"benchmarks[{index}].extra_info"
        info = take(benchmark, path, "extra_info", dict)
        if "schema" not in info:
            raise BrokenFile(f"{path}: the field {where}.schema is missing; this is not a file of this suite")
        if info["schema"] != SCHEMA:
            raise BrokenFile(f"{path}: the field {where}.schema is {info['schema']!r}; this version reads {SCHEMA}")
        try:
            case = Case.from_dict({name: info[name] for name in FIELDS})
        except (KeyError, ValueError) as error:
            raise BrokenFile(f"{path}: the field {where} has no proper case: {error}") from None
        if take(info, path, "case", str) != case.id:
            raise BrokenFile(f"{path}: the field {where}.case is {info['case']!r}, but its sizes are those of {case.id}")
        seconds, control = _times(info, path, where, "seconds"), _times(info, path, where, "control_seconds")
        events = _times(info, path, where, "event_seconds") if info.get("event_seconds") else [math.nan] * len(seconds)
        for name, others in (("control_seconds", control), ("event_seconds", events)):
            if len(others) != len(seconds):
                raise BrokenFile(f"{path}: the field {where}.{name} has another length than seconds")
        common = {"run": run, "pass": number, **case.as_dict(), "case": case.id}
        common |= {"implementation": take(info, path, "implementation", str), "calls": take(info, path, "calls", int)}
        rows += [
            common | {"round": k, "seconds": own, "event_seconds": event, "control_seconds": ctrl}
            for k, (own, event, ctrl) in enumerate(zip(seconds, events, control, strict=True))
        ]
    return rows


def _times(info: dict[str, Any], path: Path, where: str, name: str) -> list[float]:
    """A list of seconds. Raises BrokenFile for one that cannot be a time."""
    values: list[float] = take(info, path, name, list)
    if not values:
        raise BrokenFile(f"{path}: the field {where}.{name} is empty")
    for k, value in enumerate(values):
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:  # true is an int to isinstance
            raise BrokenFile(f"{path}: the field {where}.{name}[{k}] is {value!r}, which is no time")
    return values


COLUMNS = ("run", "pass", *FIELDS, "case", "implementation", "round", "calls", "seconds", "event_seconds",
           "control_seconds")  # fmt: skip


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["case", "implementation", "pass", "round"], kind="stable", ignore_index=True)


def _mark_failed(manifest: Manifest, failure: Any, path: Path) -> None:
    """A cell that passed the survey and failed in a pass is a failed cell, with the pass that saw it."""
    case = take(failure, path, "case", str)
    implementation, reason = take(failure, path, "implementation", str), take(failure, path, "reason", str)
    for cell in manifest.cells:
        if (cell.case, cell.implementation) == (case, implementation) and cell.status == MEASURED:
            cell.status, cell.reason = FAILED, f"in {path.stem}: {reason}"
