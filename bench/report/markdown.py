"""summary.md: the run in a page of Markdown, for a README, a merge request or a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.manifest import MEASURED, Manifest
from bench.report.comparisons import place
from bench.report.context import Finding
from bench.report.facets import constants, pick, varying_axes
from bench.report.names import device, ordered, short_names
from bench.report.outcome import notices, skipped
from bench.report.tables import facts
from bench.report.units import duration, times
from bench.summary import reached

MANY = 48
"""Cases beyond which the table keeps a few hidden sizes and lengths only."""


def summary(cells: pd.DataFrame, manifest: Manifest, found: Sequence[Finding]) -> str:
    """Findings, a compact table, the machine, and what was skipped and why.

    The table stands between two comments, `<!-- table -->` and `<!-- /table -->`, so that a README can quote it.
    """
    parts = [f"# Run {escaped(manifest.id)}\n"]
    parts += [f"> **{escaped(text)}**\n" for text in notices(cells, manifest)]
    parts += ["\n".join(f"- {escaped(finding.text)}" for finding in found) + "\n"]
    parts += ["## Time per call and speed-up\n", "<!-- table -->", compact(cells, manifest), "<!-- /table -->\n"]
    parts += ["## Machine\n", _facts(manifest), "## Not measured\n", _skipped(cells)]
    return "\n".join(parts)


def compact(cells: pd.DataFrame, manifest: Manifest) -> str:
    """One row for each case, one column for each implementation: time, then speed-up with its 95 % interval."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return "Nothing was measured."
    precision = manifest.settings.get("precision")
    measured = measured.assign(narrow=reached(measured, precision) if precision else True)
    shown, note = _fewer(measured)
    names = ordered(measured["implementation"])
    short = short_names(cells["implementation"])
    varying = varying_axes(cells)
    several = cells["device"].nunique() > 1
    lines = [["Case", *(f"`{short[name]}`" for name in names)], ["---", *("---:" for _ in names)]]
    for _, group in shown.groupby("case", sort=True):
        by_name = {row["implementation"]: row for _, row in group.iterrows()}
        first = next(iter(by_name.values()))
        case = place(first, varying) + (f", {device(first['device'])}" if several else "")
        lines.append([case, *(_field(by_name.get(name), manifest.baseline) for name in names)])
    table = "\n".join("| " + " | ".join(escaped(field) for field in line) + " |" for line in lines)
    said = [f"All cases: {constants(cells)}." if constants(cells) else "", note]
    if measured["speedup"].notna().any() and len(names) > 1:
        said.append(f"Speed-ups are over `{short.get(manifest.baseline, '')}`, with 95 % intervals over passes.")
    if precision and not measured["narrow"].all():
        said.append(f"◊ marks intervals wider than ±{100 * precision:g} %.")
    return f"{table}\n\n{escaped(' '.join(part for part in said if part))}"


def _fewer(measured: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """At most a few hidden sizes and lengths when there are many cases, and a note that says so."""
    if measured["case"].nunique() <= MANY:
        return measured, ""
    keep = measured["hidden_size"].isin(pick(measured["hidden_size"].unique().tolist())) & measured["seq_len"].isin(
        pick(measured["seq_len"].unique().tolist())
    )
    count = measured["case"].nunique()
    return measured[keep], f"{measured[keep]['case'].nunique()} of {count} cases; the page has all."


def _field(row: pd.Series | None, baseline: str) -> str:
    if row is None:
        return "–"
    text = duration(row["seconds"])
    if row["implementation"] == baseline or pd.isna(row["speedup"]):
        return text
    mark = "" if row["narrow"] else " ◊"
    return f"{text} · {times(row['speedup'], row['speedup_low'], row['speedup_high'])}{mark}"


def _facts(manifest: Manifest) -> str:
    told = [*facts(manifest.machine), ("Started", manifest.started), *facts(manifest.commit)]
    return "\n".join(f"- {escaped(label)}: {escaped(text)}" for label, text in told) + "\n"


def _skipped(cells: pd.DataFrame) -> str:
    short = short_names(cells["implementation"])
    lines = [
        f"- `{short[each.implementation]}`, {each.count} cells {each.outcome}: {one_line(each.reason)} ({each.cases})"
        for each in skipped(cells)
    ]
    return escaped("\n".join(lines) if lines else "Everything that was asked for was measured.") + "\n"


def one_line(text: str) -> str:
    """The text with its line breaks made spaces, as a list entry needs it."""
    return " ".join(text.split())


def escaped(text: str) -> str:
    """Text that Markdown and the HTML in it leave alone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
