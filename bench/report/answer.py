"""The answer of a run: every implementation in the usual case, both modes side by side, and who wins where.

The terminal, the page and the README show the same table. Rows are in the order of their times, the fastest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import pandas as pd

from bench.cases.case import FIELDS, MODES
from bench.report.comparisons import Context
from bench.report.facets import skipped, usual_case
from bench.report.findings import WHAT, who_wins
from bench.report.names import capital, device, listed, of_torch, short_names
from bench.report.terminal import WIDTH, wrapped
from bench.report.units import NOTHING, duration, missing, times
from bench.store.manifest import FAILED, MEASURED, Manifest
from bench.table.cells import REFERENCE

HEIGHT = 15
"""Lines that the whole table fits into."""


@dataclass(frozen=True)
class Figure:
    """Of one implementation in one mode: its time, and its speed-up over the baseline, which itself has 1."""

    time: str = ""
    speedup: str = ""


@dataclass(frozen=True)
class Answer:
    """The table of one device: the case, its modes, by implementation a Figure for each mode, how many
    implementations it has no room for, and which of them compute another network, of rounded weights."""

    case: str
    device: str
    modes: tuple[str, ...]
    rows: dict[str, list[Figure]]
    left: int = 0
    rounded: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """Device, where there are several, and case."""
        return ", ".join(filter(None, [self.device, self.case]))


def answers(cells: pd.DataFrame, manifest: Manifest) -> list[Answer]:
    """The answer for each device; nothing where nothing was measured."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return []
    context = Context(measured, manifest.baseline)
    found = [_answer(context, device, HEIGHT // len(context.devices) - 3) for device in context.devices]
    if not all(map(_fits, found)):  # one mode below the other takes twice as many lines
        found = [_answer(context, device, HEIGHT // len(context.devices) // 2 - 2) for device in context.devices]
    return found


def _fits(answer: Answer, head: str = "") -> bool:
    """Whether the modes have room beside each other, below or beside what heads them."""
    return max(map(len, _side_by_side(head, answer.modes, answer.rows))) <= WIDTH


def usual_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """The rows of the usual case of these cells, in every mode that it was measured in."""
    usual = cells[cells["case"] == usual_case(cells)].iloc[0]
    same = [field for field in FIELDS if field != "mode"]
    return cells[(cells[same] == usual[same]).all(axis=1)]


def by_time(context: Context, rows: pd.DataFrame) -> list[str]:
    """The implementations of these rows, the fastest in the first mode first."""
    modes = [mode for mode in MODES if (rows["mode"] == mode).any()]
    seconds = rows.set_index(["mode", "implementation"])["seconds"]

    def key(name: str) -> tuple[float, ...]:
        return tuple(float(seconds.get((mode, name), float("inf"))) for mode in modes)

    return sorted((name for name in context.names if name in set(rows["implementation"])), key=key)


def _answer(context: Context, of: str, most: int) -> Answer:
    rows = usual_rows(context.on(of))
    modes = tuple(mode for mode in MODES if (rows["mode"] == mode).any())
    by_cell = {(row["implementation"], row["mode"]): row for _, row in rows.iterrows()}
    names = by_time(context, rows)
    kept = {name for name in names if name in (context.baseline, REFERENCE) or ".py:" in name}
    for name in names:
        if len(kept) < most:
            kept.add(name)
    shown = {
        context.short[name]: [_figure(context, by_cell.get((name, mode))) for mode in modes]
        for name in names
        if name in kept
    }
    case = context.place(rows.iloc[0], without=["mode"])
    rounded = {context.short[row["implementation"]] for _, row in rows.iterrows() if row["weights_dtype"]}
    where = device(of) if len(context.devices) > 1 else ""
    return Answer(case, where, modes, shown, len(names) - len(shown), tuple(name for name in shown if name in rounded))


def _figure(context: Context, row: pd.Series | None) -> Figure:
    if row is None:
        return Figure()
    if row["implementation"] == context.baseline:
        return Figure(duration(row["seconds"]), "1")
    ratio = (row["speedup"], row["speedup_low"], row["speedup_high"])
    return Figure(duration(row["seconds"]), "" if missing(row["speedup"]) else times(*ratio, most=2))


def text(cells: pd.DataFrame, manifest: Manifest) -> str:
    """The tables, what the three are, and who wins where, for a terminal of WIDTH columns; empty for nothing."""
    found = answers(cells, manifest)
    if not found:
        return ""
    figures = [figure for each in found for row in each.rows.values() for figure in row]
    notes = ["; ".join(f"{name}: {what}" for name, what in WHAT.items() if any(name in each.rows for each in found))]
    notes = [of_torch(note, cells["network"]) for note in notes]
    if any(figure.speedup == "1" for figure in figures) and any("×" in figure.speedup for figure in figures):
        base = short_names(cells["implementation"])[manifest.baseline]
        notes.append(f"Speed-ups are over {base}, with 95 % intervals over passes.")
    notes += [f"{name} rounds its weights, and does not compete." for name in rounding(found)]
    parts = [[line for each in found for line in _table(each)]]
    parts += [
        [line for sentence in told for line in wrapped(sentence.replace("`", ""))]
        for told in (filter(None, notes), who_wins(cells, manifest.baseline))
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def rounding(found: Sequence[Answer]) -> list[str]:
    """Who computes another network, of rounded weights."""
    return list(dict.fromkeys(name for each in found for name in each.rounded))


def _table(answer: Answer) -> list[str]:
    """Its lines: the modes side by side where they fit, with the case on a line of its own where it has to be; else one
    below the other."""
    if _fits(answer, answer.head):
        lines = _side_by_side(answer.head, answer.modes, answer.rows)
    elif _fits(answer):
        lines = [answer.head, *_side_by_side("", answer.modes, answer.rows)]
    else:
        lines = []
        for k, mode in enumerate(answer.modes):
            rows = {name: [row[k]] for name, row in answer.rows.items() if row[k].time}
            lines += _side_by_side(answer.head, [mode], rows)
    more = f"{answer.left} more, between these or slower: see the report." if answer.left else ""
    return [*lines, *filter(None, [more])]


def _side_by_side(head: str, modes: Sequence[str], rows: dict[str, list[Figure]]) -> list[str]:
    """The figures of each mode below its name; times end, and speed-ups begin, below each other."""
    columns = []
    for k, mode in enumerate(modes):
        width = max(len(row[k].time) for row in rows.values())
        columns.append(
            [capital(mode), *(f"{row[k].time or NOTHING:>{width}}  {row[k].speedup}" for row in rows.values())]
        )
    first = [head, *rows]
    widths = [max(map(len, column)) for column in [first, *columns]]
    lines = zip_longest(first, *columns)
    return ["   ".join(f"{part:<{width}}" for part, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def trouble(cells: pd.DataFrame) -> list[str]:
    """What failed: each reason once, with whom it met and in how many cells."""
    found = []
    short = short_names(cells["implementation"])
    for each in skipped(cells):
        if each.outcome == FAILED:
            who = listed([short[name] for name in each.implementations])
            found.append(f"{who} failed in {each.count} of {len(cells)} cells: {each.reason}")
    return found
