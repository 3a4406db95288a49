"""The cells of a profiled run, for `profile`."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.comparisons import place
from bench.report.facets import varying_axes
from bench.report.names import capital, short_names
from bench.report.operators import with_reasons
from bench.report.terminal import WIDTH, columns, wrapped
from bench.report.units import duration, gap
from bench.table.cells import cells
from bench.table.reading import Run


def lines(run: Run, width: int = WIDTH) -> Iterator[tuple[str, str | None]]:
    """Lines, each with its style: case by case the time, floor and gap of every implementation, and why below it."""
    found = with_reasons(cells(run), run.profile)
    varying, short = varying_axes(found), short_names(found["implementation"])
    rows = [
        (f"  {short[row['implementation']]}", *map(duration, (row["seconds"], row["floor_seconds"])), gap(row["gap"]))
        for _, row in found.iterrows()
    ]
    heading, *told = columns(("", "time per call", "floor", "gap"), rows, width=width)
    yield heading, None
    before = ""
    for (_, row), line in zip(found.iterrows(), told, strict=True):
        if (case := place(row, varying)) != before:
            yield capital(case), "bold"
        before = case
        yield line, None
        why = str(row["why"] or row["reason"] or "")
        yield from ((each, "dim") for each in (wrapped(why, width, "    ") if why else []))
