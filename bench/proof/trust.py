"""What a sitting says: figures as JSON, a table as Markdown, a picture.

The command: sit, make up runs, show; or show again what a sitting left.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.markdown import Markdown
from scipy.special import betaincinv

from bench.cases.case import Case
from bench.proof.peers import CHECKS, fails, slowed
from bench.proof.resample import Verdicts, head_against_base, pool, resample
from bench.proof.runs import KINDS, NEIGHBOUR_KINDS, PEER, Kind, read, schedule, sit
from bench.store.files import write_atomically, write_json
from bench.table.outcome import IMPROVED, REGRESSED, UNCHANGED
from rnn_impls.registry import THREE_WAYS

Row = dict[str, Any]

CURVE = (0.0, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.12)
"""Slowdowns of the picture."""

CURVE_MIN_EFFECT = 0.02
COLOURS = {"gate": "#0072b2", "mean:5%": "#d55e00", "median:5%": "#e69f00", "min:10%": "#999999"}
"""Okabe and Ito's, which people with any colour vision tell apart."""


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
        return resample(pairs, kind.min_effect, kind.delay, THREE_WAYS, runs, most)

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


def write(found: Row, folder: Path) -> str:
    """Write trust.json, trust.md, trust.png and trust.svg; return the Markdown."""
    write_json(folder / "trust.json", found)
    text = markdown(found)
    write_atomically(folder / "trust.md", text.encode())
    figure = picture(found)
    figure.savefig(folder / "trust.png", dpi=160, metadata={"Software": None})
    with mpl.rc_context({"svg.hashsalt": "rnn-bench", "svg.fonttype": "none"}):
        figure.savefig(folder / "trust.svg", metadata={"Date": None})
    return text


def markdown(found: Row) -> str:
    """The tables and what they say."""
    machine = found["machine"]
    lines = [
        f"Measured on {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}{_beside(found)}: "
        f"{found['cells']} cells",
        f"({' and '.join(found['modes'])}), one thread, all kinds of runs in turn. A slowdown is planted in one of "
        "three implementations,",
        "so in a third of the cells. Bounds are at 95 %, over live runs. Runs made up of recorded pairs describe these "
        "pairs; they bound nothing.",
        "",
        "| planted | `--min-effect` | `--budget` | live runs that failed | slowed cells found | false verdicts "
        "| time, median (longest) | failed of runs made up of recorded pairs |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [_kind_line(kind) for kind in found["kinds"]]
    lines += _peer_lines(found) if found["peer"] else []
    deviations, unchanged = found["largest_deviation"], found["unchanged"]
    lines += [
        "",
        f"{_share(unchanged['failed'], unchanged['runs'])} unchanged live runs failed, all settings together: at most "
        f"{upper(unchanged['failed'], unchanged['runs']):.0%} do.",
        "",
        _head_against_base(unchanged["head_against_base"]),
        "",
        f"In {len(deviations)} unchanged runs the largest deviation of any cell was {max(deviations):.1%}, "
        f"{float(np.median(deviations)):.1%} in the median run.",
        "",
        "Verdicts that were wrong: " + ("none." if not found["wrong"] else ""),
        *(f"- {told}" for told in found["wrong"]),
        "",
    ]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _head_against_base(found: Row) -> str:
    """What two sides that are the same code differ by."""
    value, low, high = (f"{100 * found[key]:+.2f}".replace("-", "−") for key in ("value", "low", "high"))
    return f"Head against base in unchanged runs: {value} % [{low}, {high}] over {found['passes']} runs."


def _beside(found: Row) -> str:
    share = found.get("neighbour_share")
    return "" if share is None else f", beside a neighbour that took {share:.2f} of a core"


def _peer_lines(found: Row) -> list[str]:
    """What plain pytest-benchmark makes of the same cells."""
    lines = [
        "",
        "The same cells by plain pytest-benchmark, each run held against the one before it "
        f"({found['peer_seconds']:.0f} s a run):",
        "",
        "| `--benchmark-compare-fail` | " + " | ".join(_planted(d) for d in _peer_delays(found)) + " |",
        "|---|" + "---:|" * len(_peer_delays(found)),
    ]
    for check in CHECKS:
        own = [row for row in found["peer"] if row["check"] == check]
        lines.append(f"| `{check}` | " + " | ".join(_share(row["failed"], row["runs"]) for row in own) + " |")
    return lines


def picture(found: Row) -> Figure:
    """The share of runs that fail, by the slowdown planted: a good gate is a step."""
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = {"gate": f"this gate, --min-effect {CURVE_MIN_EFFECT:.0%}"}
    for name, points in found["curve"].items():
        x, y = np.asarray(points).T * 100
        label = names.get(name, f"--benchmark-compare-fail={name}")
        axes.plot(x, y, color=COLOURS[name], linewidth=2.5 if name == "gate" else 1.8, label=label,
                  linestyle="-" if name == "gate" else "--")  # fmt: skip
    for kind in found["kinds"]:
        if kind["min_effect"] == CURVE_MIN_EFFECT:
            place = (100 * kind["delay"], 100 * kind["failed"] / kind["runs"])
            axes.plot(*place, "o", color=COLOURS["gate"], markersize=8, clip_on=False, zorder=5)
            low = place[1] < 50
            axes.annotate(f"{kind['failed']} of {kind['runs']} live", place, xytext=(9, 16) if low else (0, -18),
                          textcoords="offset points", ha="left" if low else "center", fontsize=9,
                          color=COLOURS["gate"])  # fmt: skip
    axes.set_xlabel("slowdown planted in one of three implementations, %")
    axes.set_ylabel("runs that fail, %")
    axes.set_ylim(0, 100)
    axes.set_xlim(0, 100 * CURVE[-1])
    axes.set_title("An unchanged tree should never fail, a slower one always", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 0.1))
    return figure


def _kind_line(kind: Row) -> str:
    made_up = kind["resampled"]
    if kind["delay"]:
        said = f"{kind['failed']} of {kind['runs']} (at least {lower(kind['failed'], kind['runs']):.0%})"
        cells = f"{kind['found_cells']} of {kind['slowed_cells']}"
    else:
        said = f"{kind['failed']} of {kind['runs']} (at most {upper(kind['failed'], kind['runs']):.0%})"
        cells = ""
    return (
        f"| {_planted(kind['delay'])} | {kind['min_effect']:.0%} | {kind['budget']:.0f} s | {said} | {cells} | "
        f"{kind['false']} | {kind['median_seconds']:.0f} s ({kind['longest_seconds']:.0f} s) | "
        f"{_share(made_up['failed'], made_up['runs'])} |"
    )


def _planted(delay: float) -> str:
    return f"+{delay:.0%}" if delay else "nothing"


def _share(count: int, of: int) -> str:
    return f"{count} of {of}"


def _peer_delays(found: Row) -> list[float]:
    return list(dict.fromkeys(row["delay"] for row in found["peer"]))


def _peer_failed(rows: Sequence[Row], check: str, delay: float) -> int:
    """Of all runs after the first, those that fail against the one before them; one implementation slowed in turn."""
    return sum(
        fails(
            check,
            before["stats"],
            slowed(
                after["stats"],
                [name for _, name in after["cells"]],
                THREE_WAYS[number % len(THREE_WAYS)],
                1 + delay,
            ),
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
    return f"{cell['implementation']} on {cell['case']}"


def _change(cell: Row) -> str:
    return f"{cell['effect']:+.1%} [{cell['bounds'][0]:+.1%}, {cell['bounds'][1]:+.1%}]"


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
    found = figures(rows, resampled, lambda told: console.print(told, highlight=False))
    console.print(Markdown(write(found | {"neighbour_share": share}, folder)))
    return folder / "trust.md"
