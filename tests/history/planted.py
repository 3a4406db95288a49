"""Histories with planted changes: a summary for each commit, as `bench.history.summary.add` would write it."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cases.case import Case
from tests.synthetic import MACHINE

START = datetime.datetime(2026, 9, 1, 9, 0, tzinfo=datetime.UTC)

NAMES = ("manual", "looped", "whole", "hoisted")
CASES = (Case(hidden_size=64, input_size=64, seq_len=16), Case(hidden_size=128, input_size=128, seq_len=64))
CELLS = [(case.id, name) for case in CASES for name in NAMES]
UPGRADED = MACHINE | {"torch": "2.14.0"}

METERS = {"operators": 130.0, "nodes": 0.0, "allocations": 66.0, "peak_bytes": 33_024.0}

Steps = Mapping[tuple[str, str], Sequence[tuple[int, float]]]
"""Cell -> (the number of the first commit that has it, what the time is multiplied by from there on)."""


def commit(number: int) -> str:
    """The id of a commit, the same each time."""
    return hashlib.sha1(f"commit {number}".encode(), usedforsecurity=False).hexdigest()


def summary(number: int, machine: Mapping[str, Any], cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a file holds: commits are half a day apart, each measured an hour later."""
    made = START + datetime.timedelta(hours=12 * number)
    measured = made + datetime.timedelta(hours=1)
    return {
        "summary": 1,
        "run": f"{measured:%Y-%m-%dT%H%M%S}-gate",
        "started": measured.isoformat(),
        "commit": {"id": commit(number), "branch": "main", "dirty": False, "time": made.isoformat()},
        "machine": dict(machine),
        "cells": list(cells),
    }


def write(
    folder: Path,
    commits: int = 40,
    steps: Steps | None = None,
    upgrade: tuple[int, float] | None = None,
    meters: Steps | None = None,
    cells: Sequence[tuple[str, str]] = tuple(CELLS),
    noise: float = 0.01,
    seed: int = 1,
) -> Path:
    """A folder of summaries. `upgrade` is the first commit under another torch, and what that multiplies all times by;
    `meters` are what operators are multiplied by, from a commit on."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(commits):
        upgraded = upgrade is not None and number >= upgrade[0]
        rows = []
        for k, cell in enumerate(cells):
            log = math.log(0.2 * 1.5**k) + draw.gauss(0, noise)
            log += sum(math.log(by) for at, by in (steps or {}).get(cell, ()) if number >= at)
            log += math.log(upgrade[1]) if upgrade and upgraded else 0.0
            more = math.prod(by for at, by in (meters or {}).get(cell, ()) if number >= at)
            own = METERS | {"operators": METERS["operators"] * more}
            rows.append(row(cell, math.exp(log), noise, own))
        content = summary(number, UPGRADED if upgraded else MACHINE, rows)
        (folder / f"{content['run']}.json").write_text(json.dumps(content, indent=1) + "\n")
    return folder


def row(cell: tuple[str, str], ratio: float, noise: float, meters: Mapping[str, Any]) -> dict[str, Any]:
    """A cell of a summary, with an interval as wide as the noise."""
    return {
        "case": cell[0],
        "implementation": cell[1],
        "control_ratio": ratio,
        "control_ratio_low": ratio * math.exp(-2 * noise),
        "control_ratio_high": ratio * math.exp(2 * noise),
        "meters": dict(meters),
    }


FORTY: dict[str, Any] = {
    "steps": {CELLS[0]: [(12, 1.06)], CELLS[5]: [(20, 1.15), (24, 1 / 1.15)], CELLS[6]: [(34, 0.9)]},
    "upgrade": (28, 1.2),
    "meters": {CELLS[1]: [(31, 1.5)]},
}
"""Forty commits of eight cells: a rise, one that was undone, a fall; another torch, which slows all; more operators."""
