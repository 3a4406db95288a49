"""Advice on a case that the run does not hold, from the laws of those that it holds in the same setting.

Intervals are over passes, as those of laws are. A law can be well known and still not hold, so that one way counts as
faster than another only where the interval of their ratio leaves out more than the errors of both on cells that were
held out of their fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.advice.advice import EXTRAPOLATED, INTERPOLATED, MEASURED, Advice, Ranked
from bench.advice.measured import left
from bench.cases import Case
from bench.law import Point, point_of
from bench.payback import payback
from bench.report.laws.sentences import TRUSTED
from bench.report.names import axis_value, listed, ordered
from bench.report.outcome import value_range, with_outcome
from bench.report.units import percent
from bench.report.use.winners import winners
from bench.results import Run
from bench.scaling import SETTING, Fit, laws
from bench.stats import Estimate, interval_of_ratio
from bench.summary import REFERENCE


def advice(run: Run, cells: pd.DataFrame, case: Case) -> Advice:
    """What the laws of the run say of this case."""
    setting = {name: getattr(case, name) for name in SETTING}
    here = with_outcome(cells[(cells[list(SETTING)] == list(setting.values())).all(axis=1)])
    if here.empty:
        return Advice(case, INTERPOLATED, reason=_no_such_setting(cells, setting))
    found = laws(run)
    fits = [fit for fit in found.fits if dict(fit.setting) == setting]
    usable = [fit for fit in fits if not _why_not(fit)]
    untold = {fit.implementation: _why_not(fit) for fit in fits}
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
    ranking = sorted((_ranked(fit, base, point, builds) for fit in usable), key=lambda way: way.seconds.value)
    by_name = {fit.implementation: fit for fit in usable}
    best = by_name[ranking[0].name]
    fastest = [best.implementation]
    fastest += [way.name for way in ranking[1:] if not _behind(by_name[way.name], best, point)]
    return Advice(
        case,
        EXTRAPOLATED if outside else INTERPOLATED,
        ranking,
        ordered(fastest) if len(ranking) > 1 else [],
        lost,
        outside,
        rivals=rivals,
        around=len(near),
    )


def error(fit: Fit, point: Point) -> float:
    """The share of the time by which a law may miss this point: the median of cells held out of its fit, and beyond
    the range of these no less than what extrapolating in that direction costs; NaN where that is not known."""
    parts = [fit.held_out_error]
    if not _within(point.steps, [each.steps for each in fit.points]):
        parts.append(fit.beyond(lambda each: each.steps))
    if not _within(point.products, [each.products for each in fit.points]):
        parts.append(fit.beyond(lambda each: each.products))
    return math.nan if any(map(math.isnan, parts)) else max(parts)


def _why_not(fit: Fit) -> str:
    """Why nothing is to be predicted by a law; empty for a good one."""
    if len(fit.passes) < 2:
        return "one pass gives its law no interval"
    if fit.held_out_error > TRUSTED:
        return (
            f"its law misses cells held out of its fit by {percent(float(f'{fit.held_out_error:.2g}'))} in the median"
        )
    return ""


def _ranked(fit: Fit, base: Fit | None, point: Point, builds: pd.Series) -> Ranked:
    seconds = interval_of_ratio([math.log(law.seconds(point)) for law in fit.laws])
    basis = EXTRAPOLATED if _outside(point, fit.points) else INTERPOLATED
    build, missed = float(builds[fit.implementation]), error(fit, point)
    gain = _ratio(base, fit, point) if base else None
    if base is None or gain is None:
        return Ranked(fit.implementation, seconds, gain, build, math.nan, basis, missed)
    room = 1.0 if fit is base else (1 + missed) * (1 + error(base, point))
    ends = (gain.value, gain.low / room, gain.high * room)
    base_seconds = interval_of_ratio([math.log(law.seconds(point)) for law in base.laws]).value
    calls = payback(build, float(builds[base.implementation]), base_seconds, ends)
    return Ranked(fit.implementation, seconds, gain, build, calls, basis, missed)


def _ratio(one: Fit, other: Fit, point: Point) -> Estimate | None:
    """The one's time over the other's at a point, over the passes of both; None where they share none."""
    times = {number: law.seconds(point) for number, law in zip(one.passes, one.laws, strict=True)}
    logs = [
        math.log(times[number] / law.seconds(point))
        for number, law in zip(other.passes, other.laws, strict=True)
        if number in times
    ]
    return interval_of_ratio(logs) if logs else None


def _behind(one: Fit, best: Fit, point: Point) -> bool:
    """Whether the one is surely slower than the best; never where an error is not known."""
    ratio = _ratio(one, best, point)
    return ratio is not None and ratio.low > (1 + error(one, point)) * (1 + error(best, point))


def _outside(point: Point, points: Sequence[Point]) -> list[str]:
    """The sizes of a point that lie beyond those of others: `hidden 4096 (measured: hidden 32 to 512)`."""
    names = {"hidden_size": "hidden_size", "input_size": "input_size", "seq_len": "steps"}
    if all(each.input_size == each.hidden_size for each in (point, *points)):
        del names["input_size"]  # it goes without saying
    found = []
    for axis, name in names.items():
        values = [getattr(each, name) for each in points]
        if not _within(getattr(point, name), values):
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


def _within(value: int, values: Sequence[int]) -> bool:
    return min(values) <= value <= max(values)


def _no_such_setting(cells: pd.DataFrame, setting: dict[str, Any]) -> str:
    """Which axis of a setting the run does not have, and what it has; or that it lacks the combination."""
    for axis, value in setting.items():
        values = sorted(cells[axis].unique().tolist())
        if values and value not in values:
            each = listed([axis_value(axis, one) for one in values])
            return f"the run has no case with {axis_value(axis, value)}; it has {each}, and laws do not reach across"
    words = listed([axis_value(axis, value) for axis, value in setting.items() if cells[axis].nunique() > 1])
    return f"the run has no case with {words} together" if words else "the run has no case"
