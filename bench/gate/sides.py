"""The two sides of a comparison: what tree they come from, and which interpreter runs them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import Worker


@dataclass(frozen=True)
class Side:
    """A tree and an interpreter, under the name by which people are told of it.

    `tree` is the folder whose `rnn_impls` is measured, or None for this suite's own, with files of one's own found
    from the current folder. `delay` slows implementations by a fraction, so that the gate itself can be measured.
    """

    name: str
    tree: Path | None = None
    python: str = sys.executable
    delay: Mapping[str, float] = field(default_factory=dict)

    def job(self, kind: str, **more: object) -> dict[str, object]:
        """A worker's job for this side."""
        return {"kind": kind, "tree": str(self.tree) if self.tree else None, **more}

    def start(self, log: Path) -> Worker:
        """A fresh process that takes turns with one of the other side."""
        return Worker(self.job("turns", delay=dict(self.delay)), log, self.python)
