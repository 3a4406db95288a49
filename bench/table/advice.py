"""A ranking of the ways for one case, and whether it was measured or predicted.

Advice on a case that the run holds.

Advice on a case that the run does not hold, from the laws of those that it holds in the same setting.

Which way is the faster one, and how surely, is that of `bench.table.ranking`; how often that comes true is counted on
the measured cases of the setting (`bench.table.ranking`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.cases.case import Case
from bench.report.facets import value_range, with_outcome
from bench.report.names import axis_value, listed, ordered
from bench.report.units import missing
from bench.table.cells import REFERENCE
from bench.table.comparison import UNDECIDED, EstimateWarning
from bench.table.law import SETTING, Fit, Point, laws, point_of
from bench.table.ranking import HeldOut, error, held_out, ranked, ratio, seconds, why_not, within
from bench.table.reading import Run
from bench.table.stats import Estimate
from bench.table.winners import payback, same_code, winners

MEASURED, INTERPOLATED, EXTRAPOLATED = "measured", "interpolated", "extrapolated"


@dataclass(frozen=True)
class Ranked:
    """One way: seconds per call, gain over REFERENCE (None where that has no time), and its price.

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
class Advice:
    """What a run says of a case. Without a ranking, `reason` says why.

    `ranking` has the fastest first, by the ratio to it where that is known; `fastest` those that may be it (none where
    no interval allows to say so), `left` the ways that have no answer with their reasons, `outside` the sizes that lie
    beyond what was measured, in words. `rivals` are those of `left` that may be the fastest in some of the `around`
    cases measured nearest to this one, with in how many: an answer that passes over them in silence would be a wrong
    one. `standing` says what several `fastest` are: a tie, the one to use first, or undecided; `same` which others run
    the code of one of the ranking.
    """

    case: Case
    basis: str
    ranking: list[Ranked] = field(default_factory=list)
    fastest: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    reason: str = ""
    held_out: HeldOut | None = None
    """Of a prediction: what became of such predictions of the cases that were measured in this setting."""
    rivals: list[tuple[str, int]] = field(default_factory=list)
    around: int = 0
    standing: str = UNDECIDED
    same: dict[str, list[str]] = field(default_factory=dict)


def advise(run: Run, case: Case) -> Advice:
    """The ranking of a run's ways for a case."""
    from bench.table.cells import cells

    table = cells(run)
    return measured(table, case) or predicted(run, table, case)


def measured(cells: pd.DataFrame, case: Case) -> Advice | None:
    """What was measured of this very case; None if nothing was."""
    rows = with_outcome(cells[cells["case"] == case.id])
    there = rows[rows["outcome"] == MEASURED].set_index("implementation", drop=False)
    if there.empty:
        return None
    base = there.loc[REFERENCE] if REFERENCE in there.index else None
    by = "behind" if there["behind"].notna().all() else "seconds"
    ranking = [_ranked_as_measured(row, base) for _, row in there.sort_values(by, kind="stable").iterrows()]
    won = winners(there).get(case.id)
    fastest, standing = (list(won.names), won.standing) if won else ([], "")
    same = same_code(there, there.index)
    return Advice(case, MEASURED, ranking, fastest, left(rows), standing=standing, same=same)


def left(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """The ways among these cells that were not measured in any of them, and why; the first reason of each."""
    there = set(rows.loc[rows["outcome"] == MEASURED, "implementation"])
    lost = rows[~rows["implementation"].isin(there)].drop_duplicates("implementation").set_index("implementation")
    return [(name, reason(lost.loc[name])) for name in ordered(lost.index)]


def reason(row: pd.Series) -> str:
    """`unavailable: made for one layer`."""
    return f"{row['outcome']}: {' '.join(str(row['reason']).split()) or 'no reason was recorded'}"


def _ranked_as_measured(row: pd.Series, base: pd.Series | None) -> Ranked:
    gain = None if base is None or missing(row["gain"]) else _estimate(row, "gain")
    calls = float("nan")
    if base is not None and gain is not None:
        ends = (gain.value, gain.low, gain.high)
        calls = payback(row["build_seconds"], base["build_seconds"], base["seconds"], ends)
    return Ranked(
        row["implementation"], _estimate(row, "seconds"), gain, row["build_seconds"], calls, warnings=row["warnings"]
    )


def _estimate(row: pd.Series, name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], int(row["passes"]))


def predicted(run: Run, cells: pd.DataFrame, case: Case) -> Advice:
    """What the laws of the run say of this case."""
    setting = {name: getattr(case, name) for name in SETTING}
    here = with_outcome(cells[(cells[list(SETTING)] == list(setting.values())).all(axis=1)])
    if here.empty:
        return Advice(case, INTERPOLATED, reason=_no_such_setting(cells, setting))
    found = laws(run)
    fits = [fit for fit in found.fits if dict(fit.setting) == setting]
    usable = [fit for fit in fits if not why_not(fit)]
    untold = {fit.implementation: why_not(fit) for fit in fits}
    untold |= {
        each.implementation: f"no law: {each.reason}" for each in found.unfitted if dict(each.setting) == setting
    }
    untold |= dict(left(here))
    lost = [(name, untold[name]) for name in ordered(untold) if untold[name]]
    near = {name: winner for name, winner in winners(here).items() if name in _around(case, here)}
    won = [name for winner in near.values() for name in winner.names]
    rivals = [(name, won.count(name)) for name, _ in lost if name in won]
    if not usable:
        reason = "no way has a law there that can be relied on"
        return Advice(case, INTERPOLATED, left=lost, reason=reason, rivals=rivals, around=len(near))
    point = point_of(case)
    outside = _outside(point, [each for fit in usable for each in fit.points])
    builds = here.groupby("implementation")["build_seconds"].median()
    base = next((fit for fit in usable if fit.implementation == REFERENCE), None)
    order, fastest = ranked(usable, point)
    return Advice(
        case,
        EXTRAPOLATED if outside else INTERPOLATED,
        [_ranked_by_law(fit, base, point, builds) for fit in order],
        ordered(fit.implementation for fit in fastest) if len(order) > 1 else [],
        lost,
        outside,
        held_out=held_out(fits),
        rivals=rivals,
        around=len(near),
    )


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


def _outside(point: Point, points: Sequence[Point]) -> list[str]:
    """The sizes of a point that lie beyond those of others: `hidden 4096 (measured: hidden 32 to 512)`."""
    names = {"hidden_size": "hidden_size", "input_size": "input_size", "seq_len": "steps"}
    if all(each.input_size == each.hidden_size for each in (point, *points)):
        del names["input_size"]  # it goes without saying
    found = []
    for axis, name in names.items():
        values = [getattr(each, name) for each in points]
        if not within(getattr(point, name), values):
            found.append(f"{axis_value(axis, getattr(point, name))} (measured: {value_range(axis, values)})")
    return found


def _around(case: Case, here: pd.DataFrame) -> set[str]:
    """The cases measured nearest to this one: of the hidden sizes and lengths on either side of its own."""
    near = here[here["outcome"] == MEASURED]
    for axis in ("hidden_size", "seq_len"):
        values, own = near[axis], getattr(case, axis)
        sides = [values[values <= own].max(), values[values >= own].min()]
        near = near[values.isin(sides)]
    return set(near["case"])


def _no_such_setting(cells: pd.DataFrame, setting: dict[str, Any]) -> str:
    """Which axis of a setting the run does not have, and what it has; or that it lacks the combination."""
    for axis, value in setting.items():
        values = sorted(cells[axis].unique().tolist())
        if values and value not in values:
            each = listed([axis_value(axis, one) for one in values])
            return f"the run has no case with {axis_value(axis, value)}; it has {each}, and laws do not reach across"
    words = listed([axis_value(axis, value) for axis, value in setting.items() if cells[axis].nunique() > 1])
    return f"the run has no case with {words} together" if words else "the run has no case"
