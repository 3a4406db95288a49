"""One Case, measured: its contenders and the control built, warmed up and alternated."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from bench.alternate import CONTROL, Alternation, Contender, alternate
from bench.cases import Case
from bench.clock import Clock, clock_for
from bench.ledger import Ledger
from bench.machine import pin
from bench.problem import Problem
from bench.survey import reason_of
from bench.workload import Control, Workload
from rnn_impls import registry


@dataclass(frozen=True)
class CaseSamples:
    """What a pass got of a Case: samples by implementation, those of the control, reasons of those that failed."""

    case: Case
    samples: dict[str, dict[str, Any]]
    control: dict[str, Any]
    failures: dict[str, str]


def measure(
    case: Case,
    calls: dict[str, int],
    rounds: int,
    order: random.Random,
    ledger: Ledger,
    starting: Callable[[str], None] = lambda name: None,
    clock: Clock | None = None,
    cold: Collection[str] = (),
) -> CaseSamples:
    """Measure the contenders named in `calls` (the control among them) in alternation for `rounds` rounds, those of
    `cold` without warming them up.

    `starting` is told a contender's name before it is built. A contender that cannot be built or raises is a
    failure with its reason; the others go on. Raises RuntimeError when the control itself fails.
    """
    pin(case.threads)
    clock = clock or clock_for(case.device)
    contenders, failures = {CONTROL: Contender(Control(case.device), calls[CONTROL])}, {}
    with ledger.on("build"):
        problem = Problem.of(case)
        names = [name for name in calls if name != CONTROL]
        order.shuffle(names)  # what is built first lies better in memory: 0.3 % between twins, always to the same one
        for name in names:
            starting(name)
            try:
                contenders[name] = Contender(
                    Workload(case, registry.load(name), problem), calls[name], name not in cold
                )
            except Exception as error:  # a user's implementation may raise anything; the others are still measured
                failures[name] = reason_of(error)
    with ledger.on("alternation"):
        result = alternate(clock, contenders, rounds, order)
    measured = sum(sum(own.seconds) * own.calls for own in result.samples.values())
    ledger.add("measured", measured)
    ledger.add("alternation", -measured)
    return _case_samples(case, result, failures)


def _case_samples(case: Case, result: Alternation, failures: dict[str, str]) -> CaseSamples:
    """Split the control from the contenders; turn exceptions into reasons."""
    failures |= {name: reason_of(error) for name, error in result.failures.items()}
    if CONTROL in failures:
        raise RuntimeError(f"the control workload failed: {failures[CONTROL]}")
    control = result.samples.pop(CONTROL)
    samples = {name: dataclasses.asdict(own) for name, own in result.samples.items()}
    return CaseSamples(case, samples, dataclasses.asdict(control), failures)
