"""A history as files: its page, every point, every change. The same runs give the same bytes.

folder/index.html     the answer, the changes, a chart for each cell; in one file that needs no network
folder/history.csv    every point: see `bench.report.over_time.points.as_csv`
folder/changes.json   the answer and every change
"""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.cases.case import Cell
from bench.history.changes import Change, Found
from bench.history.series import History
from bench.history.shifts import LEVEL, MIN_POINTS
from bench.report.hover import as_json as for_script
from bench.report.labels import Labels
from bench.report.over_time import told
from bench.report.over_time.charts import Drawn, look, of_cell, overlaid
from bench.report.over_time.points import as_csv, as_json
from bench.report.page import WEB, code
from bench.report.pictures import palette
from bench.report.pictures.render import inline_svg, marker_svg, style
from bench.report.tables import facts
from bench.report.units import percent, times
from bench.store.files import write_atomically, write_json

AT_FIRST = 6
"""Cells that the chart of all shows at first: those that changed last."""


def write(history: History, found: Found, folder: Path) -> Path:
    """Write all of it into a folder -> the path of index.html. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "history.csv", as_csv(history, found).encode())
    write_json(folder / "changes.json", as_json(history, found))
    path = folder / "index.html"
    write_atomically(path, page(history, found).encode())
    return path


def page(history: History, found: Found) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = partial(code, titles={})
    changed = list(dict.fromkeys(change.cell for change in told.in_commits(found)))
    rest = [cell for cell in history.cells if cell not in changed]
    numbers = count()
    points = {(each.cell, run): next(numbers) for each in history.series for run in each.runs}
    with style(text_as_paths=False):
        drawn = {cell: _svgs(of_cell(history, found, cell, points), k) for k, cell in enumerate([*changed, *rest])}
        every = Markup(inline_svg(overlaid(history, found), "all"))
        samples = [Markup(marker_svg(look(k), f"cell{k}")) for k in range(len(history.cells))]
    labels = Labels(history.cells)
    shown = set((changed or history.cells)[:AT_FIRST])
    runs = history.runs
    return environment.get_template("history.html.j2").render(
        answer=told.answer(history, found),
        notes=told.notes(history, found),
        span=(told.day(runs[0]), told.day(runs[-1])),
        runs=runs,
        commits=history.commits,
        changes=[_row(history, change, labels) for change in told.in_commits(found)],
        handovers=_handovers(history, found, labels),
        changed=[(labels.whole(cell), drawn[cell]) for cell in changed],
        rest=[(labels.whole(cell), drawn[cell]) for cell in rest],
        every=every,
        legend=[
            {"name": _plainly(labels, cell), "sample": samples[k], "shown": cell in shown}
            for k, cell in enumerate(history.cells)
        ],
        cells=[_cell(history, found, cell, labels) for cell in history.cells],
        machines=_machines(history),
        alarms=percent(LEVEL),
        fewest=MIN_POINTS,
        css=Markup(f"{palette.css()}\n{_asset('style.css')}{_asset('history.css')}"),
        script=Markup(_asset("pictures.js") + _asset("history.js")),
        asked=Markup(for_script(_asked(history, labels))),
    )


def _svgs(drawn: Drawn, number: int) -> list[tuple[str, Markup]]:
    return [(panel.title, Markup(inline_svg(panel, f"cell-{number}-{k}"))) for k, panel in enumerate(drawn.panels)]


def _handovers(history: History, found: Found, labels: Labels) -> list[dict[str, Any]]:
    """Each change of machine or software, and the rows of what it changed."""
    return [
        {
            "differences": told.differences(each.differences),
            "commit": told.commit(history.runs[each.first]),
            "day": told.day(history.runs[each.first]),
            "caused": [_row(history, change, labels) for change in caused],
        }
        for each, caused in told.by_handover(found, history)
    ]


def _row(history: History, change: Change, labels: Labels) -> dict[str, Any]:
    runs, place = history.runs, change.place
    return {
        "id": change.id,
        "day": told.day(runs[place.at]),
        "whose": labels.whole(change.cell),
        "what": told.what(change),
        "effect": told.effect(change),
        "worse": change.is_worse,
        "first": told.commit(runs[place.first]),
        "last": told.commit(runs[place.last]),
    }


def _cell(history: History, found: Found, cell: Cell, labels: Labels) -> dict[str, Any]:
    """A line of the table of all cells: where it stands, since when, and its meters."""
    own = history.of(cell)
    last = max(own, key=lambda each: each.runs[-1])
    level, first = found.levels[cell, last.fingerprint][-1], found.levels[cell, own[0].fingerprint][0]
    meters = next((each for each in reversed(last.meters) if each), {})
    return {
        "whose": labels.whole(cell),
        "runs": sum(len(each.runs) for each in own),
        "now": times(level.value),
        "since": told.day(history.runs[level.first]),
        "whole": f"{told.signed(level.value / first.value - 1)} %",
        "meters": ", ".join(f"{told.meter_value(m, value)} {told.METER_NAMES[m]}" for m, value in meters.items()),
    }


def _machines(history: History) -> list[tuple[str, int, list[tuple[str, str]]]]:
    """Each machine and software: its fingerprint, how many runs, its facts."""
    found: dict[str, list[int]] = {}
    for number, run in enumerate(history.runs):
        found.setdefault(run.fingerprint, []).append(number)
    return [(name, len(numbers), facts(history.runs[numbers[-1]].machine)) for name, numbers in found.items()]


def _asked(history: History, labels: Labels) -> dict[str, Any]:
    """What the charts answer when they are pointed at; see `bench.report.hover`."""
    rows = [
        [
            f"{told.commit(history.runs[number])}, {told.day(history.runs[number])}",
            _plainly(labels, each.cell),
            f"{times(ratio, low, high)} the control's time",
            "",
            "",
        ]
        for each in history.series
        for number, ratio, low, high in zip(each.runs, each.ratios, each.lows, each.highs, strict=True)
    ]
    return {"cells": rows, "baselines": [""], "over": [[None] * len(rows)]}


def _plainly(labels: Labels, cell: Cell) -> str:
    return f"{labels.implementation(cell)}, {labels.case(cell)}"


def _asset(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")
