"""The command: simulate, sit, show."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bench.accuracy import show
from bench.accuracy.simulation import coverage
from bench.accuracy.sitting import sit
from bench.manifest import read_manifest


def accuracy(repeats: int, simulations: int, folder: Path, console: Console) -> Path:
    """Prove the numbers; return the path of the table. Raises RunFailed, WorkerRefused and OSError as runs do."""
    console.print(f"Simulating {2 * simulations} runs ...")
    simulated = [coverage(simulations), coverage(simulations, precision=0.03, seed=2)]
    for result in simulated:
        console.print(f"  {result.rule}: the interval held the truth in {result.share:.1%}")
    console.print(f"Taking {repeats} repeats by each method; about 45 s each. Leave the machine alone ...")
    found = sit(repeats, folder, lambda number: console.print(f"  repeat {number} of {repeats}"))
    machine = read_manifest(next((folder / "runs").iterdir())).machine
    figures = show.figures(found, simulated, machine)
    console.print(Markdown(show.write(figures, found, folder)))
    return folder / "accuracy.md"
