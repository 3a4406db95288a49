"""Run folders read back: every sample of a run as one row of a table.

reports/runs/<id>/run.json              the manifest: see `bench.store.manifest`
reports/runs/<id>/passes/pass-001.json  one per pass: see `bench.store.passes`
reports/runs/<id>/limits.json, profile.json, gradients.json, denormals.json
                                        why it takes that long, where that was asked for: see `bench.run.explanation`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.cases.case import FIELDS, QUANTILES, Cell
from bench.store.files import BrokenFile, read_json, take
from bench.store.manifest import CellRecord, Manifest, read_manifest
from bench.store.passes import EVIDENCE, latencies, pass_files, rows
from bench.why.denormals.table_file import Denormals
from bench.why.denormals.table_file import read as read_denormals
from bench.why.gradients.file import read as read_gradients
from bench.why.limits.limits import Limits, read_limits
from bench.why.profile.record import Profile, read_profile

LIMITS, PROFILE, GRADIENTS, DENORMALS = "limits.json", "profile.json", "gradients.json", "denormals.json"
"""Files beside run.json that explain what was measured."""

COLUMNS = ("run", "pass", *FIELDS, "case", "implementation", "round", "calls", "seconds", "event_seconds",
           "control_seconds", *EVIDENCE)  # fmt: skip
LATENCY_COLUMNS = ("pass", "case", "implementation", "steps", "disturbed", *QUANTILES)


@dataclass(eq=False)
class Run:
    """A run read back: its manifest, one row per sample, and the cells that failed while being measured.

    Columns of `samples`: run, pass, the fields of Case, case (its id), implementation, round, calls, seconds,
    event_seconds (NaN off CUDA), control_seconds (the control's block of the same round), and of both the evidence
    (NaN where it is not known): waited_seconds and control_waited_seconds (per call, part of the seconds), switches and
    control_switches (of the block). `latencies` has a row for each pass and cell of a streaming Case, in order: the
    steps that count, those that ran in disturbed blocks, and the quantiles of the first in seconds. `taken_again`
    counts the passes in which a Case was disturbed and taken again. What explains them is None where it was not asked
    for.
    """

    folder: Path
    manifest: Manifest
    samples: pd.DataFrame
    taken_again: Counter[str] = field(default_factory=Counter)
    shared_core: Counter[str] = field(default_factory=Counter)
    limits: Limits | None = None
    profile: Profile | None = None
    gradients: dict[str, Any] | None = None
    denormals: Denormals | None = None
    latencies: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LATENCY_COLUMNS)))


def read_run(folder: Path) -> Run:
    """Read a run folder, whole or cut short. Raises BrokenFile naming file and field."""
    manifest = read_manifest(folder)
    samples: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    seen: set[int] = set()
    again: Counter[str] = Counter()
    chosen: dict[Cell, set[str]] = {}
    for path in pass_files(folder):
        content = read_json(path)
        number = take(content, path, "rnn_bench.pass", int)
        if number in seen:
            raise BrokenFile(f"{path}: the field rnn_bench.pass is {number}, as in another file")
        seen.add(number)
        samples += rows(content, path, manifest.id, number)
        steps += latencies(content, path, number)
        for info in (benchmark["extra_info"] for benchmark in content["benchmarks"]):
            if own := info.get("chosen"):
                chosen.setdefault((info["case"], info["implementation"]), set()).add(str(own))
        for failure in take(content, path, "rnn_bench.failures", list):
            cell = (take(failure, path, "case", str), take(failure, path, "implementation", str))
            manifest.fail(cell, f"in {path.stem}: {take(failure, path, 'reason', str)}")
        again.update({take(each, path, "group", str) for each in content["rnn_bench"].get("set_aside", [])})
    for record in manifest.cells:  # each process decides for itself, so that passes may differ near a tie
        if found := chosen.get(record.cell):
            record.chosen = " or ".join(sorted(found))
    return Run(folder, manifest, _frame(samples), again, Counter(), *_explanation(folder), latencies=_latencies(steps))


def read_pytest_json(paths: Iterable[Path]) -> Run:
    """Read files that `pytest bench --benchmark-json` or `--benchmark-autosave` wrote, one pass each.

    Raises BrokenFile naming file and field, also when the files are of different machines.
    """
    samples: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    manifest = Manifest("", "", {})
    cells: dict[Cell, CellRecord] = {}
    for number, path in enumerate(paths, start=1):
        content = read_json(path)
        machine = take(content, path, "machine_info", dict).get("rnn_bench", {})
        if number == 1:
            settings = {"baseline": "", "passes": 0, "source": "pytest"}
            manifest = Manifest(path.stem, take(content, path, "datetime", str), settings, "finished", machine)
            manifest.commit = take(content, path, "commit_info", dict)
        elif machine != manifest.machine:
            raise BrokenFile(f"{path}: the field machine_info.rnn_bench differs from the first file's")
        samples += rows(content, path, manifest.id, number)
        steps += latencies(content, path, number)
        for benchmark in content["benchmarks"]:
            info = benchmark["extra_info"]
            key = (info["case"], info["implementation"])
            told = {name: info.get(name) for name in ("peak_bytes", "build_seconds", "products")}
            cells[key] = CellRecord(*key, **told, kernel=info.get("kernel", ""))
    manifest.cells = list(cells.values())
    names = list(dict.fromkeys(cell.implementation for cell in manifest.cells))
    manifest.settings |= {"passes": number, "baseline": "manual" if "manual" in names else (names or [""])[0]}
    return Run(Path(), manifest, _frame(samples), latencies=_latencies(steps))


def _explanation(
    folder: Path,
) -> tuple[Limits | None, Profile | None, dict[str, Any] | None, Denormals | None]:
    """What lies beside the samples."""
    limits, profile, gradients, denormals = (folder / name for name in (LIMITS, PROFILE, GRADIENTS, DENORMALS))
    return (
        read_limits(limits) if limits.exists() else None,
        read_profile(profile) if profile.exists() else None,
        read_gradients(gradients) if gradients.exists() else None,
        read_denormals(denormals) if denormals.exists() else None,
    )


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["case", "implementation", "pass", "round"], kind="stable", ignore_index=True)


def _latencies(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(LATENCY_COLUMNS))
    return frame.sort_values(["case", "implementation", "pass"], kind="stable", ignore_index=True)
