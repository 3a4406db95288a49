"""A section of the report for one question: what page and summary show of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.report.pictures.scene import Picture


@dataclass(frozen=True)
class Topic:
    """Sentences, a picture and a table, in this order; texts have code between backticks.

    `name` is the section's anchor and that of its picture's files; `link` its entry in the navigation. The first of the
    `said` is the answer. `columns` are the table's headings, those in `numeric` set to the right; `note` says how the
    table is to be read.
    """

    name: str
    link: str
    title: str
    said: list[str]
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    numeric: frozenset[int] = frozenset()
    note: str = ""
    picture: Picture | None = None
