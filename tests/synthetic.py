"""Run folders with planted truths, for tests of everything that only reads."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cases import lengths
from bench.cases.case import Case
from bench.cases.presets import BOTH_MODES, Preset, find
from bench.store.files import write_json
from bench.store.manifest import FAILED, LEFT_OUT, MEASURED, UNAVAILABLE, CellRecord, Manifest, write_manifest
from bench.store.passes import benchmark_entry, extra_info
from bench.table.reading import GRADIENTS as GRADIENTS_FILE
from bench.table.reading import LIMITS as LIMITS_FILE
from bench.table.reading import PROFILE as PROFILE_FILE
from bench.why.limits.limits import Limits, write_limits
from bench.why.profile.breakdown import CATEGORIES, DISPATCH, GAPS, GRADIENTS, PRODUCTS
from bench.why.profile.counts import Counts, Product
from bench.why.profile.record import FAILED as NOT_PROFILED
from bench.why.profile.record import Profile, ProfileRecord, write_profile
from bench.why.work import work

CONTROL_SECONDS = 1.2e-4

Truth = Callable[[Case, str], float]
"""Seconds of a case run by one implementation."""

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


KIB, MIB = 2**10, 2**20
LIMITS = Limits(
    MACHINE,
    "2026-11-23T12:00:00+00:00",
    {
        "cpu.peak.float32.t1": [1e11],
        "cpu.stream.L1.t1": [1e11],
        "cpu.stream.L2.t1": [1e11],
        "cpu.stream.L3.t1": [5e10],
        "cpu.stream.memory.t1": [1e10],
        "cpu.chain.add": [1e-9],
        "cuda.peak.float32": [5e13],
        "cuda.stream.memory": [3e12],
        "cuda.call.launch": [4e-6],
    },
    {"cpu.cache.L1": 32 * KIB, "cpu.cache.L2": MIB, "cpu.cache.L3": 16 * MIB, "cuda.cache.chip": 60 * MIB},
)
"""What the imaginary machine allows: 100 GFLOP/s, and memory at 10 GB/s."""

OPERATORS = {"manual": (4, 2), "looped": (4, 10), "whole": (3, 2)}
"""Operators of each step, and of each call beside them."""

PROFILED_STEPS = 32


def true_seconds(case: Case, implementation: str) -> float:
    """The planted truth: seconds per call = fixed + T x (dispatch + products at 20 GFLOP/s, 40 times that on CUDA)."""
    calling, products = true_parts(case, implementation)
    return calling + products


def true_parts(case: Case, implementation: str) -> tuple[float, float]:
    """Seconds of a call that are spent in calling, and those in products."""
    gpu = case.device == "cuda"
    fixed, dispatch = {
        "manual": (4e-6, 6e-6),
        "looped": (6e-6, 18e-6),
        "whole": (25e-6, 2.5e-6),
        "whole-no-cudnn": (30e-6, 9e-6),
    }.get(implementation, (5e-6, 4e-6))
    flops = 2 * case.batch_size * case.hidden_size * (case.input_size + case.hidden_size)
    passes = 3 if case.mode == "training" else 1
    calling = fixed + case.seq_len * dispatch * (3 if gpu else 1)
    return calling * passes, case.seq_len * flops / (8e11 if gpu else 2e10) * passes


GRID = Preset(
    "quick",
    "Twelve sizes of one network, in both modes, whatever the preset of that name has become.",
    ({"hidden_size": (32, 128, 512), "seq_len": (1, 8, 64, 512), "mode": BOTH_MODES},),
)


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
    explained: Sequence[str] = (),
    unprofiled: dict[str, str] | None = None,
    noise: float = 0.02,
    moods: float = 0.3,
    cases: Sequence[Case] = (),
    truth: Truth | None = None,
    build: Truth | None = None,
) -> Path:
    """A run folder whose samples scatter around a truth, `true_seconds` unless another is given: `spread` between
    passes, `noise` between rounds, and a drifting machine, `moods`, shared by all of a round. `broken` maps
    an implementation to (status, reason); `build` says how many seconds a cell takes to build.

    `explained` names the files that lie beside the samples: limits, profile, gradients; `unprofiled` maps an
    implementation to the reason why it has no profile."""
    draw = random.Random(seed)
    cases = list(cases) or [
        case
        for preset in presets
        for device in devices
        for case in (GRID if preset == "quick" else find(preset)).cases(device)
    ]
    truth, build = truth or true_seconds, build or (lambda *_: 1e-3)
    records = [_record(case, name, broken or {}, truth, build) for case in cases for name in implementations]
    settings = {
        "preset": ",".join(presets),
        "implementations": ",".join(implementations),
        "passes": passes,
        "baseline": implementations[0],
        "precision": None,
        "budget": None,
        "max_call": 5.0,
        "overrides": {},
    }
    manifest = Manifest(
        "2026-11-23T120000-quick",
        "2026-11-23T12:00:00+00:00",
        settings,
        "finished",
        MACHINE | ({"gpu": "Imaginary GPU", "cuda": "13.0", "cudnn": "9.13"} if "cuda" in devices else {}),
        {"id": "0" * 40, "dirty": False, "branch": "main"},
        records,
        {"measured": 40.0, "imports": 9.0, "parity": 3.0, "build": 2.0, "warm-up": 1.0, "memory": 2.0, "other": 1.0},
    )
    (folder / "passes").mkdir(parents=True, exist_ok=True)
    write_manifest(folder, manifest)
    for number in range(1, passes + 1):
        entries = [
            entry for case in cases for entry in _entries(case, records, rounds, (spread, noise, moods), draw, truth)
        ]
        header = {"schema": 1, "pass": number, "failures": [], "ledger": {"measured": 8.0}}
        write_json(
            folder / "passes" / f"pass-{number:03}.json",
            {
                "machine_info": {"rnn_bench": MACHINE},
                "commit_info": manifest.commit,
                "benchmarks": entries,
                "datetime": manifest.started,
                "version": "5.3.1",
                "rnn_bench": header,
            },
        )
    if "limits" in explained:
        write_limits(folder / LIMITS_FILE, LIMITS)
    if "profile" in explained:
        measured = [(record.case, record.implementation) for record in records if record.status == MEASURED]
        found = [profile_record(Case.parse(case), name, unprofiled or {}) for case, name in measured]
        write_profile(folder / PROFILE_FILE, Profile(found))
    if "gradients" in explained:
        write_json(folder / GRADIENTS_FILE, gradients())
    return folder


def profile_record(case: Case, name: str, unprofiled: dict[str, str]) -> ProfileRecord:
    """What a profiler would have found: calling is dispatch, on CUDA gaps, in training a fifth is autograd's."""
    short = replace(case, seq_len=min(case.seq_len, PROFILED_STEPS))
    if name in unprofiled:
        return ProfileRecord(case.id, name, NOT_PROFILED, unprofiled[name], short.id)
    calling, products = true_parts(short, name)
    nodes = calling / 5 if case.mode == "training" and case.device == "cpu" else 0.0
    head = GAPS if case.device == "cuda" else DISPATCH
    categories = dict.fromkeys(CATEGORIES, 0.0) | {head: calling - nodes, GRADIENTS: nodes, PRODUCTS: products}
    each, once = OPERATORS.get(name, (2, 1))
    steps, size = short.seq_len, 4 * case.hidden_size * case.hidden_size
    by_name = {"addmm": steps, "tanh": steps, "cat": each * steps + once - 2 * steps}
    counts = Counts(
        each * steps + once,
        views=3 * steps,
        nodes=steps if nodes else 0,
        by_name=by_name,
        products=[Product(steps, work(short).operations / steps, size)],
    )
    return ProfileRecord(
        case.id,
        name,
        profiled=short.id,
        seconds=calling + products,
        traced_seconds=calling + products,
        hollow_seconds=calling,
        busy=products / (calling + products),
        categories=categories,
        counts=counts,
    )


@functools.cache
def gradients() -> dict[str, Any]:
    """Gradients of the smallest networks; measured here, since nothing depends on what they are."""
    from bench.why.gradients.setups import measure

    return measure(8, 2, 4)


def _record(case: Case, name: str, broken: dict[str, tuple[str, str]], truth: Truth, build: Truth) -> CellRecord:
    """What a survey would have found of a cell."""
    status, reason = broken.get(name, (MEASURED, ""))
    peak = 4 * case.hidden_size * case.batch_size * case.seq_len * (3 if case.mode == "training" else 1)
    about = ABOUT.get(name, "")
    seconds = (truth(case, name), build(case, name))
    useful = sum(lengths.of(case)) if case.ragged else None
    return CellRecord(case.id, name, status, reason, about, *seconds, peak, 1e-6, case.seq_len, useful_steps=useful)


def _entries(
    case: Case,
    records: list[CellRecord],
    rounds: int,
    scatter: tuple[float, float, float],
    draw: random.Random,
    truth: Truth,
) -> list[dict[str, Any]]:
    """One pass's benchmarks of a Case: every implementation with its own luck, all on the same moody machine."""
    entries = []
    spread, noise, moods = scatter
    mood = [math.exp(draw.gauss(0, moods)) for _ in range(rounds)]
    control = [CONTROL_SECONDS * m * math.exp(draw.gauss(0, 0.02)) for m in mood]
    for record in (r for r in records if r.case == case.id and r.status == MEASURED):
        luck = math.exp(draw.gauss(0, spread))
        own = truth(case, record.implementation)
        seconds = [own * luck * m * math.exp(draw.gauss(0, noise)) for m in mood]
        events = [s * 0.97 for s in seconds] if case.device == "cuda" else []
        samples = blocks(seconds, 3, events)
        if case.mode == "streaming":
            samples["latency"] = latency(own * luck / case.seq_len)
        entries.append(benchmark_entry(extra_info(case, record.implementation, samples, blocks(control, 10), record)))
    return entries


def latency(median: float, steps: int = 1900, disturbed: int = 100) -> dict[str, Any]:
    """What a worker tells of the steps of a streaming Case: 95 of 100 within 1.5 times the median, 99 within twice."""
    quantiles = {"median": median, "p95": 1.5 * median, "p99": 2 * median}
    return {"steps": steps, "disturbed": disturbed, **(quantiles if steps else dict.fromkeys(quantiles))}


def blocks(
    seconds: Sequence[float], calls: int = 1, events: Sequence[float] = (), waited: Sequence[float] | None = None
) -> dict[str, Any]:
    """Samples of one implementation as a worker tells them, undisturbed unless waiting is given."""
    waited = [0.0] * len(seconds) if waited is None else list(waited)
    return {
        "calls": calls,
        "seconds": list(seconds),
        "event_seconds": list(events),
        "waited_seconds": waited,
        "switches": [int(each > 0) for each in waited],
    }


__all__ = [
    "FAILED",
    "LEFT_OUT",
    "LIMITS",
    "MACHINE",
    "MEASURED",
    "UNAVAILABLE",
    "blocks",
    "gradients",
    "latency",
    "profile_record",
    "true_parts",
    "true_seconds",
    "write_run",
]
