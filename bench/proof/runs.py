"""One sitting: live gate runs of every kind in turn, with a run of the peer after each unchanged one.

Every run is a whole gate: survey, pairs, looks, verdicts, on two trees. Both are copies of this suite's `rnn_impls`,
side by side under names of one length, so that nothing but the delay tells them apart: the head's workers wait out a
fraction of each block's own time in one implementation. The gate is not told. Each run is written to `runs.jsonl` as
it is taken, so that a sitting can be interrupted and gone on with.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rnn_impls
from bench.cases.settings import Settings
from bench.gate.pairs import measure_pairs
from bench.gate.sides import Side
from bench.proof.neighbour import neighbour
from bench.proof.peers import measure_peer
from bench.table.outcome import Outcome
from rnn_impls.registry import THREE


@dataclass(frozen=True)
class Kind:
    """A sort of run: the slowdown planted and the minimum effect, both fractions; the budget in seconds; how often.

    `share` is its number of runs over that of rounds.
    """

    delay: float
    min_effect: float
    budget: float
    share: float

    @property
    def name(self) -> str:
        """Its name in runs.jsonl."""
        return f"{self.delay:+.0%} at {self.min_effect:.0%}, {self.budget:.0f} s"


KINDS = (
    Kind(0.0, 0.02, 180, 1.0),
    Kind(0.05, 0.02, 180, 2 / 3),
    Kind(0.03, 0.01, 90, 1 / 3),
    Kind(0.0, 0.01, 90, 1 / 6),
    Kind(0.0, 0.03, 180, 1 / 5),
    Kind(0.10, 0.03, 180, 1 / 5),
    Kind(0.50, 0.03, 180, 1 / 5),
)
"""What the published rates are about: --min-effect 2%, then a finer setting with less time, then the defaults."""

NEIGHBOUR_KINDS = (Kind(0.0, 0.02, 180, 1.0), Kind(0.05, 0.02, 180, 1.0))
"""What is asked beside a neighbour: the same as first of all without one."""

PEER = "peer"
MOST_RUN_SECONDS = 300.0
"""Seconds of a run after which no neighbour goes on, whatever happened to the sitting."""


def sit(
    rounds: int, folder: Path, tell: Callable[[str], None], seed: int | None = None
) -> tuple[list[dict[str, Any]], float | None]:
    """Take the runs that are not in `runs.jsonl` yet; all of them. With a seed, beside a neighbour that it plants,
    whose share of CPU comes second. Raises Incomparable, OSError, KeyboardInterrupt."""
    path = folder / "runs.jsonl"
    found = read(path)
    plan = list(schedule(rounds) if seed is None else schedule(rounds, NEIGHBOUR_KINDS, peer=False))
    with neighbour(seed, len(plan) * MOST_RUN_SECONDS) if seed is not None else nullcontext() as disturbing:
        for number, (kind, slowed) in enumerate(plan, start=1):
            if number <= len(found):
                continue
            row = {"kind": PEER, **measure_peer()} if kind is None else gate_run(kind, slowed, folder)
            with path.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            found.append(row)
            tell(f"{number} of {len(plan)}: {_told(row)}")
    return found, disturbing.share if disturbing is not None else None


def read(path: Path) -> list[dict[str, Any]]:
    """The runs taken so far; a last line that was cut off is left out."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        path.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def schedule(rounds: int, kinds: Sequence[Kind] = KINDS, peer: bool = True) -> Iterator[tuple[Kind | None, str]]:
    """What is run, in order, with the implementation to slow down; None stands for a run of the peer."""
    if peer:
        yield None, ""
    taken = dict.fromkeys(kinds, 0)
    for number in range(1, rounds + 1):
        for kind in kinds:
            while taken[kind] < round(kind.share * number):
                yield kind, THREE[taken[kind] % len(THREE)]
                taken[kind] += 1
        if peer:
            yield None, ""


def gate_run(kind: Kind, slowed: str, folder: Path) -> dict[str, Any]:
    """One whole gate run, as a row."""
    settings = Settings(preset="gate", devices=("cpu",), implementations="three", budget=kind.budget, timeout=60.0)
    with tempfile.TemporaryDirectory(prefix="rnn-bench-trust-") as name:
        base, head = Path(name, "base"), Path(name, "head")
        for tree in (base, head):
            shutil.copytree(
                Path(rnn_impls.__file__).parent, tree / "rnn_impls", ignore=shutil.ignore_patterns("__pycache__")
            )
        sides = (Side("base", base), Side("head", head, delay={slowed: kind.delay} if kind.delay else {}))
        start = time.perf_counter()
        outcome = measure_pairs(sides, settings, kind.min_effect, folder / "worker.log")
    return _row(kind, slowed if kind.delay else "", time.perf_counter() - start, outcome)


def _row(kind: Kind, slowed: str, seconds: float, outcome: Outcome) -> dict[str, Any]:
    """What is kept of a gate run: the log ratios of its pairs among it, from which other runs are made up."""
    logs = {(case, name): values for case, name, values in outcome.raw["log_ratios"]}
    return {
        **dataclasses.asdict(kind),
        "kind": kind.name,
        "slowed": slowed,
        "seconds": seconds,
        "pairs": outcome.pairs,
        "lost": [f"{loss.cell[1]}: {loss.reason}" for loss in outcome.lost],
        "uncompared": [[*left.cell, left.reason] for left in outcome.uncompared],
        "machine": outcome.machine,
        "cells": [
            {
                "case": v.cell[0],
                "implementation": v.cell[1],
                "verdict": v.verdict,
                "effect": v.effect,
                "bounds": [v.low, v.high],
                "logs": logs[v.cell],
                "warnings": [w.as_dict() for w in v.warnings],
            }
            for v in outcome.verdicts
        ],
    }


def _told(row: dict[str, Any]) -> str:
    """A row in a line."""
    if row["kind"] == PEER:
        return f"pytest-benchmark, {row['seconds']:.0f} s"
    count = {
        verdict: sum(cell["verdict"] == verdict for cell in row["cells"])
        for verdict in dict.fromkeys(cell["verdict"] for cell in row["cells"])
    }
    said = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
    return f"{row['kind']}, {row['seconds']:.0f} s, {row['pairs']} pairs: {said}"
