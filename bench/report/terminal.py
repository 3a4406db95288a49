"""Text for a terminal: prose wrapped at words, and tables in columns that fit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Sequence

from bench.report.units import NO_BREAK, kept_together

WIDTH = 80
"""Columns of a terminal that says nothing else, and of a pipe."""

TO_COPY = " " * 4
"""What a command or a path begins with that is to be copied: as in Markdown, such a line stays as it is."""

_TOGETHER = re.compile(
    r"`[^`]*`|\S*\d %(?: \[[^][]*\])?|\[[^][]{1,30}\](?: [nµm]?s\b)?"
    r"|\btorch \d\S*|\d (?:layers?|threads?|pairs?|passe?s?)\b"
)
"""What is not broken besides what `kept_together` says: code, a share, an interval."""


def wrapped(text: str, width: int = WIDTH, indent: str = "") -> list[str]:
    """The lines of a text, broken between words alone, each behind the indent, and as far in as the text's own."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if paragraph.startswith(TO_COPY):
            lines.append(paragraph)
            continue
        own = indent + paragraph[: len(paragraph) - len(paragraph.lstrip())]
        glued = _TOGETHER.sub(lambda found: found[0].replace(" ", NO_BREAK), kept_together(paragraph))
        broken = textwrap.wrap(
            glued.lstrip(),
            width,
            initial_indent=own,
            subsequent_indent=own,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [line.replace(NO_BREAK, " ") for line in broken] or [""]
    return lines


def columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    spare: Sequence[int] = (),
    width: int = WIDTH,
) -> list[str]:
    """Rows under their headings (none: no such line), in columns two spaces apart; those of `left` are flush left.

    Where that is wider than `width`, columns go, those of `spare` in their order. What is still too wide has its first
    column on a line of its own, above the others; and if that does not do, those are wrapped.
    """
    table = [list(row) for row in ([headings] if headings else []) + list(rows)]
    if not table:
        return []
    kept = list(range(len(table[0])))
    for column in (None, *spare):
        kept = [each for each in kept if each != column]
        if _width(table, kept) <= width:
            return [_line(row, kept, table, left) for row in table]
    first, *rest = kept
    if _width(table, rest) + 2 <= width:
        return [f"{row[first]}\n  {_line(row, rest, table, left)}".rstrip() for row in table]
    return ["\n".join([row[first], *wrapped("  ".join(row[k] for k in rest), width, "  ")]) for row in table]


def _width(table: list[list[str]], kept: Sequence[int]) -> int:
    return max(len(_line(row, kept, table, ())) for row in table)


def _line(row: list[str], kept: Sequence[int], table: list[list[str]], left: Collection[int]) -> str:
    fields = []
    for column in kept:
        widest = max(len(each[column]) for each in table)
        fields.append(f"{row[column]:<{widest}}" if column in left else f"{row[column]:>{widest}}")
    return "  ".join(fields).rstrip()


MOST_NAMED = 24
"""Columns of a name beside which a description stands; that of a longer name begins below it."""


def described(entries: Sequence[tuple[str, str]], width: int = WIDTH) -> list[str]:
    """Names, and what each is, wrapped beside it."""
    named = 2 + max((len(name) for name, _ in entries if len(name) <= MOST_NAMED), default=0)
    lines: list[str] = []
    for name, what in entries:
        told = wrapped(what, width, " " * named)
        if len(name) <= MOST_NAMED:
            told[0] = f"{name:<{named}}{told[0][named:]}"
        else:
            lines.append(name)
        lines += told
    return lines
