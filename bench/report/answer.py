"""The answer of a run: every implementation in the usual case, both modes side by side, and who wins where.

The terminal, the page and the README show the same table. Rows are in the order of their times, the fastest first. A
run of several networks has a second one: who is the fastest in that case, a line for each network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import pandas as pd

from bench.cases.case import FIELDS, MODES
from bench.report.comparisons import Context, won_by
from bench.report.facets import skipped, usual_case
from bench.report.findings import WHAT, who_wins
from bench.report.names import capital, device, in_order, listed, of_torch, short_names
from bench.report.terminal import WIDTH, columns, wrapped
from bench.report.units import NOTHING, duration, missing, times
from bench.store.manifest import FAILED, MEASURED, Manifest
from bench.table.cells import REFERENCE
from bench.table.winners import Winner, winners

HEIGHT = 15
"""Lines that the tables fit into."""

FASTEST_OF = "Fastest"
"""What heads the lines of the networks."""


@dataclass(frozen=True)
class Figure:
    """Of one implementation in one mode: its time, and its speed-up over the baseline, which itself has 1."""

    time: str = ""
    speedup: str = ""


@dataclass(frozen=True)
class Answer:
    """The table of one device: the case, its modes, by implementation a Figure for each mode, how many
    implementations it has no room for, which of them compute another network, of rounded weights; and by network, where
    there are several, who is the fastest in each mode."""

    case: str
    device: str
    modes: tuple[str, ...]
    rows: dict[str, list[Figure]]
    left: int = 0
    rounded: tuple[str, ...] = ()
    networks: dict[str, list[str]] = field(default_factory=dict)

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
    networks = [fastest_by_network(context, device) for device in context.devices]
    height = (HEIGHT - sum(len(found) + 2 for found in networks if found)) // len(context.devices)
    found = [_answer(context, device, height - 3) for device in context.devices]
    if not all(map(_fits, found)):  # one mode below the other takes twice as many lines
        found = [_answer(context, device, height // 2 - 2) for device in context.devices]
    return [replace(each, networks=by_network) for each, by_network in zip(found, networks, strict=True)]


def fastest_by_network(context: Context, of: str) -> dict[str, list[str]]:
    """Of the usual case on a device: network -> for each mode who is the fastest, or who ties, and the gain over
    REFERENCE; nothing where all cells are of one network."""
    rows = usual_rows(context.on(of), "mode", "network")
    if rows["network"].nunique() < 2:
        return {}
    modes, known = [mode for mode in MODES if (rows["mode"] == mode).any()], winners(rows)
    found: dict[str, list[str]] = {}
    for network in in_order(rows["network"].unique()):
        cases = rows[rows["network"] == network].drop_duplicates("mode").set_index("mode")["case"]
        found[network] = [_winner(context, known.get(str(cases.get(mode, "")))) for mode in modes]
    return found


def _winner(context: Context, winner: Winner | None) -> str:
    """`stacked-grad 3.6× [3.5, 3.7]`; without a figure where it is REFERENCE itself, or none is known."""
    if winner is None:
        return NOTHING
    names, row = won_by(winner, context.short), winner.rows.iloc[0]
    if not winner.decided or winner.names[0] == REFERENCE or missing(row["gain_low"]):
        return names
    return f"{names}  {times(row['gain'], row['gain_low'], row['gain_high'], most=2)}"


def _fits(answer: Answer, head: str = "") -> bool:
    """Whether the modes have room beside each other, below or beside what heads them."""
    return max(map(len, _side_by_side(head, answer.modes, answer.rows))) <= WIDTH


def usual_rows(cells: pd.DataFrame, *free: str) -> pd.DataFrame:
    """The rows of the usual case of these cells, at every value of the `free` fields that it was measured at, by
    default in every mode."""
    usual = cells[cells["case"] == usual_case(cells)].iloc[0]
    same = [field for field in FIELDS if field not in (free or ("mode",))]
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
    notes = [of_torch(note, in_order(cells["network"])[:1]) for note in notes]  # that of the first table
    if any(figure.speedup == "1" for figure in figures) and any("×" in figure.speedup for figure in figures):
        base = short_names(cells["implementation"])[manifest.baseline]
        by_network = any(each.networks for each in found)
        over = (
            f", by network over {REFERENCE}, with 95 % intervals" if by_network else ", with 95 % intervals over passes"
        )
        notes.append(f"Speed-ups are over {base}{over}.")
    notes += [f"{name} rounds its weights, and does not compete." for name in rounding(found)]
    parts = [[line for each in found for line in _table(each)]]
    parts += [_networks(each) for each in found if each.networks]
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


def _networks(answer: Answer) -> list[str]:
    """Its line for each network; one mode below the other where they have no room beside each other."""
    head = f"{FASTEST_OF}{f', {answer.device}' if answer.device else ''}"
    modes = [*map(capital, answer.modes)]
    rows = [[network, *told] for network, told in answer.networks.items()]
    lines = columns([head, *modes], rows, left=range(len(modes) + 1), width=10**4)
    if max(map(len, lines)) <= WIDTH:
        return lines
    by_mode = [[[row[0], row[k + 1]] for row in rows] for k in range(len(modes))]
    return [
        line
        for mode, part in zip(modes, by_mode, strict=True)
        for line in columns([f"{head}: {mode}", ""], part, left=(0, 1))
    ]


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
