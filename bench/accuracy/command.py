"""The command: simulate, sit, show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bench.accuracy import show
from bench.accuracy.simulation import coverage
from bench.accuracy.sitting import sit
from bench.manifest import read_manifest

SEEDS_APART = 100


def accuracy(
    repeats: int, simulations: int, folder: Path, console: Console, seeds: Sequence[int | None] = (None,)
) -> Path:
    """Prove the numbers; return the path of the table. There is a sitting for each seed, beside a neighbour of that
    seed, or for None alone. Raises RunFailed, WorkerRefused and OSError as runs do."""
    console.print(f"Simulating {2 * simulations} runs ...")
    simulated = [coverage(simulations), coverage(simulations, precision=0.03, seed=2)]
    for result in simulated:
        console.print(f"  {result.rule}: the interval held the truth in {result.share:.1%}")
    found = []
    for number, seed in enumerate(seeds, start=1):
        beside = "Leave the machine alone" if seed is None else f"A neighbour is planted (seed {seed})"
        console.print(f"Sitting {number}: {repeats} repeats by each method; about a minute each. {beside} ...")
        found.append(sit(repeats, folder, lambda done: console.print(f"  repeat {done} of {repeats}"), seed))
        if (share := found[-1].neighbour_share) is not None:
            console.print(f"  the neighbour took {share:.2f} of a core")
    machine = read_manifest(next((folder / "runs").iterdir())).machine
    figures = show.figures(found, simulated, machine)
    console.print(Markdown(show.write(figures, found, folder)))
    return folder / "accuracy.md"
