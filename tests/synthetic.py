"""Run folders with planted truths, for tests of everything that only reads."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.files import write_json
from bench.manifest import FAILED, LEFT_OUT, MEASURED, UNAVAILABLE, CellRecord, Manifest, write_manifest
from bench.passes import benchmark_entry, extra_info
from bench.presets import find

CONTROL_SECONDS = 1.2e-4

Truth = Callable[[Case, str], float]
"""Seconds of a case run in one way."""

MACHINE = {
    "cpu": "Imaginary CPU 9000",
    "cores": 2,
    "memory_bytes": 24 * 2**30,
    "os": "Linux 6.1",
    "python": "3.12.1",
    "torch": "2.13.0",
    "gpu": None,
    "gpu_driver": None,
    "cuda": None,
    "cudnn": None,
    "tf32": False,
    "blas": "mkl",
    "pinned": True,
    "control": "control-1",
}


ABOUT = {
    "manual": "the cell written by hand, stepped in Python",
    "looped": "`nn.RNN`, called once for every step",
    "whole": "one `nn.RNN` call for the whole sequence",
}


def true_seconds(case: Case, implementation: str) -> float:
    """The planted truth: seconds per call = fixed + T x (dispatch + products at 20 GFLOP/s, 40 times that on CUDA)."""
    gpu = case.device == "cuda"
    fixed, dispatch = {
        "manual": (4e-6, 6e-6), "looped": (6e-6, 18e-6), "whole": (25e-6, 2.5e-6), "whole-no-cudnn": (30e-6, 9e-6),
    }.get(implementation, (5e-6, 4e-6))  # fmt: skip
    flops = 2 * case.batch_size * case.hidden_size * (case.input_size + case.hidden_size)
    step = dispatch * (3 if gpu else 1) + flops / (8e11 if gpu else 2e10)
    return (fixed + case.seq_len * step) * (3 if case.mode == "training" else 1)


def write_run(
    folder: Path,
    *,
    presets: Sequence[str] = ("quick",),
    devices: Sequence[str] = ("cpu",),
    implementations: Sequence[str] = ("manual", "looped", "whole"),
    passes: int = 5,
    rounds: int = 8,
    spread: float = 0.03,
    broken: dict[str, tuple[str, str]] | None = None,
    seed: int = 1,
    noise: float = 0.02,
    moods: float = 0.3,
    cases: Sequence[Case] = (),
    truth: Truth | None = None,
    build: Truth | None = None,
) -> Path:
    """A run folder whose samples scatter around a truth, `true_seconds` unless another is given: `spread` between
    passes, `noise` between rounds, and a drifting machine, `moods`, shared by all contenders of a round. `broken` maps
    an implementation to (status, reason); `build` says how many seconds a cell takes to build."""
    draw = random.Random(seed)
    cases = list(cases) or [case for preset in presets for device in devices for case in find(preset).cases(device)]
    truth, build = truth or true_seconds, build or (lambda *_: 1e-3)
    records = [_record(case, name, broken or {}, truth, build) for case in cases for name in implementations]
    settings = {
        "preset": ",".join(presets), "implementations": ",".join(implementations), "passes": passes,
        "baseline": implementations[0], "precision": None, "budget": None, "max_call": 5.0, "overrides": {},
    }  # fmt: skip
    manifest = Manifest(
        "2026-11-23T120000-quick", "2026-11-23T12:00:00+00:00", settings, "finished",
        MACHINE | ({"gpu": "Imaginary GPU", "cuda": "13.0", "cudnn": "9.13"} if "cuda" in devices else {}),
        {"id": "0" * 40, "dirty": False, "branch": "main"}, records,
        {"measured": 40.0, "imports": 9.0, "parity": 3.0, "build": 2.0, "warm-up": 1.0, "memory": 2.0, "other": 1.0},
    )  # fmt: skip
    (folder / "passes").mkdir(parents=True, exist_ok=True)
    write_manifest(folder, manifest)
    for number in range(1, passes + 1):
        entries = [
            entry for case in cases for entry in _entries(case, records, rounds, (spread, noise, moods), draw, truth)
        ]
        header = {"schema": 1, "pass": number, "failures": [], "ledger": {"measured": 8.0}}
        write_json(
            folder / "passes" / f"pass-{number:03}.json",
            {"machine_info": {"rnn_bench": MACHINE}, "commit_info": manifest.commit, "benchmarks": entries,
             "datetime": manifest.started, "version": "5.3.1", "rnn_bench": header},
        )  # fmt: skip
    return folder


def _record(case: Case, name: str, broken: dict[str, tuple[str, str]], truth: Truth, build: Truth) -> CellRecord:
    """What a survey would have found of a cell."""
    status, reason = broken.get(name, (MEASURED, ""))
    peak = 4 * case.hidden_size * case.batch_size * case.seq_len * (3 if case.mode == "training" else 1)
    about = ABOUT.get(name, "")
    seconds = (truth(case, name), build(case, name))
    return CellRecord(case.id, name, status, reason, about, *seconds, peak, 1e-6, case.seq_len)


def _entries(
    case: Case,
    records: list[CellRecord],
    rounds: int,
    scatter: tuple[float, float, float],
    draw: random.Random,
    truth: Truth,
) -> list[dict[str, Any]]:
    """One pass's benchmarks of a Case: every contender with its own luck, all on the same moody machine."""
    entries = []
    spread, noise, moods = scatter
    mood = [math.exp(draw.gauss(0, moods)) for _ in range(rounds)]
    control = [CONTROL_SECONDS * m * math.exp(draw.gauss(0, 0.02)) for m in mood]
    for record in (r for r in records if r.case == case.id and r.status == MEASURED):
        luck = math.exp(draw.gauss(0, spread))
        own = truth(case, record.implementation)
        seconds = [own * luck * m * math.exp(draw.gauss(0, noise)) for m in mood]
        events = [s * 0.97 for s in seconds] if case.device == "cuda" else []
        samples = {"calls": 3, "seconds": seconds, "event_seconds": events}
        entries.append(benchmark_entry(extra_info(case, record.implementation, samples, control, record)))
    return entries


__all__ = ["FAILED", "LEFT_OUT", "MACHINE", "MEASURED", "UNAVAILABLE", "true_seconds", "write_run"]
