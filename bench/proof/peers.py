"""What this suite is held against: torch.utils.benchmark and plain pytest-benchmark, each in a fresh process.

- For `python -m bench accuracy`: `python -m bench.proof.peers blocked_autorange CASE WALL STARTED` prints manual's over
  whole's seconds; with `pytest_benchmark` it prints three, by the medians, the means and the minima of its rounds. Both
  measure one after the other, as their documentation shows, each for half of the time that is left of WALL seconds
  since STARTED (as `time.time` gives it); core and thread are those of a run of this suite.
- For `python -m bench trust`: `measure_peer` runs one test for each of the gate's cells by pytest-benchmark's own timer
  and defaults, on the core and thread of a gate run; its own --benchmark-compare-fail decides whether two runs pass.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.presets import find
from bench.host.clock import Run
from bench.host.process import environment
from rnn_impls.registry import THREE

COMPARED = ("manual", "whole")

SPEEDUP_FILE = """
import time
import pytest
from bench.proof.peers import workloads

RUNS = workloads({case!r})
HALF = max(0.1, ({started!r} + {wall!r} - time.time() - 0.5) / 2)

@pytest.mark.benchmark(max_time=HALF, min_rounds=5)
@pytest.mark.parametrize("name", {names!r})
def test_rnn(benchmark, name):
    benchmark(RUNS[name], 1)
"""
"""The test file of pytest-benchmark's turn; half a second is left for writing its JSON."""

CHECKS = ("mean:5%", "median:5%", "min:10%")

GATE_FILE = """
import pytest
from bench.proof.peers import workload

@pytest.mark.parametrize("case,name", {cells!r})
def test_rnn(benchmark, case, name):
    benchmark(workload(case, name), 1)
"""


def workloads(case_id: str) -> dict[str, Run]:
    """Both implementations of a Case, ready to be timed."""
    return {name: workload(case_id, name) for name in COMPARED}


def workload(case_id: str, name: str) -> Run:
    """One of them, built, loaded and called twice, on the core and thread of a run."""
    from bench.host import machine
    from bench.measure import state
    from bench.measure.problem import Problem
    from bench.measure.workload import Workload
    from rnn_impls import registry

    case = Case.parse(case_id)
    machine.fix_numerics()
    state.arrange(case)
    built = Workload(case, registry.load(name), Problem.of(case))
    built(2)
    return built


def blocked_autorange(case_id: str, wall: float, started: float) -> list[float]:
    """The ratio of the medians that `torch.utils.benchmark.Timer.blocked_autorange` gives."""
    from torch.utils.benchmark import Timer

    runs = workloads(case_id)
    half = max(0.1, (started + wall - time.time()) / 2)
    medians = [
        Timer("run(1)", globals={"run": runs[name]}).blocked_autorange(min_run_time=half).median for name in COMPARED
    ]
    return [medians[0] / medians[1]]


def pytest_benchmark(case_id: str, wall: float, started: float) -> list[float]:
    """The ratios of the medians, the means and the minima of pytest-benchmark's own rounds."""
    source = SPEEDUP_FILE.format(case=case_id, started=started, wall=wall, names=COMPARED)
    stats = {benchmark["params"]["name"]: benchmark["stats"] for benchmark in _benchmarks(source)}
    return [stats["manual"][figure] / stats["whole"][figure] for figure in ("median", "mean", "min")]


def _benchmarks(source: str) -> list[dict[str, Any]]:
    """What pytest-benchmark writes of each test of a file, run with none of this suite's settings of pytest."""
    with tempfile.TemporaryDirectory(prefix="rnn-bench-peer-") as folder:
        test, out = Path(folder, "test_peer.py"), Path(folder, "out.json")
        test.write_text(source)
        alone = ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", "--rootdir", folder]
        ours = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
        subprocess.run(
            [sys.executable, "-m", "pytest", *alone, f"--benchmark-json={out}", str(test)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=ours | {"PWD": os.getcwd()},
        )
        found: list[dict[str, Any]] = json.loads(out.read_text())["benchmarks"]
    return found


def cells() -> list[Cell]:
    """Those of a gate run."""
    return [(case.id, name) for case in find("gate").cases("cpu") for name in THREE]


def measure_peer() -> dict[str, Any]:
    """One run: seconds it took, its cells, and mean, median and min of each in their order."""
    start = time.perf_counter()
    measured = cells()
    benchmarks = _benchmarks(GATE_FILE.format(cells=measured))
    stats = {(each["params"]["case"], each["params"]["name"]): each["stats"] for each in benchmarks}
    fields = ("mean", "median", "min")
    return {
        "seconds": time.perf_counter() - start,
        "cells": measured,
        "stats": [{field: stats[cell][field] for field in fields} for cell in measured],
    }


def fails(check: str, before: list[dict[str, float]], after: list[dict[str, float]]) -> bool:
    """Whether pytest-benchmark would fail the second run for this `--benchmark-compare-fail`."""
    from pytest_benchmark.utils import parse_compare_fail

    rule = parse_compare_fail(check)
    return any(rule.fails(now, then) for then, now in zip(before, after, strict=True))


def slowed(stats: list[dict[str, float]], names: Sequence[str], name: str, factor: float) -> list[dict[str, float]]:
    """The run as it would have been with one implementation slower by this factor: a delay that is proportional.
    `names` holds each cell's implementation."""
    return [
        {field: value * (factor if own == name else 1) for field, value in one.items()}
        for one, own in zip(stats, names, strict=True)
    ]


def main() -> None:
    """Measure by the peer that is named first on the command line; print a JSON list of speed-ups."""
    name, case_id, wall, started = sys.argv[1:]
    measure = {"blocked_autorange": blocked_autorange, "pytest_benchmark": pytest_benchmark}[name]
    print(json.dumps(measure(case_id, float(wall), float(started))))


if __name__ == "__main__":
    main()
