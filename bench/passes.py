"""Pass files: one fresh process's samples, in pytest-benchmark's JSON format.

`pytest bench --benchmark-json` writes the same, and the reader takes both. Samples lie in each benchmark's
`extra_info`, unrounded, in seconds per call and in the order of the rounds.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from pathlib import Path
from typing import Any

from bench.cases import FIELDS, Case
from bench.files import BrokenFile, take, write_json
from bench.manifest import SCHEMA, CellRecord, Manifest


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


def rows(content: dict[str, Any], path: Path, run: str, number: int) -> list[dict[str, Any]]:
    """The samples of one pass, checked."""
    rows = []
    seen: set[tuple[str, str]] = set()
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
            raise BrokenFile(
                f"{path}: the field {where}.case is {info['case']!r}, but its sizes are those of {case.id}"
            )
        seconds, control = _times(info, path, where, "seconds"), _times(info, path, where, "control_seconds")
        events = _times(info, path, where, "event_seconds") if info.get("event_seconds") else [math.nan] * len(seconds)
        for name, others in (("control_seconds", control), ("event_seconds", events)):
            if len(others) != len(seconds):
                raise BrokenFile(f"{path}: the field {where}.{name} has another length than seconds")
        common = {"run": run, "pass": number, **case.as_dict(), "case": case.id}
        common |= {"implementation": take(info, path, "implementation", str), "calls": take(info, path, "calls", int)}
        if (case.id, common["implementation"]) in seen:
            raise BrokenFile(f"{path}: the field {where} is the second of {common['implementation']} on {case.id}")
        seen.add((case.id, common["implementation"]))
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
