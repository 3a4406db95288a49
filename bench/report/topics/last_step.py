"""What denormal numbers cost a training step with a loss on its last step alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd

from bench.cases.words import axis_value
from bench.report.comparisons import place
from bench.report.facets import varying_axes
from bench.report.names import in_order, listed, phrase
from bench.report.pictures.drawing import draw_lines, line
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.report.tables import Column, entries
from bench.report.topics.topic import Topic
from bench.report.units import NOTHING, duration, missing, percent, times
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTER
from bench.table.flushed import flushed, onsets
from bench.table.reading import Run

TITLE = "A loss on the last step: what denormal numbers cost"
NONE = "Denormal numbers cost nothing for certain in the cases measured."
CAUSE = (
    "The cause is the gradient's horizon: one that vanishes passes through denormal numbers, below 10⁻³⁸, before it is "
    "zero."
)
CURE = "`torch.set_flush_denormal(True)`, once before training, has them taken for zeros."


def topic(run: Run, scene: Scene) -> Topic | None:
    """The section of a run that was trained on its last step."""
    table = flushed(run)
    if table.empty:
        return None
    worst = costliest(table)
    said = [NONE] if worst is None else [_headline(worst, scene), *_proof(worst)]
    said += [*_since(table, scene), CAUSE, CURE, _equal(table)]
    shown = table.assign(where=[place(row, varying_axes(table)) for _, row in table.iterrows()])
    shown["who"] = [phrase(name, scene.short) for name in shown["implementation"]]
    rows = entries(shown, _COLUMNS)
    return Topic("last-step", "Last step", TITLE, said, _COLUMNS, rows, _picture(table, scene), worst is not None)


def costliest(table: pd.DataFrame) -> pd.Series | None:
    """The row with the largest certain gain of flushing, of REFERENCE if it has any; None where there is none."""
    certain = table[table["relation"] == FASTER]
    own = certain[certain["implementation"] == REFERENCE]
    return None if certain.empty else (certain if own.empty else own).sort_values("gain").iloc[-1]


def _headline(row: pd.Series, scene: Scene) -> str:
    who = f"{phrase(row['implementation'], scene.short)} {row['network']}"
    gain = times(row["gain"], row["gain_low"], row["gain_high"])
    where = ", ".join(axis_value(axis, row[axis]) for axis in ("hidden_size", "seq_len", "batch_size"))
    long = f"takes {gain} as long in its backward pass as with denormals flushed"
    return f"{who}, trained on its last step, {long}, at {where}."


def _since(table: pd.DataFrame, scene: Scene) -> Iterator[str]:
    """From how many steps on REFERENCE gains, network by network, for each batch size."""
    found = onsets(table)
    found = found[found["implementation"] == REFERENCE] if REFERENCE in set(found["implementation"]) else found
    for batch, rows in found.groupby("batch_size"):
        least = rows.groupby("network")["since"].min()
        starts = least.groupby(least.fillna(math.inf), sort=True)
        told = [
            f"{listed(in_order(names.index))} "
            + (f"from {axis_value('seq_len', int(since))} on" if since < math.inf else "at no length measured")
            for since, names in starts
        ]
        yield f"Flushing gains, at {axis_value('batch_size', batch)}: {listed(told)}."


def _proof(row: pd.Series) -> Iterator[str]:
    """How many denormal numbers there are in a case, and how many steps back, where there are any."""
    if not missing(row["first"]):
        shares = f"{percent(row['share'])} of its gradient's numbers are denormal, {percent(row['zeros'])} zeros"
        yield f"There {shares}; the denormal ones stand {_back(row)} steps back."


def _back(row: pd.Series) -> str:
    return NOTHING if missing(row["first"]) else f"{row['first']:.0f} to {row['last']:.0f}"


def _equal(table: pd.DataFrame) -> str:
    """What flushing changes in the results."""
    before, after = table["parity_error"].max(), table["flushed_error"].max()
    return (
        f"Results stay right: the largest relative error is {before:.1e} as it is, {after:.1e} with denormals flushed."
    )


_COLUMNS = [
    Column("Case", lambda row: row["where"], "where", False),
    Column("Implementation", lambda row: row["who"], "who", False),
    Column("Backward pass", lambda row: duration(row["backward_seconds"]), "backward_seconds"),
    Column("Flushed", lambda row: duration(row["flushed_seconds"]), "flushed_seconds"),
    Column("Gain", lambda row: times(row["gain"], row["gain_low"], row["gain_high"]), "gain"),
    Column("Of the whole call", lambda row: times(row["call_gain"]), "call_gain"),
    Column("Denormal", lambda row: percent(row["share"]), "share", hint="numbers of the gradient of the inputs"),
    Column("Steps back", _back, "first", hint="where a hundredth of a step's numbers or more are denormal"),
]


def _picture(table: pd.DataFrame, scene: Scene) -> Picture | None:
    """The gain over the steps, a panel for each network, a group for each batch size."""
    groups = []
    for batch, rows in table.groupby("batch_size"):
        if rows["seq_len"].nunique() > 1:
            networks = in_order(rows["network"])
            panels = [_panel(rows[rows["network"] == name], name, scene, table["gain"]) for name in networks]
            groups.append(Group(axis_value("batch_size", batch), panels, len(panels)))
    return picture_of("last-step", TITLE, groups)


def _panel(rows: pd.DataFrame, network: str, scene: Scene, gains: pd.Series) -> Panel:
    lines, told = [], []
    for name, own in rows.groupby("implementation", sort=False):
        cells = own.set_index(own.index.map(lambda k: _cell(scene, rows.loc[k])))
        lines.append(line(cells, "seq_len", "gain", scene.looks[str(name)]))
        told.append(f"{scene.label(str(name))} up to {times(own['gain'].max())}")
    labels = ("steps (sequence length)", "backward pass, over that with denormals flushed")
    limits = (0.9 * min(1.0, gains.min()), 1.1 * gains.max())
    draw = partial(draw_lines, lines=lines, labels=labels, limits=limits, kind="ratio")
    return Panel(network, f"Gain of flushing denormals over steps, {network}: {', '.join(told)}.", draw)


def _cell(scene: Scene, row: pd.Series) -> int:
    """The row of `Scene.cells` that it is of."""
    own = scene.cells[(scene.cells["case"] == row["case"]) & (scene.cells["implementation"] == row["implementation"])]
    return int(own.index[0])
