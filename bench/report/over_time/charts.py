"""The pictures of a history, for its page: a chart for each cell, one for each of its meters that changed, and one of
all cells. Runs stand side by side, in order, whatever time lies between them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.cases.case import Cell
from bench.history.changes import TIME, Change, Found, Level
from bench.history.series import History, Series
from bench.report.labels import Labels
from bench.report.over_time import told
from bench.report.pictures.drawing import BAND, FONT, MARKS, dress, gid
from bench.report.pictures.palette import COLOURS, INK, MUTED, Look
from bench.report.pictures.render import Panel

HEIGHT, WIDE, HIGH = 2.7, 9.0, 3.9
"""Inches: of a cell's chart; of that of all cells."""

MOST_DAYS = {4.5: 3, WIDE: 6}
"""Dates below a chart that is so wide; more would meet."""

WORSE, BETTER = COLOURS["slow-3"][0], COLOURS["fast-3"][0]

_ROLES = 29
_DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.6), (1.2, 1.4), (5, 1.5, 1.2, 1.5))


@dataclass(frozen=True)
class Drawn:
    """A cell as the page shows it: its chart and those of meters that changed."""

    cell: Cell
    panels: list[Panel]


def look(number: int) -> Look:
    """How the cell of this number is drawn among all."""
    return Look(f"series-{number % _ROLES}", "o", _DASHES[number // 8 % len(_DASHES)])


def of_cell(history: History, found: Found, cell: Cell, points: dict[tuple[Cell, int], int]) -> Drawn:
    """The charts of one cell; `points` numbers the points of all charts by cell and run."""
    own, labels = history.of(cell), Labels(history.cells)
    changes = [change for change in found.changes if change.cell == cell]
    timed = [change for change in changes if change.what == TIME and not change.causes]
    draw = partial(_draw_cell, history=history, series=own, found=found, changes=timed, points=points)
    about = "; ".join(f"{told.effect(change)} {told.place(history, change)}" for change in timed) or "no change found"
    title = f"{labels.implementation(cell)}, {labels.case(cell)}"
    panels = [Panel(title, f"Time over the control's of {title}, run by run: {about}.", draw, HEIGHT)]
    for meter in dict.fromkeys(change.what for change in changes if change.what != TIME):
        steps = [change for change in changes if change.what == meter]
        said = "; ".join(f"{told.effect(change)} {told.place(history, change)}" for change in steps)
        name = told.METER_NAMES[meter]
        draw = partial(_draw_meter, history=history, series=own, meter=meter, changes=steps)
        panels.append(Panel(f"{title}: {name} of a call", f"{name} of {title}, run by run: {said}.", draw, HEIGHT))
    return Drawn(cell, panels)


def overlaid(history: History, found: Found) -> Panel:
    """All cells on one chart, each over its own first level, so that 1 is where it began."""
    draw = partial(_draw_all, history=history, found=found)
    return Panel("", "Time of every cell over its first level, run by run.", draw, HIGH, width=WIDE)


def _draw_cell(
    ax: Axes,
    history: History,
    series: Sequence[Series],
    found: Found,
    changes: Sequence[Change],
    points: dict[tuple[Cell, int], int],
) -> None:
    """A point with its interval for each run, a line at each level, a mark where it changed."""
    _handovers(ax, history)
    for each in series:
        known = [not math.isnan(low) for low in each.lows]
        ends = zip(each.runs, each.lows, each.highs, known, strict=True)
        for number, low, high in ((number, low, high) for number, low, high, there in ends if there):
            ax.plot([number, number], [low, high], color=MUTED, linewidth=0.9, alpha=0.55, zorder=2)
        numbers = [points[each.cell, number] for number in each.runs]
        style: dict[str, Any] = {
            "color": COLOURS["series-2"][0],
            "marker": "o",
            "markeredgewidth": 0,
            "linestyle": "none",
        }
        ax.plot(each.runs, each.ratios, markersize=4.6, zorder=4, clip_on=False, gid=gid(MARKS, *numbers), **style)
        _levels(ax, found.levels[each.cell, each.fingerprint])
    _marks(ax, changes)
    lowest = min(min(each.ratios) for each in series)
    highest = max(max(each.ratios) for each in series)
    room = 0.18 * (highest - lowest) or 0.05 * highest
    ax.set_ylim(lowest - room, highest + room)
    _plane(ax, history, "time over the control's", 4.5)


def _levels(ax: Axes, levels: Iterable[Level]) -> None:
    for level in levels:
        ends = [level.first - 0.4, level.last + 0.4]
        ax.plot(ends, [level.value] * 2, color=INK, linewidth=1.6, zorder=3, solid_capstyle="butt")


def _marks(ax: Axes, changes: Iterable[Change]) -> None:
    """Where something changed: a line, and a band over all runs between which it may have been."""
    for change in changes:
        colour = WORSE if change.is_worse else BETTER
        first, last = change.place.first + 0.5, change.place.last - 0.5
        if last > first:
            ax.axvspan(first, last, color=colour, alpha=0.18, linewidth=0, zorder=1)
        ax.axvline(change.place.at - 0.5, color=colour, linewidth=1.5, dashes=(4, 2), zorder=2)


def _draw_meter(ax: Axes, history: History, series: Sequence[Series], meter: str, changes: Sequence[Change]) -> None:
    """A step for each run that has this meter; nothing is uncertain."""
    _handovers(ax, history)
    known = sorted(
        (number, values[meter])
        for each in series
        for number, values in zip(each.runs, each.meters, strict=True)
        if meter in values
    )
    numbers, values = zip(*known, strict=True)
    ax.step(numbers, values, where="mid", color=COLOURS["series-3"][0], linewidth=2, zorder=3)
    _marks(ax, [change for change in changes if not change.causes])
    ax.set_ylim(0, 1.18 * max(values) or 1)
    _plane(ax, history, told.METER_NAMES[meter], 4.5)
    ax.set_yticks(ax.get_yticks(), [told.meter_value(meter, tick) for tick in ax.get_yticks()])
    ax.set_ylim(0, 1.18 * max(values) or 1)


def _draw_all(ax: Axes, history: History, found: Found) -> None:
    """A line through the runs of each cell, under its number, so that the page can hide it."""
    _handovers(ax, history)
    lowest = highest = 1.0
    for number, cell in enumerate(history.cells):
        own = sorted(history.of(cell), key=lambda each: each.runs[0])
        first = found.levels[cell, own[0].fingerprint][0].value
        at = sorted((run, ratio / first) for each in own for run, ratio in zip(each.runs, each.ratios, strict=True))
        runs, ratios = zip(*at, strict=True)
        lowest, highest = min(lowest, *ratios), max(highest, *ratios)
        drawn = look(number)
        style: dict[str, Any] = {"dashes": drawn.dashes} if drawn.dashes else {}
        ax.plot(runs, ratios, color=drawn.colour, linewidth=1.8, zorder=3, gid=gid(BAND, number), **style)
    room = 0.08 * (highest - lowest) or 0.05
    ax.set_ylim(lowest - room, highest + room)
    _plane(ax, history, "time over that of its first level", WIDE)
    ax.set_yticks(ax.get_yticks(), [f"{tick:.3g}×" for tick in ax.get_yticks()])
    ax.set_ylim(lowest - room, highest + room)


def _handovers(ax: Axes, history: History) -> None:
    """Another machine or software, from here on."""
    for each in history.handovers:
        between = (each.last + each.first) / 2
        ax.axvline(between, color=MUTED, linewidth=1.2, zorder=1)


def _plane(ax: Axes, history: History, up: str, width: float) -> None:
    """Axes with a date below some of the runs."""
    count = len(history.runs)
    ax.set_xlim(-0.9, count - 0.1)
    most = min(MOST_DAYS[width], count)
    ticks = [round(k * (count - 1) / (most - 1)) for k in range(most)] if most > 1 else [0]
    ax.set_xticks(ticks, [told.day(history.runs[tick]) for tick in ticks])
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    dress(ax, "", up, grid="both")
    ax.grid(False, axis="x")
    ax.tick_params(labelsize=FONT - 0.5)
    labels = ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right" if most > 1 else "left")
