"""The picture of ragged batches: time of a useful step by how much of a batch is padding, a line for each
implementation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from bench.cases.case import FIELDS, MODES
from bench.report.facets import axis_words
from bench.report.names import in_order
from bench.report.pictures.drawing import draw_lines, line
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.table.raggedness import ragged

_WITHIN = ("network", "mode", "lengths")
"""What varies among the panels of a group, and along x."""


def picture(scene: Scene) -> Picture | None:
    """A panel for each network and mode with two paddings or more, the modes side by side; all else that varies makes
    groups."""
    rows = ragged(scene.cells)
    axes = [axis for axis in FIELDS if axis not in _WITHIN and rows[axis].nunique() > 1]
    parts = list(rows.groupby(axes, sort=True)) if axes else [((), rows)]
    groups = [
        Group(
            _title(axes, values), list(_panels(scene, part)), max(1, part["mode"].nunique()), k > 0 and len(parts) > 3
        )
        for k, (values, part) in enumerate(parts)
    ]
    return picture_of("ragged", "Time of a useful step against padding", groups)


def _title(axes: list[str], values: tuple[object, ...]) -> str:
    return " · ".join(axis_words(axis, value) for axis, value in zip(axes, values, strict=True))


def _panels(scene: Scene, part: pd.DataFrame) -> Iterator[Panel]:
    for network in in_order(part["network"]):
        own = part[part["network"] == network]
        for mode in MODES:
            rows = own[own["mode"] == mode]
            if rows["padding"].nunique() > 1:
                yield _panel(scene, rows, f"{network}, {mode}", _limits(own))


def _panel(scene: Scene, rows: pd.DataFrame, title: str, limits: tuple[float, float]) -> Panel:
    names = [name for name in scene.names if name in set(rows["implementation"])]
    lines = [
        line(rows[rows["implementation"] == name], "padding", "useful_seconds", scene.looks[name]) for name in names
    ]
    labels = ("padding (share of the steps of a batch)", "time per useful step")
    draw = partial(draw_lines, lines=lines, labels=labels, limits=limits, kind="time", shares=True)
    shown = ", ".join(map(scene.label, names))
    return Panel(title, f"{labels[1]} against {labels[0]}. {title}. Lines: {shown}.", draw)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Limits of y for all modes of a network; bands that go beyond are cut off."""
    values = rows["useful_seconds"]
    return float(values.min()) / 1.5, float(values.max()) * 1.5
