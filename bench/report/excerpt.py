"""What a page shows of a run that is too large for all of it: the usual setting in pictures, every cell in a table that
the page's script fills, and where the rest is.

Sentences and counts are of the whole run, always. What takes a place for each case (pictures, regions, laws, floors) is
of the excerpt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.facets import pick, settings, usual_case
from bench.report.names import device, listed
from bench.report.tables import Column, columns
from bench.report.tables import frame as full_frame
from bench.report.units import missing
from bench.store.manifest import MEASURED

MANY_CELLS = 1000
"""Cells beyond which a page shows an excerpt."""
MOST_SIZES = 12
"""Hidden sizes, and lengths, that an excerpt has at most."""
MOST_CHOICES = 64
"""Different texts in a column beyond which it is written row by row."""
ORDER_DIGITS = 5
"""By which rows sort; more would only make the page larger."""


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The cells that are shown in detail, of so many; what that leaves out, in words; and the table of all of them as
    data for the page's script."""

    cells: pd.DataFrame
    of: int
    told: str
    data: dict[str, Any]


def excerpt(cells: pd.DataFrame, precision: float | None) -> Excerpt | None:
    """What is shown of a table of cells; None for one that fits as a whole."""
    measured = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()]
    if len(cells) <= MANY_CELLS or measured.empty:
        return None
    kept, said = [], []
    for each in sorted(measured["device"].unique()):
        here = measured[measured["device"] == each]
        usual = usual_case(here)
        every = settings(here)
        setting = next(one for one in every if (one.cells["case"] == usual).any())
        sizes = [setting.cells[axis].isin(_around(setting.cells, usual, axis)) for axis in ("hidden_size", "seq_len")]
        kept.append(setting.cells[sizes[0] & sizes[1]])
        many = f", the usual one of {len(every):,} settings" if len(every) > 1 else ""
        said.append(f"{setting.title or device(each)}{many}")
    shown = pd.concat(kept).sort_index()
    rest = cells["case"].isin(shown["case"].unique())
    told = (
        f"This run has {len(cells):,} cells. Pictures, regions and explanations show {int(rest.sum()):,} of them: "
        f"{listed(said)}. The table has every cell, and so has `cells.parquet`."
    )
    return Excerpt(cells[rest], len(cells), told, lookup(cells, precision))


def _around(cells: pd.DataFrame, usual: str, axis: str) -> list[int]:
    """Values of an axis, evenly placed, with that of the usual case."""
    own = int(cells.loc[cells["case"] == usual, axis].iloc[0])
    return [*pick([int(value) for value in cells[axis].unique()], MOST_SIZES), own]


def lookup(cells: pd.DataFrame, precision: float | None) -> dict[str, Any]:
    """Every cell for the page's script, column by column: title, hint, whether it sorts by number and can be filtered;
    `texts`, the few that there are, with `data` the place of each row's there, or else each row's own; and `order`,
    what rows sort by, where that is not the place."""
    shown = [column for column in columns(cells, precision) if column.level <= 1]
    fields = dict.fromkeys(["implementation", *(column.field for column in shown), *_needed(cells)])
    records = full_frame(cells, precision)[list(fields)].to_dict("records")
    return {"columns": [_column(column, records) for column in shown]}


def _needed(cells: pd.DataFrame) -> list[str]:
    """Fields beside its own that a column's text needs."""
    ends = [f"{name}{end}" for name in ("seconds", "speedup", "fastest_gain") for end in ("", "_low", "_high")]
    return [*(name for name in ends if name in cells), "too_wide"]


def _column(column: Column, records: list[dict[str, Any]]) -> dict[str, Any]:
    values = [record[column.field] for record in records]
    empty = [missing(value) for value in values]
    told = ["–" if none else column.text(record) for none, record in zip(empty, records, strict=True)]
    head = {"title": column.title, "hint": column.hint, "numeric": column.numeric, "filtered": column.filtered}
    first: dict[str, tuple[bool, Any]] = {}
    for text, value, none in zip(told, values, empty, strict=True):
        first.setdefault(text, (none, value))
    if len(first) <= MOST_CHOICES:
        texts = sorted(first, key=lambda text: (first[text][0], first[text][1] if column.numeric else text))
        place = {text: k for k, text in enumerate(texts)}
        return head | {"texts": texts, "data": [place[text] for text in told]}
    if not column.numeric:
        return head | {"data": told}
    order = [None if none else float(f"{value:.{ORDER_DIGITS}g}") for none, value in zip(empty, values, strict=True)]
    return head | {"data": told, "order": order}
