"""What padding costs: the ragged cases of a run, and from which padding on packing or bucketing beats running over it.

ragged(cells)          the measured cells of ragged cases, with their padding and the time of a useful step
turns(cells)           where an implementation becomes faster than REFERENCE for certain, in each group of cases
choices(cells)         which of them to take, by padding, in each group; covered(...) the cases that they speak of

A group is cases that differ in their lengths alone. Whatever is called faster or slower has a Comparison of the same
rounds with REFERENCE, which runs over the padding (`bench.table.cells`, column `gain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import pandas as pd

from bench.cases.case import Case
from bench.cases.lengths import FIXED
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTER, Comparison, apart, of_row
from rnn_impls.registry import ordered

FAMILIES = {"packed": ("packed", "packed-sorted"), "bucketed": ("bucketed",)}
"""What takes the padding out of one call of the library, and the implementations that do it: of several, the one with
the larger gain counts at each padding."""


@dataclass(frozen=True)
class Point:
    """A family at one padding: a share of the steps that a call makes, and its implementation there over REFERENCE."""

    padding: float
    compared: Comparison

    @property
    def implementation(self) -> str:
        """The one of the family that counts."""
        return self.compared.one


@dataclass(frozen=True)
class Turn:
    """How a family compares with REFERENCE in a group; `points` by padding, the least first. `group` is the group's
    Case with lengths that are fixed."""

    group: Case
    family: str
    points: tuple[Point, ...]

    @property
    def faster(self) -> tuple[Point, ...]:
        """Those from the least padding on from which all are faster for certain; none where the last is not."""
        return self.points[_last(point.compared.relation != FASTER for point in self.points) :]

    @property
    def below(self) -> Point | None:
        """The largest padding at which it isn't faster for certain: the change lies between it and the first of
        `faster`. None where it is always faster."""
        rest = self.points[: len(self.points) - len(self.faster)]
        return rest[-1] if rest else None

    @property
    def names(self) -> list[str]:
        """The implementations of `faster`, or of all points where there are none."""
        return ordered(point.implementation for point in self.faster or self.points)


@dataclass(frozen=True)
class Choice:
    """What to take in a group: REFERENCE up to a padding, and from another on one of some implementations.

    `upto` is None where no padding is so small that REFERENCE is it, `since` where none is so large that another is.
    Of several `names` each is the choice at some padding from `since` on, or they can't be told apart.
    """

    group: Case
    upto: float | None
    since: float | None
    names: tuple[str, ...]


def covered(found: Iterable[Choice], cases: Iterable[str]) -> set[str]:
    """Those of these cases, by their ids, of which the choices speak: ragged ones of their groups."""
    groups = {choice.group for choice in found}
    return {case for case in cases if Case.parse(case).ragged and group_of(case) in groups}


def ragged(cells: pd.DataFrame) -> pd.DataFrame:
    """The measured cells of ragged cases, their index kept, with `padding`, the share 1 - U / (B T) of a batch that is
    padding, U being the useful steps of all its sequences together; `useful_seconds`, the seconds of a call over U, and
    its interval: of one step of one sequence; and `group`, the id of the case with fixed lengths."""
    if "useful_steps" not in cells:
        return cells.iloc[:0].assign(padding=[], useful_seconds=[], group=[])
    found = cells[cells["useful_steps"].notna() & cells["seconds"].notna() & (cells["lengths"] != FIXED)]
    useful = found["useful_steps"].astype(float)
    ends = {f"useful_seconds{end}": found[f"seconds{end}"] / useful for end in ("", "_low", "_high")}
    groups = [group_of(case).id for case in found["case"]]
    return found.assign(padding=1 - useful / (found["batch_size"] * found["seq_len"]), group=groups, **ends)


def group_of(case: str) -> Case:
    """The Case with this id, of one length."""
    return replace(Case.parse(case), lengths=FIXED)


def turns(cells: pd.DataFrame) -> list[Turn]:
    """Every family in every group in which it was measured beside REFERENCE, by group."""
    return [
        Turn(Case.parse(str(group)), family, points)
        for group, rows in ragged(cells).groupby("group", sort=True)
        for family in FAMILIES
        if (points := tuple(_points(rows, family)))
    ]


def choices(cells: pd.DataFrame) -> list[Choice]:
    """What to take in every group in which REFERENCE and both families were measured: REFERENCE wherever no family is
    faster for certain. Of two that are, the one whose interval of the gain lies above the other's, or both. Nothing is
    chosen where anything else beats REFERENCE for certain, such as a faster kernel over the padding."""
    rows = ragged(cells)
    by_group: dict[Case, dict[str, dict[float, Point]]] = {}
    for turn in turns(cells):
        by_group.setdefault(turn.group, {})[turn.family] = {point.padding: point for point in turn.points}
    found = []
    for group, points in by_group.items():
        own = rows[rows["group"] == group.id]
        if set(points) != set(FAMILIES) or _others_are_faster(own):
            continue
        paddings = sorted(set.intersection(*(set(each) for each in points.values())))
        best = [_best(own, {family: each[padding] for family, each in points.items()}) for padding in paddings]
        if best:
            found.append(_choice(group, paddings, best))
    return found


def _others_are_faster(rows: pd.DataFrame) -> bool:
    """Whether an implementation of no family is faster than REFERENCE for certain in a case."""
    others = rows[~rows["implementation"].isin([REFERENCE, *chain(*FAMILIES.values())])]
    return any(of_row(row, "gain").relation == FASTER for _, row in others.iterrows())


def _choice(group: Case, paddings: list[float], best: list[tuple[str, ...]]) -> Choice:
    first = _last(not each for each in best)
    upto, since = paddings[first - 1] if first else None, paddings[first] if first < len(paddings) else None
    always = ordered(set[str].intersection(*map(set, best[first:]))) if best[first:] else []
    return Choice(group, upto, since, tuple(always[:1] if len(always) == 1 else ordered(chain(*best[first:]))))


def _best(rows: pd.DataFrame, points: dict[str, Point]) -> tuple[str, ...]:
    """Of each family the implementation that counts, where it is faster than REFERENCE for certain; less those that
    another is ahead of."""
    gains = rows.set_index(["case", "implementation"])
    faster = {
        point.implementation: gains.loc[point.compared.case, point.implementation]
        for point in points.values()
        if point.compared.relation == FASTER
    }
    return tuple(name for name, row in faster.items() if all(apart(row, o, "gain") >= 0 for o in faster.values()))


def _points(rows: pd.DataFrame, family: str) -> Iterator[Point]:
    """A family at each padding of a group, over REFERENCE; the least padding first."""
    known = rows[rows["implementation"].isin(FAMILIES[family]) & rows["gain_low"].notna()]
    for _, here in known.sort_values(["padding", "case"]).groupby(["padding", "case"], sort=False):
        row = here.loc[here["gain"].idxmax()]
        yield Point(float(row["padding"]), replace(of_row(row, "gain"), other=REFERENCE))


def _last(holds: Iterable[bool]) -> int:
    """How many there are up to the last that holds."""
    return max((number for number, each in enumerate(holds, start=1) if each), default=0)
