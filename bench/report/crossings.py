"""Crossovers as tables: from how many steps on a row is ahead of a column, from which hidden size on a GPU of the CPU.

`Words` is what the laws of a run are called wherever they are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.cases.case import MODES
from bench.report.facets import pick
from bench.report.names import axis_value, device, short_names, steps
from bench.table.law import SETTING, Fit, Laws, Unfitted
from bench.table.lead import ALWAYS, CONTRADICTED, FROM, NEVER, UNTOLD, UP_TO, Lead, Size, matrix, over_sizes, size_of
from rnn_impls.registry import ordered

_TEXTS = {ALWAYS: "always", FROM: "from {}", UP_TO: "up to {}", NEVER: "never", UNTOLD: "?", CONTRADICTED: "!"}
_AHEAD = (ALWAYS, FROM, UP_TO)
_MEANINGS = {
    (ALWAYS, True): ("always", "at every length measured"),
    (FROM, True): ("from n", "for certain from n steps on"),
    (UP_TO, True): ("up to n", "for certain up to n steps"),
    (NEVER, True): ("never", "slower at every length measured"),
    (FROM, False): ("(from n)", "slower at every length measured, by the laws faster from n steps on"),
    (UP_TO, False): ("(up to n)", "slower at every length measured, by the laws faster up to n steps"),
    (UNTOLD, True): ("?", "it can't be told"),
    (CONTRADICTED, True): ("!", "the measured times contradict the laws"),
}
"""What the leads of a kind, measured or not, mean between a row and a column."""


class Words:
    """What the laws of a run are called."""

    def __init__(self, found: Laws) -> None:
        every: list[Fit | Unfitted] = [*found.fits, *found.unfitted]
        self.names = ordered(each.implementation for each in every)
        self.short = short_names(self.names)
        self.varying = [axis for axis in SETTING if len({each.setting[axis] for each in every}) > 1]

    def where(self, law: Fit | Unfitted, *without: str) -> str:
        """Its setting as far as it varies, but for these axes: `training · GPU (CUDA) · batch 16`."""
        axes = [axis for axis in self.varying if axis not in without]
        return " · ".join(axis_value(axis, law.setting[axis]) for axis in axes)

    def sort(self, fits: Iterable[Fit]) -> list[Fit]:
        """By setting, and in each the known implementations first."""
        return sorted(fits, key=lambda fit: (*fit.setting.values(), self.names.index(fit.implementation)))

    def settings(self, fits: Iterable[Fit], *without: str) -> dict[str, list[Fit]]:
        """The fits by what their setting is called, but for the mode and these axes."""
        found: dict[str, list[Fit]] = {}
        for fit in self.sort(fits):
            found.setdefault(self.where(fit, "mode", *without), []).append(fit)
        return found


class Mark(NamedTuple):
    """A field of a grid: each line says where, which is empty for everywhere, and what; and the leads behind it."""

    lines: Sequence[tuple[str, str]] = ()
    leads: tuple[Lead, ...] = ()

    @property
    def text(self) -> str:
        """In one line: `32: from 6 · 128: from 5 · 512: always`."""
        return " · ".join(f"{where}: {what}" if where else what for where, what in self.lines)

    @property
    def shade(self) -> str:
        """Whether the row is ahead everywhere, somewhere, or not for certain."""
        if self.leads and all(lead.kind == ALWAYS for lead in self.leads):
            return "ahead"
        return "partly" if any(lead.ahead for lead in self.leads) else "never" if self.leads else ""


@dataclass(frozen=True)
class Grid:
    """A table of crossovers: `corner` is read between the name of a row and that of a column."""

    title: str
    corner: str
    columns: list[str]
    rows: list[tuple[str, list[Mark]]]


@dataclass(frozen=True)
class Crossings:
    """All grids, by setting, and what their entries mean."""

    grids: dict[str, list[Grid]] = field(default_factory=dict)
    legend: list[tuple[str, str]] = field(default_factory=list)
    devices: dict[str, list[Grid]] = field(default_factory=dict)


def crossings(words: Words, found: Laws) -> Crossings:
    """Every two laws that are trusted: of two implementations over the steps, of two devices over the hidden sizes."""
    usable = [fit for fit in found.fits if fit.trusted]
    grids = {title: list(filter(None, _by_mode(words, fits))) for title, fits in words.settings(usable).items()}
    grids = {title: kept for title, kept in grids.items() if kept}
    marks = [mark for kept in grids.values() for grid in kept for _, row in grid.rows for mark in row]
    shown = {(lead.kind, lead.measured) for mark in marks for lead in mark.leads}
    legend = [text for kind, text in _MEANINGS.items() if kind in shown]
    return Crossings(grids, legend, _devices(words, usable))


def _by_mode(words: Words, fits: Sequence[Fit]) -> list[Grid | None]:
    """The grids of a setting; the modes show the same sizes."""
    sizes = sorted({size_of(point) for fit in fits for point in fit.points})
    sizes = [sizes[k] for k in pick(range(len(sizes)))]
    return [_grid(words, mode, [fit for fit in fits if fit.setting["mode"] == mode], sizes) for mode in MODES]


def _grid(words: Words, mode: str, fits: Sequence[Fit], sizes: Sequence[Size]) -> Grid | None:
    """Every implementation against every other; None with fewer than two."""
    if len(fits) < 2:
        return None
    names, leads = matrix(fits, sizes)
    rows = [
        (words.short[row], [_mark(leads[row, column]) if row != column else Mark() for column in names])
        for row in names
    ]
    return Grid(mode.capitalize(), "faster than", [words.short[name] for name in names], rows)


def _mark(leads: Mapping[Size, Lead]) -> Mark:
    """A line a size, or one for all where the same holds of all."""
    lines = [(_size(size), text_of(lead)) for size, lead in leads.items()]
    alike = len({what for _, what in lines}) == 1
    return Mark([("", lines[0][1])] if alike else lines, tuple(leads.values()))


def text_of(lead: Lead) -> str:
    """`from 6`; in brackets what was not measured."""
    text = _TEXTS[lead.kind].format(lead.at)
    return text if lead.measured else f"({text})"


def _size(size: Size) -> str:
    """A hidden size; an input as wide goes without saying."""
    tied = size.input_size == size.hidden_size
    return str(size.hidden_size) if tied else f"{size.hidden_size} (input {size.input_size})"


def _devices(words: Words, fits: Sequence[Fit]) -> dict[str, list[Grid]]:
    """The CPU against each other device: a row for each implementation, a column for each of a few lengths."""
    found: dict[str, list[Grid]] = {}
    for title, alike in words.settings(fits, "device").items():
        others = dict.fromkeys(fit.setting["device"] for fit in alike if fit.setting["device"] != "cpu")
        for mode, other in ((mode, other) for other in others for mode in MODES):
            on = {
                name: {fit.implementation: fit for fit in alike if _is_on(fit, name, mode)} for name in ("cpu", other)
            }
            both = [name for name in words.names if name in on["cpu"] and name in on[other]]
            lengths = pick([point.steps for name in both for point in on["cpu"][name].points])
            rows = [
                (words.short[name], [_side(on["cpu"][name], on[other][name], length) for length in lengths])
                for name in both
            ]
            if rows:
                grid = Grid(
                    f"{mode.capitalize()}, CPU or {_kind(other)} by hidden size", "", [steps(n) for n in lengths], rows
                )
                found.setdefault(title, []).append(grid)
    return found


def _is_on(fit: Fit, name: str, mode: str) -> bool:
    return bool(fit.setting["device"] == name and fit.setting["mode"] == mode)


def _kind(name: str) -> str:
    """A device in a word."""
    return device(name).partition(" ")[0]


def _side(one: Fit, other: Fit, length: int) -> Mark:
    """Which device is ahead at which hidden sizes: `CPU up to 328`, and `GPU from 330`."""
    both = over_sizes(one, other, length)
    if not both:
        return Mark([("", "–")])
    names = [_kind(fit.setting["device"]) for fit in (one, other)]
    ranked = sorted(zip(both, names, strict=True), key=lambda pair: (pair[0].kind == FROM, not pair[0].measured))
    said = [
        (f"{name} {_TEXTS[lead.kind].format(lead.at)}", lead.measured) for lead, name in ranked if lead.kind in _AHEAD
    ]
    lines = [("", text if measured else f"({text})") for text, measured in said]
    return Mark(lines or [("", text_of(both[0]))])
