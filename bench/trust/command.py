"""The command: sit, make up runs, show."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bench.trust import show
from bench.trust.sitting import NEIGHBOUR_KINDS, schedule, sit

SECONDS_A_RUN = 45


def trust(rounds: int, resampled: int, folder: Path, console: Console, seed: int | None = None) -> Path:
    """Measure the gate, with a seed beside a neighbour; return the path of the table.

    Raises Incomparable, OSError and KeyboardInterrupt.
    """
    runs = len(list(schedule(rounds) if seed is None else schedule(rounds, NEIGHBOUR_KINDS, peer=False)))
    beside = "Leave the machine alone" if seed is None else f"A neighbour is planted (seed {seed})"
    console.print(f"Taking {runs} runs, about {runs * SECONDS_A_RUN // 60} min. {beside} ...")
    rows, share = sit(rounds, folder, lambda told: console.print(f"  {told}", highlight=False, soft_wrap=True), seed)
    if share is not None:
        console.print(f"  the neighbour took {share:.2f} of a core")
    found = show.figures(rows, resampled, lambda told: console.print(told, highlight=False)) | {
        "neighbour_share": share
    }
    console.print(Markdown(show.write(found, folder)))
    return folder / "trust.md"
