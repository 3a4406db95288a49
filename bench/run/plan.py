"""One Case of a pass: how much time it gets, by rough seconds per call, and how a crew measures it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.cases.case import STREAMING, Case, Cell
from bench.cases.presets import CASE_SECONDS
from bench.host.clock import Ledger
from bench.measure.alternate import CONTROL, Alternation, Timed, alike_blocks, alternate
from bench.run.crew import HOME, Crew, Elsewhere, HomeLost, Lost, seat_of
from bench.store.manifest import MEASURED, CellRecord

MIN_ROUNDS, MAX_ROUNDS = 7, 400
MIN_ROUNDS_OF_LONG_CALLS, LONG_ROUND_SECONDS = 3, 2.0
LONG_CALL_SECONDS = 0.05
"""A call that is longer is neither warmed up nor led in: its first block takes up to 8 % longer than the others (129
first blocks of the AMD reference runs; up to 21 % below 20 ms), a percent of a mean of seven, and warming it up takes
as long as a block."""

STARTING_SECONDS = 1.2
"""About what a process takes until it can measure, mostly torch's import, where no ledger tells yet. A pass measures at
least as long: with few Cases most of the time would go into starting."""
CONTROL_CALL_SECONDS = 1.5e-4
"""Rough length of a control call; it only decides how many make a block."""


@dataclass(frozen=True)
class CasePlan:
    """What is to be done with a Case in a pass: calls of a block by name, rounds, who is warmed up at the start,
    and how many untimed calls lead in each block of whom. `seconds` is what that should take.

    Where processes take turns, one that is back finds its caches as others left them: its first call takes 190 to 600
    µs longer, the first call of one at home, which has run in between, 90 to 400 µs (Intel Xeon, hidden 128). So every
    block is led in by another, and twins in two processes differ by no more than twins in one.
    """

    case: str
    calls: dict[str, int]
    rounds: int
    seconds: float
    warm: tuple[str, ...] = ()
    leads: dict[str, int] = field(default_factory=dict)


def plan_case(case: str, call_seconds: dict[str, float], case_seconds: float = CASE_SECONDS) -> CasePlan:
    """Plan a Case, given seconds per call by implementation, to take `case_seconds` where that allows MIN_ROUNDS."""
    with_control = {**call_seconds, CONTROL: CONTROL_CALL_SECONDS}
    calls = alike_blocks(with_control)
    short = tuple(name for name, seconds in with_control.items() if seconds <= LONG_CALL_SECONDS)
    leads = {name: calls[name] for name in short} if takes_turns(call_seconds) else {}
    round_seconds = sum((calls[name] + leads.get(name, 0)) * seconds for name, seconds in with_control.items())
    least = MIN_ROUNDS if round_seconds < LONG_ROUND_SECONDS else MIN_ROUNDS_OF_LONG_CALLS
    rounds = min(MAX_ROUNDS, max(least, round(case_seconds / round_seconds)))
    warm = () if leads else short
    return CasePlan(case, calls, rounds, rounds * round_seconds + sum(with_control[name] for name in warm), warm, leads)


def takes_turns(names: Iterable[str]) -> bool:
    """Whether some of these are measured at home and some isolated, and so begin their blocks unlike."""
    return len({seat_of(name) == HOME for name in names}) > 1


def plan_pass(
    records: Iterable[CellRecord],
    only: set[Cell] | None = None,
    case_seconds: float = CASE_SECONDS,
    starting_seconds: float = STARTING_SECONDS,
) -> list[CasePlan]:
    """Plan all Cases that have a cell to measure; `only` narrows it down to some (case, implementation).

    Where they would together take less time than starting the process does, each gets more.
    """
    by_case: dict[str, dict[str, float]] = {}
    for record in records:
        chosen = only is None or record.cell in only
        if record.status == MEASURED and record.call_seconds is not None and chosen:
            by_case.setdefault(record.case, {})[record.implementation] = record.call_seconds
    aim = aimed_seconds(len(by_case), case_seconds, starting_seconds)
    return [plan_case(case, call_seconds, aim) for case, call_seconds in by_case.items()]


def aimed_seconds(cases: int, case_seconds: float, starting_seconds: float = STARTING_SECONDS) -> float:
    """The length to aim at for each of so many Cases of a pass."""
    return max(case_seconds, starting_seconds / max(1, cases))


@dataclass(frozen=True)
class CaseSamples:
    """What a pass got of a Case: samples by implementation, with what it chose to run and the latency of its steps if
    the Case is streaming, those of the control, reasons of those that failed; and whose process was lost, with each
    reason, which are among the failures, too."""

    case: str
    samples: dict[str, dict[str, Any]]
    control: dict[str, Any]
    failures: dict[str, str]
    lost: dict[str, str] = field(default_factory=dict)


class ControlFailed(Exception):
    """The control itself cannot be measured; the text says why."""


def measure(crew: Crew, plan: CasePlan, order: random.Random, ledger: Ledger) -> CaseSamples:
    """Measure the implementations that a Case's plan names, the control among them, in alternation.

    One that cannot be built, raises, gives a wrong result or loses its process is a failure with its reason; the
    others go on. Where the process was that of others, too, all is taken again without it. Raises ControlFailed.
    """
    failures: dict[str, str] = {}
    lost: dict[str, str] = {}
    while True:
        names = [name for name in plan.calls if name not in failures]
        try:
            return _take(crew, plan, names, order, ledger, failures, lost)
        except HomeLost as loss:
            if loss.name == CONTROL:
                raise ControlFailed(str(loss)) from None
            failures[loss.name] = lost[loss.name] = str(loss)


def _take(
    crew: Crew,
    plan: CasePlan,
    names: list[str],
    order: random.Random,
    ledger: Ledger,
    failures: dict[str, str],
    lost: dict[str, str],
) -> CaseSamples:
    """One taking, in which those that fail by themselves go into `failures`. Raises HomeLost, ControlFailed."""
    crew.begin(plan.case)
    streaming = Case.parse(plan.case).mode == STREAMING
    built = [CONTROL]
    with ledger.on("build"):
        crew.build(CONTROL)
        names = [name for name in names if name != CONTROL]
        order.shuffle(names)  # what is built first lies better in memory: 0.3 % between twins, always to the same one
        for name in names:
            try:
                if reason := crew.build(name):
                    failures[name] = reason
                else:
                    built.append(name)
            except HomeLost:
                raise
            except Lost as loss:
                failures[name] = lost[name] = str(loss)
    timed = {}
    for name in built:
        warming = partial(crew.block, name, lead=plan.leads.get(name, 0))
        run = partial(warming, keep=True) if streaming and name != CONTROL else warming
        check = None if name == CONTROL else partial(run, check=True)
        timed[name] = Timed(run, plan.calls[name], name in plan.warm, check, warming)
    with ledger.on("alternation"):
        result = alternate(Elsewhere(), timed, plan.rounds, order, collect_garbage=False, fatal=HomeLost)
    measured = sum(sum(own.seconds) * own.calls for own in result.samples.values())
    ledger.add("measured", measured)
    ledger.add("alternation", -measured)
    latencies = _latencies(crew, result) if streaming else {}
    return _case_samples(plan.case, result, crew.chosen, latencies, failures, lost)


def _latencies(crew: Crew, result: Alternation) -> dict[str, dict[str, Any]]:
    """What is known of the steps of each that was measured; one that can't say any more has failed. Raises HomeLost."""
    found = {}
    for name in [name for name in result.samples if name != CONTROL]:
        try:
            found[name] = crew.latency(name)
        except HomeLost:
            raise
        except Lost as loss:
            result.failures[name] = loss
            del result.samples[name]
    return found


def _case_samples(
    case: str,
    result: Alternation,
    chosen: Mapping[str, str],
    latencies: Mapping[str, dict[str, Any]],
    failures: dict[str, str],
    lost: dict[str, str],
) -> CaseSamples:
    """Split the control from the others; turn exceptions into reasons."""
    failures |= {name: str(error) for name, error in result.failures.items()}
    lost |= {name: str(error) for name, error in result.failures.items() if isinstance(error, Lost)}
    if CONTROL in failures:
        raise ControlFailed(failures[CONTROL])
    control = result.samples.pop(CONTROL)
    samples = {name: dataclasses.asdict(own) | {"chosen": chosen.get(name, "")} for name, own in result.samples.items()}
    for name, latency in latencies.items():
        samples[name]["latency"] = latency
    return CaseSamples(case, samples, dataclasses.asdict(control), failures, lost)
