"""A large merged run, generated, and what it costs to load, to put together and to report.

    python -m bench.proof.large 200000 [FOLDER]

writes 400 cell-passes a run folder, compact, with planted truths: so many Cases of four implementations, five passes of
about twelve rounds. Then it calls `merge` and `report` as a person would, in processes of their own, and tells the time
by the clock, that of the processors, and the peak memory of each. Generating is not part of it. Below FOLDER, or a
temporary one, the page can be looked at.
"""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.cases.case import Case
from bench.store.compact import Source, Stored, write_stored
from bench.store.manifest import CellRecord, Manifest
from bench.store.passes import Blocks
from bench.store.samples import table_of

PASSES, ROUNDS, CASES_IN_RUN = 5, 12, 20
TRUTHS = {"manual": (4e-6, 6e-6), "looped": (6e-6, 18e-6), "whole": (25e-6, 2.5e-6), "hoisted": (12e-6, 4e-6)}
"""Implementation -> seconds of a call and of a step, beside 20 GFLOP/s; another machine takes a third longer."""

MACHINES = [
    {"cpu": f"Imaginary CPU {9000 + k}", "cores": 32, "memory_bytes": 2**38, "os": "Linux 6.1", "python": "3.12.1",
     "torch": "2.13.0", "gpu": None, "pinned": True}
    for k in range(2)
]  # fmt: skip


def case_list(count: int) -> list[Case]:
    """So many Cases, over every axis that people vary: networks, modes, batches, layers, dtypes, sizes, lengths."""
    axes: dict[str, tuple[object, ...]] = {
        "hidden_size": (16, 32, 64, 128, 256, 512),
        "seq_len": (1, 4, 16, 64, 256, 1024),
        "mode": ("inference", "training"),
        "network": ("rnn-tanh", "gru", "lstm", "rnn-relu"),
        "batch_size": (1, 4, 16, 64),
        "num_layers": (1, 2, 3, 4),
        "dtype": ("float32", "float64"),
        "threads": (1, 2, 4, 8),
    }

    def every() -> Iterator[Case]:
        for values in itertools.product(*reversed(axes.values())):
            fields = dict(zip(reversed(axes), values, strict=True))
            yield Case(**fields | {"input_size": fields["hidden_size"]})  # type: ignore[arg-type] # values of their axes

    return list(itertools.islice(every(), count))


def write_runs(folder: Path, cell_passes: int, seed: int = 1) -> list[Path]:
    """Run folders with so many cell-passes in all, a fifth of them of a second machine, whose Cases are of the first
    one's."""
    draw = np.random.default_rng(seed)
    each = CASES_IN_RUN * len(TRUTHS) * PASSES
    runs = math.ceil(cell_passes / each)
    second = runs // 5
    cases = case_list((runs - second) * CASES_IN_RUN)
    found = []
    for number in range(runs):
        slower, first = (1, number - (runs - second)) if number >= runs - second else (0, number)
        own = cases[first * CASES_IN_RUN : (first + 1) * CASES_IN_RUN]
        found.append(_write_run(folder / f"run-{number:04}", own, slower, draw))
    return found


def _write_run(folder: Path, cases: list[Case], slower: int, draw: np.random.Generator) -> Path:
    told = {"lines": 10, "call_seconds": 1e-3, "build_seconds": 1e-3, "parity_error": 1e-6}
    records = [
        CellRecord(case.id, name, about=name, peak_bytes=4096 * case.seq_len, parity_seq_len=case.seq_len, **told)  # type: ignore[arg-type] # each of its own type
        for case in cases
        for name in TRUTHS
    ]
    settings = {"preset": "full", "baseline": "manual", "passes": PASSES, "precision": None}
    started = "2026-11-23T12:00:00+00:00"
    manifest = Manifest(folder.name, started, settings, "finished", MACHINES[slower], {}, records, {"measured": 40.0})
    read = []
    for source in range(PASSES):
        own = []
        for case in cases:
            rounds = int(draw.integers(ROUNDS - 1, ROUNDS + 2))
            mood = np.exp(draw.normal(0, 0.3, rounds))
            control = 1.2e-4 * mood * np.exp(draw.normal(0, 0.02, rounds))
            own += [_blocks(case, name, slower, mood, control, draw) for name in TRUTHS]
        read.append((folder.name, source, source + 1, own))
    sources = [Source(folder.name, started, number + 1) for number in range(PASSES)]
    folder.mkdir(parents=True)
    write_stored(folder, Stored(folder, manifest, table_of(read), sources, []))
    return folder


def _blocks(
    case: Case, name: str, slower: int, mood: np.ndarray, control: np.ndarray, draw: np.random.Generator
) -> Blocks:
    """The blocks of one cell in one pass: a truth, the pass's luck, and a moody machine that all of a round share."""
    call, step = TRUTHS[name]
    work = 2 * case.batch_size * case.hidden_size**2 * 2 * case.num_layers / (2e10 * case.threads**0.5)
    truth = (call + case.seq_len * (step * case.num_layers * (1 + slower / 3) + work)) * (
        3 if case.mode == "training" else 1
    )
    seconds = truth * math.exp(draw.normal(0, 0.02)) * mood * np.exp(draw.normal(0, 0.02, len(mood)))
    nothing, unknown = np.zeros(len(mood)), np.full(len(mood), math.nan)
    times = {"seconds": seconds, "control_seconds": control, "event_seconds": unknown}
    times |= dict.fromkeys(("waited_seconds", "control_waited_seconds", "switches", "control_switches"), nothing)
    return Blocks(case.id, name, 3, "", times)


def _called(*arguments: str) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and peak GiB, of a command of this suite."""
    code = (
        "import resource, sys, bench.cli\n"
        "try: bench.cli.main()\n"
        "finally:\n"
        "    used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)"
    )
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    processor, memory = done.stderr.split()[-2:]
    return time.perf_counter() - begun, float(processor), int(memory) / 2**20


def main(cell_passes: int, folder: Path) -> None:
    """Generate, merge, report, and tell."""
    write_runs(folder / "runs", cell_passes)
    merged = str(folder / "merged")
    found = {"merge": _called("merge", str(folder / "runs"), "--into", merged), "report": _called("report", merged)}
    both = list(found.values())
    found["in all"] = (sum(each[0] for each in both), sum(each[1] for each in both), max(each[2] for each in both))
    for what, (seconds, processor, memory) in found.items():
        print(f"{cell_passes} cell-passes, {what}: {seconds:.1f} s, {processor:.1f} s of processors, {memory:.2f} GiB")
    for page in sorted(Path(merged).rglob("index.html")):
        print(f"{page}: {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    count = int(sys.argv[1])
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(count, Path(temporary))
