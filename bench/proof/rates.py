"""How often the gate is wrong: rates with their bounds, from the rows of a sitting's `runs.jsonl`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import betaincinv

from bench.cases.case import Case
from bench.proof.peers import CHECKS, fails, slowed
from bench.proof.resample import Verdicts, head_against_base, pool, resample
from bench.proof.runs import KINDS, NEIGHBOUR_KINDS, PEER, Kind
from bench.report.labels import Labels
from bench.table.outcome import IMPROVED, REGRESSED, UNCHANGED
from rnn_impls.registry import THREE

Row = dict[str, Any]

CURVE = (0.0, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.12)
"""Slowdowns of the picture."""

CURVE_MIN_EFFECT = 0.02


def upper(count: int, of: int) -> float:
    """The rate that `count` of `of` leaves possible at 95 %: Clopper and Pearson's one-sided bound."""
    return 1.0 if count == of else float(betaincinv(count + 1, of - count, 0.95))


def lower(count: int, of: int) -> float:
    """The rate that it shows at least, likewise."""
    return 0.0 if count == 0 else float(betaincinv(count, of - count + 1, 0.05))


def figures(rows: Sequence[Row], resampled: int, tell: Callable[[str], None] = lambda text: None) -> Row:
    """Everything that the table and the picture show."""
    gates, peers = [row for row in rows if row["kind"] != PEER], [row for row in rows if row["kind"] == PEER]
    unchanged = [row for row in gates if not row["delay"]]
    pairs = pool(unchanged)
    cells = [(cell["case"], cell["implementation"]) for cell in gates[0]["cells"]]
    peers = [{"cells": cells, **row} for row in peers]  # rows of earlier versions don't name them
    pair_seconds = sum(row["seconds"] for row in gates) / sum(row["pairs"] for row in gates)
    tell(f"Making up runs of {len(pairs)} recorded pairs ...")

    def made_up(kind: Kind, runs: int) -> Verdicts:
        most = int(kind.budget / pair_seconds)
        return resample(pairs, kind.min_effect, kind.delay, THREE, runs, most)

    kinds = []
    for kind in {each.name: each for each in (*NEIGHBOUR_KINDS, *KINDS)}.values():
        own = [row for row in gates if row["kind"] == kind.name]
        if own:
            kinds.append(live(kind, own) | {"resampled": dataclasses.asdict(made_up(kind, resampled))})
    curve = [
        [
            delay,
            made_up(Kind(delay, CURVE_MIN_EFFECT, 180, 0), max(60, resampled // 4)).failed / max(60, resampled // 4),
        ]
        for delay in CURVE
    ]
    return {
        "machine": gates[0]["machine"],
        "cells": len(cells),
        "modes": sorted({Case.parse(case).mode for case, _ in cells}),
        "recorded_pairs": len(pairs),
        "unchanged": {
            "runs": len(unchanged),
            "failed": sum(any(cell["verdict"] == REGRESSED for cell in row["cells"]) for row in unchanged),
            "head_against_base": dataclasses.asdict(head_against_base(unchanged)),
        },
        "kinds": kinds,
        "peer": peer(peers) if peers else [],
        "peer_seconds": float(np.median([row["seconds"] for row in peers])) if peers else None,
        "curve": {"gate": curve} | {check: peer_curve(peers, check) for check in CHECKS if peers},
        "largest_deviation": [max((abs(cell["effect"]) for cell in row["cells"]), default=0.0) for row in unchanged],
        "wrong": [told for row in gates for told in wrong(row)],
    }


def live(kind: Kind, rows: Sequence[Row]) -> Row:
    """What the live runs of one kind said."""
    slow = [cell for row in rows for cell in row["cells"] if cell["implementation"] == row["slowed"]]
    return {
        **dataclasses.asdict(kind),
        "runs": len(rows),
        "failed": sum(any(cell["verdict"] == REGRESSED for cell in row["cells"]) for row in rows),
        "false": sum(bool(_false(row)) for row in rows),
        "slowed_cells": len(slow),
        "found_cells": sum(cell["verdict"] == REGRESSED for cell in slow),
        "median_seconds": float(np.median([row["seconds"] for row in rows])),
        "longest_seconds": max(row["seconds"] for row in rows),
        "lost_pairs": sum(len(row["lost"]) for row in rows),
    }


def wrong(row: Row) -> list[str]:
    """Every verdict of a run that is not true."""
    told = [f"{row['kind']}: {_place(cell)} called {cell['verdict']}, {_change(cell)}" for cell in _false(row)]
    if row["delay"] > row["min_effect"]:
        told += [
            f"{row['kind']}: {_place(cell)}, slowed by {row['delay']:.0%}, called unchanged, {_change(cell)}"
            for cell in row["cells"]
            if cell["implementation"] == row["slowed"] and cell["verdict"] == UNCHANGED
        ]
    return told


def peer(rows: Sequence[Row]) -> list[Row]:
    """What each check of pytest-benchmark makes of every run after the one before it, by the slowdown planted."""
    delays = tuple(dict.fromkeys(kind.delay for kind in KINDS))
    return [
        {"check": check, "delay": delay, "runs": len(rows) - 1, "failed": _peer_failed(rows, check, delay)}
        for check in CHECKS
        for delay in sorted(delays)
    ]


def peer_curve(rows: Sequence[Row], check: str) -> list[list[float]]:
    """The share of runs that fail, by slowdown."""
    return [[delay, _peer_failed(rows, check, delay) / max(1, len(rows) - 1)] for delay in CURVE]


def _peer_failed(rows: Sequence[Row], check: str, delay: float) -> int:
    """Of all runs after the first, those that fail against the one before them; one implementation slowed in turn."""
    return sum(
        fails(
            check,
            before["stats"],
            slowed(after["stats"], [name for _, name in after["cells"]], THREE[number % len(THREE)], 1 + delay),
        )
        for number, (before, after) in enumerate(pairwise(rows))
    )


def _false(row: Row) -> list[Row]:
    """Cells said to have changed that had not, or the other way round."""
    return [
        cell
        for cell in row["cells"]
        if (cell["verdict"] == REGRESSED and cell["implementation"] != row["slowed"]) or cell["verdict"] == IMPROVED
    ]


def _place(cell: Row) -> str:
    place = (cell["case"], cell["implementation"])
    return Labels([place]).whole(place)


def _change(cell: Row) -> str:
    return f"{cell['effect']:+.1%} [{cell['bounds'][0]:+.1%}, {cell['bounds'][1]:+.1%}]"
