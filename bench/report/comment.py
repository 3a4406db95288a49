"""An outcome as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report import metered
from bench.report.labels import Labels
from bench.report.markdown import escaped
from bench.report.verdicts import by_reason, change, labels, lost, noted, percent, sentence
from bench.report.warned import told
from bench.table.outcome import (
    FIGURES,
    FIRST,
    IMPROVED,
    INCONCLUSIVE,
    INCONCLUSIVE_CODE,
    REGRESSED,
    TIME,
    UNCHANGED,
    CellVerdict,
    CountVerdict,
    Outcome,
    Uncompared,
)

MOST_ROWS = 150
"""Rows of a table; a pull request's comment holds 65,536 characters, and JSON has the rest."""

MARKS = {REGRESSED: "🔴", IMPROVED: "🟢", UNCHANGED: "⚪", INCONCLUSIVE: "🟡"}


def markdown(outcome: Outcome) -> str:
    """A pull request's comment: the changed cells first, everything else folded."""
    named = labels(outcome)
    parts = [f"### RNN gate: {_headline(outcome)}\n", f"{escaped(sentence(outcome))}\n"]
    if rows := _counts(outcome, outcome.counted_changes, named):
        parts.append(rows)
    for meter in outcome.meters:
        changed = outcome.of(REGRESSED, meter) + outcome.of(IMPROVED, meter) if meter not in FIGURES else []
        if changed:
            parts.append(_verdicts(changed, named, metered.by(outcome, meter)))
    if outcome.faults:
        parts.append(_uncompared("Could not be compared", outcome.faults, named))
    for verdict in (INCONCLUSIVE, UNCHANGED):
        for meter in outcome.meters:
            by = metered.by(outcome, meter)
            if meter in FIGURES and (counted := outcome.counted(meter, verdict)):
                parts.append(_folded(f"{len(counted)} {verdict}{by}", _counts(outcome, counted, named)))
            elif meter not in FIGURES and (found := outcome.of(verdict, meter)):
                parts.append(_folded(f"{len(found)} {verdict}{by}", _verdicts(found, named, by)))
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


def _counts(outcome: Outcome, found: Sequence[CountVerdict], named: Labels) -> str:
    """A Markdown table of what exact meters found; nothing where they found nothing."""
    if not found:
        return ""
    lines = ["| | implementation | case | what changed | |", "|---|---|---|---|---|"]
    for verdict in found[:MOST_ROWS]:
        fields = [f"{MARKS[verdict.verdict]} {verdict.verdict}{metered.by(outcome, verdict.meter)}"]
        fields += [f"`{named.implementation(verdict.cell)}`", named.case(verdict.cell), metered.changes(verdict)]
        lines.append("| " + " | ".join(map(escaped, [*fields, metered.noted(outcome, verdict)])) + " |")
    return "\n".join([*lines, *_more(found)]) + "\n"


def _more(found: Sequence[object]) -> list[str]:
    """A line for the rows that have no place."""
    left = len(found) - MOST_ROWS
    return [f"\n… and {left} more; the JSON file has them all."] if left > 0 else []


def _verdicts(found: Sequence[CellVerdict], named: Labels, by: str = "") -> str:
    """A Markdown table of verdicts."""
    any_noted = any(noted(verdict) for verdict in found)
    lines = ["| | implementation | case | change | |" if any_noted else "| | implementation | case | change |"]
    lines.append("|---|---|---|---:|---|" if any_noted else "|---|---|---|---:|")
    for verdict in found[:MOST_ROWS]:
        fields = [f"{MARKS[verdict.verdict]} {verdict.verdict}{by}", f"`{named.implementation(verdict.cell)}`"]
        fields += [named.case(verdict.cell), change(verdict), *([noted(verdict)] if any_noted else [])]
        lines.append("| " + " | ".join(escaped(field) for field in fields) + " |")
    return "\n".join([*lines, *_more(found)]) + "\n"


def _uncompared(title: str, found: Sequence[Uncompared], named: Labels) -> str:
    """A Markdown list of cells without a verdict, those of one reason together."""
    lines = []
    for (status, reason), cells in by_reason(found).items():
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(map(named.implementation, cells)))
        places = list(dict.fromkeys(map(named.case, cells)))
        told = f"{'; '.join(places[:3])}{'; more' if len(places) > 3 else ''}"
        lines.append(f"- {names} {status}: {reason} ({len(cells)} cell{'' if len(cells) == 1 else 's'}: {told})")
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
    limits = [percent(outcome.min_effect)] if TIME in outcome.meters else []
    limits += [f"{percent(outcome.first_effect)} of first results"] if FIRST in outcome.meters else []
    if limits:
        lines.append(
            f"- minimum effect ±{', ±'.join(limits)}; intervals are corrected for the number of cells and of looks"
        )
    if outcome.counts:
        lines.append("- what is counted was counted twice a process, and what changed by a second process of each side")
    lines += [f"- warning: {warning}" for warning in told([verdict.warnings for verdict in outcome.verdicts])]
    lines += [f"- {note}" for note in outcome.notes]
    lines += [f"- {lost(loss, labels(outcome))}" for loss in outcome.lost]
    return escaped("\n".join(lines)) + "\n"
