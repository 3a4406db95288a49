"""The proof of the numbers: simulate, sit, show what came of it as a table, a picture and JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.proof.accounts import METHODS, accuracy_account, accurate, beside
from bench.proof.repeats import TRUE_SPEEDUPS, Repeats, sit
from bench.proof.simulation import Coverage, coverage
from bench.store.files import write_atomically, write_json
from bench.store.manifest import read_manifest
from bench.table.stats import coefficient_of_variation

SEEDS_APART = 100
"""Between the neighbours of two sittings: one has a few processes, each with a seed of its own."""

COLOURS = {
    "ours": "#0072B2",
    "blocked_autorange": "#D55E00",
    "pytest_median": "#009E73",
    "pytest_mean": "#CC79A7",
    "pytest_min": "#E69F00",
}


def figures(sittings: list[Repeats], simulated: list[Coverage], machine: dict[str, Any]) -> dict[str, Any]:
    """Every figure that the table states, from the raw repeats: of all sittings together, then of each."""
    return {
        "machine": machine,
        **_of(pooled(sittings)),
        "sittings": [_of(each) | {"neighbour_share": each.neighbour_share} for each in sittings],
        "simulated_coverage": [dataclasses.asdict(c) | {"share": c.share} for c in simulated],
        "raw": [dataclasses.asdict(each) for each in sittings],
    }


def pooled(sittings: list[Repeats]) -> Repeats:
    """All repeats as if of one sitting."""
    every = Repeats(sittings[0].neighbour_share)
    for each in sittings:
        for name in (*METHODS, "control", "truths"):
            getattr(every, name).extend(getattr(each, name))
        for name, seconds in each.wall.items():
            every.wall.setdefault(name, []).extend(seconds)
    return every


def _of(repeats: Repeats) -> dict[str, Any]:
    """The figures of some repeats."""
    speedups = _speedups(repeats)
    centre = float(np.median(speedups["ours"]))
    held = sum(low <= centre <= high for _, low, high in repeats.ours)
    truth_held = sum(low <= TRUE_SPEEDUPS[name] <= high for name, _, low, high in repeats.truths)
    errors = [abs(math.log(value / TRUE_SPEEDUPS[name])) for name, value, _, _ in repeats.truths]
    return {
        "repeats": len(repeats.ours),
        "coefficient_of_variation": {name: coefficient_of_variation(v) for name, v in speedups.items()},
        "variation_at_one_speed": {name: at_one_speed(v, repeats.control) for name, v in speedups.items()},
        "machine_slower_by": max(repeats.control) / min(repeats.control) - 1,
        "largest_deviation": {
            name: float(np.abs(np.log(np.asarray(v) / np.median(v))).max()) for name, v in speedups.items()
        },
        "median_speedup": {name: float(np.median(v)) for name, v in speedups.items()},
        "median_wall_seconds": {name: float(np.median(v)) for name, v in repeats.wall.items()},
        "intervals_hold_median": [held, len(repeats.ours)],
        "intervals_hold_known_truth": [truth_held, len(repeats.truths)],
        "median_error_of_known_truth": float(np.median(errors)),
        "largest_error_of_known_truth": float(np.max(errors)),
    }


def at_one_speed(speedups: Sequence[float], control: Sequence[float]) -> float:
    """The coefficient of variation that is left when a line through log speed-up over log control time, by least
    squares, is taken out: what a method scatters on a machine that does not slow down as a whole. A slower machine
    slows interpreted code more than products, so that the true speed-up moves with it."""
    logs, speed = np.log(np.asarray(speedups)), np.log(np.asarray(control))
    if len(logs) < 4 or np.ptp(speed) == 0:
        return coefficient_of_variation(speedups)
    residual = logs - np.polynomial.Polynomial.fit(speed, logs, 1)(speed)
    return float(np.sqrt((residual**2).sum() / (len(logs) - 2)))


def write(found: dict[str, Any], sittings: list[Repeats], folder: Path) -> str:
    """Write accuracy.json, accuracy.md, accuracy.png and accuracy.svg; return the Markdown."""
    write_json(folder / "accuracy.json", found)
    text = markdown(found)
    write_atomically(folder / "accuracy.md", text.encode())
    figure = picture(pooled(sittings))
    figure.savefig(folder / "accuracy.png", dpi=160, metadata={"Software": None})
    with mpl.rc_context({"svg.hashsalt": "rnn-bench", "svg.fonttype": "none"}):
        figure.savefig(folder / "accuracy.svg", metadata={"Date": None})
    return text


def markdown(found: dict[str, Any]) -> str:
    """The tables and what they say, as Markdown."""
    several = len(found["sittings"]) > 1
    lines = [
        " ".join(accurate(found)),
        "",
        f"Speed-up of `whole` over `manual` at hidden 128, 64 steps, inference, measured {found['repeats']} times by",
        f"each method in turn, on {found['machine']['cpu']}, one thread, torch {found['machine']['torch']}"
        f"{beside(found)}.",
        "",
        "| method | wall time of a repeat | median speed-up | coefficient of variation | over this suite's | "
        "at one speed of the machine | over this suite's |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    columns = (found["coefficient_of_variation"], found["variation_at_one_speed"])
    for name, label in METHODS.items():
        wall = found["median_wall_seconds"]["pytest_benchmark" if name.startswith("pytest") else name]
        factors = ["" if name == "ours" else f"{each[name] / each['ours']:.1f}×" for each in columns]
        shown = [f"{each[name]:.2%} | {factor}" for each, factor in zip(columns, factors, strict=True)]
        lines.append(f"| {label} | {wall:.1f} s | {found['median_speedup'][name]:.2f}× | {' | '.join(shown)} |")
    held, of = found["intervals_hold_median"]
    truth_held, truths = found["intervals_hold_known_truth"]
    lines += [
        "",
        "| do the 95 % intervals hold? | runs | held |",
        "|---|---:|---:|",
        *(
            f"| simulated, {c['rule']} ({c['mean_passes']:.1f} on average) | {c['runs']} | {c['share']:.1%} |"
            for c in found["simulated_coverage"]
        ),
        f"| the median of all repeats, by the interval of each | {of} | {held / of:.1%} |",
        f"| known truths (20 calls against 20, 21 and 40) | {truths} | {truth_held / truths:.1%} |",
        "",
        f"The machine as a whole was up to {found['machine_slower_by']:.0%} slower in one repeat than in another, by "
        "the control's time.",
        "",
    ]
    if several:
        lines += ["Sitting by sitting:", "", *_each(found["sittings"]), ""]
    return "\n".join(lines)


def _each(sittings: list[dict[str, Any]]) -> list[str]:
    """One row a sitting."""
    lines = [
        "| sitting | repeats | "
        + " | ".join(METHODS.values())
        + " | this suite at one speed | machine slower by up to "
        "| known truths held | worst |",
        "|---:|---:|" + "---:|" * (len(METHODS) + 4),
    ]
    for number, each in enumerate(sittings, start=1):
        variations = " | ".join(f"{each['coefficient_of_variation'][name]:.2%}" for name in METHODS)
        held, of = each["intervals_hold_known_truth"]
        lines.append(
            f"| {number} | {each['repeats']} | {variations} | {each['variation_at_one_speed']['ours']:.2%} | "
            f"{each['machine_slower_by']:.0%} | {held} of {of} | {each['largest_error_of_known_truth']:.1%} |"
        )
    return lines


def picture(repeats: Repeats) -> Figure:
    """Every repeat of every method as a dot, relative to the median of ours; our intervals beside ours."""
    speedups = _speedups(repeats)
    centre = float(np.median(speedups["ours"]))
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.axvline(1.0, color="0.6", linewidth=1)
    for row, (name, label) in enumerate(METHODS.items()):
        values = np.asarray(speedups[name]) / centre
        heights = row + np.linspace(-0.28, 0.28, len(values))
        if name == "ours":
            low, high = (np.asarray([r[k] for r in repeats.ours]) / centre for k in (1, 2))
            axes.hlines(heights, low, high, color=COLOURS[name], alpha=0.35, linewidth=1.5)
        axes.plot(values, heights, "o", color=COLOURS[name], markersize=4)
        variation = coefficient_of_variation(values)
        told = f"{label}\nvaries by {variation:.1%}"
        places: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        axes.annotate(told, (0.0, row), (-8, 0), ha="right", va="center", fontsize=9, **places)
    axes.set_xscale("log")
    ticks = [
        t for t in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5) if _within(t, speedups, centre)
    ]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_xlabel("reported speed-up, relative to the median of this suite's repeats (log scale)")
    title = f"The same speed-up, measured {len(repeats.ours)} times by each method in the same wall time"
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _speedups(repeats: Repeats) -> dict[str, list[float]]:
    """Speed-ups by method."""
    return {name: getattr(repeats, name) for name in METHODS} | {"ours": [value for value, _, _ in repeats.ours]}


def _within(tick: float, speedups: dict[str, list[float]], centre: float) -> bool:
    everything = [value / centre for values in speedups.values() for value in values] + [0.9, 1.1]
    return min(everything) * 0.97 <= tick <= max(everything) * 1.03


def accuracy(
    repeats: int,
    simulations: int,
    folder: Path,
    tell: Callable[[str], None],
    seeds: Sequence[int | None] = (None,),
) -> Path:
    """Prove the numbers, and tell what came of it; return the path of the table. There is a sitting for each seed,
    beside a neighbour of that seed, or for None alone. Raises RunFailed, WorkerRefused and OSError as runs do."""
    tell(f"Simulating {2 * simulations} runs ...")
    simulated = [coverage(simulations), coverage(simulations, precision=0.03, seed=2)]
    for result in simulated:
        tell(f"  {result.rule}: the interval held the truth in {result.share:.1%}")
    found = []
    for number, seed in enumerate(seeds, start=1):
        beside_it = "Leave the machine alone" if seed is None else f"A neighbour is planted (seed {seed})"
        tell(f"Sitting {number}: {repeats} repeats by each method; about a minute each. {beside_it} ...")
        found.append(sit(repeats, folder, lambda done: tell(f"  repeat {done} of {repeats}"), seed))
        if (share := found[-1].neighbour_share) is not None:
            tell(f"  the neighbour took {share:.2f} of a core")
    machine = read_manifest(next((folder / "runs").iterdir())).machine
    proven = figures(found, simulated, machine)
    write(proven, found, folder)
    tell(f"\n{accuracy_account(proven)}\n")
    return folder / "accuracy.md"
