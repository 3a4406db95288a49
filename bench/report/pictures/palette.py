"""Colours and markers: one light set for files, and the same as CSS variables that follow light and dark on a page.

The first series colours are Okabe and Ito's (Color Universal Design, 2008), lightened for the dark page; the others
were placed as far from them and from each other as so many can be. Every marker is another, too, so that nothing rests
on colour alone. The diverging scale of the heatmaps runs from orange to blue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from rnn_impls.registry import BUILTIN, ordered

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
    "series-8": ("#d6186e", "#ff6fa5"),
    "series-9": ("#7a0f4a", "#dc4a8c"),
    "series-10": ("#3a8a00", "#9bd04a"),
    "series-11": ("#b8860b", "#ffb02e"),
    "series-12": ("#8f8a66", "#a8995a"),
    "series-13": ("#0096b0", "#2fe0e8"),
    "series-14": ("#005866", "#4d9aa3"),
    "series-15": ("#8a2be2", "#c05cff"),
    "series-16": ("#1f3f8f", "#3d7dff"),
    "series-17": ("#6b7684", "#8a8797"),
    "series-18": ("#b51c1c", "#ff5c4d"),
    "series-19": ("#0b5a2a", "#3f9c50"),
    "series-20": ("#d926d9", "#c4f5b0"),
    "series-21": ("#0000fc", "#906ccc"),
    "series-22": ("#8484fc", "#fc78fc"),
    "series-23": ("#300000", "#c06000"),
    "series-24": ("#002400", "#00c000"),
    "series-25": ("#6c0090", "#ccfc00"),
    "series-26": ("#a8009c", "#00fca8"),
    "series-27": ("#000084", "#fcfcfc"),
    "series-28": ("#2460fc", "#fc00d8"),
    "series-29": ("#000030", "#00fc00"),
    "series-30": ("#3c0054", "#cc78cc"),
    "slow-3": ("#b34b00", "#ffa05c"),
    "slow-2": ("#e8935a", "#b36327"),
    "slow-1": ("#fbe0cd", "#57341a"),
    "even": ("#f0f1f3", "#2a2f36"),
    "fast-1": ("#d3e6f5", "#173d5c"),
    "fast-2": ("#7db8e0", "#2c76ad"),
    "fast-3": ("#0a66a3", "#6fc1fa"),
    "heat-ink-weak": ("#1c2025", "#e9ebee"),
    "heat-ink-strong": ("#fffffe", "#0d1013"),
    "heat-ink-black": ("#0c0f12", "#0d1013"),
}
INK, MUTED, GRID, PAPER = (COLOURS[role][0] for role in ("ink", "muted", "grid", "paper"))

Marker = str | tuple[int, Literal[0, 1, 2], int]
"""One of matplotlib's, or a polygon of its own: corners, 1 for a star, degrees that it is turned by."""

_MARKERS: tuple[Marker, ...] = (
    "s", "^", "o", "D", "v", "P", "X", "h", "<", ">", "p", "*", (4, 1, 0), "d", (3, 1, 0), (6, 1, 0), (5, 1, 36),
    (4, 1, 45), "H", (3, 1, 180), (6, 1, 30), (8, 1, 0), (5, 0, 36), (3, 1, 90), (3, 1, 270),
    (7, 1, 0), (4, 1, 22), (4, 0, 22), (12, 1, 0),
    (9, 1, 0), (7, 0, 0),
)  # fmt: skip
_LINES: tuple[tuple[float, ...], ...] = (
    (), (4, 1.6), (), (1.2, 1.4), (5, 1.5, 1.2, 1.5), (2.5, 1.2), (6, 2), (1, 1), (3, 1), (3, 1, 1, 1), (2, 2), (),
    (7, 1.2), (4, 1, 1, 1), (1.5, 1), (), (5, 1), (2, 1, 2, 3), (8, 2, 2, 2), (1, 2), (4, 2, 1, 2),
    (6, 1, 2, 1), (3, 2), (1, 3), (9, 1.5), (12, 2), (2, 3), (5, 2, 1, 2, 1, 2), (7, 3),
    (10, 2, 2, 2), (2, 2, 6, 2),
)  # fmt: skip


_LATER = ("persistent-triton-tf32x3", "cluster-cuda")
"""Known implementations whose looks come after those of one's own: who was there before them keeps its look."""


@dataclass(frozen=True)
class Look:
    """How one implementation is drawn: a role among the colours, a marker, a dash pattern in points (() is solid)."""

    role: str
    marker: Marker
    dashes: tuple[float, ...]

    @property
    def colour(self) -> str:
        """Its colour in files."""
        return COLOURS[self.role][0]

    @property
    def mark(self) -> dict[str, Any]:
        """What matplotlib is told of its marks, but for their size."""
        return {"color": self.colour, "marker": self.marker, "markeredgewidth": 0}

    @property
    def scale(self) -> float:
        """By how much its marker has to be larger to look as large as others: stars have little inside."""
        return 1.5 if self.marker == "*" or isinstance(self.marker, tuple) else 1.25 if self.marker == "d" else 1.0


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Name -> Look. The known implementations look the same in every report; others take what is left, in order."""
    own = [name for name in ordered(names) if name not in BUILTIN]
    first = [name for name in BUILTIN if name not in _LATER]
    places = {name: number for number, name in enumerate(first)}
    places |= {name: len(_MARKERS) - len(_LATER) + number for number, name in enumerate(_LATER)}
    places |= {name: len(first) + number % (len(_MARKERS) - len(BUILTIN)) for number, name in enumerate(own)}
    return {
        name: Look(f"series-{places[name]}", _MARKERS[places[name]], _LINES[places[name]]) for name in ordered(names)
    }


def in_order(names: Iterable[str]) -> dict[str, Look]:
    """Name -> Look for what is no implementation, such as machines: the first of all looks, told apart best."""
    count = len(_MARKERS)
    return {name: Look(f"series-{k % count}", _MARKERS[k % count], _LINES[k % count]) for k, name in enumerate(names)}


def heat(ratio: float, decided: bool) -> tuple[str, str]:
    """Fill and ink for a ratio: three shades on each side of 1, with bounds at 1.5 and 4; grey while undecided."""
    fill = heat_role(ratio, decided)
    ink = "heat-ink-strong" if fill.endswith("3") else "heat-ink-weak"
    return COLOURS[fill][0], COLOURS[ink][0]


def heat_role(ratio: float, decided: bool) -> str:
    """The role of a ratio's fill among the colours."""
    if not decided:
        return "even"
    distance = max(ratio, 1 / ratio)
    shade = 1 if distance < 1.5 else 2 if distance < 4 else 3
    return f"{'fast' if ratio > 1 else 'slow'}-{shade}"


def ink_on(look: Look) -> str:
    """What can be read on a tile of this look's colour; on the dark page, where all are bright, always black."""
    return COLOURS[_ink_role(look)][0]


def chip(look: Look) -> str:
    """A tile of this look's colour as a CSS style."""
    return f"background:var(--{look.role});color:var(--{_ink_role(look)})"


def _ink_role(look: Look) -> str:
    white, black = (contrast(look.colour, COLOURS[f"heat-ink-{name}"][0]) for name in ("strong", "black"))
    return "heat-ink-strong" if white > black else "heat-ink-black"


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours."""
    dim, bright = sorted(map(_luminance, (one, other)))
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def css() -> str:
    """The variables for both schemes; paper is always light."""
    light, dark = (";".join(f"--{role}:{pair[k]}" for role, pair in COLOURS.items()) for k in (0, 1))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme: dark){{:root{{{dark}}}}}"


def to_variables(svg: str) -> str:
    """A drawing in light colours -> one whose colours are the page's variables."""
    for role, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{role})")
    return svg
