"""An outcome as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.report.labels import Labels
from bench.report.markdown import escaped
from bench.report.verdicts import by_reason, change, labels, lost, noted, percent, sentence
from bench.report.warned import told
from bench.table.outcome import (
    IMPROVED,
    INCONCLUSIVE,
    INCONCLUSIVE_CODE,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
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
    any_noted = any(noted(verdict) for verdict in found)
    lines = ["| | implementation | case | change | |" if any_noted else "| | implementation | case | change |"]
    lines.append("|---|---|---|---:|---|" if any_noted else "|---|---|---|---:|")
    for verdict in found[:MOST_ROWS]:
        fields = [f"{MARKS[verdict.verdict]} {verdict.verdict}", f"`{named.implementation(verdict.cell)}`"]
        fields += [named.case(verdict.cell), change(verdict), *([noted(verdict)] if any_noted else [])]
        lines.append("| " + " | ".join(escaped(field) for field in fields) + " |")
    if len(found) > MOST_ROWS:
        lines.append(f"\n… and {len(found) - MOST_ROWS} more; the JSON file has them all.")
    return "\n".join(lines) + "\n"


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
    lines.append(
        f"- minimum effect ±{percent(outcome.min_effect)}; intervals are corrected for the number of cells and of looks"
    )
    lines += [f"- warning: {warning}" for warning in told([verdict.warnings for verdict in outcome.verdicts])]
    lines += [f"- {note}" for note in outcome.notes]
    lines += [f"- {lost(loss, labels(outcome))}" for loss in outcome.lost]
    return escaped("\n".join(lines)) + "\n"
