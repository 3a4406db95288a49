"""Advice on a case that the run does not hold, from the laws of those that it holds in the same setting.

Which way is the faster one, and how surely, is that of `bench.advice.ranking`; how often that comes true is counted on
the measured cases of the setting (`bench.advice.held_out`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.advice.advice import EXTRAPOLATED, INTERPOLATED, MEASURED, Advice, Ranked
from bench.advice.held_out import held_out
from bench.advice.measured import left
from bench.advice.ranking import error, ranked, ratio, seconds, why_not, within
from bench.cases import Case
from bench.law import Point, point_of
from bench.payback import payback
from bench.report.names import axis_value, listed, ordered
from bench.report.outcome import value_range, with_outcome
from bench.report.use.winners import winners
from bench.results import Run
from bench.scaling import SETTING, Fit, laws
from bench.summary import REFERENCE


def advice(run: Run, cells: pd.DataFrame, case: Case) -> Advice:
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
        [_ranked(fit, base, point, builds) for fit in order],
        ordered(fit.implementation for fit in fastest) if len(order) > 1 else [],
        lost,
        outside,
        held_out=held_out(fits),
        rivals=rivals,
        around=len(near),
    )


def _ranked(fit: Fit, base: Fit | None, point: Point, builds: pd.Series) -> Ranked:
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
