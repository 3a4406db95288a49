"""What to use: winners and regions in words, put together for the page and the summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.cases.case import MODES
from bench.report import prices
from bench.report.comparisons import prefixed, won_by
from bench.report.facets import axis_words, value_range, varying_axes
from bench.report.names import capital, codes, listed, short_names
from bench.report.pictures import heatmaps
from bench.report.pictures.palette import chip
from bench.report.pictures.scene import Picture, Scene
from bench.report.tables import Column, Entry
from bench.report.topics import ragged
from bench.report.units import times
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTEST, UNDECIDED
from bench.table.raggedness import choices, covered
from bench.table.regions import MERGED, Region, regions
from bench.table.stats import Estimate
from bench.table.winners import Winner, same_code, winners

GAIN = ("gain", "gain_low", "gain_high")
COLUMNS = ("fastest", "fastest_gain", "fastest_gain_low", "fastest_gain_high")
"""What `with_winners` adds: a name, `tie: a, b` or `undecided: a, b`, and the winner's gain over REFERENCE with its
interval; of a tie that of its first."""


def with_winners(cells: pd.DataFrame) -> pd.DataFrame:
    """Add COLUMNS to each row of a case that has a winner."""
    found, short = winners(cells), short_names(cells["implementation"])
    texts = {case: won_by(winner, short) for case, winner in found.items()}
    decided = {case: winner.at[0] for case, winner in found.items() if winner.decided}
    table = cells.assign(fastest=[texts.get(case, "") for case in cells["case"]])
    for column, gain in zip(COLUMNS[1:], GAIN, strict=True):
        values = cells[gain].tolist()
        table[column] = [values[decided[case]] if case in decided else math.nan for case in cells["case"]]
    return table


@dataclass(frozen=True)
class Line:
    """A region as a line of a table: where, the implementations that are or may be the fastest in all of it and their
    standing (`bench.table.comparison.standings`), whether no other may be, their gains, and how many cases."""

    where: str
    standing: str
    names: tuple[str, ...]
    alone: bool
    gains: tuple[Estimate, ...]
    cases: int

    @property
    def lead(self) -> str:
        """What comes before the names in a table: nothing before one that is the fastest."""
        if self.standing == UNDECIDED and not self.alone:
            return "undecided, always in the running:"
        return "" if self.standing == FASTEST else f"{self.standing}:"

    @property
    def gain(self) -> str:
        """The least and the greatest gain, each with its interval; or the only one."""
        return " to ".join(times(each.value, each.low, each.high) for each in self.gains)

    @property
    def sentence(self) -> str:
        """`Training, hidden 64 to 256: `mine`, 5.1× to 12.0× over `whole` (12 cases).`; an interval where there is but
        one gain."""
        gain = self.gain if len(self.gains) == 1 else " to ".join(times(each.value) for each in self.gains)
        over = f", {gain} over `{REFERENCE}`" if gain else ""
        cases = "" if self.cases == 1 else f" ({self.cases} cases)"
        return f"{capital(self.where)}: {self._who()}{over}{cases}."

    def _who(self) -> str:
        names = listed([f"`{name}`" for name in self.names])
        if self.standing != UNDECIDED:
            return prefixed(self.standing, [names])
        if self.alone:
            return f"undecided between {names}"
        return f"undecided, with {names} always in the running"


@dataclass(frozen=True)
class Key:
    """An entry of the heatmap's legend on the page: letters, their tile's style, and what they stand for."""

    code: str
    style: str
    name: str


@dataclass(frozen=True)
class Use:
    """What the report says of what to use; `notes` say what can't be said, and why, and how to run ragged batches."""

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
    shown = heatmaps.possible_winners(scene, won)
    letters, varying = codes(scene.short), varying_axes(scene.cells)
    chosen = choices(cells)
    rest = scene.cells[~scene.cells["case"].isin(covered(chosen, scene.cells["case"]))]
    return Use(
        [*_notes(scene, won), *ragged.advice(chosen)],
        [_line(region, scene, varying) for region in regions(rest, won)] if len(rest) else [],
        [Key(letters[name], chip(scene.looks[name]), scene.label(name)) for name in shown],
        heatmaps.picture(scene, won),
        *prices.table(cells),
        frozenset(winner.standing for winner in won.values()),
    )


def _line(region: Region, scene: Scene, varying: list[str]) -> Line:
    names = tuple(scene.label(name) for name in region.names)
    return Line(where(region, varying), region.standing, names, region.alone, tuple(region.gains), region.cases)


def where(region: Region, varying: Sequence[str]) -> str:
    """`training, hidden 64 to 256, 1 to 512 steps`, with whatever else varies in the run before it."""
    named = {"input": "input_size"}
    words = [axis_words(axis, value) for axis, value in region.fixed.items() if named.get(axis, axis) in varying]
    words.append(listed([str(mode) for mode in region.spans["mode"]]))
    axes = [axis for axis in MERGED[1:] if axis != "batch_size" or axis in varying]
    return ", ".join([*words, *(value_range(axis, region.spans[axis]) for axis in axes)])


def _notes(scene: Scene, won: Mapping[str, Winner]) -> list[str]:
    """What can't be said, and why."""
    names, cases = set(scene.cells["implementation"]), scene.cells["case"].nunique()
    notes = []
    if len(names) < 2:
        notes.append("Only one implementation was measured: there is nothing to choose between.")
    elif scene.cells["passes"].max() < 2:
        notes.append("No winner is named: one pass gives no interval.")
    elif len(won) < cases:
        why = "one implementation, one pass, or no shared rounds"
        notes.append(f"{cases - len(won)} of {cases} cases have no winner: {why}.")
    if REFERENCE not in names:
        notes.append(f"`{REFERENCE}` was not measured: no gain over it is known.")
    for mode in MODES:
        for name, others in same_code(scene.cells[scene.cells["mode"] == mode], scene.names).items():
            who = listed([f"`{scene.label(other)}`" for other in others])
            notes.append(
                f"In {mode}, {who} {'runs' if len(others) == 1 else 'run'} the code of `{scene.label(name)}`: "
                "one entry there."
            )
    return notes
