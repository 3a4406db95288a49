"""The command: sit, make up runs, show."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from bench.trust import show
from bench.trust.sitting import schedule, sit


def trust(rounds: int, resampled: int, folder: Path, console: Console) -> Path:
    """Measure the gate; return the path of the table. Raises Incomparable, OSError and KeyboardInterrupt."""
    runs = len(list(schedule(rounds)))
    console.print(f"Taking {runs} runs, about {runs * 38 // 60} min. Leave the machine alone ...")
    rows = sit(rounds, folder, lambda told: console.print(f"  {told}", highlight=False, soft_wrap=True))
    found = show.figures(rows, resampled, lambda told: console.print(told, highlight=False))
    console.print(Markdown(show.write(found, folder)))
    return folder / "trust.md"
