"""A history in words: the answer first, then each change, the last first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.cases.case import Cell
from bench.history.changes import TIME, Change, Found
from bench.history.series import Handover, History
from bench.history.shifts import MIN_POINTS
from bench.history.summary import Summary, committed, when
from bench.report.labels import Labels
from bench.report.terminal import WIDTH, columns, wrapped
from bench.report.units import size

MOST_ROWS = 12
"""Changes of one kind on a terminal; the files have the rest."""

METER_NAMES = {
    "operators": "operators",
    "nodes": "autograd nodes",
    "allocations": "allocations",
    "peak_bytes": "peak memory",
    "launches": "kernel launches",
}
"""A meter in a sentence; all are of one call."""

MINUS = "−"

Styled = tuple[str, str | None]


def counted(count: int, noun: str) -> str:
    """`1 change`, `3 changes`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def signed(fraction: float) -> str:
    """`+15.7`, in percent."""
    return f"{100 * fraction:+.1f}".replace("-", MINUS)


def effect(change: Change) -> str:
    """`+15.7 % [+14.4, +17.0]` for time; `130 → 195` for a meter."""
    if change.what != TIME:
        return f"{meter_value(change.what, change.before)} → {meter_value(change.what, change.after)}"
    ratio = change.ratio
    return f"{signed(ratio.value - 1)} % [{signed(ratio.low - 1)}, {signed(ratio.high - 1)}]"


def what(change: Change) -> str:
    """What changed: `time`, `operators`."""
    return METER_NAMES.get(change.what, change.what)


def meter_value(meter: str, value: float) -> str:
    """A count, or bytes with a unit."""
    return size(value) if meter == "peak_bytes" else f"{value:,.10g}"


def commit(run: Summary) -> str:
    """A run's commit in nine digits, marked where there were uncommitted changes; its own id where there is none."""
    return f"{run.commit_id[:9]}{'+' if run.commit.get('dirty') else ''}" if run.commit_id else run.run


def day(run: Summary) -> str:
    """The day of a run's commit, or else of the run: `2026-09-18`."""
    return f"{committed(run) or when(run):%Y-%m-%d}"


def place(history: History, change: Change) -> str:
    """The commits between which it happened: `after 1a2b3c4d5, by 6f7e8d9c0`; as wide as it is uncertain."""
    return f"after {commit(history.runs[change.place.first])}, by {commit(history.runs[change.place.last])}"


def between(history: History, change: Change) -> str:
    """The same as git writes it: `1a2b3c4d5..6f7e8d9c0`."""
    return f"{commit(history.runs[change.place.first])}..{commit(history.runs[change.place.last])}"


def in_commits(found: Found) -> list[Change]:
    """The changes whose cause is none of machine or software."""
    return [change for change in found.changes if not change.causes]


def by_handover(found: Found, history: History) -> list[tuple[Handover, list[Change]]]:
    """Each handover, the last first, with the changes that it caused."""
    handovers = sorted(history.handovers, key=lambda each: -each.first)
    caused = [change for change in found.changes if change.causes]
    return [
        (each, [change for change in caused if _across(history, change) == (each.before, each.after)])
        for each in handovers
    ]


def _across(history: History, change: Change) -> tuple[str, str]:
    runs = history.runs
    return runs[change.place.earlier].fingerprint, runs[change.place.at].fingerprint


def differences(found: Mapping[str, tuple[Any, Any]]) -> str:
    """`torch 2.13.0 → 2.14.0; cpu A → B`."""
    parts = [f"{name} {_fact(before)} → {_fact(after)}" for name, (before, after) in found.items()]
    return "; ".join(parts) or "nothing that is known by name"


def _fact(value: Any) -> str:
    return "none" if value is None else str(value)


def answer(history: History, found: Found) -> str:
    """`3 changes in 2 of 8 cells over 40 commits; the last: ...`."""
    labels, own = Labels(history.cells), in_commits(found)
    over = f"{counted(len(history.cells), 'cell')} over {length(history)}"
    if own:
        last, cells = own[0], len({change.cell for change in own})
        inside = over if cells == len(history.cells) else f"{cells} of {over}"
        told = f"{counted(len(own), 'change')} in {inside}; the last: {sentence(history, last, labels)}"
    elif found.short == len(history.series):
        told = f"No change can be told yet in {over}: it takes {MIN_POINTS} runs of one machine."
    else:
        told = f"No change in {over}."
    return " ".join([told, *(_of_handover(each, caused) for each, caused in by_handover(found, history))])


def length(history: History) -> str:
    """`40 commits`; runs where none of them is of a commit."""
    known = any(run.commit_id for run in history.runs)
    return counted(history.commits, "commit") if known else counted(len(history.runs), "run")


def sentence(history: History, change: Change, labels: Labels) -> str:
    """A change: whose, of what, by how much, and when."""
    named, where = labels.whole(change.cell), place(history, change)
    if change.what != TIME:
        return f"{named} has {what(change)} {effect(change)}, {where}."
    became = "slower" if change.is_worse else "faster"
    return f"{named} became {became}, {effect(change)} in time, {where}."


def _of_handover(handover: Handover, caused: Sequence[Change]) -> str:
    cells = len({change.cell for change in caused})
    changed = f"changed {counted(cells, 'cell')}" if cells else "changed no cell"
    return f"{differences(handover.differences)} {changed}."


def notes(history: History, found: Found) -> list[str]:
    """What qualifies the answer."""
    told = list(history.notes)
    if found.short and found.short < len(history.series):
        fewer = f"have fewer than {MIN_POINTS} runs, so that a change of time can't be told in them"
        told.append(f"{found.short} of {counted(len(history.series), 'series')[:-1]}s {fewer}.")
    if any(run.commit.get("dirty") for run in history.runs):
        told.append("A + marks runs of uncommitted changes.")
    return told


def ending(history: History, found: Found, bisect: str, width: int = WIDTH) -> Iterator[Styled]:
    """All that a terminal shows: the answer, changes by commits, changes by each handover, notes, and `bisect`, how to
    look for the commit of the last change of time."""
    yield from ((line, "bold") for line in wrapped(answer(history, found), width))
    own = in_commits(found)
    if own:
        yield "", None
        yield from _rows(history, own, width)
    for handover, caused in by_handover(found, history):
        yield "", None
        head = f"{differences(handover.differences)}, from {commit(history.runs[handover.first])} on"
        yield from ((line, None) for line in wrapped(head, width))
        yield from _rows(history, caused, width)
    for note in notes(history, found):
        yield "", None
        yield from ((line, "dim") for line in wrapped(f"Note: {note}", width))
    if timed := next((change for change in own if change.what == TIME), None):
        yield "", None
        yield "Which commit it was, by the gate:", None
        yield f"    {bisect} --bisect {timed.id}", None


def _rows(history: History, changes: Sequence[Change], width: int) -> Iterator[Styled]:
    """One change a line."""
    labels = Labels(history.cells)
    shown = changes[:MOST_ROWS]
    fields = [
        [
            f"  {change.id}",
            labels.implementation(change.cell),
            labels.case(change.cell),
            what(change),
            effect(change),
            *([] if change.causes else [between(history, change)]),
        ]
        for change in shown
    ]
    lines = columns((), fields, left=range(len(fields[0])) if fields else (), width=width)
    for change, line in zip(shown, lines, strict=True):
        yield from ((part, "red" if change.is_worse else "green") for part in line.split("\n"))
    if len(changes) > MOST_ROWS:
        yield f"  and {len(changes) - MOST_ROWS} more, on the page", "dim"


def now(history: History, found: Found, cell: Cell) -> float:
    """The level of a cell in its last runs: time over the control's."""
    last = max(history.of(cell), key=lambda each: each.runs[-1])
    levels = found.levels[cell, last.fingerprint]
    return levels[-1].value if levels else math.nan
