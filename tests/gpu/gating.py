"""The gate on code that is the same on both sides, with a slowdown planted or without; and repeats of a short run."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import rnn_impls
from bench.cases.settings import Settings
from bench.gate.pairs import measure_pairs
from bench.gate.sides import Side
from bench.run.progress import Listener
from bench.run.runner import Runner
from bench.store import folder as run_folders
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.table.stats import coefficient_of_variation

SLOWED = "whole"
TRUTHS = "bench/proof/truths.py"
ONCE, AGAIN = f"{TRUTHS}:Times20", f"{TRUTHS}:Times21"


def write(path: Path, found: dict[str, Any]) -> None:
    """Into a file, and to be read in the words of the step."""
    text = json.dumps(found, indent=1)
    path.write_text(text, encoding="utf-8")
    print(text, flush=True)


def gate(device: str, planted: float, out: Path) -> dict[str, Any]:
    """One whole gate, with a fraction planted in `whole` on the side of the head: its verdicts."""
    settings = Settings(
        preset="gate",
        devices=(device,),
        implementations="three",
        budget=20.0 if device == "cpu" else 120.0,
        timeout=60.0,
    )
    with tempfile.TemporaryDirectory(prefix="rnn-bench-gpu-") as name:
        base, head = Path(name, "base"), Path(name, "head")
        for tree in (base, head):
            shutil.copytree(Path(rnn_impls.__file__).parent, tree / "rnn_impls")
        sides = (Side("base", base), Side("head", head, delay={SLOWED: planted} if planted else {}))
        outcome = measure_pairs(sides, settings, 0.03, out / "gate-worker.log")
    return {
        "planted": planted,
        "in": SLOWED,
        "pairs": outcome.pairs,
        "lost": [f"{loss.cell[1]}: {loss.reason}" for loss in outcome.lost],
        "verdicts": [[str(v.cell[0]), v.cell[1], v.verdict, v.effect, v.low, v.high] for v in outcome.verdicts],
    }


def repeats(device: str, count: int, out: Path) -> None:
    """The speed-up of `whole` over `manual`, and a ratio of 20/21 by construction, in fresh runs."""
    ours: list[list[float]] = []
    truths: list[list[float]] = []
    sizes = (16, 4) if device == "cpu" else (256, 64)
    overrides: dict[str, Any] = {"mode": ["inference"], "hidden_size": [sizes[0]], "seq_len": [sizes[1]]}
    for _ in range(count):
        for names, found in (("manual,whole", ours), (f"{ONCE},{AGAIN}", truths)):
            first = names.partition(",")[0]
            settings = Settings(
                preset="smoke",
                devices=(device,),
                implementations=names,
                baseline=first,
                overrides=overrides,
                passes=1 if device == "cpu" else 3,
            )
            folder = run_folders.create(out / "reports", "repeats")
            Runner(folder, run_folders.begin(folder, settings), Listener()).run()
            table = cells(read_run(folder))
            table = table[table["implementation"] != first]
            found.append([*table["speedup"].tolist()])
        errors = [abs(math.log(value / (20 / 21))) for each in truths for value in each]
        told = {"speed-ups": ours, "20/21": truths, "median error of it": float(np.median(errors))}
        if len(ours) > 1:
            told["variation"] = [coefficient_of_variation(list(column)) for column in zip(*ours, strict=True)]
        write(out / "repeats.json", told)  # after each, so that what is cut off leaves those before it


def main() -> None:
    """One of the two, written to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--planted", type=float, default=0.0)
    parser.add_argument("--repeats", type=int, default=0)
    asked = parser.parse_args()
    if asked.repeats:
        repeats(asked.device, asked.repeats, asked.out)
    else:
        write(asked.out / f"gate-{asked.planted:g}.json", gate(asked.device, asked.planted, asked.out))


if __name__ == "__main__":
    main()
