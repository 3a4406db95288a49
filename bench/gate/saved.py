"""Two saved runs held against each other, by their control-normalised times.

Absolute times of two runs differ by a third with nothing changed; a time divided by that of the control, taken within
milliseconds of it, does so by a few percent. An observation is one pass: the logarithm of its time over the control's
(`bench.table.observation`). The change of a cell is the difference of the two runs' means over passes, with Welch's t
interval (B. L. Welch, Biometrika 34, 1947, 28-35), Holm's correction over the cells and ERROR for each of the three
questions.
There are no fresh processes to confirm a change here, hence the smaller error.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable
from typing import Any

from bench.cases.case import Case, Cell
from bench.gate.comparable import Surveyed, comparable
from bench.host.identity import differences
from bench.store.manifest import MISSING, CellRecord
from bench.table.comparison import Comparison, EstimateWarning, joined
from bench.table.measured import log_controls, measured_samples, warnings
from bench.table.outcome import (
    BASE,
    HEAD,
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Incomparable,
    Outcome,
    Uncompared,
)
from bench.table.reading import Run
from bench.table.stats import Estimate, holm, p_above, t_half_width, weighted_mean

ERROR = 0.01
"""Of each family of hypotheses, all cells together."""

LEAST_PASSES = 3
"""In each run: from fewer the spread between processes cannot be told."""


FIRST_CONTROL = "control-1"
"""Of runs that name none."""

ALL = slice(None)
"""Which passes of the base are held against the head's."""


def compare(
    base: Run,
    head: Run,
    min_effect: float,
    allow_different: Collection[str] = (),
    part: slice = ALL,
    level: float = ERROR,
) -> Outcome:
    """Hold run `head` against run `base`; `min_effect` is a fraction.

    With a `part`, each cell's mean is that of these passes of the base alone; how much passes differ is still asked of
    all. `level` is the error of each family of hypotheses.

    Raises Incomparable when they are of different machines or software, unless every key that differs is allowed to
    (or `all` are).
    """
    outcome = Outcome(f"run {base.manifest.id}", f"run {head.manifest.id}", min_effect, machine=head.manifest.machine)
    machines = base.manifest.machine, head.manifest.machine
    outcome.notes = differing(*machines, [*allow_different, *CONTROLS.values()])
    if outcome.base == outcome.head:
        outcome.base, outcome.head = f"run {base.folder}", f"run {head.folder}"
    sides = [Surveyed(records=run.manifest.by_cell()) for run in (base, head)]
    for cell in sides[1].records:  # what only the later run has is new
        sides[0].records.setdefault(cell, CellRecord(*cell, status=MISSING))
    calls, outcome.uncompared = comparable((outcome.base, outcome.head), *sides)
    others = by_another_control(*machines, calls)
    outcome.uncompared += others
    calls = {cell: seconds for cell, seconds in calls.items() if cell not in {each.cell for each in others}}
    known = {left.cell for left in outcome.uncompared} | set(calls)
    gone = [cell for cell in sides[0].records if cell not in known]
    outcome.uncompared += [Uncompared(cell, INCOMPARABLE, f"only {outcome.base} has it") for cell in gone]
    logs = (log_control_ratios(base), log_control_ratios(head))
    found = _verdicts({cell: (logs[0].get(cell, []), logs[1].get(cell, [])) for cell in calls}, outcome, part, level)
    carried = (cell_warnings(base), cell_warnings(head))
    outcome.verdicts = [
        dataclasses.replace(each, warnings=joined(*(side.get(each.cell, ()) for side in carried))) for each in found
    ]
    outcome.notes.append("by times over the control's; the verdicts are not confirmed by fresh processes")
    return outcome


CONTROLS = {"cuda": "control_cuda"}
"""Device types whose control has changed since the first -> the fact of a machine that names it."""


def by_another_control(base: dict[str, Any], head: dict[str, Any], cells: Iterable[Cell]) -> list[Uncompared]:
    """Those of these cells whose times stand beside another control's in one run than in the other."""
    found = []
    for cell in cells:
        fact = CONTROLS.get(Case.parse(cell[0]).device, "")
        then, now = (side.get(fact, FIRST_CONTROL) for side in (base, head))
        if then != now:
            found.append(Uncompared(cell, INCOMPARABLE, f"measured beside another control: {then} then, {now} now"))
    return found


def cell_warnings(run: Run) -> dict[Cell, list[EstimateWarning]]:
    """(case, implementation) -> what qualifies its times."""
    return warnings(run)


def differing(base: dict[str, Any], head: dict[str, Any], allowed: Collection[str]) -> list[str]:
    """What differs, in words, if it may. Raises Incomparable naming the keys that differ and may not."""
    told = {key: f"{key}: {then} then, {now} now" for key, (then, now) in differences(base, head).items()}
    if forbidden := [key for key in told if key not in allowed and "all" not in allowed]:
        raise Incomparable(
            f"the two runs are of different machines or software ({'; '.join(told[key] for key in forbidden)}); "
            f"to compare them all the same: --allow-different {','.join(forbidden)}"
        )
    return list(told.values())


Logs = list[tuple[float, float]]
"""Of each pass, log(time / control) and its error within the pass."""


def log_control_ratios(run: Run) -> dict[Cell, Logs]:
    """(case, implementation) -> what each pass says of time over control."""
    return {
        cell: list(log_controls(samples).itertuples(index=False, name=None))
        for cell, samples in measured_samples(run).items()
    }


def _verdicts(
    logs: dict[Cell, tuple[Logs, Logs]], outcome: Outcome, part: slice = ALL, family: float = ERROR
) -> list[CellVerdict]:
    """A verdict on each cell that has passes enough; the others are left out, and said to be."""
    welch = {}
    for cell, (before, after) in logs.items():
        if min(len(before), len(after)) >= LEAST_PASSES:
            welch[cell] = _welch(before, after, part)
        else:
            few = f"{len(before)} and {len(after)} passes, and each run needs {LEAST_PASSES} to tell their spread"
            outcome.uncompared.append(Uncompared(cell, INCOMPARABLE, f"too few passes: {few}"))
    limit = math.log1p(outcome.min_effect)
    p_values = {
        REGRESSED: {cell: p_above(*found, limit) for cell, found in welch.items()},
        IMPROVED: {cell: p_above(-found[0], *found[1:], limit) for cell, found in welch.items()},
        UNCHANGED: {
            cell: max(p_above(*found, -limit), p_above(-found[0], *found[1:], -limit)) for cell, found in welch.items()
        },
    }
    levels = dict.fromkeys(welch, family / max(1, len(welch)))
    decided: dict[Cell, str] = {}
    for verdict, of_cells in p_values.items():
        for cell, level in holm(of_cells, family, len(welch))[0].items():
            decided[cell], levels[cell] = verdict, level
    found = []
    for cell, (mean, error, freedom) in welch.items():
        half = t_half_width(error, freedom, levels[cell])
        verdict = decided.get(cell, INCONCLUSIVE)
        ratio = Estimate(math.exp(mean), math.exp(mean - half), math.exp(mean + half), min(map(len, logs[cell])))
        note = _wanted(mean, half, limit) if verdict == INCONCLUSIVE else ""
        found.append(CellVerdict.of(cell, verdict, Comparison(cell[0], BASE, HEAD, ratio), note))
    return found


def _welch(before: Logs, after: Logs, part: slice = ALL) -> tuple[float, float, float]:
    """Difference of the means, its standard error, degrees of freedom after Welch and Satterthwaite.

    The mean before is that of a part of the passes. Its error follows from the spread of all of them: two or three
    would hardly show one, and of normal values the spread says nothing of the mean.
    """
    sides = [_mean(logs) for logs in (before, after)]
    if part != ALL:
        sides[0] = (_mean(before[part])[0], sides[0][1] * math.sqrt(len(before) / len(before[part])), sides[0][2])
    parts = [error**2 for _, error, _ in sides]
    variance = sum(parts)
    weights = sum(part**2 / freedom for part, (_, _, freedom) in zip(parts, sides, strict=True))
    freedom = variance**2 / weights if weights else float(len(before) + len(after) - 2)
    return sides[1][0] - sides[0][0], math.sqrt(variance), freedom


def _mean(logs: Logs) -> tuple[float, float, int]:
    return weighted_mean([log for log, _ in logs], errors=[error for _, error in logs])


def _wanted(mean: float, half: float, limit: float) -> str:
    """What it would take: the half width goes down with the root of the passes."""
    distance = abs(abs(mean) - limit)
    if distance == 0 or (half / distance) ** 2 > 20:
        return "it lies at the limit: another --min-effect would decide it, more passes hardly"
    return f"about {math.ceil((half / distance) ** 2 * 10) / 10:g} times as many passes in both runs would decide it"
