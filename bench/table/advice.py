"""Which implementation to use for one case, by a run: as it was measured there, or else by the laws of its setting.

advise(run, case)      the ranking, fastest first, with what it rests on
    measured(...)      of a case that the run holds
    predicted(...)     of one that it does not hold, from the laws of those that it holds in the same setting

Which of two is the faster by their laws, how surely, and how often that comes true is that of `bench.table.ranking`.
Nothing here is worded; reasons are those that the run recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.cases.case import Case
from bench.table.cells import REFERENCE, cells, with_outcome
from bench.table.comparison import UNDECIDED, EstimateWarning, of_row
from bench.table.law import SETTING, Fit, Laws, Point, counted_like, laws, point_of
from bench.table.ranking import HeldOut, error, held_out, ranked, ratio, seconds, within
from bench.table.reading import Run
from bench.table.stats import Estimate
from bench.table.winners import payback, same_code, winners
from bench.why.work import NoFloor
from rnn_impls.registry import ordered

MEASURED, INTERPOLATED, EXTRAPOLATED = "measured", "interpolated", "extrapolated"

NO_LAW, UNTRUSTED = "no law", "untrusted"
"""What became of one that was measured in the setting, beside the outcomes of cells."""


@dataclass(frozen=True)
class Ranked:
    """One implementation: seconds per call, gain over REFERENCE (None where that has no time), and its price.

    `error` is the share of the time that its law misses nine in ten unseen cells by at most, NaN for what was measured
    and where it is not known; `payback` is that of `bench.table.winners`.
    """

    name: str
    seconds: Estimate
    gain: Estimate | None
    build_seconds: float
    payback: float
    basis: str = MEASURED
    error: float = math.nan
    warnings: tuple[EstimateWarning, ...] = ()


@dataclass(frozen=True)
class Left:
    """One without an answer: its `outcome` with the reason recorded; or UNTRUSTED, with the median error of its law on
    cells held out of its fit, NaN for a law of one pass."""

    name: str
    outcome: str
    reason: str = ""
    error: float = math.nan


@dataclass(frozen=True)
class Unmet:
    """A value of the case that is not among, or beyond, those `measured` along this axis, which are in order."""

    axis: str
    value: Any
    measured: tuple[Any, ...]


@dataclass(frozen=True)
class Apart:
    """Values of the case, by axis, that the run holds, but in no case together; none if it holds no case at all."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Advice:
    """What a run says of a case. Without a ranking, `reason` says why; None there: no law of `left` can be relied on.

    `ranking` has the fastest first, by the ratio to it where that is known; `fastest` those that may be it (none where
    no interval allows to say so), `left` those without an answer, `outside` the sizes that lie beyond what was
    measured. `rivals` are those of `left` that may be the fastest in some of the `around` cases measured nearest to
    this one, with in how many: an answer that passes over them in silence would be a wrong one. `standing` says what
    several `fastest` are: a tie, the one to use first, or undecided; `same` which others run the code of one of the
    ranking; `held_out`, of a prediction, what became of such predictions of the setting's measured cases. `rounded`
    has those that compute with weights rounded to another dtype, with which: they compete with nobody.
    """

    case: Case
    basis: str
    ranking: list[Ranked] = field(default_factory=list)
    fastest: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    outside: list[Unmet] = field(default_factory=list)
    reason: Unmet | Apart | str | None = None
    held_out: HeldOut | None = None
    rivals: list[tuple[str, int]] = field(default_factory=list)
    around: int = 0
    standing: str = UNDECIDED
    same: dict[str, list[str]] = field(default_factory=dict)
    rounded: dict[str, str] = field(default_factory=dict)


def advise(run: Run, case: Case) -> Advice:
    """The ranking of a run's implementations for a case."""
    table = cells(run)
    return measured(table, case) or predicted(run, table, case)


def measured(table: pd.DataFrame, case: Case) -> Advice | None:
    """What was measured of this very case; None if nothing was."""
    rows = with_outcome(table[table["case"] == case.id])
    there = rows[rows["outcome"] == MEASURED].set_index("implementation", drop=False)
    if there.empty:
        return None
    base = there.loc[REFERENCE] if REFERENCE in there.index else None
    by = "behind" if there["behind"].notna().all() else "seconds"
    ranking = [_ranked_as_measured(row, base) for _, row in there.sort_values(by, kind="stable").iterrows()]
    won = winners(there).get(case.id)
    fastest, standing = (list(won.names), won.standing) if won else ([], "")
    same = same_code(there, there.index)
    left, rounded = _in_order(_unmeasured(rows)), _rounded(there, ranking)
    return Advice(case, MEASURED, ranking, fastest, left, standing=standing, same=same, rounded=rounded)


def _rounded(rows: pd.DataFrame, ranking: Iterable[Ranked]) -> dict[str, str]:
    found = dict(zip(rows["implementation"], rows["weights_dtype"], strict=True))
    return {one.name: found[one.name] for one in ranking if found[one.name]}


def _ranked_as_measured(row: pd.Series, base: pd.Series | None) -> Ranked:
    gain = None if base is None or pd.isna(row["gain"]) else of_row(row, "gain").ratio
    calls = math.nan
    if base is not None and gain is not None:
        ends = (gain.value, gain.low, gain.high)
        calls = payback(row["build_seconds"], base["build_seconds"], base["seconds"], ends)
    taken = of_row(row, "seconds").ratio
    return Ranked(row["implementation"], taken, gain, row["build_seconds"], calls, warnings=row["warnings"])


def _unmeasured(rows: pd.DataFrame) -> list[Left]:
    """Those that were not measured in any of these cells, each with its first reason."""
    there = set(rows.loc[rows["outcome"] == MEASURED, "implementation"])
    lost = rows[~rows["implementation"].isin(there)].drop_duplicates("implementation")
    return [Left(row["implementation"], row["outcome"], str(row["reason"])) for _, row in lost.iterrows()]


def _in_order(found: Iterable[Left]) -> list[Left]:
    """By implementation."""
    by_name = {each.name: each for each in found}
    return [by_name[name] for name in ordered(by_name)]


def predicted(run: Run, table: pd.DataFrame, case: Case) -> Advice:
    """What the laws of the run say of this case."""
    setting = {name: getattr(case, name) for name in SETTING}
    here = with_outcome(table[(table[list(SETTING)] == list(setting.values())).all(axis=1)])
    if here.empty:
        return Advice(case, INTERPOLATED, reason=_no_such_setting(table, setting))
    found = laws(run).of(setting)
    usable = [fit for fit in found.fits if fit.trusted]
    left = _in_order([*_without_a_law(found), *_unmeasured(here)])
    near = {name: winner for name, winner in winners(here).items() if name in _around(case, here)}
    won = [name for winner in near.values() for name in winner.names]
    rivals = [(each.name, won.count(each.name)) for each in left if each.name in won]
    if not usable:
        return Advice(case, INTERPOLATED, left=left, rivals=rivals, around=len(near))
    counted = counted_like(run.manifest, case)
    try:
        point = point_of(case, counted)
    except NoFloor as error:
        return Advice(case, INTERPOLATED, reason=str(error), left=left, rivals=rivals, around=len(near))
    outside = _outside(point, [each for fit in usable for each in fit.points])
    builds = here.groupby("implementation")["build_seconds"].median()
    base = next((fit for fit in usable if fit.implementation == REFERENCE), None)
    order, fastest = ranked(usable, point)
    ranking = [_ranked_by_law(fit, base, point, builds) for fit in order]
    return Advice(
        case,
        EXTRAPOLATED if outside else INTERPOLATED,
        ranking,
        ordered(fit.implementation for fit in fastest) if len(order) > 1 else [],
        left,
        outside,
        held_out=held_out(found.fits),
        rivals=rivals,
        around=len(near),
        rounded=_rounded(here, ranking),
    )


def _without_a_law(found: Laws) -> list[Left]:
    """Those that have no law, or one that can't be relied on."""
    poor = [
        Left(fit.implementation, UNTRUSTED, error=fit.held_out_error if len(fit.passes) > 1 else math.nan)
        for fit in found.fits
        if not fit.trusted
    ]
    return poor + [Left(each.implementation, NO_LAW, each.reason) for each in found.unfitted]


def _ranked_by_law(fit: Fit, base: Fit | None, point: Point, builds: pd.Series) -> Ranked:
    taken = seconds(fit, point)
    basis = EXTRAPOLATED if _outside(point, fit.points) else INTERPOLATED
    build, missed = float(builds[fit.implementation]), error(fit, point)
    gain = ratio(base, fit, point) if base else None
    if base is None or gain is None:
        return Ranked(fit.implementation, taken, gain, build, math.nan, basis, missed)
    room = 1.0 if fit is base else (1 + missed) * (1 + error(base, point))
    ends = (gain.value, gain.low / room, gain.high * room)
    calls = payback(build, float(builds[base.implementation]), seconds(base, point).value, ends)
    return Ranked(fit.implementation, taken, gain, build, calls, basis, missed)


def _outside(point: Point, points: Sequence[Point]) -> list[Unmet]:
    """The sizes of a point that lie beyond those of others."""
    names = {"hidden_size": "hidden_size", "input_size": "input_size", "seq_len": "steps"}
    if all(each.input_size == each.hidden_size for each in (point, *points)):
        del names["input_size"]  # it goes without saying
    found = []
    for axis, name in names.items():
        value, values = getattr(point, name), sorted({getattr(each, name) for each in points})
        if not within(value, values):
            found.append(Unmet(axis, value, tuple(values)))
    return found


def _around(case: Case, here: pd.DataFrame) -> set[str]:
    """The cases measured nearest to this one: of the hidden sizes and lengths on either side of its own."""
    near = here[here["outcome"] == MEASURED]
    for axis in ("hidden_size", "seq_len"):
        values, own = near[axis], getattr(case, axis)
        sides = [values[values <= own].max(), values[values >= own].min()]
        near = near[values.isin(sides)]
    return set(near["case"])


def _no_such_setting(table: pd.DataFrame, setting: Mapping[str, Any]) -> Unmet | Apart:
    """Which axis of a setting the run does not have, and what it has; or that it lacks the combination."""
    for axis, value in setting.items():
        values = sorted(table[axis].unique().tolist())
        if values and value not in values:
            return Unmet(axis, value, tuple(values))
    return Apart({axis: value for axis, value in setting.items() if table[axis].nunique() > 1})
