"""Pass files: one fresh process's samples, in pytest-benchmark's JSON format.

`pytest bench --benchmark-json` writes the same, and the reader takes both. Samples lie in each benchmark's
`extra_info`, unrounded, in seconds per call and in the order of the rounds.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cases.case import ALIASES, FIELDS, QUANTILES, Case, Cell
from bench.store.files import BrokenFile, take, write_json
from bench.store.manifest import SCHEMA, CellRecord, Manifest

EVIDENCE = ("waited_seconds", "control_waited_seconds", "switches", "control_switches")
"""Fields of a benchmark that hold what the operating system knows of its blocks and of the control's of the same
rounds; null, or absent in files of earlier versions, where it is not known."""


def write_pass(
    folder: Path,
    number: int,
    manifest: Manifest,
    benchmarks: list[dict[str, Any]],
    failures: list[dict[str, str]],
    set_aside: Sequence[dict[str, Any]] = (),
    place: Mapping[str, Any] | None = None,
) -> None:
    """Write a pass in pytest-benchmark's JSON format, whole or not at all; `set_aside` are benchmarks that were taken
    again because they were disturbed, kept for whoever wants to look; `place` is where it was measured
    (`bench.host.identity.place`), and from when to when, as `begun` and `ended` in seconds since the epoch. Raises
    OSError naming the file."""
    header = {"schema": SCHEMA, "pass": number, "run": manifest.id, "failures": failures, "set_aside": [*set_aside]}
    header |= {"place": dict(place)} if place else {}
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


def missing_passes(folder: Path, wanted: int) -> list[int]:
    """The numbers up to `wanted` of which a run has no file, also where a broken one was taken away."""
    there = {path.stem for path in pass_files(folder)}
    return [number for number in range(1, wanted + 1) if f"pass-{number:03}" not in there]


def extra_info(
    case: Case, implementation: str, samples: dict[str, Any], control: dict[str, Any], record: CellRecord
) -> dict[str, Any]:
    """What a benchmark carries beside pytest-benchmark's statistics; evidence that is not known is null."""
    ratios = sorted(own / control for own, control in zip(samples["seconds"], control["seconds"], strict=True))
    return {
        "schema": SCHEMA,
        "case": case.id,
        **case.as_dict(),
        "implementation": implementation,
        "calls": samples["calls"],
        "seconds": samples["seconds"],
        "control_seconds": control["seconds"],
        "event_seconds": samples["event_seconds"] or None,
        "waited_seconds": samples["waited_seconds"] or None,
        "control_waited_seconds": control["waited_seconds"] or None,
        "switches": samples["switches"] or None,
        "control_switches": control["switches"] or None,
        "control_ratio": ratios[len(ratios) // 2],
        "peak_bytes": record.peak_bytes,
        "build_seconds": record.build_seconds,
        "chosen": samples.get("chosen", ""),
        **({"latency": samples["latency"]} if "latency" in samples else {}),
        **({"products": record.products} if record.products else {}),
        **({"kernel": record.kernel} if record.kernel else {}),
    }


def disturbed_share(benchmarks: Iterable[dict[str, Any]]) -> float:
    """The share of the time of some benchmarks' blocks in which something else had the core; 0 where not known."""
    waited = seconds = 0.0
    for info in (benchmark["extra_info"] for benchmark in benchmarks):
        if info["waited_seconds"] is not None:
            waited += info["calls"] * sum(info["waited_seconds"])
            seconds += info["calls"] * sum(info["seconds"])
    return waited / seconds if seconds else 0.0


def test_name(case_id: str, implementation: str) -> str:
    """What `pytest bench` calls the test of a cell, between brackets."""
    return f"{Case.parse(case_id).short}-{implementation}"


def benchmark_entry(info: dict[str, Any]) -> dict[str, Any]:
    """One benchmark in pytest-benchmark's format; `pytest-benchmark compare` reads it."""
    from pytest_benchmark.stats import Stats

    stats = Stats()
    for seconds in info["seconds"]:
        stats.update(seconds)
    param = test_name(info["case"], info["implementation"])
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


@dataclass(frozen=True, eq=False)
class Blocks:
    """What a pass holds of one cell: calls in a block, what it chose to run, and by name the times of its blocks as
    arrays of one length, NaN where they are not known."""

    case: str
    implementation: str
    calls: int
    chosen: str
    times: Mapping[str, NDArray[np.float64]]


def blocks(content: dict[str, Any], path: Path) -> list[Blocks]:
    """The samples of one pass, checked. Raises BrokenFile naming file and field."""
    found: dict[Cell, Blocks] = {}
    for index, benchmark in enumerate(take(content, path, "benchmarks", list)):
        where = f"benchmarks[{index}].extra_info"
        info = take(benchmark, path, "extra_info", dict)
        if "schema" not in info:
            raise BrokenFile(f"{path}: the field {where}.schema is missing; this is not a file of this suite")
        if info["schema"] != SCHEMA:
            raise BrokenFile(f"{path}: the field {where}.schema is {info['schema']!r}; this version reads {SCHEMA}")
        try:
            case = Case.from_dict({name: info[name] for name in (*FIELDS, *ALIASES) if name in info})
        except (KeyError, ValueError) as error:
            raise BrokenFile(f"{path}: the field {where} has no proper case: {error}") from None
        if take(info, path, "case", str) != case.id:
            raise BrokenFile(
                f"{path}: the field {where}.case is {info['case']!r}, but its sizes are those of {case.id}"
            )
        times = {name: _times(info, path, where, name) for name in ("seconds", "control_seconds")}
        count = len(times["seconds"])
        for name in ("event_seconds", *EVIDENCE):
            known = info.get(name) is not None
            times[name] = _times(info, path, where, name, least=name in EVIDENCE) if known else np.full(count, math.nan)
        for name, values in times.items():
            if len(values) != count:
                raise BrokenFile(f"{path}: the field {where}.{name} has another length than seconds")
        implementation, calls = take(info, path, "implementation", str), take(info, path, "calls", int)
        if (case.id, implementation) in found:
            raise BrokenFile(f"{path}: the field {where} is the second of {implementation} on {case.id}")
        found[case.id, implementation] = Blocks(case.id, implementation, calls, str(info.get("chosen") or ""), times)
    return list(found.values())


def latencies(content: dict[str, Any], path: Path, number: int) -> list[dict[str, Any]]:
    """The latencies of steps in one pass whose samples are checked (`rows`): pass, case, implementation, `steps`,
    `disturbed`, and QUANTILES in seconds, NaN where no step counts. Cells that have none are left out, such as all of
    earlier versions. Raises BrokenFile."""
    infos = [benchmark["extra_info"] for benchmark in content["benchmarks"]]
    return [
        {"pass": number, "case": info["case"], "implementation": info["implementation"]}
        | _latency(info, path, f"benchmarks[{index}].extra_info.latency")
        for index, info in enumerate(infos)
        if "latency" in info
    ]


def _latency(info: dict[str, Any], path: Path, where: str) -> dict[str, float]:
    """The latency of one cell."""
    found: dict[str, float] = {}
    for name in ("steps", "disturbed"):
        found[name] = take(info, path, f"latency.{name}", int)
        if found[name] < 0:
            raise BrokenFile(f"{path}: the field {where}.{name} is {found[name]}, which is no count")
    for name in QUANTILES:
        value = take(info, path, f"latency.{name}", object)
        if (value is None) != (found["steps"] == 0):
            raise BrokenFile(f"{path}: the field {where}.{name} is {value!r} of {found['steps']} steps")
        if value is not None:
            _check_time(value, path, f"{where}.{name}")
        found[name] = math.nan if value is None else value
    return found


def _times(info: dict[str, Any], path: Path, where: str, name: str, least: bool = False) -> NDArray[np.float64]:
    """A list of seconds; with `least`, of what may also be nothing. Raises BrokenFile for one that cannot be a time."""
    values: list[float] = take(info, path, name, list)
    if not values:
        raise BrokenFile(f"{path}: the field {where}.{name} is empty")
    found = np.array(values, float) if {*map(type, values)} <= {int, float} else np.array([math.nan])
    if not np.isfinite(found).all() or not (found.min() >= 0 if least else found.min() > 0):
        for k, value in enumerate(values):
            _check_time(value, path, f"{where}.{name}[{k}]", least)
    return found


def _check_time(value: object, path: Path, field: str, least: bool = False) -> None:
    """Raise BrokenFile for what cannot be a time; with `least`, it may also be nothing."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan  # true is an int
    if not math.isfinite(number) or number < 0 or (number == 0 and not least):
        raise BrokenFile(f"{path}: the field {field} is {value!r}, which is no time")
