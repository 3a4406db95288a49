"""An outcome for people: one sentence, a table for the terminal, Markdown for a pull request."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from bench.cases.case import FIELDS, Case, Cell
from bench.report.markdown import escaped, one_line
from bench.report.names import axis_value, short_names
from bench.report.warned import short, told
from bench.table.outcome import (
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    INCONCLUSIVE_CODE,
    NEW,
    NOT_RUN,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Outcome,
    Uncompared,
)

MOST_ROWS = 150
"""Rows of a Markdown table; a pull request's comment holds 65,536 characters, and JSON has the rest."""

STYLES = {REGRESSED: "red", IMPROVED: "green", INCONCLUSIVE: "yellow", INCOMPARABLE: "red", NEW: "dim", NOT_RUN: "dim"}
MARKS = {REGRESSED: "🔴", IMPROVED: "🟢", UNCHANGED: "⚪", INCONCLUSIVE: "🟡"}


class Labels:
    """What cells are called: the implementation's short name, and what sets its case apart from the others."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        found = list(cells)
        self._short = short_names(name for _, name in found)
        cases = [Case.parse(case) for case, _ in found]
        others = ("hidden_size", "seq_len", "input_size")
        varying = [axis for axis in FIELDS if axis not in others and len({getattr(c, axis) for c in cases}) > 1]
        fixed_input = any(case.input_size != case.hidden_size for case in cases)
        self._axes = ["hidden_size", "seq_len", *(["input_size"] if fixed_input else []), *varying]

    def case(self, cell: Cell) -> str:
        """`hidden 64, 16 steps`."""
        case = Case.parse(cell[0])
        return ", ".join(axis_value(axis, getattr(case, axis)) for axis in self._axes)

    def implementation(self, cell: Cell) -> str:
        """`manual`."""
        return self._short[cell[1]]

    def whole(self, cell: Cell) -> str:
        """`manual at hidden 64, 16 steps`."""
        return f"{self.implementation(cell)} at {self.case(cell)}"


def labels(outcome: Outcome) -> Labels:
    """The labels of all cells of an outcome."""
    return Labels([verdict.cell for verdict in outcome.verdicts] + [left.cell for left in outcome.uncompared])


def percent(fraction: float, sign: bool = False) -> str:
    """`3 %` for a limit; with a sign `+5.1 %`; `?` for what is not known."""
    if not math.isfinite(fraction):
        return "?"
    return f"{100 * fraction:+.1f} %" if sign else f"{100 * fraction:g} %"


def change(verdict: CellVerdict) -> str:
    """`+5.1 % [+3.1, +7.2]`: slower is positive."""
    ends = (f"{100 * end:+.1f}" if math.isfinite(end) else "?" for end in (verdict.low, verdict.high))
    return f"{percent(verdict.effect, sign=True)} [{', '.join(ends)}]"


def sentence(outcome: Outcome) -> str:  # noqa: PLR0911 # a sentence a return
    """The whole outcome in one sentence for a person."""
    named, total = labels(outcome), len(outcome.verdicts)
    compared = _compared(outcome)
    regressed, improved, open_ = (outcome.of(verdict) for verdict in (REGRESSED, IMPROVED, INCONCLUSIVE))
    faults = f"{_cells(len(outcome.faults))} could not be compared" if outcome.faults else ""
    if regressed:
        most = regressed[0]
        rest = f"; {faults}" if faults else ""
        return (
            f"Regressed: {len(regressed)} of {compared} slower than {outcome.base} by more than "
            f"{percent(outcome.min_effect)}, most of all {named.whole(most.cell)}: {change(most)}{rest}."
        )
    if outcome.too_few:
        return f"Incomparable: {outcome.too_few}."
    if faults:
        first = outcome.faults[0]
        return f"Incomparable: {faults}; first of all {named.whole(first.cell)}: {one_line(first.reason)}."
    if not total and outcome.uncompared and all(left.status == NEW for left in outcome.uncompared):
        names = ", ".join(dict.fromkeys(named.implementation(left.cell) for left in outcome.uncompared))
        return (
            f"First gate: nothing to compare yet, since {outcome.base} does not have {names}. "
            "Merge it; the next change is the first that can be compared."
        )
    if not total:
        reason = f": {one_line(outcome.uncompared[0].reason)}" if outcome.uncompared else ""
        return f"Incomparable: there is no cell that both {outcome.base} and {outcome.head} can run{reason}."
    better = (
        f"; {_cells(len(improved))} faster, most of all {named.whole(improved[0].cell)}: {change(improved[0])}"
        if improved
        else ""
    )
    within = f"within ±{percent(outcome.min_effect)} of {outcome.base}"
    if len(open_) == total:
        return f"Nothing decided: {compared} inconclusive, none of them regressed or {within} for certain."
    if open_:
        clear = total - len(open_) - len(improved)
        return f"Nothing regressed for certain: {clear} of {compared} {within}, {len(open_)} inconclusive{better}."
    if improved:
        return f"Nothing regressed: {total - len(improved)} of {compared} {within}{better}."
    return f"Nothing regressed: all {compared} {within}."


def lines(outcome: Outcome) -> list[Text]:
    """What is worth a line on a terminal: changes, what is inconclusive, what could not be compared; notes below."""
    named = labels(outcome)
    rows = [(v.cell, v.verdict, change(v), _noted(v)) for v in outcome.changed + outcome.of(INCONCLUSIVE)]
    rows += [(left.cell, left.status, "", one_line(left.reason)) for left in outcome.uncompared]
    names = max((len(named.implementation(cell)) for cell, *_ in rows), default=0)
    places = max((len(named.case(cell)) for cell, *_ in rows), default=0)
    found = []
    for cell, said, changed, note in rows:
        place = f"{named.implementation(cell):<{names}}  {named.case(cell):<{places}}"
        found.append(Text(f"{said:<12}  {place}  {changed}".rstrip(), style=STYLES[said]))
        if note:
            found.append(Text(f"{'':<12}  {note}", style="dim"))
    return found


def _noted(verdict: CellVerdict) -> str:
    """What it would take to decide a cell, and what qualifies it."""
    return "; ".join(filter(None, [verdict.note, short(verdict.warnings)]))


def markdown(outcome: Outcome) -> str:
    """A pull request's comment: the changed cells first, everything else folded."""
    named = labels(outcome)
    parts = [f"### RNN gate: {_headline(outcome)}\n", f"{escaped(sentence(outcome))}\n"]
    if outcome.changed:
        parts.append(_verdicts(outcome.changed, named))
    if outcome.faults:
        parts.append(_uncompared("Could not be compared", outcome.faults, named))
    parts += [
        _folded(f"{len(found)} {verdict}", _verdicts(found, named))
        for verdict in (INCONCLUSIVE, UNCHANGED)
        if (found := outcome.of(verdict))
    ]
    rest = [left for left in outcome.uncompared if left not in outcome.faults]
    if rest:
        title = f"{len(rest)} not compared"
        parts.append(_folded(title, _uncompared("No fault", rest, named)))
    parts.append(_folded("How this was measured", _how(outcome)))
    return "\n".join(parts)


def _headline(outcome: Outcome) -> str:
    """The verdict on the whole, in a few words."""
    code = outcome.exit_code(strict=True)
    if code == INCONCLUSIVE_CODE == outcome.exit_code():
        return "nothing decided"
    return {0: "nothing regressed", 1: "regressed", 3: "incomparable", 4: "nothing regressed, not all clear"}[code]


def _verdicts(found: Sequence[CellVerdict], named: Labels) -> str:
    """A Markdown table of verdicts."""
    noted = any(_noted(verdict) for verdict in found)
    lines = ["| | implementation | case | change | |" if noted else "| | implementation | case | change |"]
    lines.append("|---|---|---|---:|---|" if noted else "|---|---|---|---:|")
    for verdict in found[:MOST_ROWS]:
        fields = [f"{MARKS[verdict.verdict]} {verdict.verdict}", f"`{named.implementation(verdict.cell)}`"]
        fields += [named.case(verdict.cell), change(verdict), *([_noted(verdict)] if noted else [])]
        lines.append("| " + " | ".join(escaped(field) for field in fields) + " |")
    if len(found) > MOST_ROWS:
        lines.append(f"\n… and {len(found) - MOST_ROWS} more; the JSON file has them all.")
    return "\n".join(lines) + "\n"


def _uncompared(title: str, found: Sequence[Uncompared], named: Labels) -> str:
    """A Markdown list of cells without a verdict, those of one reason together."""
    by_reason: dict[tuple[str, str, str], list[str]] = {}
    for left in found:
        key = (named.implementation(left.cell), left.status, one_line(left.reason))
        by_reason.setdefault(key, []).append(named.case(left.cell))
    lines = [
        f"- `{name}` {status}: {reason} ({len(cases)} cells: {'; '.join(cases[:3])}{' …' if len(cases) > 3 else ''})"
        for (name, status, reason), cases in by_reason.items()
    ]
    return f"**{title}**\n\n" + escaped("\n".join(lines[:MOST_ROWS])) + "\n"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n</details>\n"


def _how(outcome: Outcome) -> str:
    """Sides, machine, pairs, notes."""
    machine: dict[str, Any] = outcome.machine
    lines = [f"- base: {outcome.base}", f"- head: {outcome.head}"]
    if machine:
        lines.append(
            f"- machine: {machine.get('cpu')}, {machine.get('cores')} cores"
            f"{', ' + str(machine['gpu']) if machine.get('gpu') else ''}, torch {machine.get('torch')}"
        )
    if outcome.pairs:
        lines.append(f"- {outcome.pairs} pairs of fresh processes in alternation on one core, {outcome.seconds:.0f} s")
    lines.append(
        f"- minimum effect ±{percent(outcome.min_effect)}; intervals are corrected for the number of cells and of looks"
    )
    lines += [f"- warning: {warning}" for warning in told([verdict.warnings for verdict in outcome.verdicts])]
    lines += [f"- {note}" for note in outcome.notes]
    lines += [f"- a pair was lost: {loss}" for loss in outcome.lost]
    return escaped("\n".join(lines)) + "\n"


def _compared(outcome: Outcome) -> str:
    """`24 cells (inference, training)`: a change in a mode that was not compared is not seen."""
    modes = sorted({Case.parse(verdict.cell[0]).mode for verdict in outcome.verdicts})
    return f"{_cells(len(outcome.verdicts))} ({', '.join(modes)})"


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"
