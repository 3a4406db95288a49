"""The findings: what a run says, in sentences with numbers and intervals, most important first.

Every claim on two implementations of a case rests on their Comparison (`bench.table.comparison`): faster, slower, a
tie, or undecided. Figures of different cases count as different only when their intervals don't overlap.
"""

from __future__ import annotations

import pandas as pd

from bench.report import trends
from bench.report.against_baseline import fast_pair, looped_pair, own
from bench.report.comparisons import (
    WITHIN,
    Context,
    Finding,
    counted,
    of_all,
    place,
    side,
    slowdown,
    speedup,
    time_of_call,
)
from bench.report.names import capital, listed, on_device
from bench.report.units import duration, times
from bench.store.manifest import MEASURED, Manifest
from bench.table.comparison import FASTER, FASTEST, SLOWER, TIED, UNDECIDED, UNKNOWN
from bench.table.winners import winners

MOST = 8
MOST_NAMED = 5
"""Implementations beyond which a sentence leaves some out, and says so."""


def findings(cells: pd.DataFrame, baseline: str) -> list[Finding]:
    """What this table of cells says, at most eight sentences; one that says why when nothing was measured."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return [Finding("nothing", _why_nothing(cells))]
    context = Context(measured, baseline)
    rules = (
        caveat,
        headlines_by_device,
        trends.crossover,
        own,
        where_fastest,
        fast_pair,
        looped_pair,
        trends.hidden,
        trends.length,
        trends.modes,
        alone,
        trends.memory,
    )
    found = [finding for rule in rules for finding in rule(context)]
    return found[:MOST]


def headlines(cells: pd.DataFrame, manifest: Manifest) -> list[str]:
    """The first three to five findings as plain text."""
    return [finding.text.replace("`", "") for finding in findings(cells, manifest.baseline)[:4]]


def caveat(context: Context) -> list[Finding]:
    """One pass gives no interval, so nothing that follows is established."""
    if (context.cells["passes"] > 1).any():
        return []
    text = "Only one pass was completed, and one pass gives no interval: the figures are indications, not findings."
    return [Finding("caveat", text)]


def headlines_by_device(context: Context) -> list[Finding]:
    """The usual case on each device, by every implementation."""
    return [Finding("headline", _headline(context, device)) for device in context.devices]


def _headline(context: Context, device: str) -> str:
    rows = context.usual_rows(device)
    where = f"{on_device(device)}, at {place(rows[0], context.varying)}"
    compared = [row for row in rows if row["implementation"] != context.baseline and row["speedup"] > 0]
    base = next((row for row in rows if row["implementation"] == context.baseline), None)
    if base is None or not compared:
        each = [f"{context.phrase(row['implementation'])} takes {time_of_call(row)}" for row in rows]
        return f"{capital(where)}, {listed(each)}."
    if any(side(row) == UNKNOWN for row in compared):
        each = [f"{context.phrase(row['implementation'])} {duration(row['seconds'])}" for row in rows]
        ratios = [f"{times(row['speedup'])} for {context.phrase(row['implementation'])}" for row in compared]
        return f"{capital(where)}, one pass gave {listed(each)}: a speed-up of {listed(ratios)}, without an interval."
    compared.sort(key=lambda row: -row["speedup"])
    if len(compared) > 1 and all(side(row) == UNDECIDED for row in compared):
        each = [f"{context.phrase(row['implementation'])} ({speedup(row)})" for row in compared]
        tied = f"can't be told apart from {context.phrase(context.baseline)}: their intervals hold 1×"
        return f"{capital(where)}, {listed(each)} {tied}."
    first = _clause(context, compared[0], context.phrase(context.baseline))
    text = f"{capital(where)}, {first}"
    if side(compared[0]) != UNDECIDED:
        text += f" ({duration(compared[0]['seconds'])} against {duration(base['seconds'])})"
    shown = _shown(context, compared)
    for row in shown[1:]:
        text += f"; {_clause(context, row, context.phrase(context.baseline))}"
    if len(shown) < len(compared):
        text += f"; the other {len(compared) - len(shown)} lie between these"
        return f"{text}."
    return f"{text}{_slowest_of_all(compared)}."


def _shown(context: Context, compared: list[pd.Series]) -> list[pd.Series]:
    """Those of a ranking that a sentence has room for: all of a few, else the first two, the focus, and the last."""
    if len(compared) <= MOST_NAMED:
        return compared
    first, last = {id(row) for row in compared[:2]}, compared[-1]
    return [row for row in compared if id(row) in first or row is last or row["implementation"] == context.focus]


def _clause(context: Context, row: pd.Series, base: str) -> str:
    """How one implementation compares with the baseline in one case."""
    who, decided = context.phrase(row["implementation"]), side(row)
    if decided == FASTER:
        return f"{who} is {speedup(row)} faster than {base}"
    if decided == SLOWER:
        return f"{who} is {slowdown(row)} slower than {base}"
    if decided == TIED:
        return f"{who} ties with {base} {WITHIN} (speed-up {speedup(row)})"
    return f"{who} can't be told apart from {base} (speed-up {speedup(row)}, and the interval holds 1×)"


def where_fastest(context: Context) -> list[Finding]:
    """Which implementation is the fastest in how many cases, device by device."""
    sentences = [text for device in context.devices if (text := _where(context, device))]
    return [Finding("where", " ".join(sentences))] if sentences else []


def _where(context: Context, device: str) -> str:
    known = winners(context.on(device))
    cases = context.on(device).drop_duplicates("case").set_index("case").loc[list(known)]
    if len(cases) < 2:
        return ""
    standing = [known[case].standing for case in cases.index]
    alone = [known[case].names[0] if said == FASTEST else "" for case, said in zip(cases.index, standing, strict=True)]
    clear = {name: cases[[each == name for each in alone]] for name in context.names}
    ranking = sorted((name for name in context.names if len(clear[name])), key=lambda name: -len(clear[name]))
    tied, open_ = (cases[[each == said for each in standing]] for said in (TIED, UNDECIDED))
    told = []
    if ranking:
        told.append(f"{context.phrase(ranking[0])} is the fastest {of_all(clear[ranking[0]], cases)}")
        told += [f"{context.phrase(name)} in {counted(clear[name], cases)}" for name in ranking[1 : MOST_NAMED - 1]]
        if rest := ranking[MOST_NAMED - 1 :]:
            told.append(f"others in {sum(len(clear[name]) for name in rest)}")
    else:
        told.append(f"no implementation is clearly the fastest in any of the {len(cases)} cases")
    text = f"{capital(on_device(device))}, {', '.join(told)}"
    if len(tied):
        text += f"; in {counted(tied, cases)} two or more tie {WITHIN}"
    if len(open_) and ranking:
        text += f"; in {counted(open_, cases)} none is clearly ahead"
    return text + "."


def _slowest_of_all(compared: list[pd.Series]) -> str:
    """Says that the last of a ranking is slower than all others, where it is slower than the baseline and these are
    faster."""
    *others, last = compared
    if not others or side(last) != SLOWER or not all(side(row) == FASTER for row in others):
        return ""
    return f", and so slower than {'both' if len(others) == 1 else 'all others'}"


def alone(context: Context) -> list[Finding]:
    """With one implementation there is no speed-up; its own times still say something."""
    if len(context.names) > 1:
        return []
    return trends.growth(context)


def _why_nothing(cells: pd.DataFrame) -> str:
    """Why there is nothing to find."""
    if cells.empty:
        return "Nothing was measured: the run has no cells."
    counts = cells["status"].value_counts(sort=False)
    parts = [f"{count} {'not reached' if status == MEASURED else status}" for status, count in counts.items()]
    reasons = [str(reason) for reason in cells["reason"].dropna().unique() if reason]
    why = f"The first reason given: {' '.join(reasons[0].split())}" if reasons else "No pass was completed."
    return f"Nothing was measured: of {len(cells)} cells, {listed(parts)}. {why}"
