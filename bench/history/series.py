"""Summaries in the order of their commits -> a series of each cell on each machine and software.

Runs of one fingerprint (`bench.host.identity`) are one stretch, wherever others lie between them: two machines that
take turns are two series. Where one takes over from another for good there is a handover.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.cases.case import Cell
from bench.history.summary import Summary, committed, when
from bench.host.identity import differences

COMMIT, DATE = "commit", "date"
"""What runs are put in order by."""


@dataclass(frozen=True)
class Series:
    """One cell on one machine and software: numbers of its runs in the history, and of each the time over the
    control's, with its interval."""

    cell: Cell
    fingerprint: str
    runs: tuple[int, ...]
    ratios: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    meters: tuple[dict[str, float], ...]

    @property
    def logs(self) -> list[float]:
        """Logarithms of the ratios."""
        return [math.log(ratio) for ratio in self.ratios]


@dataclass(frozen=True)
class Handover:
    """Where one machine or software takes over from another for good: the last run of the one, the first of the other,
    and what differs, name -> (before, after)."""

    before: str
    after: str
    last: int
    first: int
    differences: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class History:
    """Runs in order, a series for each cell and fingerprint, and the handovers between fingerprints."""

    runs: tuple[Summary, ...]
    series: tuple[Series, ...]
    handovers: tuple[Handover, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def cells(self) -> list[Cell]:
        """Each cell once, in order."""
        return sorted({each.cell for each in self.series})

    @property
    def commits(self) -> int:
        """How many commits were measured."""
        return len({run.commit_id or run.run for run in self.runs})

    def of(self, cell: Cell) -> list[Series]:
        """The series of one cell, by their first runs."""
        return [each for each in self.series if each.cell == cell]


def history(summaries: Iterable[Summary], by: str = COMMIT) -> History:
    """Put runs in order and take them apart into series. Raises ValueError for fewer than two runs."""
    runs = in_order(summaries, by)
    if len(runs) < 2:
        raise ValueError(f"a history has at least two runs, and here is one alone: {runs[0].run if runs else 'none'}")
    found: dict[tuple[Cell, str], list[int]] = {}
    for number, run in enumerate(runs):
        for each in run.cells:
            found.setdefault((each.cell, run.fingerprint), []).append(number)
    known = [run.by_cell() for run in runs]
    series = []
    for (cell, print_), numbers in sorted(found.items(), key=lambda item: (item[0][0], item[1][0])):
        own = [known[number][cell] for number in numbers]
        columns = ([getattr(each, name) for each in own] for name in ("ratio", "low", "high", "meters"))
        series.append(Series(cell, print_, tuple(numbers), *map(tuple, columns)))
    handovers, turns = _handovers(runs)
    return History(tuple(runs), tuple(series), tuple(handovers), tuple(turns))


def in_order(summaries: Iterable[Summary], by: str = COMMIT) -> list[Summary]:
    """By the time of their commits, those of one commit by their start; by their start alone where `by` is DATE, or
    where the time of any commit is not known."""
    runs = list(summaries)
    known = by == COMMIT and all(committed(run) for run in runs)

    def key(run: Summary) -> tuple[datetime.datetime, datetime.datetime, str]:
        return (committed(run) if known else None) or when(run), when(run), run.run

    return sorted(runs, key=key)


def _handovers(runs: Sequence[Summary]) -> tuple[list[Handover], list[str]]:
    """Every handover; and a line on those that take turns."""
    ends: dict[str, tuple[int, int]] = {}
    for number, run in enumerate(runs):
        ends[run.fingerprint] = (ends.get(run.fingerprint, (number, number))[0], number)
    found = []
    for after, (first, _) in ends.items():
        if earlier := [(last, before) for before, (_, last) in ends.items() if last < first]:
            last, before = max(earlier)
            differ = differences(runs[last].machine, runs[first].machine)
            found.append(Handover(before, after, last, first, differ))
    stretches = 1 + sum(int(one.fingerprint != two.fingerprint) for one, two in pairwise(runs))
    if stretches == len(ends):
        return found, []
    turns = f"{len(ends)} machines or software take turns here, and each has a series of its own: "
    return found, [f"{turns}{'; '.join(_called(print_, runs[first].machine) for print_, (first, _) in ends.items())}."]


def _called(print_: str, machine: dict[str, Any]) -> str:
    return f"{print_} ({machine.get('cpu', 'unknown')}, torch {machine.get('torch', 'unknown')})"
