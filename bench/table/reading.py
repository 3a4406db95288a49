"""Run folders read back: every sample of a run as one row of a table.

reports/runs/<id>/run.json              the manifest: see `bench.store.manifest`
reports/runs/<id>/passes/pass-001.json  one per pass: see `bench.store.passes`
reports/runs/<id>/samples.parquet, passes.json
                                        the same in the compact form: see `bench.store.compact`
reports/runs/<id>/limits.json, profile.json, gradients.json, denormals.json
                                        why it takes that long, where that was asked for: see `bench.run.explanation`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.cases.case import FIELDS, QUANTILES, Case, Cell
from bench.store.compact import Stored, read_stored
from bench.store.files import BrokenFile, read_json, take
from bench.store.manifest import CellRecord, Manifest
from bench.store.passes import EVIDENCE, Blocks, blocks, latencies
from bench.store.samples import TIMES, table_of
from bench.table.segments import codes
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
    counts the passes in which a Case was disturbed and taken again, `shared_core` those during which another run
    measured on the same core. Texts of `samples` are categories. What explains them is None where it was not asked
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
    return run_of(read_stored(folder), folder)


def run_of(stored: Stored, folder: Path) -> Run:
    """The run that was read from a folder, or is about to be written there, with what lies beside its samples. Raises
    BrokenFile naming file and field."""
    again, shared = stored.taken_again, stored.shared_core
    samples, steps = _frame(stored.samples), _latencies(stored.latencies)
    return Run(folder, stored.manifest, samples, again, shared, *_explanation(folder), latencies=steps)


def read_pytest_json(paths: Iterable[Path]) -> Run:
    """Read files that `pytest bench --benchmark-json` or `--benchmark-autosave` wrote, one pass each.

    Raises BrokenFile naming file and field, also when the files are of different machines.
    """
    samples: list[tuple[str, int, int, list[Blocks]]] = []
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
        samples.append((manifest.id, number - 1, number, blocks(content, path)))
        steps += latencies(content, path, number)
        for benchmark in content["benchmarks"]:
            info = benchmark["extra_info"]
            key = (info["case"], info["implementation"])
            told = {name: info.get(name) for name in ("peak_bytes", "build_seconds", "products")}
            cells[key] = CellRecord(*key, **told, kernel=info.get("kernel", ""))
    manifest.cells = list(cells.values())
    names = list(dict.fromkeys(cell.implementation for cell in manifest.cells))
    manifest.settings |= {"passes": number, "baseline": "manual" if "manual" in names else (names or [""])[0]}
    return Run(Path(), manifest, _frame(table_of(samples)), latencies=_latencies(steps))


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


def _frame(samples: pa.Table) -> pd.DataFrame:
    """The samples in order, with the fields of their Cases; texts are categories, and null is NaN."""
    known = {name: _category(samples[name]) for name in ("run", "case", "implementation")}
    number, block = (samples[name].to_numpy() for name in ("pass", "round"))
    key = codes(known["case"].codes, known["implementation"].codes, number, block)
    order = np.argsort(key, kind="stable")  # what comes in order is sorted in no time
    at, cases = known["case"].codes[order], [Case.parse(text) for text in known["case"].categories]
    columns: dict[str, Any] = {name: found.take(order) for name, found in known.items()}
    for name in FIELDS:
        of = [getattr(case, name) for case in cases]
        kind = bool if of and isinstance(of[0], bool) else np.int32
        columns[name] = pd.Categorical(of).take(at) if of and isinstance(of[0], str) else np.array(of, kind)[at]
    columns |= {"pass": number[order].astype(np.int32), "round": block[order].astype(np.int32)}
    for name in ("calls", *TIMES):
        values = samples[name].to_numpy()[order]
        counts = name.endswith("switches") and not np.isnan(values).any()
        columns[name] = values.astype(np.int64) if counts else values
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _category(column: pa.ChunkedArray) -> pd.Categorical:
    """Texts by their number in alphabetical order, without those that no row has."""
    found = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    found = found.unify_dictionaries() if isinstance(found, pa.ChunkedArray) else found
    codes, texts = found.indices.to_numpy(), found.dictionary.to_pylist()
    used = sorted(texts[k] for k in np.unique(codes))
    place = {text: k for k, text in enumerate(used)}
    moved = np.array([place.get(text, -1) for text in texts], np.int32)
    return pd.Categorical.from_codes(moved[codes] if len(codes) else codes, used)


def _latencies(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(LATENCY_COLUMNS))
    frame[[*QUANTILES]] = frame[[*QUANTILES]].astype(float)  # null is NaN
    return frame.sort_values(["case", "implementation", "pass"], kind="stable", ignore_index=True)
