"""One sitting: fresh repeats of this suite and of its peers, in turn, alone or beside a neighbour."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.host.process import environment
from bench.proof.neighbour import neighbour
from bench.run.progress import Listener
from bench.run.runner import Runner
from bench.store import folder as run_folders
from bench.table.cells import cells
from bench.table.observation import with_counted
from bench.table.reading import Run, read_run

CASE = Case(hidden_size=128, input_size=128, seq_len=64)
"""The real ratio: manual over whole, hidden 128, 64 steps, inference; about 3 to 4 on a CPU."""

TRUTHS = Path(__file__).with_name("truths.py")
TRUTH_BASELINE = "Times20"
TRUE_SPEEDUPS = {"Times20Again": 1.0, "Times21": 20 / 21, "Times40": 0.5}
"""Over `Times20`, by construction; the Python loop around the calls is under 0.1 % of them."""

AXES = {"hidden_size": (128,), "seq_len": (64,), "mode": ("inference",)}
TRUTH_AXES = {"hidden_size": (128,), "seq_len": (8,), "mode": ("inference",)}

PEERS = {
    "blocked_autorange": ("blocked_autorange",),
    "pytest_benchmark": ("pytest_median", "pytest_mean", "pytest_min"),
}
"""What each peer is asked for: where its figures go, in their order."""

MOST_REPEAT_SECONDS = 300.0
"""Seconds of a repeat after which no neighbour goes on, whatever happened to the sitting."""


@dataclass
class Repeats:
    """Every repeat's figures: speed-ups by method, our intervals, seconds of a call of the control in our run, known
    truths with their intervals, wall seconds; and the CPU time that the neighbour took over wall time (None: there was
    none)."""

    neighbour_share: float | None = None
    ours: list[tuple[float, float, float]] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    blocked_autorange: list[float] = field(default_factory=list)
    pytest_median: list[float] = field(default_factory=list)
    pytest_mean: list[float] = field(default_factory=list)
    pytest_min: list[float] = field(default_factory=list)
    truths: list[tuple[str, float, float, float]] = field(default_factory=list)
    wall: dict[str, list[float]] = field(default_factory=dict)


def sit(repeats: int, folder: Path, tell: Callable[[int], None], seed: int | None = None) -> Repeats:
    """Take all repeats; each is written to `repeats.jsonl` in the folder as it is taken. With a seed, beside a
    neighbour that it plants."""
    found = Repeats()
    with neighbour(seed, repeats * MOST_REPEAT_SECONDS) if seed is not None else nullcontext() as disturbing:
        for number in range(1, repeats + 1):
            row = {"seed": seed, **_one_repeat(folder, found)}
            with (folder / "repeats.jsonl").open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            tell(number)
    found.neighbour_share = disturbing.share if disturbing is not None else None
    return found


def _one_repeat(folder: Path, found: Repeats) -> dict[str, Any]:
    """Ours first, since its wall time is what the others are given; then the peers; then the known truths."""
    start = time.perf_counter()
    run = _run(folder, "manual,whole", "manual", AXES)
    (ours,) = _speedups(run).values()
    wall = {"ours": time.perf_counter() - start}
    found.ours.append(ours)
    found.control.append(control_seconds(run))
    for name, columns in PEERS.items():
        start = time.perf_counter()
        figures = _peer(name, wall["ours"])
        wall[name] = time.perf_counter() - start
        for column, figure in zip(columns, figures, strict=True):
            getattr(found, column).append(figure)
    names = [f"{TRUTHS}:{name}" for name in (TRUTH_BASELINE, *TRUE_SPEEDUPS)]
    truths = _speedups(_run(folder, ",".join(names), names[0], TRUTH_AXES))
    found.truths += [(name.rpartition(":")[2], *estimate) for name, estimate in truths.items()]
    for name, seconds in wall.items():
        found.wall.setdefault(name, []).append(seconds)
    peers = {column: getattr(found, column)[-1] for columns in PEERS.values() for column in columns}
    return {"ours": ours, "control": found.control[-1], **peers, "truths": truths, "wall": wall}


def _run(folder: Path, names: str, baseline: str, axes: dict[str, Any]) -> Run:
    """A whole run of this suite: survey, parity, five passes."""
    settings = Settings(devices=("cpu",), implementations=names, baseline=baseline, overrides=axes)
    run_folder = run_folders.create(folder, "accuracy")
    Runner(run_folder, run_folders.begin(run_folder, settings), Listener()).run()
    return read_run(run_folder)


def control_seconds(run: Run) -> float:
    """Seconds of a call of the control, less its waiting: how fast the machine was, whatever was measured on it."""
    return float(np.exp(np.log(with_counted(run.samples)["control_counted"]).mean()))


def _speedups(run: Run) -> dict[str, tuple[float, float, float]]:
    """Speed-ups over the baseline with their intervals. Raises RuntimeError naming the run that has none."""
    table = cells(run)
    table = table[table["implementation"] != run.manifest.baseline]
    if table["speedup"].isna().any():
        raise RuntimeError(f"{run.folder}: {table['reason'].iloc[0]}")
    return {row.implementation: (row.speedup, row.speedup_low, row.speedup_high) for row in table.itertuples()}


def _peer(name: str, wall: float) -> list[float]:
    """A peer's speed-ups."""
    command = [sys.executable, "-m", "bench.proof.peers", name, CASE.id, str(wall), str(time.time())]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    return [float(figure) for figure in json.loads(answer.stdout.strip().splitlines()[-1])]
