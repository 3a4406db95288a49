"""Exact meters of two sides: what a call does, counted in fresh processes of each, and which of it rose.

A count has no spread, so no interval and no level: one more is a rise. What it can be wrong in is not being exact, and
a side shows that itself: each counts twice in one process, and whatever changed is counted again by a second, fresh
process of each side. A figure of which one side has told two values is said to differ there, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from bench.cases.case import Cell
from bench.gate.comparable import Surveyed
from bench.store.manifest import MEASURED
from bench.table.outcome import (
    FIGURES,
    IMPROVED,
    INCONCLUSIVE,
    REGRESSED,
    UNCHANGED,
    CountVerdict,
    Difference,
    Incomparable,
)

Names = tuple[str, str]
"""What (base, head) are called."""

Again = Callable[[Collection[Cell]], tuple[Surveyed, Surveyed]]
"""Counts some cells again, in fresh processes of (base, head)."""


def counted(
    names: Names, base: Surveyed, head: Surveyed, cells: Iterable[Cell], meters: Collection[str], again: Again
) -> list[CountVerdict]:
    """A verdict on each cell, which both sides have surveyed, by each of the exact meters asked for.

    `again` is asked for the cells that changed, if there are any.
    """
    asked = [meter for meter in FIGURES if meter in meters]
    found = [_verdict(names, base, head, cell, meter) for cell in cells for meter in asked]
    changed = {verdict.cell for verdict in found if verdict.verdict in (REGRESSED, IMPROVED)}
    if not changed:
        return found
    try:
        second = again(changed)
    except Incomparable as error:  # such as a budget that is spent: what was counted once is not lost
        note = f"it was not counted a second time: {error}"
        return [replace(each, verdict=INCONCLUSIVE, note=note) if each.cell in changed else each for each in found]
    agreed = tuple(
        _agreed(name, *pair) for name, pair in zip(names, ((base, second[0]), (head, second[1])), strict=True)
    )
    return [
        _verdict(names, agreed[0], agreed[1], verdict.cell, verdict.meter) if verdict.cell in changed else verdict
        for verdict in found
    ]


def totals(base: Surveyed, head: Surveyed, cells: Iterable[Cell]) -> list[list[Any]]:
    """For each cell what was exact at first: case, implementation, the figures of the base and of the head."""
    return [[*cell, *(side.counted.get(cell, {}).get("exact") for side in (base, head))] for cell in cells]


def _agreed(name: str, first: Surveyed, second: Surveyed) -> Surveyed:
    """What two processes of one side agree on, of the cells that the second was asked for."""
    counted: dict[Cell, dict[str, Any]] = {}
    for cell, record in second.records.items():
        one, other = first.counted.get(cell), second.counted.get(cell)
        if one is None:
            continue
        if other is None or record.status != MEASURED:
            reason = f"it could not be counted a second time in {name}: {record.reason or record.status}"
            counted[cell] = {"unknown": dict.fromkeys(one["exact"], reason)}
            continue
        differ = [figure for figure, value in one["exact"].items() if _of(one, figure) != _of(other, figure)]
        exact = {figure: value for figure, value in one["exact"].items() if figure not in differ}
        counted[cell] = {**one, "exact": exact, "differ": [*one.get("differ", ()), *differ]}
    records = {cell: record for cell, record in first.records.items() if cell in second.records}
    return Surveyed(first.machine, first.names, records, counted)


def _of(counts: dict[str, Any], figure: str) -> tuple[Any, Any]:
    """A figure, and the names behind it."""
    return counts["exact"].get(figure), counts.get("names", {}).get(figure)


def _verdict(names: Names, base: Surveyed, head: Surveyed, cell: Cell, meter: str) -> CountVerdict:
    """By what is exact on both sides. Where anything of that rose it regressed, whatever else is not known."""
    ours, theirs = head.counted.get(cell, {}), base.counted.get(cell, {})
    differences, open_ = [], []
    for figure in FIGURES[meter]:
        before, after = theirs.get("exact", {}).get(figure), ours.get("exact", {}).get(figure)
        if before is None or after is None:
            reasons = [_unknown(name, side, figure) for name, side in zip(names, (theirs, ours), strict=True)]
            open_ += [reason for reason in reasons if reason]
        elif before != after:
            differences.append(Difference(figure, before, after, _more(theirs, ours, figure)))
    rose = any(each.after > each.before for each in differences)
    fell = any(each.after < each.before for each in differences)
    note = "; ".join(dict.fromkeys(open_))
    chosen = [side.records[cell].chosen for side in (base, head) if cell in side.records]
    if (rose or fell) and len(set(chosen)) > 1:
        # What is decided by a measurement may come out otherwise in the next process of the same tree.
        note = f"it chose `{chosen[0] or 'nothing'}` in {names[0]} and `{chosen[1] or 'nothing'}` in {names[1]}"
        return CountVerdict(cell, meter, INCONCLUSIVE, tuple(differences), note)
    verdict = REGRESSED if rose else INCONCLUSIVE if note else IMPROVED if fell else UNCHANGED
    return CountVerdict(cell, meter, verdict, tuple(differences), note)


def _unknown(name: str, counts: dict[str, Any], figure: str) -> str:
    """Why a side has no such figure; nothing where it has, or where there is none to have."""
    if figure in counts.get("differ", ()):
        return f"{_WORDS[figure]} differ between two counts of {name}"
    reason: str = counts.get("unknown", {}).get(figure, "")
    return reason if counts else f"nothing was counted in {name}"


_WORDS = {
    "peak_bytes": "the bytes at its peak",
    "allocations": "its allocations",
    "operators": "its operators",
    "nodes": "autograd's nodes",
    "launches": "its launches",
}


def _more(base: dict[str, Any], head: dict[str, Any], figure: str) -> dict[str, int]:
    """By how many there are more in the head, by name; the most first."""
    before, after = (side.get("names", {}).get(figure, {}) for side in (base, head))
    changes = {name: after.get(name, 0) - before.get(name, 0) for name in {**after, **before}}
    return dict(sorted(((name, by) for name, by in changes.items() if by), key=lambda item: -item[1]))
