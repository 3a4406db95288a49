"""The kinds of panels: lines over a log-log plane, a heatmap of ratios, dots for single cases.

Each draws on an Axes that it is given, in the light colours of `bench.report.pictures.palette`; titles are the
caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.report.pictures.palette import GRID, INK, MUTED, Look, heat
from bench.report.units import tick_size, tick_time, times, whole_percent

FONT = 10.5
"""Points. A panel is 4.5 in wide and is shown 358 px wide on a phone, where this makes 12 px."""

MARKS, BAND, TILE, TEXT, POINT = "marks", "band", "tile", "text", "point"
"""What an artist shows, as the first part of its gid: the marks of a line, its band, a tile whose ratio follows the
baseline and the text on it, one cell alone. The rest are rows of `Scene.cells`, so that the page knows what is pointed
at."""


def gid(kind: str, *cells: object) -> str:
    """The name of an artist in a drawing: `marks-3-4-5`."""
    return "-".join([kind, *map(str, cells)])


LARGE = FONT + 2.5
"""Points in the panels that stand two side by side on half of a page."""

MOST_TICKS = 7
"""Across a panel."""

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Line:
    """One series: values of x and y, the ends of its band (all NaN for none), and how it looks."""

    frame: pd.DataFrame  # columns x, y, low, high; its index are rows of `Scene.cells`
    look: Look


def line(rows: pd.DataFrame, x: str, y: str, look: Look, divide: bool = False) -> Line:
    """A series from rows of cells; `divide` turns seconds per call into seconds per step."""
    by = rows["seq_len"] if divide else 1.0
    low, high = (rows[f"{y}{end}"] / by if f"{y}{end}" in rows else math.nan for end in ("_low", "_high"))
    frame = pd.DataFrame({"x": rows[x], "y": rows[y] / by, "low": low, "high": high}).dropna(subset=["y"])
    return Line(frame.sort_values("x"), look)


def draw_lines(
    ax: Axes,
    lines: Sequence[Line],
    labels: tuple[str, str],
    limits: tuple[float, float],
    kind: str,
    shares: bool = False,
) -> None:
    """Lines with bands over logarithmic axes; `limits` of y are shared by panels that are to be compared. `shares` has
    x go from 0 to 100 %."""
    _plane(ax, [x for each in lines for x in each.frame["x"]], labels, limits, kind, shares)
    for number, each in enumerate(lines):
        frame, look = each.frame, each.look
        # Memory has no bands and is often equal: what lies below shows at the edges of what lies on it.
        below = 1.3 * (len(lines) - 1 - number) if kind == "bytes" else 0.0
        if frame["low"].notna().any():
            ax.fill_between(frame["x"], frame["low"], frame["high"], color=look.colour, alpha=0.18, lw=0, zorder=2,
                            gid=gid(BAND, frame.index[0]))  # fmt: skip
        size, width = 6.2 * look.scale + 1.4 * below, 1.9 + below
        style: dict[str, Any] = look.mark | ({"dashes": look.dashes} if look.dashes else {})
        style |= {"gid": gid(MARKS, *frame.index)}
        ax.plot(frame["x"], frame["y"], markersize=size, linewidth=width, zorder=3 + number, clip_on=False, **style)


_TICKS: dict[str, Callable[[float], str]] = {"bytes": tick_size, "ratio": "{:g}×".format}
"""How the ticks of y are written; those of seconds otherwise."""


def _plane(
    ax: Axes, xs: Sequence[float], labels: tuple[str, str], limits: tuple[float, float], kind: str, shares: bool
) -> None:
    """Axes with few, readable ticks and a quiet grid: logarithmic, but for shares."""
    if shares:
        ax.set_xticks(SHARES, [whole_percent(share) for share in SHARES])
        ax.set_xlim(0, 1.06)  # the last label is as wide
    else:
        ax.set_xscale("log")
        ticks = thinned(sorted(set(xs)))
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        pad = max((max(xs) / min(xs)) ** 0.05, 1.1)
        ax.set_xlim(min(xs) / pad, max(xs) * pad)
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.set_ylim(*limits)
    heights = ticks_between(*limits, base=2 if kind == "bytes" else 10)
    ax.set_yticks(heights, [_TICKS.get(kind, tick_time)(tick) for tick in heights])
    dress(ax, *labels)


def dress(ax: Axes, across: str, up: str = "", grid: Literal["both", "x", ""] = "both") -> None:
    """No box, no tick marks, ink that is the page's; below the plane what it shows across, above it what upwards."""
    ax.set_axisbelow(True)
    ax.patch.set_visible(False)
    for name, spine in ax.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(MUTED)
        spine.set_linewidth(0.8)
    ax.tick_params(length=0, pad=5, labelsize=FONT, labelcolor=INK)
    if grid:
        ax.grid(True, axis=grid, color=GRID, linewidth=0.8)
    ax.set_xlabel(across, color=MUTED, fontsize=FONT, labelpad=3)
    if up:
        ax.text(0, 1.03, up, transform=ax.transAxes, color=MUTED, fontsize=FONT, va="bottom", ha="left")


@dataclass(frozen=True)
class Tile:
    """One square of a heatmap: a ratio, whether its interval keeps clear of 1, what is written on it, and the row of
    `Scene.cells` that it is of; `kind` is TILE where the ratio is over the baseline."""

    column: int
    row: int
    ratio: float
    decided: bool
    text: str
    cell: int
    kind: str = TILE


def draw_heat(ax: Axes, tiles: Sequence[Tile], columns: Sequence[int], rows: Sequence[int]) -> None:
    """A heatmap of ratios, hidden size upwards and sequence length to the right."""
    small = heat_font(len(columns))
    for tile in tiles:
        fill, ink = heat(tile.ratio, tile.decided)
        x, y = columns.index(tile.column), rows.index(tile.row)
        draw_tile(ax, x, y, fill, gid(tile.kind, tile.cell))
        text = tile.text if len(columns) <= 6 else tile.text.replace("×", "")
        at = (x + 0.5, y + 0.48)
        ax.text(*at, text, color=ink, fontsize=small, ha="center", va="center", gid=gid(TEXT, tile.cell))
    heat_axes(ax, columns, rows)


def heat_font(columns: int) -> float:
    """Points that fit a tile of a heatmap with so many columns."""
    return FONT + 1 if columns <= 4 else FONT if columns <= 6 else FONT - 1.5 if columns <= 9 else FONT - 3


def draw_tile(ax: Axes, x: int, y: int, fill: str, name: str) -> None:
    """A square of a heatmap, its column and row counted from 0, under this gid."""
    ax.add_patch(Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, facecolor=fill, linewidth=0, gid=name))


def heat_axes(ax: Axes, columns: Sequence[int], rows: Sequence[int]) -> None:
    """The axes of a heatmap, hidden size upwards and sequence length to the right."""
    ax.set_xlim(0, len(columns))
    ax.set_ylim(0, len(rows))
    ax.set_xticks([k + 0.5 for k in range(len(columns))], [str(value) for value in columns])
    ax.set_yticks([k + 0.5 for k in range(len(rows))], [str(value) for value in rows])
    dress(ax, "steps (sequence length)", "hidden size", grid="")
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(labelsize=heat_font(len(columns)))


def draw_dots(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, Look], label: Callable[[str], str]) -> None:
    """Times of one case: a dot with its interval for each implementation, on a logarithmic axis."""
    low = float(rows[["seconds_low", "seconds"]].min(axis=1).min())
    high = float(rows[["seconds_high", "seconds"]].max(axis=1).max())
    for k, (cell, row) in enumerate(rows.iterrows()):
        look = looks[row["implementation"]]
        if row["seconds_low"] > 0:
            ax.plot([row["seconds_low"], row["seconds_high"]], [-k, -k], color=look.colour, linewidth=5, alpha=0.3)
        ax.plot([row["seconds"]], [-k], markersize=8 * look.scale, gid=gid(MARKS, cell), **look.mark)
    rows_of_times(ax, (low / 1.35, high * 1.35), list(map(label, rows["implementation"])), "time per call")


def rows_of_times(ax: Axes, limits: tuple[float, float], names: Sequence[str], across: str) -> None:
    """Axes for a row below the other, at y = 0, -1, ..., with its name, over times within limits, logarithmic."""
    ax.set_xscale("log")
    ax.minorticks_off()
    ax.set_xlim(*limits)
    ticks = ticks_between(*limits, most=5)
    ax.set_xticks(ticks, [tick_time(tick) for tick in ticks])
    ax.set_ylim(0.6 - len(names), 0.6)
    ax.set_yticks([-k for k in range(len(names))], list(names))
    dress(ax, across, grid="x")


def draw_ranking(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, Look], label: Callable[[str], str]) -> None:
    """Times of one case as bars, in the order of the rows, each with its interval and its speed-up behind it."""
    longest = float(rows[["seconds", "seconds_high"]].max(axis=None))
    for k, (cell, row) in enumerate(rows.iterrows()):
        look = looks[row["implementation"]]
        name, end = gid(POINT, cell), max(row["seconds"], row["seconds_high"] if row["seconds_high"] > 0 else 0)
        ax.barh(-k, row["seconds"], height=0.64, color=look.colour, linewidth=0, gid=name)
        if row["seconds_low"] > 0:
            ax.plot([row["seconds_low"], row["seconds_high"]], [-k, -k], color=INK, linewidth=1.2)
        told = "1×" if row["speedup"] == 1 else times(row["speedup"]) if row["speedup"] > 0 else ""
        ax.text(end + 0.015 * longest, -k, told, color=INK, fontsize=LARGE, va="center_baseline", ha="left")
    ax.set_xlim(0, 1.24 * longest)
    ax.set_ylim(0.6 - len(rows), 0.6)
    ax.set_yticks([-k for k in range(len(rows))], [label(name) for name in rows["implementation"]])
    ticks = [float(tick) for tick in ax.get_xticks() if 0 <= tick <= longest]
    ticks = ticks[:: math.ceil(len(ticks) / 3)]
    ax.set_xticks(ticks, [tick_time(tick) if tick else "0" for tick in ticks])
    dress(ax, "time per call, shorter is better", grid="x")
    ax.tick_params(labelsize=LARGE)
    ax.xaxis.label.set_fontsize(LARGE)


def thinned(values: Sequence[float]) -> list[float]:
    """Ticks that lie on measured values, but not so many that their labels meet."""
    step = math.ceil(len(values) / MOST_TICKS)
    return list(values[::-step][::-1])


def ticks_between(low: float, high: float, base: int = 10, most: int = 6) -> list[float]:
    """Round values within limits, the roundest of which there are three or more; powers of 2 for bytes."""
    if base == 2:
        powers = range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)
        return [2.0**k for k in powers][:: max(1, math.ceil(len(powers) / most))]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)):
        found = [float(f"{digit}e{k}") for k in decades for digit in digits if low <= float(f"{digit}e{k}") <= high]
        if len(found) >= 3:
            break
    return found[:: max(1, math.ceil(len(found) / most))]
