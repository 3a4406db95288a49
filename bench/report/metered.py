"""What the exact meters of a gate found, in sentences and as rows: counts have no interval, but names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from bench.cases.case import Case, Cell
from bench.report.labels import Labels
from bench.report.terminal import columns, wrapped
from bench.report.units import size
from bench.table.outcome import (
    FIRST,
    IMPROVED,
    INCONCLUSIVE,
    MEMORY,
    OPERATORS,
    REGRESSED,
    TIME,
    CountVerdict,
    Difference,
    Outcome,
)

WORDS = {TIME: "time", MEMORY: "memory", OPERATORS: "operators", FIRST: "first result"}
"""What each meter is called: a gate fails *by* it."""

_DOES = {MEMORY: ("takes", "take", "memory"), OPERATORS: ("calls", "call", "operators")}
"""One cell, several, and what of."""

MOST_NAMES = 4
"""Operators that are named in one sentence; JSON has the rest."""


def by(outcome: Outcome, meter: str) -> str:
    """` by memory` after a verdict; nothing for a gate that reads the time alone."""
    return "" if outcome.meters == (TIME,) else f" by {WORDS[meter]}"


def sentences(outcome: Outcome, meter: str, compared: str, whole: Callable[[Cell], str]) -> list[str]:
    """The verdict by an exact meter, and what it is most of all about. `compared` are the cells in words, `whole` is
    what a cell is called."""
    regressed, improved, open_ = (outcome.counted(meter, said) for said in (REGRESSED, IMPROVED, INCONCLUSIVE))
    total, called = sum(found.meter == meter for found in outcome.counts), WORDS[meter]
    if not total:
        return []
    one, several, what = _DOES[meter]
    if regressed:
        does = one if len(regressed) == 1 else several
        said = f"Regressed by {called}: {len(regressed)} of {compared} {does} more {what} than {outcome.base}."
        return [said, _most(outcome, regressed, whole)]
    if len(open_) == total:
        subject = f"none of {compared}" if total > 1 else "the one cell compared"
        negated = "can" if total > 1 else "can't"
        return [f"Nothing decided by {called}: {subject} {negated} be counted exactly: {open_[0].note}."]
    same = total - len(open_) - len(improved)
    rest = [f"{len(improved)} less"] if improved else []
    rest += [f"{len(open_)} can't be counted exactly"] if open_ else []
    certain = " for certain" if open_ else ""
    subject = (
        f"{same} of {compared} {one if same == 1 else several}"
        if rest
        else f"all {compared} {several}"
        if total > 1
        else f"the one cell compared{compared.removeprefix('1 cell')} {one}"
    )
    said = f"Nothing regressed by {called}{certain}: {subject} what {outcome.base} does"
    return [f"{', '.join([said, *rest])}.", *([_most(outcome, improved, whole)] if improved else [])]


def _most(outcome: Outcome, found: Sequence[CountVerdict], whole: Callable[[Cell], str]) -> str:
    """The first of some changes, and whether it bought anything."""
    first = found[0]
    begins = "First of all" if len(found) > 1 else "It is"
    text = f"{begins} {whole(first.cell)}: {changes(first)}."
    return f"{text} {traded}" if (traded := trade(outcome, first)) else text


def trade(outcome: Outcome, found: CountVerdict) -> str:
    """What a rise bought, in a sentence; nothing where it bought nothing, or nothing rose."""
    faster = outcome.traded(found.cell) if found.verdict == REGRESSED else None
    return f"That is a trade: a call became {-100 * faster.effect:.1f} % faster." if faster else ""


def noted(outcome: Outcome, found: CountVerdict) -> str:
    """What stands beside a row: why nothing is decided, or that it is a trade."""
    return found.note or trade(outcome, found).removesuffix(".").removeprefix("That is ")


def changes(found: CountVerdict) -> str:
    """All that changed of a cell, what rose first: `+1 `aten::copy_` a step`."""
    steps = Case.parse(found.cell[0]).seq_len
    rising = sorted(found.differences, key=lambda each: each.after < each.before)
    said = ", ".join(difference(each, steps) for each in rising)
    return said or ("not known" if found.verdict == INCONCLUSIVE else "no change")


def difference(found: Difference, steps: int) -> str:
    """One figure's change: by the step where it is so many a step, else by the call."""
    more = round(found.after - found.before)
    if found.figure == "peak_bytes":
        return f"{'+' if more > 0 else '-'}{size(abs(more))} at its peak, from {size(found.before)}"
    if found.figure == "allocations":
        return _each(more, "allocation" if _is_one(more, steps) else "allocations", steps)
    shown = list(found.names.items())[:MOST_NAMES]
    nodes = found.figure == "nodes"
    told = [_each(count, f"{_node(count, steps) if nodes else ''}`{name}`", steps) for name, count in shown]
    left = len(found.names) - len(shown)
    told += [f"{left} other name{'' if left == 1 else 's'}"] if left else []
    for unit in (" a step", " a call"):  # said once, behind the last
        of_unit = [k for k, text in enumerate(told) if text.endswith(unit)]
        for k in of_unit[:-1]:
            if told[k + 1].endswith(unit):
                told[k] = told[k].removesuffix(unit)
    return ", ".join(told) or _each(more, found.figure, steps)


def _node(count: int, steps: int) -> str:
    return f"autograd node{'' if _is_one(count, steps) else 's'} "


def _is_one(count: int, steps: int) -> bool:
    """Whether it is told as one, of a step or of a call."""
    return abs(count) in (1, steps)


def rows(outcome: Outcome, meter: str, named: Labels, width: int, most: int) -> Iterator[tuple[str, str]]:
    """Lines of a terminal, each with its verdict, or with nothing for what is said beside: what changed by an exact
    meter, and what could not be counted, each verdict under its name and at `most` so many cells of it."""
    for said in (REGRESSED, IMPROVED, INCONCLUSIVE):
        found = outcome.counted(meter, said)
        if found:
            yield f"{said}{by(outcome, meter)}", said
        fields = [[f"  {named.implementation(each.cell)}", named.case(each.cell), changes(each)] for each in found]
        lines = columns((), fields[:most], left=(0, 1, 2), width=width)
        notes = [noted(outcome, verdict) for verdict in found[:most]]
        for line, note, following in zip_longest(lines, notes, notes[1:]):
            yield from ((part, said) for part in line.split("\n"))
            if note and note != following:  # what rows have in common stands below the last
                yield from ((part, "") for part in wrapped(note, width, "    "))
        if len(found) > most:
            yield f"  and {len(found) - most} more; --json FILE has them all", ""


def _each(count: int, what: str, steps: int) -> str:
    """`+1 ... a step`, or `+3 ... a call`."""
    if steps > 1 and count % steps == 0:
        return f"{count // steps:+d} {what} a step"
    return f"{count:+d} {what} a call"
