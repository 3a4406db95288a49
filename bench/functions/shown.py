"""A Result in words, tables and a picture. Nothing is decided here."""

from __future__ import annotations

import shutil
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from bench.report import markdown as marked
from bench.report.terminal import columns, wrapped
from bench.report.units import duration_in, times
from bench.report.warned import short, told
from bench.table.comparison import FASTEST, TIE, TIED, Comparison
from bench.table.stats import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 100
_LATEX = {"×": r"$\times$", "µ": r"\textmu{}", "–": "--"}
_LOG_FROM = 8
"""Sizes whose largest is so many times their smallest are shown on a logarithmic axis."""


def answers(frame: pd.DataFrame, baseline: str) -> list[str]:
    """A sentence for each size: who is the fastest, or how one of two stands to the other."""
    found = []
    for _, rows in frame.groupby("size", sort=False, dropna=False):
        size = rows["size"].iloc[0]
        where = "" if size is None else f"At {size} "
        others = rows[rows["function"] != baseline]
        if len(others) == 1:
            found.append(where + _of_two(others.iloc[0], baseline))
            continue
        fastest = rows.loc[rows["standing"] == FASTEST, "function"].tolist()
        leading = rows.loc[~rows["standing"].isin(["", "slower"]), "function"].tolist()
        named = ", ".join(f"`{name}`" for name in leading)
        if fastest:
            row = rows[rows["function"] == fastest[0]].iloc[0]
            over = "" if fastest[0] == baseline else f", {_ratio(row)} faster than `{baseline}`"
            found.append(f"{where}`{fastest[0]}` is the fastest{over}.")
        else:
            found.append(f"{where}the fastest is one of {named}." if named else f"{where}nothing can be told.")
    return [line[0].upper() + line[1:] for line in found]


def _of_two(row: pd.Series, baseline: str) -> str:
    """How one function stands to the baseline."""
    one, ratio = f"`{row['function']}`", Estimate(row["speedup"], row["speedup_low"], row["speedup_high"], 0)
    relation = Comparison("", row["function"], baseline, ratio).relation
    turned = Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low, 0)
    if relation == TIED:
        return f"{one} and `{baseline}` tie, to within {TIE:.0%}."
    if relation == "faster":
        return f"{one} is {times(ratio.value, ratio.low, ratio.high)} faster than `{baseline}`."
    if relation == "slower":
        return f"{one} is {times(turned.value, turned.low, turned.high)} slower than `{baseline}`."
    if relation == "unknown":
        return f"{one} is {times(ratio.value)} as fast as `{baseline}` in the one pass there is."
    return f"which of {one} and `{baseline}` is faster is undecided: {times(ratio.value, ratio.low, ratio.high)}."


def text(frame: pd.DataFrame, baseline: str, reason: str) -> str:
    """The answer, the table, and what is to be known of it, as wide as the terminal, or WIDTH where there is none."""
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    titles, rows = _table(frame, baseline)
    notes = [part for line in _warnings(frame, reason) for part in wrapped(f"Warning: {line}", width)]
    lines = [line for each in answers(frame, baseline) for line in wrapped(each, width)]
    left = [at for at, title in enumerate(titles) if title in ("function", "standing", "warnings")]
    spare = [at for at, title in enumerate(titles) if title == "warnings"]
    table = columns(titles, rows, left, spare, width)
    return "\n".join([*lines, "", *table, *(["", *notes] if notes else [])])


def html(frame: pd.DataFrame, baseline: str, reason: str) -> str:
    """The same for a notebook."""
    titles, rows = _table(frame, baseline)
    told_of = "<br>".join(escape(line) for line in answers(frame, baseline))
    table = pd.DataFrame(rows, columns=titles).to_html(index=False, border=0, escape=True)
    notes = "".join(f"<p>Warning: {escape(line)}</p>" for line in _warnings(frame, reason))
    return f"<p>{told_of}</p>{table}{notes}"


def markdown(frame: pd.DataFrame, baseline: str) -> str:
    """The table alone, in Markdown."""
    titles, rows = _table(frame, baseline)
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(marked.escaped, line)) + " |" for line in lines) + "\n"


def latex(frame: pd.DataFrame, baseline: str) -> str:
    """The table alone, in LaTeX with booktabs."""
    titles, rows = _table(frame, baseline)
    table = pd.DataFrame(rows, columns=titles).style.hide(axis="index")
    table = table.format(escape="latex").format_index(escape="latex", axis="columns")
    found = str(table.to_latex(hrules=True, column_format="l" * len(titles)))
    for sign, command in _LATEX.items():
        found = found.replace(sign, command)
    return found


def plot(frame: pd.DataFrame, baseline: str, ax: Axes | None) -> Axes:
    """Speed-ups over the baseline, a line for each other function; at 1 they are equal."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(layout="constrained").add_subplot()
    sizes = list(dict.fromkeys(frame["size"]))
    numbers = [size for size in sizes if isinstance(size, (int, float)) and not isinstance(size, bool)]
    scaled = len(numbers) == len(sizes) > 1
    for name, rows in frame[frame["function"] != baseline].groupby("function", sort=False):
        at = rows["size"].tolist() if scaled else list(range(len(rows)))
        ends = [rows["speedup"] - rows["speedup_low"], rows["speedup_high"] - rows["speedup"]]
        ax.errorbar(at, rows["speedup"], yerr=ends, marker="o", capsize=3, label=str(name))
    if scaled and min(numbers) > 0 and max(numbers) >= _LOG_FROM * min(numbers):
        ax.set_xscale("log")
    if scaled:
        ax.set_xlabel("size")
    ax.set_xticks(numbers if scaled else range(len(sizes)), ["" if size is None else str(size) for size in sizes])
    ax.minorticks_off()
    ax.axhline(1, color="gray", linewidth=1)
    ax.set_ylabel(f"times faster than {baseline}")
    ax.legend()
    return ax


def _table(frame: pd.DataFrame, baseline: str) -> tuple[list[str], list[list[str]]]:
    """Titles and rows; a column that says nothing is left out."""
    shown = {
        "size": ["" if size is None else str(size) for size in frame["size"]],
        "function": frame["function"].tolist(),
        "time of a call": [
            duration_in(row.seconds, row.seconds_low, row.seconds_high) for row in frame.itertuples(index=False)
        ],
        f"times faster than {baseline}": [
            "1" if row["function"] == baseline else _ratio(row) for _, row in frame.iterrows()
        ],
        "standing": frame["standing"].tolist(),
        "warnings": [short(warnings) for warnings in frame["warnings"]],
    }
    kept = {title: column for title, column in shown.items() if any(column)}
    return list(kept), [list(row) for row in zip(*kept.values(), strict=True)]


def _ratio(row: pd.Series) -> str:
    return times(row["speedup"], row["speedup_low"], row["speedup_high"])


def _warnings(frame: pd.DataFrame, reason: str) -> list[str]:
    """Each kind in a sentence; the reason beside the one that needs it."""
    lines = told(frame["warnings"].tolist())
    return [*lines, f"{reason}."] if reason else lines
