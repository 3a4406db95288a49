"""The picture of streaming: the time of a step, a dot at the median, and a line to where 95 and 99 of 100 lie."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bench.report.names import axis_value
from bench.report.pictures.drawing import rows_of_times
from bench.report.pictures.palette import Look
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.report.units import duration

TITLE = "Time of one step"
ACROSS = "time of a step: median, 95 and 99 of 100"


def picture(scene: Scene, rows: pd.DataFrame) -> Picture | None:
    """A panel for each case of these rows, which have the columns of `bench.table.latency.latencies` beside those of
    their cells, over the same range in all cases of a setting."""
    groups = []
    for setting in scene.settings:
        own = rows[rows["case"].isin(setting.cells["case"])].dropna(subset="latency_median")
        groups.append(Group(setting.title, list(_panels(scene, own)), 2, scene.folded(setting)))
    return picture_of("streaming", TITLE, groups, [])


def _panels(scene: Scene, rows: pd.DataFrame) -> Iterator[Panel]:
    limits = rows["latency_median"].min() / 1.4, rows["latency_p99"].max() * 1.4
    left = min(2.2, 0.4 + 0.085 * max((len(scene.label(name)) for name in rows["implementation"]), default=0))
    lengths = rows["seq_len"].nunique()
    for _, case in rows.groupby("case", sort=True):
        own = case.sort_values("latency_median", kind="stable")
        axes = ["hidden_size", *(["seq_len"] if lengths > 1 else [])]
        title = ", ".join(axis_value(axis, own[axis].iloc[0]) for axis in axes).capitalize()
        dots = [
            (scene.label(row["implementation"]), scene.looks[row["implementation"]], row) for _, row in own.iterrows()
        ]
        told = "; ".join(
            f"{name} {duration(row['latency_median'])}, 99 of 100 within {duration(row['latency_p99'])}"
            for name, _, row in dots
        )
        draw = partial(draw_steps, dots=dots, limits=limits)
        yield Panel(title, f"{TITLE}, {title}: {told}.", draw, 1.1 + 0.36 * len(dots), left)


def draw_steps(ax: Axes, dots: list[tuple[str, Look, pd.Series]], limits: tuple[float, float]) -> None:
    """An implementation below the other on a logarithmic axis: a thick line up to the 95th percentile, a thin one up to
    the 99th, which ends in a stroke."""
    for k, (_, look, row) in enumerate(dots):
        median, p95, p99 = (row[f"latency_{name}"] for name in ("median", "p95", "p99"))
        ax.plot([median, p95], [-k, -k], color=look.colour, linewidth=5, alpha=0.3, solid_capstyle="butt", zorder=2)
        ax.plot([median, p99], [-k, -k], color=look.colour, linewidth=1.2, zorder=2)
        ax.plot([p99], [-k], color=look.colour, marker="|", markersize=9, markeredgewidth=1.4, zorder=2)
        ax.plot([median], [-k], markersize=8 * look.scale, zorder=3, **look.mark)
    rows_of_times(ax, limits, [name for name, _, _ in dots], ACROSS)
