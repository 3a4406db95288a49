"""Heatmaps over hidden size and sequence length: speed-ups over the baseline, the GPU's over the CPU, and winners.

In the picture of winners each case is a tile, in the colour and with the letters of who won it, or of the first of a
tie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from bench.cases.case import MODES
from bench.report.comparisons import matched, side, won_by
from bench.report.facets import Setting
from bench.report.names import axis_value, codes
from bench.report.pictures.drawing import FONT, POINT, TILE, Tile, draw_heat, draw_tile, gid, heat_axes
from bench.report.pictures.palette import COLOURS, Look, ink_on
from bench.report.pictures.render import BOTTOM, TOP, Entry, Panel
from bench.report.pictures.scene import Picture, Scene, picture_of
from bench.report.units import missing, short_times, times
from bench.table.cells import REFERENCE, reached
from bench.table.comparison import FASTER, SLOWER, TIED, UNDECIDED, apart
from bench.table.winners import Winner

WIDE = "◊"
"""Marks an interval that is wider than the precision asked for."""


TIE = "="
"""Behind the letters of the first of a tie."""
OPEN = "?"
"""Written on a tile where more than two may be the fastest."""
_ROOM_FOR_GAINS = 9
"""Columns beyond which a tile has room for its letters alone."""


def speedup_panels(scene: Scene, setting: Setting, only_focus: bool = False) -> list[Panel]:
    """For each mode, one heatmap for each implementation; or for the one that main pictures tell of alone. That of the
    baseline is for the page, where another can be chosen."""
    cells = setting.cells[setting.cells["speedup"].notna()]
    cells = cells[cells["implementation"] != scene.baseline] if only_focus else cells
    names = [name for name in scene.names if name in set(cells["implementation"])]
    if only_focus and names:
        names = ["whole"] if "whole" in names else names[-1:]
    panels = []
    for mode in MODES:
        for name in names:
            rows = cells[(cells["mode"] == mode) & (cells["implementation"] == name)]
            if len(rows) > 1:
                title = f"{mode.capitalize()}: {scene.label(name)}"
                alt = f"{title}, speed-up over {scene.label(scene.baseline)}"
                panel = _panel(title, alt, _tiles(rows, scene.precision))
                panels.append(replace(panel, of=scene.label(name), page_only=name == scene.baseline))
    return panels


def _tiles(rows: pd.DataFrame, precision: float | None) -> list[Tile]:
    narrow = reached(rows, precision) if precision else pd.Series(True, index=rows.index)
    return [
        _ratio(row, row["speedup"], side(row) in (FASTER, SLOWER), TILE, "" if narrow[index] else f" {WIDE}")
        for index, row in rows.iterrows()
    ]


def _ratio(row: pd.Series, ratio: float, decided: bool, kind: str, mark: str = "") -> Tile:
    """A case's tile, on which the ratio is written as short as fits."""
    at = int(row["seq_len"]), int(row["hidden_size"])
    return Tile(*at, float(ratio), decided, short_times(ratio) + mark, int(str(row.name)), kind)


def _panel(title: str, alt: str, tiles: Sequence[Tile]) -> Panel:
    columns, rows = sorted({tile.column for tile in tiles}), sorted({tile.row for tile in tiles})
    told = "; ".join(f"hidden {tile.row}, {tile.column} steps: {tile.text}" for tile in tiles)
    height = TOP + BOTTOM + max(0.42 * len(rows), 1.0 if len(rows) > 1 else 0.6)
    return Panel(title, f"{alt}. {told}.", partial(draw_heat, tiles=tiles, columns=columns, rows=rows), height, 0.62)


def crossover_panels(scene: Scene) -> list[Panel]:
    """Where both are present: the CPU's time over the GPU's, for each implementation, mode and setting of both."""
    panels = []
    for name in scene.names:
        cells = scene.cells[scene.cells["implementation"] == name]
        both = matched(cells, "device", "cpu", "cuda")
        for mode in MODES:
            pairs = [pair for pair in both if pair[0]["mode"] == mode]
            for fixed, part in _by_setting(scene, pairs):
                tiles = [
                    _ratio(cpu, cpu["seconds"] / gpu["seconds"], apart(cpu, gpu, "seconds") != 0, POINT)
                    for cpu, gpu in part
                ]
                if len(tiles) > 1:
                    title = f"{mode.capitalize()}: {scene.label(name)}" + (f" · {fixed}" if fixed else "")
                    panels.append(_panel(title, f"Time on the CPU over time on the GPU, {title}", tiles))
    return panels


Pair = tuple[pd.Series, pd.Series]


def _by_setting(scene: Scene, pairs: Sequence[Pair]) -> list[tuple[str, list[Pair]]]:
    """Pairs by the setting of their CPU half; its title, less the device, tells them apart."""
    found = []
    for setting in scene.settings:
        cases = set(setting.cells["case"])
        part = [pair for pair in pairs if pair[0]["case"] in cases]
        if part:
            found.append((" · ".join(word for word in setting.title.split(" · ") if word != "CPU"), part))
    return found


@dataclass(frozen=True)
class WinnerTile:
    """One square: where, its colours, the letters of the winner, and the gain below them."""

    column: int
    row: int
    fill: str
    ink: str
    code: str
    cell: int
    gain: str = ""


def picture(scene: Scene, won: Mapping[str, Winner]) -> Picture | None:
    """A panel for each mode and setting that has two or more cases with a winner."""
    groups = scene.groups(lambda setting: _panels(scene, setting, won))
    return picture_of("winners", "The fastest implementation", groups, legend(scene, won))


def legend(scene: Scene, won: Mapping[str, Winner]) -> list[Entry]:
    """Those that may be the fastest anywhere, as `F  fused-cpu`, and what a tie and an undecided case look like."""
    letters = codes(scene.short)
    known = [
        Entry(f"{letters[name]}  {scene.label(name)}", Look(scene.looks[name].role, "s", ()))
        for name in possible_winners(scene, won)
    ]
    there = {winner.standing for winner in won.values()}
    tied = [Entry(f"{TIE}  ties with another", Look("even", "s", ()))] if TIED in there else []
    return [*known, *tied, *([Entry(f"{OPEN}  undecided", Look("even", "s", ()))] if UNDECIDED in there else [])]


def possible_winners(scene: Scene, won: Mapping[str, Winner]) -> list[str]:
    """The implementations that may be the fastest in any case, in their order."""
    there = {name for winner in won.values() for name in winner.names}
    return [name for name in scene.names if name in there]


def _panels(scene: Scene, setting: Setting, won: Mapping[str, Winner]) -> Iterator[Panel]:
    cases = setting.cells.drop_duplicates("case")
    for mode in MODES:
        rows = [row for _, row in cases[cases["mode"] == mode].iterrows() if row["case"] in won]
        if len(rows) < 2:
            continue
        tiles = [_tile(scene, row["seq_len"], row["hidden_size"], won[row["case"]]) for row in rows]
        places = [f"hidden {row['hidden_size']}, {axis_value('seq_len', row['seq_len'])}" for row in rows]
        told = [f"{at}: {won_by(won[row['case']], scene.short)}" for at, row in zip(places, rows, strict=True)]
        columns, high = sorted({tile.column for tile in tiles}), sorted({tile.row for tile in tiles})
        draw = partial(draw_winners, tiles=tiles, columns=columns, rows=high)
        height = TOP + BOTTOM + max(0.5 * len(high), 1.0 if len(high) > 1 else 0.6)
        title = mode.capitalize()
        yield Panel(title, f"{title}, the fastest implementation. {'; '.join(told)}.", draw, height, 0.62)


def _tile(scene: Scene, steps: int, hidden_size: int, winner: Winner) -> WinnerTile:
    letters = codes(scene.short)
    if not winner.decided:
        code = " ".join(letters[name] for name in winner.names) if len(winner.names) == 2 else OPEN
        colours = COLOURS["even"][0], COLOURS["heat-ink-weak"][0]
        return WinnerTile(int(steps), int(hidden_size), *colours, code, _row(scene, winner))
    name = winner.names[0]
    look, gain = scene.looks[name], winner.rows["gain"].iloc[0]
    shown = "" if missing(gain) or name == REFERENCE else times(gain)
    code = letters[name] + (TIE if winner.standing == TIED else "")
    return WinnerTile(int(steps), int(hidden_size), look.colour, ink_on(look), code, _row(scene, winner), shown)


def _row(scene: Scene, winner: Winner) -> int:
    """The row of `Scene.cells` of a winner, or of the first of several."""
    first = winner.rows.iloc[0]
    same = (scene.cells["case"] == first["case"]) & (scene.cells["implementation"] == winner.names[0])
    return int(scene.cells.index[same][0])


def draw_winners(ax: Axes, tiles: Sequence[WinnerTile], columns: Sequence[int], rows: Sequence[int]) -> None:
    """Letters, and below them the gain where there is room for it."""
    room = len(columns) <= _ROOM_FOR_GAINS
    for tile in tiles:
        x, y = columns.index(tile.column), rows.index(tile.row)
        draw_tile(ax, x, y, tile.fill, gid(POINT, tile.cell))
        both = room and tile.gain
        code = tile.code if room else tile.code.replace(" ", "\n")  # two stand one above the other
        large = FONT + 2 if room else FONT if code == tile.code else FONT - 2
        words: dict[str, Any] = {"color": tile.ink, "ha": "center", "va": "center"}
        height = 0.66 if both else 0.48
        ax.text(x + 0.5, y + height, code, fontsize=large, fontweight="bold", linespacing=1.0, **words)
        if both:
            ax.text(x + 0.5, y + 0.26, tile.gain, fontsize=FONT - 0.5, **words)
    heat_axes(ax, columns, rows)
