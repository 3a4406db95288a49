"""The findings: what a run says, in sentences with numbers and intervals, most important first.

Every claim rests on intervals: a speed-up counts as faster or slower only when its whole interval lies on one side of
1, and two figures count as different only when their intervals don't overlap. The rest is said to be undecided.
"""

from __future__ import annotations

import pandas as pd

from bench.report import trends
from bench.report.comparisons import (
    FASTER,
    SLOWER,
    UNDECIDED,
    UNKNOWN,
    apart,
    counted,
    fastest,
    listed,
    of_all,
    place,
    side,
    slowdown,
    speedup,
)
from bench.report.context import Context, Finding
from bench.report.names import capital, on_device
from bench.report.units import duration, duration_in, times
from bench.results import MEASURED, Manifest

MOST = 8


def findings(cells: pd.DataFrame, baseline: str) -> list[Finding]:
    """What this table of cells says, at most eight sentences; one that says why when nothing was measured."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return [Finding("nothing", _why_nothing(cells))]
    context = Context(measured, baseline)
    rules = (
        caveat, headlines_by_device, trends.crossover, own, where_fastest, fast_pair, looped_pair, trends.hidden,
        trends.length, trends.modes, alone, trends.memory,
    )  # fmt: skip
    found = [finding for rule in rules for finding in rule(context)]
    return found[:MOST]


def headlines(cells: pd.DataFrame, manifest: Manifest) -> list[str]:
    """The first three to five findings as plain text."""
    return [finding.text.replace("`", "") for finding in findings(cells, manifest.baseline)[:4]]


def caveat(context: Context) -> list[Finding]:
    """One pass gives no interval, so nothing that follows is established."""
    if (context.cells["passes"] > 1).any():
        return []
    text = "Only one pass was completed, and one pass gives no interval: the figures here are indications, not findings."
    return [Finding("caveat", text)]


def headlines_by_device(context: Context) -> list[Finding]:
    """The usual case on each device, every way of running it."""
    return [Finding("headline", _headline(context, device)) for device in context.devices]


def _headline(context: Context, device: str) -> str:
    rows = context.usual_rows(device)
    where = f"{on_device(device)}, at {place(rows[0], context.varying)}"
    compared = [row for row in rows if row["implementation"] != context.baseline and row["speedup"] > 0]
    base = next((row for row in rows if row["implementation"] == context.baseline), None)
    if base is None or not compared:
        each = [f"{context.phrase(row['implementation'])} takes {duration_in(row['seconds'], row['seconds_low'], row['seconds_high'])}" for row in rows]
        return f"{capital(where)}, {listed(each)}."
    if any(side(row) == UNKNOWN for row in compared):
        each = [f"{context.phrase(row['implementation'])} {duration(row['seconds'])}" for row in rows]
        ratios = [f"{times(row['speedup'])} for {context.phrase(row['implementation'])}" for row in compared]
        return f"{capital(where)}, one pass gave {listed(each)}: a speed-up of {listed(ratios)}, without an interval."
    compared.sort(key=lambda row: -row["speedup"])
    first = _clause(context, compared[0], context.phrase(context.baseline))
    text = f"{capital(where)}, {first}"
    if side(compared[0]) != UNDECIDED:
        text += f" ({duration(compared[0]['seconds'])} against {duration(base['seconds'])})"
    for row in compared[1:]:
        text += f"; {_clause(context, row, context.phrase(context.baseline))}"
    return f"{text}{_slowest_of_all(rows, compared[-1])}."


def _clause(context: Context, row: pd.Series, base: str) -> str:
    """How one implementation compares with the baseline in one case."""
    who, decided = context.phrase(row["implementation"]), side(row)
    if decided == FASTER:
        return f"{who} is {speedup(row)} faster than {base}"
    if decided == SLOWER:
        return f"{who} is {slowdown(row)} slower than {base}"
    return f"{who} can't be told apart from {base} (speed-up {speedup(row)}, and the interval holds 1×)"


def own(context: Context) -> list[Finding]:
    """What users brought, each against the baseline."""
    return [f for name in context.contenders if ".py:" in name for f in _pair(context, name)]


def fast_pair(context: Context) -> list[Finding]:
    """The focus, one call as a rule, against the baseline over all cases."""
    frame = context.against_baseline(context.focus or context.baseline, context.devices[0])
    if len(frame) < 2:
        return []
    low, high = (frame.loc[frame["speedup"].agg(end)] for end in ("idxmin", "idxmax"))
    who = f"{context.here()}the speed-up of {context.phrase(str(context.focus))} over {context.phrase(context.baseline)}"
    ends = [f"{speedup(row)} at {place(row, context.varying)}" for row in (high, low)]
    below = ", which is slower" if side(low) == SLOWER else ""
    if apart(high, low, "speedup") != 1:
        text = f"{capital(who)} is much the same everywhere: at most {ends[0]}, at least {ends[1]}{below}."
    else:
        text = f"{capital(who)} is largest, {ends[0]}, and smallest, {ends[1]}{below}."
    if len(undecided := frame[frame.apply(side, axis=1) == UNDECIDED]):
        text += f" {capital(of_all(undecided, frame))} its interval holds 1×, so that no difference can be told."
    return [Finding("range", text)]


def looped_pair(context: Context) -> list[Finding]:
    """The API in a loop, which people expect to be fast."""
    return _pair(context, "looped")


def _pair(context: Context, name: str) -> list[Finding]:
    """One implementation against the baseline: how often faster, slower, undecided, and between which extremes."""
    frame = context.against_baseline(name, context.devices[0])
    if frame.empty:
        return []
    sides = frame.apply(side, axis=1)
    who, base = context.phrase(name), context.phrase(context.baseline)
    main = FASTER if (sides == FASTER).sum() >= (sides == SLOWER).sum() else SLOWER
    part = frame[sides == main]
    if part.empty:
        text = f"{context.here()}{who} can't be told apart from {base} {of_all(frame, frame)}: every interval holds 1×"
        return [Finding(f"pair:{name}", f"{capital(text)}.")]
    text = capital(f"{context.here()}{who} is {main} than {base} {of_all(part, frame)}")
    other = SLOWER if main == FASTER else FASTER
    if len(rest := frame[sides == other]):
        text += f", {other} in {counted(rest, frame)}"
    if len(rest := frame[sides == UNDECIDED]):
        text += f"; in {counted(rest, frame)} the interval holds 1×, so that no difference can be told"
    return [Finding(f"pair:{name}", f"{text}.{_extremes(context, frame, sides, main)}")]


def _extremes(context: Context, frame: pd.DataFrame, sides: pd.Series, main: str) -> str:
    """The largest and the smallest speed-up and where they are, or slow-downs where there are only those."""
    best, worst = frame.loc[frame["speedup"].idxmax()], frame.loc[frame["speedup"].idxmin()]
    if len(frame) == 1:
        return f" It is {speedup(best) if main == FASTER else slowdown(best)}, at {place(best, context.varying)}."
    if (sides == SLOWER).all():
        low, high = (f"{slowdown(row)} ({place(row, context.varying)})" for row in (best, worst))
        return f" It takes between {low} and {high} as long."
    high, low = (f"{speedup(row)} at {place(row, context.varying)}" for row in (best, worst))
    below = ", which is slower" if side(worst) == SLOWER else ""
    return f" Its speed-up is largest, {high}, and smallest, {low}{below}."


def where_fastest(context: Context) -> list[Finding]:
    """Which way is the fastest in how many cases, device by device."""
    sentences = [text for device in context.devices if (text := _where(context, device))]
    return [Finding("where", " ".join(sentences))] if sentences else []


def _where(context: Context, device: str) -> str:
    winners = {case: fastest(rows) for case, rows in context.on(device).groupby("case", sort=True)}
    known = {case: names for case, names in winners.items() if names}
    cases = context.on(device).drop_duplicates("case").set_index("case").loc[list(known)]
    if len(cases) < 2:
        return ""
    clear = {name: cases[[known[case] == [name] for case in cases.index]] for name in context.names}
    ranking = sorted((name for name in context.names if len(clear[name])), key=lambda name: -len(clear[name]))
    tied = cases[[len(known[case]) > 1 for case in cases.index]]
    here = capital(on_device(device))
    if not ranking:
        return f"{here}, no way is clearly the fastest in any of the {len(cases)} cases: the intervals overlap."
    text = f"{here}, {context.phrase(ranking[0])} is the fastest {of_all(clear[ranking[0]], cases)}"
    for name in ranking[1:]:
        text += f", {context.phrase(name)} in {counted(clear[name], cases)}"
    if len(tied):
        text += f"; in {counted(tied, cases)} no one way is clearly ahead"
    return text + "."


def _slowest_of_all(rows: list[pd.Series], last: pd.Series) -> str:
    """Says that the last of three or more ways is slower than all the others, where the intervals allow it."""
    others = [row for row in rows if row is not last]
    if len(others) < 2 or not all(last["speedup_high"] < row["speedup_low"] for row in others):
        return ""
    return f", and so slower than {'both' if len(others) == 2 else 'all others'}"


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


__all__ = ["Finding", "findings", "headlines"]
