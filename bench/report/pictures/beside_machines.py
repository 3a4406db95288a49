"""Speed-ups in the usual shared Case of several machines: a row for each implementation, a mark for each machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bench.cases.case import MODES
from bench.report.answer import usual_rows
from bench.report.comparisons import Context
from bench.report.names import short_names
from bench.report.pictures.drawing import dress, ticks_between
from bench.report.pictures.palette import MUTED, Look, in_order
from bench.report.pictures.render import Entry
from bench.report.pictures.render import Panel as Plane
from bench.report.pictures.scene import Group, Picture, picture_of
from bench.report.units import short_times
from bench.table.shared import Shared
from rnn_impls.registry import ordered

NAME = "machines"


def picture(found: Shared, named: Mapping[str, str]) -> Picture | None:
    """A panel for each device and mode in which the usual shared case has speed-ups; None for none."""
    if not found.cases:
        return None
    every = pd.concat(
        [cells.assign(machine=digits) for digits, cells in found.cells.items()], ignore_index=True
    ).dropna(subset=["speedup"])
    if every.empty:
        return None
    short, marks = short_names(found.implementations), in_order([named[digits] for digits in found.cells])
    panels = []
    for device in sorted(every["device"].unique()):
        rows = usual_rows(every[every["device"] == device])
        for mode in (mode for mode in MODES if (rows["mode"] == mode).any()):
            own = rows[rows["mode"] == mode]
            title = f"{mode.capitalize()}, {Context(every, '').place(own.iloc[0], without=['mode'])}"
            names = ordered(own["implementation"])
            told = "; ".join(
                f"{short[row['implementation']]} on {named[row['machine']]} {short_times(row['speedup'])}"
                for _, row in own.iterrows()
            )
            draw = partial(draw_speedups, rows=own, names=names, short=short, named=named, marks=marks)
            left = min(2.4, 0.35 + 0.108 * max(len(short[name]) for name in names))
            panels.append(Plane(title, f"Speed-ups. {title}: {told}.", draw, 1.0 + 0.42 * len(names), left))
    legend = [Entry(label, look) for label, look in marks.items()]
    return picture_of(NAME, "Speed-ups on each machine", [Group("", panels, 2)], legend)


def draw_speedups(
    ax: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    short: Mapping[str, str],
    named: Mapping[str, str],
    marks: Mapping[str, Look],
) -> None:
    """The speed-ups of one case on a logarithmic axis, each with its interval."""
    digits = list(named)
    apart = 0.5 / max(1, len(digits) - 1)
    for _, row in rows.iterrows():
        look = marks[named[row["machine"]]]
        y = -names.index(row["implementation"]) + 0.25 - apart * digits.index(row["machine"])
        if row["speedup_low"] > 0:
            ax.plot([row["speedup_low"], row["speedup_high"]], [y, y], color=look.colour, linewidth=4, alpha=0.35)
        ax.plot([row["speedup"]], [y], markersize=6.5 * look.scale, **look.mark)
    low, high = (
        float(each)
        for each in (rows[["speedup", "speedup_low"]].min(axis=None), rows[["speedup", "speedup_high"]].max(axis=None))
    )
    low, high = min(low, 1.0) / 1.15, max(high, 1.0) * 1.15
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xlim(low, high)
    ticks = [tick for tick in ticks_between(low, high, most=5) if math.isfinite(tick)]
    ax.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    ax.axvline(1, color=MUTED, linewidth=0.8)
    ax.set_ylim(0.6 - len(names), 0.6)
    ax.set_yticks([-k for k in range(len(names))], [short[name] for name in names])
    dress(ax, "speed-up over the baseline, further right is faster", grid="x")
