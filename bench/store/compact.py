"""A run's folder in its compact form, and both forms read as one.

While a run measures, each pass is a file of its own (`bench.store.passes`). Compact, the same is in two files:

    samples.parquet    every sample of every pass (`bench.store.samples`)
    passes.json        whatever else is known of the passes: where each came from, and when; what was taken again;
                       latencies

beside a run.json in which what failed during a pass, and what implementations chose, is already said of the cells.
Where the folder has files of passes, these are the run; samples.parquet may then be a report's.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.cases.case import Cell
from bench.store.files import BrokenFile, read_json, take, write_json
from bench.store.manifest import FAILED, SCHEMA, Manifest, read_manifest, write_manifest
from bench.store.passes import Blocks, blocks, latencies, pass_files
from bench.store.samples import joined, read_samples, table_of, write_samples

SAMPLES, PASSES = "samples.parquet", "passes.json"


@dataclass(frozen=True)
class Source:
    """A pass as it was measured: `number` of the run `run` that `started` then, and so one for good. `place` is where
    and when it was measured (`bench.store.passes.write_pass`), empty in runs of earlier versions; `failed` are the
    cells that failed in that run, and so may lack their samples in a merged one; `planned` tells that the pass was
    planned before any was seen."""

    run: str
    started: str
    number: int
    place: dict[str, Any] = field(default_factory=dict)
    failed: tuple[Cell, ...] = ()
    planned: bool = True


@dataclass
class Stored:
    """What a run folder holds: its manifest, with what passes say of the cells; the samples and their sources; the
    passes in which a Case was taken again, and those during which another run measured on the same core; latencies.
    `paths` are the files that the sources were read from."""

    folder: Path
    manifest: Manifest
    samples: pa.Table
    sources: list[Source]
    paths: list[Path]
    taken_again: Counter[str] = field(default_factory=Counter)
    shared_core: Counter[str] = field(default_factory=Counter)
    latencies: list[dict[str, Any]] = field(default_factory=list)


def read_stored(folder: Path) -> Stored:
    """Read a run folder in either form, whole or cut short. Raises BrokenFile naming file and field."""
    files = pass_files(folder)
    return _read_passes(folder, files) if files or not (folder / PASSES).exists() else _read_compact(folder)


def write_stored(folder: Path, stored: Stored) -> None:
    """Write a run in its compact form into a folder that is there. Raises OSError."""
    content = {
        "schema": SCHEMA,
        "passes": [dataclasses.asdict(each) for each in stored.sources],
        "taken_again": stored.taken_again,
        "shared_core": stored.shared_core,
        "latencies": [{name: _known(value) for name, value in each.items()} for each in stored.latencies],
    }
    write_samples(folder / SAMPLES, stored.samples)
    write_json(folder / PASSES, content)
    write_manifest(folder, stored.manifest)


def compact(folder: Path) -> bool:
    """Whether this folder is a run in its compact form, whose samples.parquet no report may replace."""
    return (folder / PASSES).exists() and not pass_files(folder)


def _read_passes(folder: Path, files: list[Path]) -> Stored:
    manifest = read_manifest(folder)
    sources: list[Source] = []
    read: list[tuple[str, int, int, list[Blocks]]] = []
    stored = Stored(folder, manifest, joined([]), sources, files)
    chosen: dict[Cell, set[str]] = {}
    for path in files:
        content = read_json(path)
        number = take(content, path, "rnn_bench.pass", int)
        if number in {each.number for each in sources}:
            raise BrokenFile(f"{path}: the field rnn_bench.pass is {number}, as in another file")
        own = blocks(content, path)
        read.append((manifest.id, len(sources), number, own))
        place = content["rnn_bench"].get("place") or {}
        planned = not manifest.first_passes or number <= manifest.first_passes
        sources.append(Source(manifest.id, manifest.started, number, place, planned=planned))
        for latency in latencies(content, path, number):
            stored.latencies.append(latency)
        for each in own:
            if each.chosen:
                chosen.setdefault((each.case, each.implementation), set()).add(each.chosen)
        for failure in take(content, path, "rnn_bench.failures", list):
            cell = (take(failure, path, "case", str), take(failure, path, "implementation", str))
            manifest.fail(cell, f"in {path.stem}: {take(failure, path, 'reason', str)}")
        stored.taken_again.update({take(each, path, "group", str) for each in content["rnn_bench"].get("set_aside", [])})
    for record in manifest.cells:  # each process decides for itself, so that passes may differ near a tie
        if found := chosen.get(record.cell):
            record.chosen = " or ".join(sorted(found))
    failed = tuple(record.cell for record in manifest.cells if record.status == FAILED)
    stored.sources = [dataclasses.replace(each, failed=failed) for each in sources]
    stored.samples = table_of(read)
    return stored


def _read_compact(folder: Path) -> Stored:
    manifest, path = read_manifest(folder), folder / PASSES
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    for name, kind in (("passes", list), ("taken_again", dict), ("shared_core", dict), ("latencies", list)):
        take(content, path, name, kind)
    try:
        cells = [tuple(map(tuple, each.pop("failed"))) for each in content["passes"]]
        sources = [Source(**each, failed=failed) for each, failed in zip(content["passes"], cells, strict=True)]
    except (TypeError, KeyError, AttributeError) as error:
        raise BrokenFile(f"{path}: the field passes is not as expected: {error}") from None
    samples = read_samples(folder / SAMPLES)
    numbers = samples["source"].to_numpy()
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(sources):
        raise BrokenFile(f"{folder / SAMPLES}: the column source names passes that {PASSES} does not have")
    again, shared = (Counter(content[name]) for name in ("taken_again", "shared_core"))
    where = [folder / SAMPLES] * len(sources)
    return Stored(folder, manifest, samples, sources, where, again, shared, content["latencies"])


def _known(value: Any) -> Any:
    """NaN, which JSON does not have, as null."""
    return None if value != value else value  # noqa: PLR0124 # NaN alone is not itself
