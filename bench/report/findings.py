"""The findings: what a run says, in at most five sentences, most important first.

Every claim on two implementations of a case rests on their Comparison (`bench.table.comparison`): faster, slower, a
tie, or undecided. Times on two devices share no rounds; they count as different where their intervals don't overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.cases.case import MODES
from bench.report.comparisons import (
    WITHIN,
    Context,
    Finding,
    counted,
    matched,
    of_all,
    side,
    slowdown,
    speedup,
    time_of_call,
)
from bench.report.facets import usual_case
from bench.report.names import capital, listed, of_torch
from bench.report.units import times
from bench.store.manifest import MEASURED
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTER, FASTEST, SLOWER, TIED, UNDECIDED, apart, relations
from bench.table.winners import Winner, winners

MOST = 5
MOST_NAMED = 2
"""Winners that a sentence has room for; the others are counted."""

WHAT = {"manual": "the cell by hand", "looped": "`nn.RNN` step by step", "whole": "one `nn.RNN` call"}
"""What the three are, said once, where they are named first."""


def findings(cells: pd.DataFrame, baseline: str) -> list[Finding]:
    """What this table of cells says; one sentence that says why when nothing was measured."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return [Finding("nothing", _why_nothing(cells))]
    context = Context(measured, baseline)
    rules = (caveat, headlines, own, looped, devices, wins, departure, alone)
    return [finding for rule in rules for finding in rule(context)][:MOST]


def who_wins(cells: pd.DataFrame, baseline: str) -> list[str]:
    """Who wins where, a sentence for each mode, and the largest departure from "one call is the fastest"; empty where
    nothing was measured."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return []
    context = Context(measured, baseline)
    return [finding.text for rule in (wins, departure) for finding in rule(context)]


def caveat(context: Context) -> list[Finding]:
    """One pass gives no interval, so nothing that follows is established."""
    if (context.cells["passes"] > 1).any():
        return []
    return [Finding("caveat", "One pass gives no interval: the figures are indications, not findings.")]


def headlines(context: Context) -> list[Finding]:
    """Hand cell or library? The focus against the baseline in the usual case of each device."""
    rows = [row for device in context.devices for row in context.usual_rows(device)]
    return [
        Finding("headline", _against(context, row, first=len(context.devices) == 1))
        for row in rows
        if row["implementation"] == context.focus and row["speedup"] > 0
    ]


def own(context: Context) -> list[Finding]:
    """What users brought, each against the baseline in the case of its own that is nearest to the usual one."""
    found = []
    for name in (name for name in context.compared if ".py:" in name and name != context.focus):
        frame = context.cells[(context.cells["implementation"] == name) & context.cells["speedup"].notna()]
        row = frame[frame["case"] == usual_case(frame)].iloc[0]
        found.append(Finding(f"own:{name}", _against(context, row)))
    return found


def looped(context: Context) -> list[Finding]:
    """The API in a loop, which people expect to be fast."""
    if context.focus == "looped":
        return []
    rows = context.usual_rows(context.devices[0])
    return [
        Finding("looped", _against(context, row, first=len(context.devices) == 1))
        for row in rows
        if row["implementation"] == "looped" and row["speedup"] > 0
    ]


def _against(context: Context, row: pd.Series, first: bool = False) -> str:
    """How one implementation compares with the baseline in one case; `first` says what the two are."""
    name, base = row["implementation"], context.baseline
    computed = [str(row["network"])]
    who, over = (_introduced(context, each, computed) if first else context.phrase(each) for each in (name, base))
    if first and name == "looped":
        over = context.phrase(base)  # the sentence before has said it
    where = f"{context.on_several(row['device'])} at {context.place(row)}".strip()
    decided = side(row)
    if decided == FASTER:
        return f"{who} is {speedup(row)} faster than {over} {where}."
    if decided == SLOWER:
        return f"{who} is {slowdown(row)} slower than {over} {where}."
    if decided == TIED:
        return f"{who} ties with {over} {WITHIN} {where}: {speedup(row)}."
    if decided == UNDECIDED:
        return f"{who} can't be told apart from {over} {where}: the interval of {speedup(row)} holds 1×."
    return f"One pass gave {who} a speed-up of {times(row['speedup'])} over {over} {where}."


def _introduced(context: Context, name: str, computed: Sequence[str]) -> str:
    """An implementation with what it is, where it is one of the three: "`whole`, one `nn.RNN` call,"."""
    return f"{context.phrase(name)}, {of_torch(WHAT[name], computed)}," if name in WHAT else context.phrase(name)


def wins(context: Context) -> list[Finding]:
    """Which implementation is the fastest in how many cases, for each device and mode."""
    known = winners(context.cells)
    cases = context.cells.drop_duplicates("case").set_index("case", drop=False)
    found = []
    for device in context.devices:
        for mode in MODES:
            here = cases[(cases["device"] == device) & (cases["mode"] == mode) & cases["case"].isin(list(known))]
            if len(here):
                where = capital(f"in {mode}{context.on_several(device)}")
                found.append(Finding(f"wins:{device}:{mode}", f"{where} {_won(context, here, known)}."))
    return found


def _won(context: Context, cases: pd.DataFrame, known: dict[str, Winner]) -> str:
    """`whole` is the fastest in 9 of 12 cases, `manual` in 3 (all at 1 step)."""
    standing = pd.Series([known[case].standing for case in cases.index], index=cases.index)
    first = pd.Series([known[case].names[0] for case in cases.index], index=cases.index)
    clear = {name: cases[(first == name) & (standing == FASTEST)] for name in context.names}
    ranking = sorted((name for name in context.names if len(clear[name])), key=lambda name: -len(clear[name]))
    open_ = [(cases[standing == said], word) for said, word in ((TIED, "a tie"), (UNDECIDED, "undecided"))]
    rest = [f"{_count(part, cases)} {'is' if len(part) == 1 else 'are'} {word}" for part, word in open_ if len(part)]
    if not ranking:
        return f"none is the fastest for certain: of {len(cases)} cases, {listed(rest)}"
    told = [f"{context.phrase(ranking[0])} is the fastest {of_all(clear[ranking[0]], cases)}"]
    named = len(ranking) if len(ranking) == MOST_NAMED + 1 else MOST_NAMED  # one that is left is named, not counted
    told += [f"{context.phrase(name)} in {counted(clear[name], cases)}" for name in ranking[1:named]]
    if others := ranking[named:]:
        told.append(f"{len(others)} others in {sum(len(clear[name]) for name in others)}")
    return "; ".join([", ".join(told), *rest])


def _count(part: pd.DataFrame, cases: pd.DataFrame) -> str:
    return "all" if len(part) == len(cases) > 1 else str(len(part))


def departure(context: Context) -> list[Finding]:
    """The largest gain over one call of the library, which everybody is told to make."""
    competing = context.cells[context.cells["standing"] != ""]
    if REFERENCE not in set(competing["implementation"]) or len(context.names) < 2:
        return []
    faster = relations(competing["gain_low"], competing["gain_high"]) == FASTER
    ahead = competing[faster & (competing["implementation"] != REFERENCE)]
    if ahead.empty:
        cases = competing["case"].nunique()
        count = "the one case" if cases == 1 else f"any of {cases} cases"
        return [Finding("departure", f"No implementation beats {context.phrase(REFERENCE)} for certain in {count}.")]
    row = ahead.loc[ahead["gain"].idxmax()]
    gain = times(row["gain"], row["gain_low"], row["gain_high"])
    who, where = context.phrase(row["implementation"]), f"{context.on_several(row['device'])} at {context.place(row)}"
    text = f"The largest gain over {context.phrase(REFERENCE)}: {who} is {gain} faster {where.strip()}."
    return [Finding("departure", text)]


def devices(context: Context) -> list[Finding]:
    """Where the GPU is faster than the CPU, in absolute time, for the focus or else the first implementation."""
    if not {"cpu", "cuda"} <= set(context.devices):
        return []
    name = context.focus or context.names[0]
    frame = context.cells[(context.cells["implementation"] == name) & context.cells["seconds_low"].notna()]
    both = matched(frame, "device", "cpu", "cuda")
    if not both:
        return []
    cases = pd.DataFrame([cpu for cpu, _ in both]).reset_index(drop=True)
    verdicts = pd.Series([apart(cpu, gpu, "seconds") for cpu, gpu in both])
    parts = {word: cases[verdicts == sign] for sign, word in ((1, "GPU"), (-1, "CPU"))}
    first, second = sorted(parts, key=lambda word: -len(parts[word]))
    if parts[first].empty:
        return []
    text = f"{context.phrase(name)} is faster on the {first} {of_all(parts[first], cases)}"
    text += f", on the {second} in {counted(parts[second], cases)}" if len(parts[second]) else ""
    return [Finding("device", f"{text}.")]


def alone(context: Context) -> list[Finding]:
    """With one implementation, or without its baseline, there is no speed-up; times still say something."""
    if context.compared:
        return []
    rows = context.usual_rows(context.devices[0])
    return [
        Finding("time", f"{context.phrase(row['implementation'])} takes {time_of_call(row)} at {context.place(row)}.")
        for row in rows
    ]


def _why_nothing(cells: pd.DataFrame) -> str:
    """Why there is nothing to find."""
    if cells.empty:
        return "Nothing was measured: the run has no cells."
    counts = cells["status"].value_counts(sort=False)
    parts = [f"{count} {'not reached' if status == MEASURED else status}" for status, count in counts.items()]
    reasons: Sequence[str] = [str(reason) for reason in cells["reason"].dropna().unique() if reason]
    why = f"The first reason given: {' '.join(reasons[0].split())}" if reasons else "No pass was completed."
    return f"Nothing was measured: of {len(cells)} cells, {listed(parts)}. {why}"
