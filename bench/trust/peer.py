"""The peer: plain pytest-benchmark on the gate's cells, and what its --benchmark-compare-fail makes of two runs.

`measure_peer` runs one test per cell with pytest-benchmark's own timer and defaults, in a fresh process on the core
and thread of a gate run. Whether two runs pass is decided by pytest-benchmark's own checks.
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

from bench.presets import find
from bench.process import environment
from rnn_impls.registry import THREE_WAYS

CHECKS = ("mean:5%", "median:5%", "min:10%")

PYTEST_FILE = """
import pytest
from bench.accuracy.peers import workload

@pytest.mark.parametrize("case,name", {cells!r})
def test_rnn(benchmark, case, name):
    benchmark(workload(case, name), 1)
"""


def cells() -> list[tuple[str, str]]:
    """Those of a gate run."""
    return [(case.id, name) for case in find("gate").cases("cpu") for name in THREE_WAYS]


def measure_peer() -> dict[str, Any]:
    """One run: seconds it took, its cells, and mean, median and min of each in their order."""
    start = time.perf_counter()
    measured = cells()
    with tempfile.TemporaryDirectory(prefix="rnn-bench-trust-") as folder:
        test, out = Path(folder, "test_peer.py"), Path(folder, "out.json")
        test.write_text(PYTEST_FILE.format(cells=measured))
        command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", folder, "-p",
                   "no:cacheprovider", f"--benchmark-json={out}", str(test)]  # fmt: skip
        ours = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ours | {"PWD": os.getcwd()})
        stats = {(b["params"]["case"], b["params"]["name"]): b["stats"]
                 for b in json.loads(out.read_text())["benchmarks"]}  # fmt: skip
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
