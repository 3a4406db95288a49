"""A run's folder in its compact form, and both forms read as one.

While a run measures, each pass is a file of its own (`bench.store.passes`). Compact, the same is in two files:

    samples.parquet    every sample of every pass (`bench.store.samples`)
    passes.json        whatever else is known of the passes: where each came from, and when; what was taken again, or
                       shared its core; latencies

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
    cells that failed in that run, and so may lack their samples in a merged one; `again` are
    the Cases that were disturbed and taken again in it; `planned` tells that the pass was planned before any was
    seen."""

    run: str
    started: str
    number: int
    place: dict[str, Any] = field(default_factory=dict)
    failed: tuple[Cell, ...] = ()
    again: tuple[str, ...] = ()
    planned: bool = True


@dataclass
class Stored:
    """What a run folder holds: its manifest, with what passes say of the cells; the samples and their sources, with the
    `paths` they were read from; how many passes of a Case shared their core with another run; latencies, which know
    their source as samples do."""

    folder: Path
    manifest: Manifest
    samples: pa.Table
    sources: list[Source]
    paths: list[Path]
    shared_core: Counter[str] = field(default_factory=Counter)
    latencies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def taken_again(self) -> Counter[str]:
        """In how many passes each Case was taken again."""
        return Counter(case for source in self.sources for case in source.again)


def read_stored(folder: Path) -> Stored:
    """Read a run folder in either form, whole or cut short. Raises BrokenFile naming file and field."""
    files = pass_files(folder)
    return _read_passes(folder, files) if files or not (folder / PASSES).exists() else _read_compact(folder)


def write_stored(folder: Path, stored: Stored) -> None:
    """Write a run in its compact form into a folder that is there. Raises OSError."""
    content = {
        "schema": SCHEMA,
        "passes": [dataclasses.asdict(each) for each in stored.sources],
        "shared_core": stored.shared_core,
        "latencies": [{name: _known(value) for name, value in each.items()} for each in stored.latencies],
    }
    write_samples(folder / SAMPLES, stored.samples)
    write_json(folder / PASSES, content, None)
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
        again = {take(each, path, "group", str): None for each in content["rnn_bench"].get("set_aside", [])}
        stored.latencies += [each | {"source": len(sources)} for each in latencies(content, path, number)]
        sources.append(Source(manifest.id, manifest.started, number, place, (), tuple(again), planned))
        for each in own:
            if each.chosen:
                chosen.setdefault((each.case, each.implementation), set()).add(each.chosen)
        for failure in take(content, path, "rnn_bench.failures", list):
            cell = (take(failure, path, "case", str), take(failure, path, "implementation", str))
            manifest.fail(cell, f"in {path.stem}: {take(failure, path, 'reason', str)}")
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
    for name, kind in (("passes", list), ("shared_core", dict), ("latencies", list)):
        take(content, path, name, kind)
    try:
        sources = [
            Source(**each | {"failed": tuple(map(tuple, each["failed"])), "again": tuple(each["again"])})
            for each in content["passes"]
        ]
    except (TypeError, KeyError) as error:
        raise BrokenFile(f"{path}: the field passes is not as expected: {error}") from None
    samples = read_samples(folder / SAMPLES)
    numbers = samples["source"].to_numpy()
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(sources):
        raise BrokenFile(f"{folder / SAMPLES}: the column source names passes that {PASSES} does not have")
    where, shared = [folder / SAMPLES] * len(sources), Counter[str](content["shared_core"])
    return Stored(folder, manifest, samples, sources, where, shared, content["latencies"])


def _known(value: Any) -> Any:
    """NaN, which JSON does not have, as null."""
    return None if value != value else value  # noqa: PLR0124 # NaN alone is not itself
