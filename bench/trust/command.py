"""The command: sit, make up runs, show; or show again what a sitting left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from bench.trust import show
from bench.trust.sitting import NEIGHBOUR_KINDS, PEER, read, schedule, sit

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
    return _shown(rows, share, resampled, folder, console)


def rebuild(resampled: int, folder: Path, console: Console) -> Path:
    """Table and picture anew from a folder's `runs.jsonl`, nothing measured; return the path of the table.

    Raises OSError and ValueError where the folder holds no run of the gate.
    """
    rows = read(folder / "runs.jsonl")
    if all(row["kind"] == PEER for row in rows):
        raise ValueError(f"{folder}: no gate run in runs.jsonl")
    before = folder / "trust.json"  # the neighbour's share of a sitting stands nowhere else
    share = json.loads(before.read_text()).get("neighbour_share") if before.exists() else None
    return _shown(rows, share, resampled, folder, console)


def _shown(rows: list[dict[str, Any]], share: float | None, resampled: int, folder: Path, console: Console) -> Path:
    """Write all of it, and print the table."""
    found = show.figures(rows, resampled, lambda told: console.print(told, highlight=False))
    console.print(Markdown(show.write(found | {"neighbour_share": share}, folder)))
    return folder / "trust.md"
