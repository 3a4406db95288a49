"""Runs put together, machine by machine: what may be pooled, what counts once, and what contradicts itself.

    stored runs -> by fingerprint of machine and software -> one stored run for each

A Source identifies a pass for good. The same pass given twice counts once; two contents of one pass are an error. What
remains is numbered Case by Case: passes planned before any was seen come first, since those added for a precision say
nothing of the spread (`bench.table.stats.interval_of_mean`). So a number says which blocks of a Case alternated in one
process, as in any run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from bench.cases.case import Cell
from bench.host.identity import fingerprint
from bench.store.compact import Source, Stored
from bench.store.files import BrokenFile
from bench.store.known import manifest_of, records_of
from bench.store.manifest import MEASURED
from bench.store.samples import joined


@dataclass
class Pool:
    """The runs of one machine as one run, which has no folder yet; `runs` are those it is made of, and `notes` say what
    whoever reads it has to know of how they fit together."""

    fingerprint: str
    stored: Stored
    runs: list[Stored]
    notes: list[str]


def pool(found: Sequence[Stored], name: str) -> list[Pool]:
    """The runs of each machine and software as one, the machine with the most samples first; `name` is what the whole
    is called. Raises BrokenFile naming the files for two contents of one pass, and for a run that says nothing of its
    machine."""
    by_machine: dict[str, list[Stored]] = {}
    for stored in sorted(found, key=lambda each: (each.manifest.started, each.manifest.id, str(each.folder))):
        if not stored.manifest.machine:
            raise BrokenFile(
                f"{stored.folder / 'run.json'}: the field machine is empty: nobody can tell what this may be put with"
            )
        by_machine.setdefault(fingerprint(stored.manifest.machine), []).append(stored)
    shared = sharing(source for stored in found for source in stored.sources)
    several = len(by_machine) > 1
    pools = [
        _pooled(digits, runs, f"{name}-{digits}" if several else name, shared) for digits, runs in by_machine.items()
    ]
    return sorted(pools, key=lambda each: (-len(each.stored.samples), each.fingerprint))


def _key(source: Source) -> tuple[str, str, int]:
    return source.run, source.started, source.number


def sharing(sources: Iterable[Source]) -> set[tuple[str, str, int]]:
    """The passes during which another run measured on one of their cores. Nothing is told where the system says neither
    which boot of which machine it was nor which cores were taken."""
    spans: dict[tuple[str, int], dict[tuple[str, str, int], tuple[float, float]]] = {}
    for source in sources:
        place = source.place
        if place.get("boot"):
            for core in place.get("cores", []):
                spans.setdefault((place["boot"], core), {})[_key(source)] = (place["begun"], place["ended"])
    found = set()
    for passes in spans.values():
        ranked = sorted(passes.items(), key=lambda item: item[1])
        last_end = -np.inf
        for k, (key, (begun, ended)) in enumerate(ranked):
            next_begun = ranked[k + 1][1][0] if k + 1 < len(ranked) else np.inf
            if begun < last_end or next_begun < ended:
                found.add(key)
            last_end = max(last_end, ended)
    return found


def _pooled(digits: str, runs: list[Stored], name: str, shared: set[tuple[str, str, int]]) -> Pool:
    """The runs of one machine as one."""
    kept = _each_once(runs)
    sources = [runs[run].sources[k] for run, k in kept]
    records, notes = records_of(runs)
    tables = []
    for number, stored in enumerate(runs):
        place = np.full(len(stored.sources), -1)
        for at, (run, k) in enumerate(kept):
            if run == number:
                place[k] = at
        tables.append(_moved(stored, place))
        stored.samples = stored.samples.slice(0, 0)  # held once is enough
    samples = joined(tables)
    dropped = {(k, cell) for k, source in enumerate(sources) for cell in source.failed
               if records[cell].status == MEASURED}  # fmt: skip
    samples = _without(samples, dropped)
    samples, numbers, planned = _numbered(samples, sources)
    samples = _named(samples, sources)
    new = {each: k for k, each in enumerate(kept)}

    def counts(run: int, each: dict[str, Any]) -> bool:
        source = new.get((run, each["source"]), -1)
        return source >= 0 and (source, (each["case"], each["implementation"])) not in dropped

    latencies = [
        each | {"source": new[run, each["source"]], "pass": numbers.get((each["case"], new[run, each["source"]]), 0)}
        for run, stored in enumerate(runs)
        for each in stored.latencies
        if counts(run, each)
    ]
    on_one_core = Counter(case for case, k in numbers if _key(sources[k]) in shared)
    for stored in runs:
        on_one_core |= stored.shared_core
    manifest = manifest_of(runs, list(records.values()), planned, name)
    commits = {str(stored.manifest.commit.get("id")) for stored in runs}
    if len(commits) > 1:
        notes.append(f"The runs were made at {len(commits)} commits: {', '.join(sorted(commits))}.")
    return Pool(digits, Stored(runs[0].folder, manifest, samples, sources, [], on_one_core, latencies), runs, notes)


def _each_once(runs: Sequence[Stored]) -> list[tuple[int, int]]:
    """(run, source) of each pass that counts. Raises BrokenFile naming two files that hold different contents of one
    pass."""
    known: dict[tuple[str, str, int], tuple[int, int]] = {}
    for run, stored in enumerate(runs):
        for k, source in enumerate(stored.sources):
            run_before, before = known.setdefault(_key(source), (run, k))
            if (run_before, before) != (run, k) and not _same(runs[run_before], before, stored, k):
                raise BrokenFile(
                    f"{stored.paths[k]}: not what {runs[run_before].paths[before]} holds of the same pass, "
                    f"number {source.number} of run {source.run}"
                )
    return list(known.values())


def _same(one: Stored, k: int, other: Stored, m: int) -> bool:
    """Whether two sources have the same samples, but for cells that failed in their run, which one may lack."""
    failed = {*one.sources[k].failed, *other.sources[m].failed}
    return _content(one, k, failed) == _content(other, m, failed)


def _content(stored: Stored, source: int, without: set[Cell]) -> dict[Cell, bytes]:
    """The samples of a pass by cell."""
    rows = stored.samples.filter(pa.compute.equal(stored.samples["source"], source))
    frame = rows.drop_columns(["run", "source", "pass"]).to_pandas().sort_values(["case", "implementation", "round"])
    parts = frame.groupby(["case", "implementation"], sort=True, observed=True)
    return {
        (str(case), str(name)): part.drop(columns=["case", "implementation"]).to_numpy(float).tobytes()
        for (case, name), part in parts
        if (case, name) not in without
    }


def _moved(stored: Stored, place: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Table:
    """The samples of the sources that have a place, which is their new number."""
    source = place[stored.samples["source"].to_numpy()] if len(stored.samples) else np.zeros(0, int)
    at = stored.samples.column_names.index("source")
    moved = stored.samples.set_column(at, "source", pa.array(source.astype(np.int32)))
    return moved if (source >= 0).all() else moved.filter(pa.array(source >= 0))


def _codes(samples: pa.Table, name: str) -> tuple[Any, list[str]]:
    """A column of texts as numbers, and what they stand for."""
    column = samples[name].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
    return column.indices.to_numpy(), column.dictionary.to_pylist()


def _without(samples: pa.Table, dropped: set[tuple[int, Cell]]) -> pa.Table:
    """The samples but for those of some cells in some sources."""
    if not dropped or not len(samples):
        return samples
    source = samples["source"].to_numpy().astype(np.int64)
    (case, cases), (name, names) = (_codes(samples, each) for each in ("case", "implementation"))
    numbers = [{text: k for k, text in enumerate(each)} for each in (cases, names)]
    gone = [
        (k * len(cases) + numbers[0][of]) * len(names) + numbers[1][by]
        for k, (of, by) in dropped
        if of in numbers[0] and by in numbers[1]
    ]
    kept = ~np.isin((source * len(cases) + case) * len(names) + name, gone)
    return samples.filter(pa.array(kept)).combine_chunks()


def _numbered(samples: pa.Table, sources: Sequence[Source]) -> tuple[pa.Table, dict[tuple[str, int], int], int]:
    """The samples with passes numbered Case by Case; (case, source) -> that number; how many were planned at most. What
    was added afterwards has larger numbers than any that was planned."""
    if not len(samples):
        return samples, {}, 0
    order = sorted(range(len(sources)), key=lambda k: (not sources[k].planned, sources[k].started, *_key(sources[k])))
    rank = np.empty(len(sources), np.int64)
    rank[order] = np.arange(len(sources))
    case, cases = _codes(samples, "case")
    pairs, back = np.unique(
        case.astype(np.int64) * len(sources) + rank[samples["source"].to_numpy()], return_inverse=True
    )
    of, ranks = np.divmod(pairs, len(sources))
    planned = np.array([source.planned for source in sources])[order][ranks]
    most = int(np.bincount(of[planned]).max(initial=0))
    within = np.arange(len(pairs)) - np.searchsorted(of, of) + 1
    added_before = np.bincount(of[planned], minlength=len(cases))[of]
    number = np.where(planned, within, most + within - added_before)
    at = samples.column_names.index("pass")
    found = {(cases[c], order[r]): int(n) for c, r, n in zip(of, ranks, number, strict=True)}
    return samples.set_column(at, "pass", pa.array(number[back].astype(np.int32))), found, most


def _named(samples: pa.Table, sources: Sequence[Source]) -> pa.Table:
    """The samples with `run` telling runs apart: by when they started, too, where two have the same name."""
    starts: dict[str, set[str]] = {}
    for source in sources:
        starts.setdefault(source.run, set()).add(source.started)
    names = [each.run if len(starts[each.run]) == 1 else f"{each.run} {each.started}" for each in sources]
    known = {name: k for k, name in enumerate(dict.fromkeys(names))}
    codes = np.array([known[name] for name in names], np.int32)[samples["source"].to_numpy()]
    column = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(known), pa.string()))
    return samples.set_column(samples.column_names.index("run"), "run", column)
