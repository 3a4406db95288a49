"""Heatmaps over hidden size and sequence length: speed-ups over the baseline, and the GPU's over the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from bench.report.comparisons import FASTER, SLOWER, apart, side
from bench.report.drawing import Tile, draw_heat
from bench.report.facets import Setting
from bench.report.render import BOTTOM, TOP, Panel
from bench.report.scene import Scene
from bench.report.trends import matched
from bench.summary import reached

WIDE = "◊"
"""Marks an interval that is wider than the precision asked for."""


def speedup_panels(scene: Scene, setting: Setting, only_focus: bool = False) -> list[Panel]:
    """For each mode, one heatmap for each contender; or for the one that main pictures tell of alone."""
    cells = setting.cells[setting.cells["speedup"].notna() & (setting.cells["implementation"] != scene.baseline)]
    names = [name for name in scene.names if name in set(cells["implementation"])]
    if only_focus and names:
        names = ["whole"] if "whole" in names else names[-1:]
    panels = []
    for mode in ("inference", "training"):
        for name in names:
            rows = cells[(cells["mode"] == mode) & (cells["implementation"] == name)]
            if len(rows) > 1:
                short = scene.label(name)
                title = f"{mode.capitalize()}: speed-up of {short} over {scene.label(scene.baseline)}"
                panels.append(_panel(title, title, _tiles(rows, scene.precision)))
    return panels


def _tiles(rows: pd.DataFrame, precision: float | None) -> list[Tile]:
    narrow = reached(rows, precision) if precision else pd.Series(True, index=rows.index)
    return [
        Tile(int(row["seq_len"]), int(row["hidden_size"]), float(row["speedup"]), side(row) in (FASTER, SLOWER),
             _number(row["speedup"]) + ("" if narrow[index] else f" {WIDE}"))
        for index, row in rows.iterrows()
    ]  # fmt: skip


def _number(ratio: float) -> str:
    """A ratio short enough for a tile."""
    return f"{ratio:.2f}×" if ratio < 2 else f"{ratio:.1f}×" if ratio < 100 else f"{ratio:.0f}×"


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
        for mode in ("inference", "training"):
            pairs = [pair for pair in both if pair[0]["mode"] == mode]
            for fixed, part in _by_setting(scene, pairs):
                tiles = [
                    Tile(int(cpu["seq_len"]), int(cpu["hidden_size"]), cpu["seconds"] / gpu["seconds"],
                         apart(cpu, gpu, "seconds") != 0, _number(cpu["seconds"] / gpu["seconds"]))
                    for cpu, gpu in part
                ]  # fmt: skip
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
