"""Where a run's own time goes: seconds by activity."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Ledger:
    """Adds up wall-clock seconds by activity: imports, parity, survey, memory, build, warm-up, measured, report."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, activity: str, seconds: float) -> None:
        """Put so many seconds down to an activity."""
        self.seconds[activity] = self.seconds.get(activity, 0.0) + seconds

    def merge(self, other: dict[str, float]) -> None:
        """Add another ledger's seconds."""
        for activity, seconds in other.items():
            self.add(activity, seconds)

    @contextmanager
    def on(self, activity: str) -> Iterator[None]:
        """Put the time of a with-block down to an activity, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(activity, time.perf_counter() - start)
