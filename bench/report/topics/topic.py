"""A section of the report for one question: what page and summary show of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.report.pictures.scene import Picture
from bench.report.tables import Column, Entry


@dataclass(frozen=True)
class Topic:
    """Sentences, a picture and a table, in this order; texts have code between backticks.

    `name` is the section's anchor and that of its picture's files; `link` its entry in the navigation. The first of the
    `said` is the answer, and where it is a `finding`, it stands among those of the run, too. An entry whose hint is an
    address links to it.
    """

    name: str
    link: str
    title: str
    said: list[str]
    columns: list[Column] = field(default_factory=list)
    rows: list[list[Entry]] = field(default_factory=list)
    picture: Picture | None = None
    finding: bool = False

    @property
    def texts(self) -> list[list[str]]:
        """The rows as text, with links as Markdown writes them."""
        return [[f"[{each.text}]({each.hint})" if linked(each) else each.text for each in row] for row in self.rows]


def linked(entry: Entry) -> bool:
    """Whether it links to a source."""
    return entry.hint.startswith("https://")
