"""Fresh processes that look at cells one by one and tell what they find, each outliving what another's death costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.cases.case import Cell
from bench.host.process import WorkerDied, findings
from bench.run.crew import HOME, file_name, seat_of
from bench.run.kept import TIMEOUT
from bench.run.survey import MOST_LOST


def told_of(kind: str, cells: Iterable[Cell], log: Path, **job: Any) -> Iterator[tuple[Cell, dict[str, Any] | str]]:
    """What fresh processes tell of each cell, one for this suite's own implementations and one for each of a user's; or
    why nothing is told, since a process died at it. Raises WorkerDied where none can be had, OSError."""
    every = list(cells)
    for place in dict.fromkeys(seat_of(name) for _, name in every):
        remaining, lost = [cell for cell in every if seat_of(cell[1]) == place], 0
        while remaining and lost < MOST_LOST:
            current: Cell | None = None
            try:
                asked = {"kind": kind, "cells": remaining} | job
                for finding in findings(asked, TIMEOUT, log.with_stem(f"{log.stem}-{file_name(place)}")):
                    if finding["event"] == "start":
                        current = (finding["case"], finding["implementation"])
                    elif finding["event"] == kind and current is not None:
                        remaining.remove(current)
                        yield current, finding
                remaining = []
            except WorkerDied as death:
                if current is None or current not in remaining:
                    raise
                lost += place != HOME
                remaining.remove(current)
                yield current, str(death)
        for cell in remaining:
            yield cell, f"not tried, its process was lost {MOST_LOST} times before"
