"""One Case, measured by a crew: its contenders and the control built, warmed up and alternated."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.alternate import CONTROL, Alternation, Contender, alternate
from bench.crew import Crew, Elsewhere, HomeLost, Lost
from bench.ledger import Ledger
from bench.plan import CasePlan


@dataclass(frozen=True)
class CaseSamples:
    """What a pass got of a Case: samples by implementation, with what it chose to run, those of the control, reasons of
    those that failed; and whose process was lost, with each reason, which are among the failures, too."""

    case: str
    samples: dict[str, dict[str, Any]]
    control: dict[str, Any]
    failures: dict[str, str]
    lost: dict[str, str] = field(default_factory=dict)


class ControlFailed(Exception):
    """The control itself cannot be measured; the text says why."""


def measure(crew: Crew, plan: CasePlan, order: random.Random, ledger: Ledger) -> CaseSamples:
    """Measure the contenders that a Case's plan names, the control among them, in alternation.

    A contender that cannot be built, raises, gives a wrong result or loses its process is a failure with its reason;
    the others go on. Where the process was that of others, too, all is taken again without it. Raises ControlFailed.
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
    crew: Crew, plan: CasePlan, names: list[str], order: random.Random, ledger: Ledger,
    failures: dict[str, str], lost: dict[str, str],
) -> CaseSamples:  # fmt: skip
    """One taking, in which those that fail by themselves go into `failures`. Raises HomeLost, ControlFailed."""
    crew.begin(plan.case)
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
    contenders = {}
    for name in built:
        run = partial(crew.block, name, lead=plan.leads.get(name, 0))
        check = None if name == CONTROL else partial(run, check=True)
        contenders[name] = Contender(run, plan.calls[name], name in plan.warm, check)
    with ledger.on("alternation"):
        result = alternate(Elsewhere(), contenders, plan.rounds, order, collect_garbage=False, fatal=HomeLost)
    measured = sum(sum(own.seconds) * own.calls for own in result.samples.values())
    ledger.add("measured", measured)
    ledger.add("alternation", -measured)
    return _case_samples(plan.case, result, crew.chosen, failures, lost)


def _case_samples(
    case: str, result: Alternation, chosen: Mapping[str, str], failures: dict[str, str], lost: dict[str, str]
) -> CaseSamples:
    """Split the control from the contenders; turn exceptions into reasons."""
    failures |= {name: str(error) for name, error in result.failures.items()}
    lost |= {name: str(error) for name, error in result.failures.items() if isinstance(error, Lost)}
    if CONTROL in failures:
        raise ControlFailed(failures[CONTROL])
    control = result.samples.pop(CONTROL)
    samples = {name: dataclasses.asdict(own) | {"chosen": chosen.get(name, "")} for name, own in result.samples.items()}
    return CaseSamples(case, samples, dataclasses.asdict(control), failures, lost)
