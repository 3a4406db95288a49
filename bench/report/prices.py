"""What each costs apart from its time: building, memory, code, calls until it pays off, cells without a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

from bench.report.names import device, listed, short_names
from bench.report.tables import Column, Entry, entries, plain
from bench.report.units import NOTHING, duration, missing
from bench.store.manifest import MEASURED
from bench.table.cells import REFERENCE, with_outcome
from bench.table.winners import AT_ONCE, NEVER, code_lines, payback
from rnn_impls.registry import ordered

_FIGURES = {
    "build": (
        "Build",
        "constructing the class and what it prepares, compiled kernels included: the median, and the longest",
    ),
    "memory": (f"Memory over {REFERENCE}", "peak of a call over the other's: the median case, the least and the most"),
    "lines": (
        "Lines",
        "of its class and the code that it needs, without blank lines, comments and docstrings",
    ),
    "paid": ("Pays off after", f"calls that earn back what it takes longer to build than {REFERENCE}"),
}


def table(cells: pd.DataFrame) -> tuple[list[Column], list[list[Entry]]]:
    """The table of prices, one row for each implementation of the run, measured or not; columns that hold nothing are
    left out."""
    found = prices(cells)
    columns = [column for column in _columns(found) if not found[column.field].map(missing).all()]
    return columns, entries(found, columns)


def _columns(found: pd.DataFrame) -> list[Column]:
    short = short_names(found["implementation"])
    texts: dict[str, Callable[[pd.Series], str]] = {
        "build": _build,
        "memory": _memory,
        "lines": lambda row: f"{row['lines']:.0f}",
        "paid": plain("paid"),
    }
    figures = [
        Column(title, texts[name], name, name != "paid", hint=hint, wide=name == "paid")
        for name, (title, hint) in _FIGURES.items()
    ]
    return [
        Column("Implementation", lambda row: short[row["implementation"]], "implementation", False),
        Column("Measured on", plain("devices"), "devices", False),
        *figures,
        Column("Not measured", _lost, "lost", hint="cells of this run; each reason is said once, further down"),
    ]


def prices(cells: pd.DataFrame) -> pd.DataFrame:
    """One by one: devices it was measured on, seconds to build (median and most), memory over REFERENCE's (median,
    least, most), lines of code, calls until it pays off in words, and how many of its cells were not measured; None or
    NaN for nothing."""
    frame = with_outcome(cells)
    reference = _measured(frame[frame["implementation"] == REFERENCE]).set_index("case")
    found = []
    for name in ordered(frame["implementation"]):
        own = frame[frame["implementation"] == name]
        there = _measured(own)
        build = there["build_seconds"].dropna()
        memory = _over(there, reference, "peak_bytes")
        spans = (memory.median(), memory.min(), memory.max()) if len(memory) else (math.nan,) * 3
        row = {
            "implementation": name,
            "devices": listed([device(each) for each in sorted(there["device"].unique())]) or None,
            "build": build.median() if len(build) else math.nan,
            "build_most": build.max() if len(build) else math.nan,
            **dict(zip(("memory", "memory_least", "memory_most"), spans, strict=True)),
            "lines": code_lines(own["implementation"].iloc[0], own["lines"].iloc[0]),
            "paid": None if name == REFERENCE else paid(paybacks(there, reference)) or None,
            "lost": len(own) - len(there) or math.nan,
            "cells": len(own),
        }
        found.append(row)
    return pd.DataFrame(found)


def paybacks(own: pd.DataFrame, reference: pd.DataFrame) -> list[float]:
    """Calls until it pays off, case by case, where REFERENCE (rows by case) was measured as well."""
    found = []
    for _, row in own[own["case"].isin(reference.index)].iterrows():
        base = reference.loc[row["case"]]
        gain = (row["gain"], row["gain_low"], row["gain_high"])
        found.append(payback(row["build_seconds"], base["build_seconds"], base["seconds"], gain))
    return found


def paid(calls: Sequence[float]) -> str:
    """Paybacks of several cases in words: `12 to 3,400 calls, never in 3 of 24 cases`; empty for none."""
    counts = sorted(each for each in calls if AT_ONCE < each < NEVER)
    parts = [(len(counts), calls_in_words(counts))] if counts else []
    for words, of in (("at once", AT_ONCE), ("never", NEVER)):
        parts.append((sum(each == of for each in calls), words))
    parts.append((sum(map(math.isnan, calls)), "can't be told"))
    parts = [part for part in parts if part[0]]
    if len(parts) < 2:
        return parts[0][1] if parts else ""
    return ", ".join(f"{words} in {count}" for count, words in parts) + f" of {len(calls)} cases"


def calls_in_words(counts: Sequence[float]) -> str:
    """`1 call`, `12 to 3,400 calls`, of counts in order; of one that is no count what stands for it."""
    first, last = counts[0], counts[-1]
    if math.isnan(first):
        return "can't be told"
    if first in (AT_ONCE, NEVER):
        return "at once" if first == AT_ONCE else "never"
    ends = " to ".join(dict.fromkeys(f"{_readable(end):,.0f}" for end in (first, last)))
    return f"{ends} call{'' if last == 1 else 's'}"


def _readable(count: float) -> float:
    """The count itself up to 9,999; beyond, three digits say all that its gain is known to."""
    return count if count < 10_000 else float(f"{count:.3g}")


def _measured(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["outcome"] == MEASURED]


def _over(own: pd.DataFrame, reference: pd.DataFrame, column: str) -> pd.Series:
    """A column over REFERENCE's, over the cases of both where that has any."""
    base = own["case"].map(reference[column]).astype(float)
    return (own[column].astype(float) / base.where(base > 0)).dropna()


def _build(row: pd.Series) -> str:
    """`1.2 s, 14.0 s at most`, or the one time where it is the same in every case."""
    middle, most = duration(row["build"]), duration(row["build_most"])
    return middle if middle == most else f"{middle}, {most} at most"


def _memory(row: pd.Series) -> str:
    """`3.20×, 1.10 to 7.00`, or the one number where it is the same in every case."""
    if missing(row["memory"]):
        return NOTHING
    values = [row[f"memory{which}"] for which in ("", "_least", "_most")]
    middle, least, most = (f"{value:.{2 if value < 10 else 0}f}" for value in values)
    return f"{middle}×" if least == most else f"{middle}×, {least} to {most}"


def _lost(row: pd.Series) -> str:
    """`12 of 24`."""
    return NOTHING if missing(row["lost"]) else f"{row['lost']:.0f} of {row['cells']} cells"
