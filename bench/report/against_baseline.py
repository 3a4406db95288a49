"""Findings about one implementation against the baseline, over all cases of the first device."""

from __future__ import annotations

import pandas as pd

from bench.report.comparisons import WITHIN, Context, Finding, counted, of_all, place, side, slowdown, speedup
from bench.report.names import capital
from bench.table.comparison import FASTER, SLOWER, TIED, UNDECIDED


def own(context: Context) -> list[Finding]:
    """What users brought, each against the baseline."""
    return [f for name in context.compared if ".py:" in name for f in _pair(context, name)]


def fast_pair(context: Context) -> list[Finding]:
    """The focus, one call as a rule, against the baseline over all cases."""
    frame = context.against_baseline(context.focus or context.baseline, context.devices[0])
    if len(frame) < 2:
        return []
    low, high = (frame.loc[frame["speedup"].agg(end)] for end in ("idxmin", "idxmax"))
    who = f"{context.here()}{context.gain}"
    text = f"{capital(who)} was measured between {_span(context, low, high)}."
    sides = frame.apply(side, axis=1)
    if len(tied := frame[sides == TIED]):
        text += f" {capital(of_all(tied, frame))} the two tie {WITHIN}."
    if len(undecided := frame[sides == UNDECIDED]):
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
        told = f"can't be told apart from {base} {of_all(frame, frame)}: every interval holds 1×"
        if len(tied := frame[sides == TIED]):
            told = f"ties with {base} {WITHIN} {of_all(tied, frame)}"
            told += "; in the others no difference can be told" if len(tied) < len(frame) else ""
        return [Finding(f"pair:{name}", f"{capital(f'{context.here()}{who} {told}')}.")]
    text = capital(f"{context.here()}{who} is {main} than {base} {of_all(part, frame)}")
    other = SLOWER if main == FASTER else FASTER
    if len(rest := frame[sides == other]):
        text += f", {other} in {counted(rest, frame)}"
    if len(rest := frame[sides == TIED]):
        text += f"; they tie in {counted(rest, frame)}"
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
    return f" Its speed-up was measured between {_span(context, worst, best)}."


def _span(context: Context, low: pd.Series, high: pd.Series) -> str:
    """The smallest and the largest speed-up measured; whether they differ is for their intervals to say."""
    below = ", which is slower," if side(low) == SLOWER else ""
    ends = [f"{speedup(row)} at {place(row, context.varying)}" for row in (low, high)]
    return f"{ends[0]}{below} and {ends[1]}"
