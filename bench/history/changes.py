"""What changed in a history: levels of time within a series, exact meters from run to run, and both across a change of
machine or software, which is then named as the cause."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from bench.cases.case import Cell
from bench.history.moods import steadied
from bench.history.series import Handover, History, Series
from bench.history.shifts import LEVEL, MIN_POINTS, Shift, Values, likeness, shifts
from bench.history.summary import METERS
from bench.table.stats import Estimate, t_half_width

TIME = "time"
"""What changed, where it is no exact meter."""

FEWEST_AT_HANDOVER = 3
"""Runs on both sides of a handover from which its change of level can be told."""

DIGITS = 6

Logs = dict[tuple[Cell, str], Values]
"""Cell and fingerprint -> the logarithms of its runs, less their moods."""


@dataclass(frozen=True)
class Place:
    """Where something happened: after the run `earlier`, and up to the run `at`; it may as well have been as early as
    after the run `first` and as late as up to the run `last`. Numbers of runs in the history."""

    earlier: int
    at: int
    first: int
    last: int


@dataclass(frozen=True)
class Change:
    """A change of one cell. `what` is TIME or a meter; `before` and `after` are levels, of time over the control's or
    of the meter; `ratio` is after over before (of an exact meter without width; NaN where nothing came before).
    `causes` are differences of machine or software, name -> (before, after)."""

    cell: Cell
    what: str
    before: float
    after: float
    ratio: Estimate
    place: Place
    causes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    id: str = ""

    @property
    def is_worse(self) -> bool:
        """Slower, or more of a meter."""
        return self.after > self.before


@dataclass(frozen=True)
class Level:
    """A stretch of runs of one series between two changes: numbers of its first and last run, and its level, of time
    over the control's."""

    first: int
    last: int
    value: float


@dataclass(frozen=True)
class Found:
    """All changes of a history, the last first; the levels of each series, by cell and fingerprint; how many series are
    too short for changes in time; and how much a run resembles the one before it, by fingerprint."""

    changes: tuple[Change, ...]
    levels: dict[tuple[Cell, str], tuple[Level, ...]]
    short: int
    alike: dict[str, float]


def changes(history: History) -> Found:
    """Find them. Raises ModuleNotFoundError without ruptures."""
    logs: Logs = {}
    alike: dict[str, float] = {}
    for print_ in dict.fromkeys(run.fingerprint for run in history.runs):
        own = [each for each in history.series if each.fingerprint == print_]
        steady = steadied([each.logs for each in own], [each.runs for each in own])
        alike[print_] = likeness(steady)
        logs |= {(each.cell, print_): values for each, values in zip(own, steady, strict=True)}
    found: list[Change] = []
    levels: dict[tuple[Cell, str], tuple[Level, ...]] = {}
    for cell in history.cells:
        own = history.of(cell)
        long = [each for each in own if len(each.runs) >= MIN_POINTS]
        for each in own:
            key, more = (cell, each.fingerprint), alike[each.fingerprint]
            told = shifts(logs[key], more, LEVEL / len(long)) if each in long else []
            levels[key] = tuple(_levels(each, logs[key], told))
            found += [_in_time(each, shift) for shift in told]
            found += _in_meters(each)
        found += _across(history, own, logs, levels, alike)
    short = sum(len(each.runs) < MIN_POINTS for each in history.series)
    ordered = sorted(found, key=lambda each: (-each.place.at, each.cell, each.what))
    return Found(tuple(_named(history, each) for each in ordered), levels, short, alike)


def _levels(series: Series, logs: Values, told: Sequence[Shift]) -> Iterator[Level]:
    edges = [0, *(shift.at for shift in told), len(series.runs)]
    values = [*(shift.before for shift in told), told[-1].after] if told else [float(np.median(logs))]
    for begin, end, value in zip(edges[:-1], edges[1:], values, strict=True):
        yield Level(series.runs[begin], series.runs[end - 1], math.exp(value))


def _in_time(series: Series, shift: Shift) -> Change:
    runs = series.runs
    place = Place(runs[shift.at - 1], runs[shift.at], runs[shift.first - 1], runs[shift.last])
    ratio = _ratio(shift.after - shift.before, shift.ends(), len(runs))
    return Change(series.cell, TIME, math.exp(shift.before), math.exp(shift.after), ratio, place)


def _ratio(difference: float, ends: tuple[float, float], count: int) -> Estimate:
    """Of logarithms."""
    low, high = ends
    return Estimate(math.exp(difference), math.exp(low), math.exp(high), count)


def _in_meters(series: Series) -> Iterator[Change]:
    """Every rise and fall of an exact meter from one run to the next that has it: nothing to be uncertain of."""
    for meter in METERS:
        known = [
            (number, told[meter]) for number, told in zip(series.runs, series.meters, strict=True) if meter in told
        ]
        for (earlier, before), (at, after) in pairwise(known):
            if before != after:
                yield _exactly(series.cell, meter, (before, after), (earlier, at), len(known))


def _known(series: Series, meter: str) -> list[tuple[int, float]]:
    """(number of the run, value), of the runs that have this meter."""
    return [(number, told[meter]) for number, told in zip(series.runs, series.meters, strict=True) if meter in told]


def _exactly(
    cell: Cell,
    meter: str,
    values: tuple[float, float],
    runs: tuple[int, int],
    count: int,
    causes: Mapping[str, tuple[Any, Any]] | None = None,
) -> Change:
    (before, after), (earlier, at) = values, runs
    ratio = after / before if before else math.nan
    exact = Estimate(ratio, ratio, ratio, count)
    return Change(cell, meter, before, after, exact, Place(earlier, at, earlier, at), causes or {})


def _across(
    history: History,
    own: Sequence[Series],
    logs: Logs,
    levels: Mapping[tuple[Cell, str], tuple[Level, ...]],
    alike: Mapping[str, float],
) -> Iterator[Change]:
    """What a cell's handovers changed, of its time and of its meters."""
    by_print = {each.fingerprint: each for each in own}
    for handover in history.handovers:
        if handover.before in by_print and handover.after in by_print:
            before, after = by_print[handover.before], by_print[handover.after]
            keys = (before.cell, handover.before), (before.cell, handover.after)
            ends = (
                _inside(before, logs[keys[0]], levels[keys[0]][-1]),
                _inside(after, logs[keys[1]], levels[keys[1]][0]),
            )
            worst = max(alike[handover.before], alike[handover.after])
            if change := _level_across(before.cell, ends, handover, worst):
                yield change
            yield from _meters_across(before, after, handover)


def _level_across(cell: Cell, ends: tuple[Values, Values], handover: Handover, alike: float) -> Change | None:
    """The change of level from the last stretch of one series to the first of another, where it is beyond chance, by
    Welch's t at LEVEL; None where it is not, or where there are too few runs."""
    one, two = ends
    if min(len(one), len(two)) < FEWEST_AT_HANDOVER:
        return None
    errors = [float(part.var(ddof=1)) / len(part) for part in (one, two)]
    difference = float(two.mean() - one.mean())
    worse = math.sqrt((1 + alike) / (1 - alike))
    error = math.sqrt(sum(errors)) * worse
    if not error:
        freedom = float(len(one) + len(two) - 2)
    else:
        freedom = sum(errors) ** 2 / sum(e**2 / (len(part) - 1) for e, part in zip(errors, (one, two), strict=True))
    if abs(difference) <= t_half_width(error, freedom, LEVEL / 2):
        return None
    half = t_half_width(error, freedom, 0.025)
    ratio = _ratio(difference, (difference - half, difference + half), len(one) + len(two))
    place = Place(handover.last, handover.first, handover.last, handover.first)
    levels = math.exp(one.mean()), math.exp(two.mean())
    return Change(cell, TIME, *levels, ratio, place, handover.differences)


def _inside(series: Series, logs: Values, level: Level) -> Values:
    """The logarithms of a series within a stretch of it."""
    return logs[[level.first <= number <= level.last for number in series.runs]]


def _meters_across(before: Series, after: Series, handover: Handover) -> Iterator[Change]:
    for meter in METERS:
        old, new = _known(before, meter), _known(after, meter)
        if old and new and old[-1][1] != new[0][1]:
            (earlier, was), (at, is_) = old[-1], new[0]
            yield _exactly(before.cell, meter, (was, is_), (earlier, at), len(old) + len(new), handover.differences)


def _named(history: History, change: Change) -> Change:
    """The same with its id: of the cell, of what changed, and of the run at which it shows, so that it stays the same
    while runs are added, as long as the change is placed there."""
    text = "\n".join([*change.cell, change.what, history.runs[change.place.at].run])
    return replace(change, id=hashlib.sha256(text.encode()).hexdigest()[:DIGITS])
