"""The picture of where the time of a step goes: a bar for each one, stacked by category, as long as its step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bench.cases.case import MODES, Cell
from bench.report.facets import Setting, pick
from bench.report.names import axis_value
from bench.report.pictures.drawing import FONT, dress
from bench.report.pictures.palette import COLOURS, Look
from bench.report.pictures.render import Entry, Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.report.units import tick_time, whole_percent
from bench.why.profile.breakdown import (
    CATEGORIES,
    COPIES,
    DISPATCH,
    ELEMENTS,
    GAPS,
    GRADIENTS,
    PRODUCTS,
    UNSEEN,
    WAITING,
)
from bench.why.profile.record import Profile, ProfileRecord

ROLES = {DISPATCH: "series-0", GRADIENTS: "series-1", GAPS: "series-4", WAITING: "muted", COPIES: "series-3",
         ELEMENTS: "series-7", PRODUCTS: "series-2", UNSEEN: "series-5"}  # fmt: skip
WRITTEN = 0.16
"""Share of the longest bar below which a part has no room for its number."""
MOST_SIZES = 3

Bar = tuple[str, dict[str, float]]


def picture(scene: Scene, profile: Profile) -> Picture | None:
    """A panel for each mode and each of a few hidden sizes, at the length nearest to the usual one."""
    records = profile.by_cell()
    groups = []
    for setting in scene.settings:
        panels = list(_panels(scene, setting, records))
        columns = max(1, -(-len(panels) // setting.cells["mode"].nunique()))
        groups.append(Group(setting.title, panels, min(columns, MOST_SIZES), scene.folded(setting)))
    return picture_of("where", "Where the time of a step goes", groups, legend(records))


def legend(records: dict[Cell, ProfileRecord]) -> list[Entry]:
    """The categories that any cell has at least one percent of."""
    shown = {
        name
        for record in records.values()
        for name, seconds in record.categories.items()
        if seconds > 0.01 * record.seconds
    }
    return [Entry(name, Look(ROLES[name], "s", ())) for name in CATEGORIES if name in shown]


def _panels(scene: Scene, setting: Setting, records: dict[Cell, ProfileRecord]) -> Iterator[Panel]:
    cells = setting.cells
    known = cells[[(row["case"], row["implementation"]) in records for _, row in cells.iterrows()]]
    if known.empty:
        return
    lengths = sorted(known["seq_len"].unique())
    length = min(lengths, key=lambda steps: (abs(steps - 64), steps))
    at = known[known["seq_len"] == length]
    for mode in MODES:
        for size in pick([int(value) for value in at["hidden_size"].unique()], MOST_SIZES):
            rows = at[(at["mode"] == mode) & (at["hidden_size"] == size)]
            if len(rows):
                title = f"{mode.capitalize()}, hidden {size}, {axis_value('seq_len', length)}"
                yield _panel(scene, rows, records, title)


def _panel(scene: Scene, rows: pd.DataFrame, records: dict[Cell, ProfileRecord], title: str) -> Panel:
    bars: list[Bar] = []
    for name in scene.names:
        for _, row in rows[rows["implementation"] == name].iterrows():
            record = records[row["case"], name]
            step = row["seconds"] / row["seq_len"] / record.seconds
            bars.append((scene.label(name), {each: part * step for each, part in record.categories.items()}))
    told = "; ".join(f"{label}: {_told(parts)}" for label, parts in bars)
    left = min(2.2, 0.4 + 0.085 * max(len(label) for label, _ in bars))
    alt = f"Time per step by category. {title}. {told}."
    return Panel(title, alt, partial(draw_bars, bars=bars), 1.0 + 0.36 * len(bars), left)


def _told(parts: dict[str, float]) -> str:
    total = sum(parts.values())
    return ", ".join(f"{name} {whole_percent(part / total)}" for name, part in parts.items() if part > 0.005 * total)


def draw_bars(ax: Axes, bars: Sequence[Bar]) -> None:
    """One bar below the other; a part with room enough has its share written on it."""
    longest = max(sum(parts.values()) for _, parts in bars)
    for k, (_, parts) in enumerate(bars):
        total, left = sum(parts.values()), 0.0
        for name in CATEGORIES:
            part = parts.get(name, 0.0)
            if part <= 0:
                continue
            ax.barh(-k, part, left=left, height=0.66, color=COLOURS[ROLES[name]][0], linewidth=0, zorder=3)
            if part > WRITTEN * longest:
                share, ink = whole_percent(part / total), COLOURS["heat-ink-strong"][0]
                at = left + part / 2
                ax.text(at, -k, share, color=ink, fontsize=FONT, ha="center", va="center_baseline", zorder=4)
            left += part
    ax.set_xlim(0, 1.02 * longest)
    ax.set_ylim(0.6 - len(bars), 0.6)
    ax.set_yticks([-k for k in range(len(bars))], [label for label, _ in bars])
    ticks = [float(tick) for tick in ax.get_xticks() if 0 <= tick <= longest]
    ticks = ticks[:: math.ceil(len(ticks) / 5)]
    ax.set_xticks(ticks, [tick_time(tick) if tick else "0" for tick in ticks])
    dress(ax, "time per step", grid="x")
