"""Where one implementation is surely ahead of another by their laws, over the values of an axis that were measured.

A crossover has two sides. The lead of each is what a table of crossovers holds: always, from a value on, up to one,
never; or nothing, where it can't be told, or where the measured times contradict the laws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from bench.table.crossover import Crossover, along_products, along_steps, common, contradicted
from bench.table.law import Fit, Point

ALWAYS, FROM, UP_TO, NEVER, UNTOLD, CONTRADICTED = "always", "from", "up to", "never", "untold", "contradicted"

FAR = 4
"""A crossover beyond this many times the end of the measured range is no lead."""


class Lead(NamedTuple):
    """Where one is surely ahead; `at` is the first whole value of FROM, the last of UP_TO. Without `measured` it is
    behind wherever both were measured, and by the laws ahead beyond that."""

    kind: str
    at: int = 0
    measured: bool = True

    @property
    def ahead(self) -> bool:
        """Whether it is ahead anywhere in the measured range."""
        return self.measured and self.kind in (ALWAYS, FROM, UP_TO)


class Size(NamedTuple):
    """What a step costs the same at: its products, and the sizes behind them."""

    products: int
    hidden_size: int
    input_size: int


def size_of(point: Point) -> Size:
    """The size of a point's steps."""
    return Size(point.products, point.hidden_size, point.input_size)


def lead(found: Crossover, values: Sequence[int]) -> Lead:
    """The lead of the one, over the values at which both were measured."""
    first, last = min(values), max(values)
    if found.start < 0 or found.end < 0:
        if found.start == found.end:
            return Lead(ALWAYS)
        if found.start < 0:
            return Lead(UP_TO, max(first, math.ceil(found.until) - 1))
        return Lead(FROM, min(last, math.floor(found.since) + 1))
    return _beyond(found, first, last) if found.start and found.end else Lead(UNTOLD)


def _beyond(found: Crossover, first: int, last: int) -> Lead:
    """The lead of one that is behind in the whole of a range."""
    if last < found.until and found.since <= FAR * last:
        return Lead(FROM, math.floor(found.since) + 1, measured=False)
    if found.since < first and found.until > 1:
        return Lead(UP_TO, math.ceil(found.until) - 1, measured=False)
    return Lead(NEVER)


Leads = tuple[Lead, Lead]
"""Of the one and of the other."""


def leads(found: Crossover, values: Sequence[int], refuted: bool = False) -> Leads:
    """Both sides of a crossover; `refuted` says that measured times contradict the laws somewhere."""
    if refuted:
        return Lead(CONTRADICTED), Lead(CONTRADICTED)
    return lead(found, values), lead(replace(found, start=-found.start, end=-found.end), values)


def over_steps(one: Fit, other: Fit, size: Size) -> Leads | None:
    """Leads over the lengths of sequence at a size; None where they share none."""
    here = [point for point in common(one, other) if size_of(point) == size]
    if not here:
        return None
    refuted = any(contradicted(one, other, point) for point in here)
    return leads(along_steps(one, other, size.products), [point.steps for point in here], refuted)


def over_sizes(one: Fit, other: Fit, steps: int) -> Leads | None:
    """Leads over the hidden sizes at a length of sequence; None where they share fewer than two."""
    here = [point for point in _one_input(common(one, other)) if point.steps == steps]
    if len(here) < 2:
        return None
    found = along_products(one, other, steps, here[0].products, here[-1].products)
    found = replace(found, until=hidden_at(found.until, here), since=hidden_at(found.since, here))
    refuted = any(contradicted(one, other, point) for point in here)
    return leads(found, [point.hidden_size for point in here], refuted)


class Matrix(NamedTuple):
    """Leads of every implementation of a setting over every other, by size; those ahead of most at their end first."""

    names: list[str]
    leads: dict[tuple[str, str], dict[Size, Lead]]


def matrix(fits: Sequence[Fit], sizes: Sequence[Size]) -> Matrix:
    """The leads at these sizes, over the lengths of sequence."""
    names = [fit.implementation for fit in fits]
    found: dict[tuple[str, str], dict[Size, Lead]] = {(row, column): {} for row in names for column in names}
    for k, one in enumerate(fits):
        for other in fits[k + 1 :]:
            for size in sizes:
                if both := over_steps(one, other, size):
                    found[one.implementation, other.implementation][size] = both[0]
                    found[other.implementation, one.implementation][size] = both[1]
    won = dict.fromkeys(names, 0)
    for (row, column), by_size in found.items():
        count = sum(each.measured and each.kind in (ALWAYS, FROM) for each in by_size.values())
        won[row] += count
        won[column] -= count
    return Matrix(sorted(names, key=lambda name: -won[name]), found)


def hidden_at(products: float, points: Sequence[Point]) -> float:
    """The hidden size at which a step has so many products, by those of two or more points that differ in it alone.

    Products are a H^2 + b H, whatever the layers, batch, head, and whether the input grows with H or not. NaN for
    products below 0.
    """
    first, last = points[0], points[-1]
    ends = (first.products / first.hidden_size, last.products / last.hidden_size)
    a = (ends[1] - ends[0]) / (last.hidden_size - first.hidden_size)
    b = ends[0] - a * first.hidden_size
    return (math.sqrt(b**2 + 4 * a * products) - b) / (2 * a) if products >= 0 else math.nan


def _one_input(points: Iterable[Point]) -> list[Point]:
    """Those points that are one row of hidden sizes: the input grows with them, or is the same; the longer such row."""
    rows: dict[int, list[Point]] = {}
    for point in points:
        rows.setdefault(point.input_size, []).append(point)
    tied = [point for row in rows.values() for point in row if point.input_size == point.hidden_size]
    return sorted(max([tied, *rows.values()], key=lambda row: len({point.hidden_size for point in row})))
