"""The proof of the gate: sit, make up runs, show what came of it as a table, a picture and JSON; or show it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.proof.accounts import beside, peer_delays, planted, share, trust_account, trusted
from bench.proof.peers import CHECKS
from bench.proof.rates import CURVE, CURVE_MIN_EFFECT, Row, figures, lower, upper
from bench.proof.runs import NEIGHBOUR_KINDS, PEER, read, schedule, sit
from bench.store.files import write_atomically, write_json

SECONDS_A_RUN = 45

Tell = Callable[[str], None]

COLOURS = {"gate": "#0072b2", "mean:5%": "#d55e00", "median:5%": "#e69f00", "min:10%": "#999999"}
"""Okabe and Ito's, which people with any colour vision tell apart."""


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
        " ".join(trusted(found)),
        "",
        f"Measured on {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}{beside(found)}: "
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


def _peer_lines(found: Row) -> list[str]:
    """What plain pytest-benchmark makes of the same cells."""
    lines = [
        "",
        "The same cells by plain pytest-benchmark, each run held against the one before it "
        f"({found['peer_seconds']:.0f} s a run):",
        "",
        "| `--benchmark-compare-fail` | " + " | ".join(planted(d) for d in peer_delays(found)) + " |",
        "|---|" + "---:|" * len(peer_delays(found)),
    ]
    for check in CHECKS:
        own = [row for row in found["peer"] if row["check"] == check]
        lines.append(f"| `{check}` | " + " | ".join(share(row["failed"], row["runs"]) for row in own) + " |")
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
        width, dashes = (2.5, "-") if name == "gate" else (1.8, "--")
        axes.plot(x, y, color=COLOURS[name], linewidth=width, linestyle=dashes, label=label)
    for kind in found["kinds"]:
        if kind["min_effect"] == CURVE_MIN_EFFECT:
            place = (100 * kind["delay"], 100 * kind["failed"] / kind["runs"])
            axes.plot(*place, "o", color=COLOURS["gate"], markersize=8, clip_on=False, zorder=5)
            offset, across = ((9, 16), "left") if place[1] < 50 else ((0, -18), "center")
            words: dict[str, Any] = {"textcoords": "offset points", "color": COLOURS["gate"], "fontsize": 9}
            axes.annotate(f"{kind['failed']} of {kind['runs']} live", place, xytext=offset, ha=across, **words)
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
        f"| {planted(kind['delay'])} | {kind['min_effect']:.0%} | {kind['budget']:.0f} s | {said} | {cells} | "
        f"{kind['false']} | {kind['median_seconds']:.0f} s ({kind['longest_seconds']:.0f} s) | "
        f"{share(made_up['failed'], made_up['runs'])} |"
    )


def trust(rounds: int, resampled: int, folder: Path, tell: Tell, seed: int | None = None) -> Path:
    """Measure the gate, with a seed beside a neighbour; return the path of the table.

    Raises Incomparable, OSError and KeyboardInterrupt.
    """
    runs = len(list(schedule(rounds) if seed is None else schedule(rounds, NEIGHBOUR_KINDS, peer=False)))
    beside = "Leave the machine alone" if seed is None else f"A neighbour is planted (seed {seed})"
    tell(f"Taking {runs} runs, about {runs * SECONDS_A_RUN // 60} min. {beside} ...")
    rows, neighbours = sit(rounds, folder, lambda told: tell(f"  {told}"), seed)
    if neighbours is not None:
        tell(f"  the neighbour took {neighbours:.2f} of a core")
    return _shown(rows, neighbours, resampled, folder, tell)


def rebuild(resampled: int, folder: Path, tell: Tell) -> Path:
    """Table and picture anew from a folder's `runs.jsonl`, nothing measured; return the path of the table.

    Raises OSError and ValueError where the folder holds no run of the gate.
    """
    rows = read(folder / "runs.jsonl")
    if all(row["kind"] == PEER for row in rows):
        raise ValueError(f"{folder}: no gate run in runs.jsonl")
    before = folder / "trust.json"  # the neighbour's share of a sitting stands nowhere else
    neighbours = json.loads(before.read_text()).get("neighbour_share") if before.exists() else None
    return _shown(rows, neighbours, resampled, folder, tell)


def _shown(rows: list[dict[str, Any]], neighbours: float | None, resampled: int, folder: Path, tell: Tell) -> Path:
    """Write all of it, and tell what came of it."""
    found = figures(rows, resampled, tell) | {"neighbour_share": neighbours}
    write(found, folder)
    tell(f"\n{trust_account(found)}\n")
    return folder / "trust.md"
