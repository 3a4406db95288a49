"""The pictures of a report: which panels there are and what each shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from bench.cases.case import MODES
from bench.report.answer import by_time, usual_rows
from bench.report.comparisons import Context
from bench.report.facets import Setting, pick, usual_case
from bench.report.names import axis_value
from bench.report.pictures.drawing import draw_dots, draw_lines, draw_ranking, line
from bench.report.pictures.heatmaps import crossover_panels, speedup_panels
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.report.units import duration

_BAND_ROOM = 4
"""How far beyond the values bands may stretch an axis; after two passes they reach decades out and are cut off."""

LENGTH, HIDDEN = "steps (sequence length)", "hidden size"


@dataclass(frozen=True)
class _Plot:
    """A kind of line plot: what lies along x, what up y, and which axis is fixed per panel, at how many values."""

    x: str
    y: str
    fixed: str
    most: int
    label: str
    divide: bool = False


_TIME_LENGTH = _Plot("seq_len", "seconds", "hidden_size", 3, "time per call")
_TIME_HIDDEN = _Plot("hidden_size", "seconds", "seq_len", 3, "time per call")
_STEP = _Plot("seq_len", "seconds", "hidden_size", 3, "time per step", divide=True)
_MEMORY = _Plot("seq_len", "peak_bytes", "hidden_size", 3, "peak memory")


def pictures(scene: Scene) -> list[Picture]:
    """Every picture that this run has data for, in the order of the page; `main` first."""
    found = [
        _lines(scene, "time-length", "Time against sequence length", _TIME_LENGTH),
        _lines(scene, "time-hidden", "Time against hidden size", _TIME_HIDDEN),
        picture_of("speedup", f"Speed-up over {_base(scene)}", _speedups(scene)),
        _lines(scene, "step", "Cost per step", _STEP),
        picture_of("crossover", "CPU against GPU", [Group("", crossover_panels(scene), 2)]),
        _lines(scene, "memory", "Peak memory of one call", _MEMORY),
    ]
    if not any(picture.name.startswith("time") for picture in found if picture):
        found.insert(0, picture_of("time-case", "Time of one call", _dots(scene)))
    there = [picture for picture in [_answer(scene), *found] if picture]
    return [picture for picture in (_main(scene, there),) if picture] + there


def _answer(scene: Scene) -> Picture | None:
    """Bars of the usual case of each device, a panel for each mode, in the order of the answer's table."""
    if scene.cells.empty:
        return None
    context = Context(scene.cells, scene.baseline)
    panels = []
    for device in context.devices:
        rows = usual_rows(context.on(device))
        order = by_time(context, rows)
        for mode in MODES:
            here = rows[rows["mode"] == mode]
            here = here.iloc[sorted(range(len(here)), key=lambda k: order.index(here["implementation"].iloc[k]))]
            if len(here) > 1:
                panels.append(_bars(scene, context, here, f"{mode.capitalize()}{context.on_several(device)}"))
    return picture_of("answer", "Time of one call", [Group("", panels, 2)], [])


def _bars(scene: Scene, context: Context, rows: pd.DataFrame, title: str) -> Panel:
    names = [scene.label(name) for name in rows["implementation"]]
    told = ", ".join(f"{name} {duration(seconds)}" for name, seconds in zip(names, rows["seconds"], strict=True))
    draw = partial(draw_ranking, rows=rows, looks=scene.looks, label=scene.label)
    alt = f"Time per call, {title}, at {context.place(rows.iloc[0])}: {told}."
    return Panel(title, alt, draw, 1.0 + 0.4 * len(rows), min(2.4, 0.35 + 0.108 * max(map(len, names))))


def _speedups(scene: Scene) -> list[Group]:
    """Heatmaps, the implementations of a mode side by side where they are few."""
    groups = scene.groups(partial(speedup_panels, scene))
    return [
        replace(group, columns=min(4, max(2, len({panel.of for panel in group.panels if not panel.page_only}))))
        for group in groups
        if any(not panel.page_only for panel in group.panels)
    ]


def _base(scene: Scene) -> str:
    return scene.short.get(scene.baseline, scene.baseline)


def _lines(scene: Scene, name: str, title: str, plot: _Plot) -> Picture | None:
    groups = []
    for setting in scene.settings:
        panels = list(_line_panels(scene, setting, plot))
        modes = setting.cells["mode"].nunique()
        groups.append(Group(setting.title, panels, max(1, math.ceil(len(panels) / modes)), scene.folded(setting)))
    return picture_of(name, title, groups)


def _line_panels(scene: Scene, setting: Setting, plot: _Plot) -> Iterator[Panel]:
    """A panel for each mode and each of a few values of the fixed axis that have two or more points along x."""
    cells = setting.cells.dropna(subset=[plot.y])
    spread = cells.groupby(plot.fixed)[plot.x].nunique()
    values = pick([int(value) for value in spread.index[spread > 1]], plot.most)
    for mode in MODES:
        for value in values:
            rows = cells[(cells["mode"] == mode) & (cells[plot.fixed] == value)]
            if rows[plot.x].nunique() > 1:
                title = f"{mode.capitalize()}, {axis_value(plot.fixed, value)}"
                yield _line_panel(scene, rows, title, plot, _limits(cells[cells[plot.fixed] == value], plot))


def _line_panel(scene: Scene, rows: pd.DataFrame, title: str, plot: _Plot, limits: tuple[float, float]) -> Panel:
    names = [name for name in scene.names if name in set(rows["implementation"])]
    lines = [
        line(rows[rows["implementation"] == name], plot.x, plot.y, scene.looks[name], plot.divide) for name in names
    ]
    labels = (LENGTH if plot.x == "seq_len" else HIDDEN, plot.label)
    kind = "bytes" if plot.y == "peak_bytes" else "time"
    shown = ", ".join(scene.label(name) for name in names)
    draw = partial(draw_lines, lines=lines, labels=labels, limits=limits, kind=kind)
    return Panel(title, f"{plot.label} against {labels[0]}. {title}. Lines: {shown}.", draw)


def _limits(cells: pd.DataFrame, plot: _Plot) -> tuple[float, float]:
    """Limits of y, with some room, that both modes share: their panels are to be compared."""
    if cells.empty:
        return (1.0, 10.0)
    by = cells["seq_len"] if plot.divide else 1.0
    values = cells[plot.y] / by
    low, high = float(values.min()), float(values.max())
    if f"{plot.y}_low" in cells:
        low = max(low / _BAND_ROOM, _or(float((cells[f"{plot.y}_low"] / by).min()), low))
        high = min(high * _BAND_ROOM, _or(float((cells[f"{plot.y}_high"] / by).max()), high))
    room = max((high / low) ** 0.04, 1.25)
    return low / room, high * room


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value


def _dots(scene: Scene) -> Iterator[Group]:
    """For runs of single cases, where no line can be drawn: a panel for each of up to twelve cases."""
    left = 0.4 + 0.085 * max((len(name) for name in scene.short.values()), default=0)
    for setting in scene.settings:
        panels = []
        for _, rows in list(setting.cells.groupby("case", sort=True))[:12]:
            order = [name for name in scene.names if name in set(rows["implementation"])]
            first = rows.iloc[0]
            size = f"hidden {first['hidden_size']}, {axis_value('seq_len', first['seq_len'])}"
            title = f"{first['mode'].capitalize()}, {size}"
            sorted_rows = rows.set_index("implementation", drop=False).loc[order]
            draw = partial(draw_dots, rows=sorted_rows, looks=scene.looks, label=scene.label)
            alt = f"Time per call of {', '.join(map(scene.label, order))}. {title}."
            panels.append(Panel(title, alt, draw, 1.1 + 0.38 * len(order), min(left, 2.2)))
        yield Group(setting.title, panels, 2)


def _main(scene: Scene, there: list[Picture]) -> Picture | None:
    """The picture for a README: time against length at the usual hidden size, and the speed-ups, both modes."""
    if not there:
        return None
    setting = max(scene.settings, key=lambda each: (each.device == "cpu", len(each.cells)))
    usual = setting.cells[setting.cells["case"] == usual_case(setting.cells)].iloc[0]
    panels = []
    for plot in (_TIME_LENGTH, _TIME_HIDDEN):
        rows = setting.cells[setting.cells[plot.fixed] == usual[plot.fixed]]
        by_mode = [(mode, rows[rows["mode"] == mode]) for mode in MODES]
        drawable = [(mode, part) for mode, part in by_mode if part[plot.x].nunique() > 1]
        for mode, part in drawable:
            title = f"{mode.capitalize()}, {axis_value(plot.fixed, usual[plot.fixed])}"
            panels.append(_line_panel(scene, part, title, plot, _limits(rows, plot)))
        if panels:
            break
    panels += speedup_panels(scene, setting, only_focus=True)
    title = "Time of one call, and speed-up over " + _base(scene)
    panels = panels or there[0].groups[0].panels[:4]
    return Picture("main", title, [Group("", panels, 2)])
