"""Has cells profiled in fresh processes, those of a user's code in ones of their own; goes on behind what takes its
process down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.cases import Case
from bench.crew import HOME, file_name, seat_of
from bench.process import WorkerDied, findings
from bench.profile.record import FAILED, Profile, ProfileRecord, from_dict
from bench.surveying import MOST_LOST

Cell = tuple[str, str]

STEPS = 32
"""Steps of a profiled call: enough to tell what a step does, and few enough for a trace that opens quickly."""


def profiled(
    cells: Sequence[Cell],
    log: Path,
    *,
    steps: int = STEPS,
    folder: Path | None = None,
    timeout: float = 120.0,
    done: Callable[[ProfileRecord], None] = lambda record: None,
) -> Profile:
    """Profile the cells; those that are alike but for the steps beyond `steps` are profiled once.

    Trace files go to `folder`. A worker's death costs the cell it was at. Raises OSError.
    """
    alike: dict[Cell, list[Cell]] = {}
    for case_id, name in cells:
        case = Case.parse(case_id)
        alike.setdefault((replace(case, seq_len=min(case.seq_len, steps)).id, name), []).append((case_id, name))
    found = Profile()
    for place in dict.fromkeys(seat_of(name) for _, name in alike):
        remaining = [cell for cell in alike if seat_of(cell[1]) == place]
        lost = 0
        while remaining and lost < MOST_LOST:
            job = {"kind": "profile", "cells": remaining, "steps": steps, "folder": str(folder) if folder else ""}
            current: Cell | None = None
            try:
                for finding in findings(job, timeout, log.with_stem(f"{log.stem}-{file_name(place)}")):
                    if finding["event"] == "start":
                        current = (finding["case"], finding["implementation"])
                    elif finding["event"] == "profile":
                        record = from_dict(finding["record"])
                        remaining.remove((record.case, record.implementation))
                        _add(found, record, alike)
                        done(record)
                remaining = []
            except WorkerDied as death:
                if current is None or current not in remaining:
                    found.missing = f"no worker can be had: {death}"
                    return found
                lost += place != HOME
                remaining.remove(current)
                _add(found, ProfileRecord(*current, status=FAILED, reason=str(death), profiled=current[0]), alike)
        for cell in remaining:
            reason = f"not tried, its process was lost {MOST_LOST} times before"
            _add(found, ProfileRecord(*cell, status=FAILED, reason=reason, profiled=cell[0]), alike)
    return found


def _add(found: Profile, record: ProfileRecord, alike: dict[Cell, list[Cell]]) -> None:
    """The record for each cell that it speaks for."""
    for case, name in alike[record.case, record.implementation]:
        found.records.append(replace(record, case=case, implementation=name))
