"""All shards in one view: a table that is drawn anew on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bench.sweep.standing import AT_WORK, GIVEN_UP, WAITING, Row

HEADINGS = ("shard", "state", "node", "passes", "cells", "job", "")


class Watch:
    """Shows rows whenever it is given them; use it in a with statement."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self.console, self.clock = console, clock
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Watch:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._live.stop()

    def show(self, rows: Sequence[Row], silence: str = "") -> None:
        """The rows as they are now; `silence` is why the scheduler can't be asked."""
        if self.console.is_terminal:
            self._live.update(table(rows, self.clock(), silence, self._room()), refresh=True)
            return
        for row in rows:
            said = line(row)
            if self._shown.get(row.name) != said:
                self._shown[row.name] = said
                self.note(said)
        if self._shown.get("", "") != silence:
            self._shown[""] = silence
            self.note(silence or "the scheduler answers again")

    def note(self, text: str) -> None:
        """A line of its own, above the table."""
        self.console.print(text, highlight=False, markup=False, overflow="ignore", crop=False)

    def _room(self) -> int:
        """Rows that fit the screen beside the headings and a summary."""
        return max(5, self.console.height - 6)


def table(rows: Sequence[Row], now: float, silence: str = "", room: int | None = None) -> Table:
    """The rows, those that are at work or wait first where not all fit."""
    counts = Counter(row.state for row in rows)
    shown = rows if room is None or len(rows) <= room else sorted(rows, key=_interest)[:room]
    caption = ", ".join(f"{count} {state}" for state, count in counts.items())
    caption += f"; {len(rows) - len(shown)} not shown" if len(shown) < len(rows) else ""
    made = Table(*HEADINGS, box=None, pad_edge=False, caption=f"{caption}\n{silence}".strip(), caption_justify="left")
    for row in sorted(shown, key=lambda row: row.name):
        made.add_row(*map(Text, _fields(row, now)))
    return made


def line(row: Row) -> str:
    """A row as a line that changes only when something has happened."""
    where = f" on {row.node}" if row.node and row.state != WAITING else ""
    job = f", job {row.job}" if row.job else ""
    note = f" ({row.note})" if row.note else ""
    return f"{row.name}: {row.state}{where}, {row.passes} of {row.of_passes} passes{job}{note}"


def duration(seconds: float) -> str:
    """How long something has waited."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _fields(row: Row, now: float) -> tuple[str, ...]:
    cells = f"{row.cells} of {row.of_cells}" if row.of_cells else ""
    waits = f"for {duration(now - row.since)}" if row.state == WAITING and row.since else ""
    passes = f"{row.passes} of {row.of_passes}"
    return row.name, row.state, row.node, passes, cells, row.job, ", ".join(filter(None, (row.note, waits)))


def _interest(row: Row) -> int:
    return {GIVEN_UP: 0, AT_WORK: 1, WAITING: 2}.get(row.state, 3)
