"""Colours and markers: one light set for files, and the same as CSS variables that follow light and dark on a page.

Series colours are Okabe and Ito's (Color Universal Design, 2008), lightened for the dark page; markers and line styles
differ as well, so that nothing rests on colour alone. The diverging scale of the heatmaps runs from orange to blue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.report.names import ORDER, ordered

# Every light colour is unique: it stands for its role in a drawing until the page puts the variable in its place.
COLOURS = {
    "paper": ("#ffffff", "#14171b"),
    "ink": ("#1b1f24", "#e8eaed"),
    "muted": ("#59636e", "#9aa4af"),
    "grid": ("#e4e7eb", "#2b3138"),
    "series-0": ("#d55e00", "#ff8f4d"),
    "series-1": ("#b85c93", "#e69cc6"),
    "series-2": ("#0072b2", "#5ab4f0"),
    "series-3": ("#009e73", "#35c79a"),
    "series-4": ("#7a6a00", "#e8d44d"),
    "series-5": ("#333a44", "#c9d1da"),
    "series-6": ("#8a4b2a", "#d3a488"),
    "series-7": ("#5b4bb5", "#b0a6f2"),
    "slow-3": ("#b34b00", "#ffa05c"),
    "slow-2": ("#e8935a", "#b36327"),
    "slow-1": ("#fbe0cd", "#57341a"),
    "even": ("#f0f1f3", "#2a2f36"),
    "fast-1": ("#d3e6f5", "#173d5c"),
    "fast-2": ("#7db8e0", "#2c76ad"),
    "fast-3": ("#0a66a3", "#6fc1fa"),
    "heat-ink-weak": ("#1c2025", "#e9ebee"),
    "heat-ink-strong": ("#fffffe", "#0d1013"),
}
INK, MUTED, GRID, PAPER = (COLOURS[role][0] for role in ("ink", "muted", "grid", "paper"))

_MARKERS = ("s", "^", "o", "D", "v", "P", "X", "h")
_LINES = ((), (4, 1.6), (), (1.2, 1.4), (5, 1.5, 1.2, 1.5), (2.5, 1.2), (6, 2), (1, 1))


@dataclass(frozen=True)
class Look:
    """How one implementation is drawn: a role among the colours, a marker, a dash pattern in points (() is solid)."""

    role: str
    marker: str
    dashes: tuple[float, ...]

    @property
    def colour(self) -> str:
        """Its colour in files."""
        return COLOURS[self.role][0]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Name -> Look. The known implementations look the same in every report; others take what is left, in order."""
    found: dict[str, Look] = {}
    spare = len(ORDER)
    for name in ordered(names):
        number = ORDER.index(name) if name in ORDER else spare
        spare += name not in ORDER
        number = number if number < len(_MARKERS) else len(ORDER) + (number - len(ORDER)) % (len(_MARKERS) - len(ORDER))
        found[name] = Look(f"series-{number}", _MARKERS[number], _LINES[number])
    return found


def heat(ratio: float, decided: bool) -> tuple[str, str]:
    """Fill and ink for a ratio: three shades on each side of 1, with bounds at 1.5 and 4; grey while undecided."""
    if not decided:
        return COLOURS["even"][0], COLOURS["heat-ink-weak"][0]
    distance = max(ratio, 1 / ratio)
    shade = 1 if distance < 1.5 else 2 if distance < 4 else 3
    ink = "heat-ink-strong" if shade == 3 else "heat-ink-weak"
    return COLOURS[f"{'fast' if ratio > 1 else 'slow'}-{shade}"][0], COLOURS[ink][0]


def css() -> str:
    """The variables for both schemes; paper is always light."""
    light, dark = (";".join(f"--{role}:{pair[k]}" for role, pair in COLOURS.items()) for k in (0, 1))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}"


def to_variables(svg: str) -> str:
    """A drawing in light colours -> one whose colours are the page's variables."""
    for role, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{role})")
    return svg
