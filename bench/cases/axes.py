"""The axis options that every command shares."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cases.case import FIELDS
from bench.cases.presets import Grid, parse_axis

AXES = tuple(name for name in FIELDS if name != "device")

Axis = Annotated[str, typer.Option(help="Override this axis: 64,128 or 1:1024:x2.", rich_help_panel="Axes")]


def axis_overrides(given: dict[str, str]) -> Grid:
    """{axis: text as typed} -> the grid that overrides a preset's. Raises ValueError naming the axis."""
    return {axis: parse_axis(axis, text) for axis, text in given.items() if text}
