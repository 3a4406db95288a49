"""The roofline: operations per second that each cell reached, under what the machine allows at its intensity.

Intensity is operations per byte that must be read or written, both counted from the Case (`bench.why.floor`), as in
Williams, Waterman and Patterson, Communications of the ACM 52(4), 2009, 65-76.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bench.cases.case import MODES, Case
from bench.report.facets import Setting
from bench.report.names import axis_value
from bench.report.pictures.drawing import FONT, dress
from bench.report.pictures.palette import INK, MUTED, Look
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Picture, Scene, picture_of
from bench.report.units import missing
from bench.why.floor import levels, peak
from bench.why.limits.limits import Limits
from bench.why.work import NoFloor, work

HEIGHT = 3.6
NEAR = 0.07
"""Share of the height within which two sizes have no room for a label each."""


@dataclass(frozen=True)
class Point:
    """One cell: intensity, operations per second, how it looks, and its hidden size."""

    intensity: float
    rate: float
    look: Look
    hidden_size: int


@dataclass(frozen=True)
class Roof:
    """What a place to read from allows: bytes per second; the flat part is the same for all."""

    name: str
    rate: float


def picture(scene: Scene, limits: Limits) -> Picture | None:
    """A panel for each mode and setting on the CPU, at the longest sequence measured."""
    return picture_of(
        "roofline",
        "What was reached of what the machine allows",
        scene.groups(lambda setting: _panels(scene, setting, limits) if setting.device == "cpu" else ()),
    )


def _panels(scene: Scene, setting: Setting, limits: Limits) -> Iterator[Panel]:
    longest = setting.cells[setting.cells["seq_len"] == setting.cells["seq_len"].max()]
    for mode in MODES:
        rows = longest[longest["mode"] == mode]
        if rows.empty:
            continue
        case = Case.parse(rows["case"].iloc[0])
        try:
            top = peak(limits, case.dtype, case.threads)
            roofs = [Roof(name, rate) for name, _, rate in levels(limits, case)]
            points = [_point(scene, row) for _, row in rows.iterrows()]
        except NoFloor:
            return
        nearest = rows["gap"].min()
        title = f"{mode.capitalize()}, {axis_value('seq_len', case.seq_len)}"
        alt = (
            f"Operations per second against operations per byte. {title}. The nearest takes {nearest:.1f} × its floor."
        )
        yield Panel(title, alt, partial(draw_roofline, points=points, roofs=roofs, peak=top), HEIGHT)


def _point(scene: Scene, row: pd.Series) -> Point:
    useful = row.get("useful_steps")
    steps = None if missing(useful) else int(useful)
    asked = work(Case.parse(row["case"]), counted=row.get("products"), useful_steps=steps)
    size = asked.layers * asked.links * asked.weights + asked.once
    rate = asked.operations / row["seconds"]
    return Point(asked.operations / size, rate, scene.looks[row["implementation"]], row["hidden_size"])


def draw_roofline(ax: Axes, points: Sequence[Point], roofs: Sequence[Roof], peak: float) -> None:
    """Roofs as lines with their names, cells as marks with their hidden sizes."""
    intensities = [point.intensity for point in points]
    left = min(min(intensities) / 12, peak / roofs[0].rate / 8)  # room for a name on each roof
    right = max(*(6 * each for each in intensities), 1.5 * peak / roofs[-1].rate)
    low, high = min(point.rate for point in points) / 2, 2.5 * peak
    _logarithmic(ax, (left, right), (low, high))
    ax.plot([left, right], [peak, peak], color=INK, linewidth=1.4, zorder=2)
    _write(ax, right, 1.1 * peak, f"products {peak / 1e9:.0f} GFLOP/s", INK, "right", "bottom")
    for roof in roofs:
        end = min(right, peak / roof.rate)
        ax.plot([left, end], [left * roof.rate, end * roof.rate], color=MUTED, linewidth=1.1, zorder=2)
        begin = max(1.1 * left, 1.1 * low / roof.rate)
        _along(ax, (begin, begin * roof.rate), f"{roof.name} {roof.rate / 1e9:.0f} GB/s")
    for point in points:
        look = point.look
        ax.plot([point.intensity], [point.rate], markersize=7 * look.scale, zorder=4, **look.mark)
    for x, y, text in sizes(points, (high / low) ** NEAR):
        _write(ax, 1.18 * x, y, text, INK, "left", "center")


def sizes(points: Sequence[Point], near: float) -> Iterator[tuple[float, float, str]]:
    """The hidden sizes, each at its best point; those within a factor of the next together, right of all of them
    -> where each label stands, and its text."""
    best: dict[int, Point] = {}
    for point in sorted(points, key=lambda point: point.rate):
        best[point.hidden_size] = point
    rows: list[list[Point]] = []
    for point in sorted(best.values(), key=lambda point: point.rate):
        if not rows or point.rate > near * rows[-1][-1].rate:
            rows.append([])
        rows[-1].append(point)
    for row in rows:
        own = sorted(point.hidden_size for point in row)
        whole = len(own) > 2 and own == [size for size in sorted(best) if own[0] <= size <= own[-1]]
        text = f"{own[0]} to {own[-1]}" if whole else ", ".join(map(str, own))
        yield max(point.intensity for point in row), math.sqrt(row[0].rate * row[-1].rate), text


def _along(ax: Axes, at: tuple[float, float], text: str) -> None:
    """Write on a roof's slope, which is one decade up for one across."""
    (x, y), (x_next, y_next) = ax.transData.transform([at, (10 * at[0], 10 * at[1])])
    angle = math.degrees(math.atan2(y_next - y, x_next - x))
    ax.annotate(
        text,
        at,
        (0, 2),
        textcoords="offset points",
        color=MUTED,
        fontsize=FONT,
        rotation=angle,
        rotation_mode="anchor",
        va="bottom",
        ha="left",
    )


def _write(ax: Axes, x: float, y: float, text: str, colour: str, across: str, up: str) -> None:
    ax.text(x, y, text, color=colour, fontsize=FONT, ha=across, va=up, zorder=5)


def _logarithmic(ax: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    """Both axes, with few ticks."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.set_xlim(*across)
    ax.set_ylim(*up)
    decades = [10.0**k for k in range(4, 17) if up[0] <= 10.0**k <= up[1]]
    ax.set_yticks(decades, [f"{tick / 1e9:g}" for tick in decades])
    ticks = [tick for tick in (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000) if across[0] <= tick <= across[1]]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    dress(ax, "operations per byte", "GFLOP/s; numbers are hidden sizes")
