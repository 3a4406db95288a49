"""Everything the report says of what to use, put together for the page and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from bench.cases.case import MODES
from bench.report import prices
from bench.report.facets import varying_axes
from bench.report.names import capital, codes, listed
from bench.report.pictures import heatmaps
from bench.report.pictures.palette import chip
from bench.report.pictures.scene import Picture, Scene
from bench.report.tables import Column, Entry
from bench.table.cells import REFERENCE
from bench.table.comparison import UNDECIDED
from bench.table.regions import Region, gains, regions, where
from bench.table.winners import Winner, prefix, same_code, winners


@dataclass(frozen=True)
class Line:
    """A region as a line of a table: where, the implementations that are or may be the fastest there and their standing
    (`bench.table.comparison.standings`), their gain, and how many cases."""

    where: str
    standing: str
    names: tuple[str, ...]
    gain: str
    cases: int

    @property
    def sentence(self) -> str:
        """`Training, hidden 64 to 256: `mine`, 5.1× [5.0, 5.2] to 12.0× [11.8, 12.2] over `whole` (12 cases).`"""
        names = listed([f"`{name}`" for name in self.names])
        who = f"undecided between {names}" if self.standing == UNDECIDED else f"{prefix(self.standing)}{names}"
        gain = f", {self.gain} over `{REFERENCE}`" if self.gain else ""
        cases = "" if self.cases == 1 else f" ({self.cases} cases)"
        return f"{capital(self.where)}: {who}{gain}{cases}."


@dataclass(frozen=True)
class Key:
    """An entry of the heatmap's legend on the page: letters, their tile's style, and what they stand for."""

    code: str
    style: str
    name: str


@dataclass(frozen=True)
class Use:
    """What the report says of what to use; `notes` say what can't be said, and why."""

    notes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    picture: Picture | None = None
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Entry]] = field(default_factory=list)
    standings: frozenset[str] = frozenset()


def use(cells: pd.DataFrame, scene: Scene) -> Use:
    """What to use, by a table of cells; nothing for a run in which nothing was measured."""
    if scene.cells.empty:
        return Use()
    won = winners(cells)
    shown = heatmaps.contenders(scene, won)
    letters, varying = codes(scene.short), varying_axes(scene.cells)
    return Use(
        _notes(scene, won),
        [_line(region, scene, varying) for region in regions(scene.cells, won)],
        [Key(letters[name], chip(scene.looks[name]), scene.label(name)) for name in shown],
        heatmaps.picture(scene, won),
        *prices.table(cells),
        frozenset(winner.standing for winner in won.values()),
    )


def _line(region: Region, scene: Scene, varying: list[str]) -> Line:
    names = tuple(scene.label(name) for name in region.names)
    return Line(where(region, varying), region.standing, names, gains(region), region.cases)


def _notes(scene: Scene, won: Mapping[str, Winner]) -> list[str]:
    """What can't be said, and why."""
    ways, cases = set(scene.cells["implementation"]), scene.cells["case"].nunique()
    notes = []
    if len(ways) < 2:
        notes.append("One way alone was measured, so that there is nothing to choose between.")
    elif scene.cells["passes"].max() < 2:
        notes.append("No winner is named: one pass gives no interval.")
    elif len(won) < cases:
        why = "measured in one way alone, in one pass, or not in the same rounds"
        notes.append(f"{cases - len(won)} of {cases} cases have no winner: {why}.")
    if REFERENCE not in ways:
        notes.append(f"`{REFERENCE}` was not measured, so that there is no gain over it.")
    for mode in MODES:
        for name, others in same_code(scene.cells[scene.cells["mode"] == mode], scene.names).items():
            who = listed([f"`{scene.label(other)}`" for other in others])
            notes.append(f"In {mode}, {who} {'runs' if len(others) == 1 else 'run'} the code of `{scene.label(name)}`: "
                         "one entry there.")  # fmt: skip
    return notes
