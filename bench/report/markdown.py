"""summary.md: the run in a page of Markdown, for a README, a merge request or a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from bench.report import warned
from bench.report.comparisons import Finding, place, won_by
from bench.report.crossings import Crossings, Grid
from bench.report.excerpt import Excerpt
from bench.report.facets import constants, notices, pick, skipped, varying_axes
from bench.report.names import device, listed, short_names
from bench.report.tables import Column, facts
from bench.report.topics.topic import Topic
from bench.report.units import duration, gap, times
from bench.report.use import Use
from bench.report.why import Why
from bench.store.manifest import MEASURED, Manifest
from bench.table.cells import REFERENCE, reached
from bench.table.comparison import joined
from bench.table.winners import Winner, winners
from rnn_impls.registry import ordered

MANY = 48
"""Cases beyond which the table keeps a few hidden sizes and lengths only."""
MANY_FIGURES = 24
"""Lines of a topic's table beyond which only the page has it."""
MANY_REGIONS = 24
"""Regions beyond which only those with the most cases are listed."""


def summary(
    cells: pd.DataFrame,
    manifest: Manifest,
    found: Sequence[Finding],
    explained: Why,
    advised: Use,
    topics: Sequence[Topic] = (),
    part: Excerpt | None = None,
) -> str:
    """Findings, what to use, a compact table, why, the topics, the machine, and what was skipped and why.

    The table stands between two comments, `<!-- table -->` and `<!-- /table -->`, so that a README can quote it.
    Of a large run, tables are of the `part` that is shown.
    """
    shown = part.cells if part else cells
    parts = [f"# Run {escaped(manifest.id)}\n"]
    parts += [f"> **{escaped(text)}**\n" for text in [*([part.told] if part else []), *notices(cells, manifest)]]
    parts += ["\n".join(f"- {escaped(finding.text)}" for finding in found) + "\n"]
    parts += [f"⚠ {escaped(text)}\n" for text in warned.sentences(cells)]
    parts += _use(advised)
    parts += ["## Time per call and speed-up\n", "<!-- table -->", compact(shown, manifest), "<!-- /table -->\n"]
    parts += _why(shown, explained)
    parts += [part for topic in topics for part in _topic(topic)]
    parts += ["## Machine\n", _facts(manifest), "## Not measured\n", _skipped(cells)]
    return "\n".join(parts)


def compact(cells: pd.DataFrame, manifest: Manifest) -> str:
    """One row for each case, one column for each implementation: time, then speed-up with its 95 % interval; then the
    fastest of them with its gain over one call of the library."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if measured.empty:
        return "Nothing was measured."
    precision = manifest.settings.get("precision")
    carried = measured["warnings"].tolist()
    everywhere = warned.shared(carried)
    common = [warning for warning in joined(*carried) if warning.kind in everywhere]
    measured = measured.assign(
        narrow=reached(measured, precision) if precision else True,
        marked=[any(warning.kind not in everywhere for warning in warnings) for warnings in carried],
    )
    shown, note = _fewer(measured)
    names = ordered(measured["implementation"])
    short = short_names(cells["implementation"])
    varying = varying_axes(cells)
    several = cells["device"].nunique() > 1
    floors = ["Floor"] if measured["floor_seconds"].notna().any() else []
    won = winners(measured)
    last = ["Fastest"] if won else []
    lines = [
        ["Case", *floors, *(f"`{short[name]}`" for name in names), *last],
        ["---", *("---:" for _ in [*floors, *names]), *("---" for _ in last)],
    ]
    for _, group in shown.groupby("case", sort=True):
        by_name = {row["implementation"]: row for _, row in group.iterrows()}
        first = next(iter(by_name.values()))
        case = place(first, varying) + (f", {device(first['device'])}" if several else "")
        least = [duration(first["floor_seconds"])] if floors else []
        fields = [_field(by_name.get(name), manifest.baseline) for name in names]
        lines.append([case, *least, *fields, *(_fastest(won.get(first["case"]), short) for _ in last)])
    table = "\n".join("| " + " | ".join(escaped(field) for field in line) + " |" for line in lines)
    said = [f"All cases: {constants(cells)}." if constants(cells) else "", note]
    if measured["speedup"].notna().any() and len(names) > 1:
        said.append(f"Speed-ups are over `{short.get(manifest.baseline, '')}`, with 95 % intervals over passes.")
    if won and REFERENCE in names:
        said.append(f"The gain of the fastest is over `{REFERENCE}`.")
    if floors:
        said.append(
            "The floor is the least time any implementation needs on this machine, the gap how many times that."
        )
    said += ["⚠ marks a warning that not all cells carry; the full table has them."] if measured["marked"].any() else []
    said += [f"All cells carry the warning: {warned.short(common)}."] if common else []
    if precision and not measured["narrow"].all():
        said.append(f"◊ marks intervals wider than ±{100 * precision:g} %.")
    return f"{table}\n\n{escaped(' '.join(part for part in said if part))}"


def _use(advised: Use) -> list[str]:
    """The regions in sentences, and the prices in a table; nothing for a run in which nothing was measured."""
    if not advised.rows:
        return []
    shown = sorted(advised.lines, key=lambda line: -line.cases)[:MANY_REGIONS]
    told = [*advised.notes, *(line.sentence for line in advised.lines if line in shown)]
    if rest := len(advised.lines) - len(shown):
        cases = sum(line.cases for line in advised.lines if line not in shown)
        told.append(f"{rest} smaller regions, of {cases} cases in all, are on the page.")
    table = table_of(advised.columns, [[entry.text for entry in row] for row in advised.rows])
    listing = ["\n".join(f"- {escaped(text)}" for text in told) + "\n"] if told else []
    return ["## What to use\n", *listing, table]


def _fastest(winner: Winner | None, short: Mapping[str, str]) -> str:
    """The winner of a case, or those that tie; with the gain of the first over REFERENCE where it is another."""
    if winner is None:
        return "–"
    names = won_by(winner, {name: f"`{each}`" for name, each in short.items()})
    row = winner.rows.iloc[0]
    if not winner.decided or winner.names[0] == REFERENCE or pd.isna(row["gain"]):
        return names
    return f"{names} · {times(row['gain'], row['gain_low'], row['gain_high'])}"


def _why(cells: pd.DataFrame, explained: Why) -> list[str]:
    """Sentences, crossovers, and a line for each cell; nothing where nothing is known."""
    scaling = explained.scaling
    said = [
        *explained.notes,
        *(each.text for each in explained.findings),
        *filter(None, [scaling.quality]),
        *scaling.lacking,
    ]
    parts = ["## Why\n", "\n".join(f"- {escaped(text)}" for text in [*said, *explained.gradients]) + "\n"]
    parts += _crossings(scaling.crossings)
    rows = cells[cells["why"] != ""] if "why" in cells and explained.findings else cells.iloc[:0]
    if len(rows):
        varying, short = varying_axes(cells), short_names(cells["implementation"])
        last = [name for name in ("kernel", "why") if name in rows]  # runs of earlier versions know no kernel
        lines = [
            f"| Case | implementation | floor | gap | {' | '.join(last)} |",
            f"|---|---|---:|---:|{'---|' * len(last)}",
        ]
        for _, row in rows.iterrows():
            fields = [
                place(row, varying),
                f"`{short[row['implementation']]}`",
                duration(row["floor_seconds"]),
                gap(row["gap"]),
                *(row[name] for name in last),
            ]
            lines.append("| " + " | ".join(escaped(field) for field in fields) + " |")
        parts += ["<details><summary>Every cell</summary>\n", *lines, "\n</details>\n"]
    return parts if len(parts) > 2 or said or explained.gradients else []


def _topic(topic: Topic) -> list[str]:
    """Its sentences, and its table where that is short."""
    many = len(topic.rows) > MANY_FIGURES
    table = f"The page has the table, of {len(topic.rows)} lines.\n" if many else table_of(topic.columns, topic.texts)
    said = "\n".join(f"- {escaped(text)}" for text in topic.said)
    return [f"## {topic.title}\n", f"{said}\n", *([table] if topic.rows else [])]


def table_of(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """A table of these columns, and of texts row by row."""
    lines = [[column.title for column in columns], ["---:" if column.numeric else "---" for column in columns], *rows]
    return "\n".join("| " + " | ".join(escaped(one_line(field)) for field in line) + " |" for line in lines) + "\n"


def _crossings(found: Crossings) -> list[str]:
    """Who overtakes whom, as tables."""
    parts = ["### Who overtakes whom\n"] if found.grids or found.devices else []
    if found.grids:
        means = "; ".join(f"“{entry}”: {meaning}" for entry, meaning in found.legend)
        parts.append(f"By the laws, at these hidden sizes, a row is faster than a column: {escaped(means)}.\n")
    for setting, grids in (*found.grids.items(), *found.devices.items()):
        parts += [_grid(grid, f"{grid.title}, {setting}" if setting else grid.title) for grid in grids]
    return parts


def _grid(grid: Grid, title: str) -> str:
    """A table whose first field is its title."""
    heads = [f"`{name}`" if grid.corner else name for name in grid.columns]
    lines = [[f"{title}: {grid.corner}" if grid.corner else title, *heads], ["---"] * (len(heads) + 1)]
    lines += [[f"`{name}`", *(mark.text for mark in marks)] for name, marks in grid.rows]
    return "\n".join("| " + " | ".join(escaped(field) for field in line) + " |" for line in lines) + "\n"


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
    if row["implementation"] != baseline and not pd.isna(row["speedup"]):
        mark = "" if row["narrow"] else " ◊"
        text += f" · {times(row['speedup'], row['speedup_low'], row['speedup_high'])}{mark}"
    text += "" if pd.isna(row["gap"]) else f" · gap {gap(row['gap'])}"
    return f"{text} ⚠" if row["marked"] else text


def _facts(manifest: Manifest) -> str:
    told = [*facts(manifest.machine), ("Started", manifest.started), *facts(manifest.commit)]
    return "\n".join(f"- {escaped(label)}: {escaped(text)}" for label, text in told) + "\n"


def _skipped(cells: pd.DataFrame) -> str:
    short = short_names(cells["implementation"])
    lines = [
        f"- {listed([f'`{short[name]}`' for name in each.implementations])}, {each.count} cells {each.outcome}: "
        f"{one_line(each.reason)} ({each.cases})"
        for each in skipped(cells)
    ]
    return escaped("\n".join(lines) if lines else "Everything that was asked for was measured.") + "\n"


def one_line(text: str) -> str:
    """The text with its line breaks made spaces, as a list entry needs it."""
    return " ".join(text.split())


def escaped(text: str) -> str:
    """Text that Markdown and the HTML in it leave alone."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
