"""What a worker can be asked to do, by the kind of the job; see `bench.worker` for what each is given and tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cases.case import Case
from bench.host.clock import Ledger


@dataclass(frozen=True)
class Desk:
    """What a job is done at: its description, the devices present, where time is put down, whom to tell, and what one
    is told further, line by line."""

    job: dict[str, Any]
    present: list[str]
    ledger: Ledger
    tell: Callable[..., None]
    lines: Iterable[str]


def survey(desk: Desk) -> None:
    """Survey the cells whose device is here; the others are no part of this run."""
    from bench.measure import state
    from bench.worker.surveyor import Surveyor

    tree = Path(desk.job["tree"]) if desk.job.get("tree") else None
    memory, meters = desk.job.get("memory", True), desk.job.get("meters", False)
    surveyor = Surveyor(desk.job["max_call"], desk.ledger, memory, tree, meters)
    for case_id, name in desk.job["cells"]:
        case = Case.parse(case_id)
        if case.device in desk.present:
            desk.tell("start", case=case_id, implementation=name)
            state.arrange(case)
            record = dataclasses.asdict(surveyor.survey(case, name))
            counted = {"counted": dataclasses.asdict(surveyor.counted)} if surveyor.counted else {}
            desk.tell("cell", record=record, **counted)


def check(desk: Desk) -> None:
    """Hold one implementation against the reference, case by case; then find out what would mend it, if it is a bare
    module that is not right."""
    from bench.measure import state
    from bench.store.manifest import DIFFERS, FAILED, UNAVAILABLE
    from bench.worker import checker
    from rnn_impls import networks, registry
    from rnn_impls.adapter import Adapter
    from rnn_impls.arguments import unclaimed

    name = desk.job["implementation"]
    before, cases = state.now(), [Case.parse(text) for text in desk.job["cases"]]
    try:
        implementation = registry.load(name)
        for network in {case.network for case in cases}:
            networks.load(network)
    except ValueError as error:
        desk.tell("refused", reason=str(error))
        return
    imported = state.changes(before)
    if implementation.taken_as:
        desk.tell("taken", how=list(implementation.taken_as))
    cases = [case for case in cases if case.device in desk.present]
    statuses = []
    for case in cases:
        desk.tell("start", case=case.id)
        state.arrange(case)
        status, reason, largest = (
            (FAILED, f"{imported} when it is imported", None)
            if imported
            else checker.examine(case, implementation, name)
        )
        statuses.append(status)
        desk.tell("checked", case=case.id, status=status, reason=reason, error=largest)
    wrong = DIFFERS in statuses or FAILED in statuses
    if imported or not cases or not issubclass(implementation, Adapter):
        return
    if wrong or (UNAVAILABLE in statuses and unclaimed(implementation.build)):
        desk.tell("mending")
        if found := checker.mend(implementation, cases, statuses):
            build = implementation.build
            function = "" if isinstance(build, type) else build.__name__
            desk.tell("mend", lines=found.text(function), counts=found.counts)


def blocks(desk: Desk) -> None:
    """Time blocks when told to, as one of several that take turns."""
    from bench.worker.blocks import time_blocks

    time_blocks(desk.lines, desk.tell, desk.job.get("delay", {}))


def first(desk: Desk) -> None:
    """Time first results when told to."""
    from bench.worker.firsts import time_firsts

    time_firsts(desk.lines, desk.tell)


def limits(desk: Desk) -> None:
    """Measure what this machine allows."""
    from bench.host.machine import cores
    from bench.why.limits.sitting import measure_limits

    measure_limits(desk.present, sorted({1, cores(), *desk.job["threads"]}), desk.tell)


def profile(desk: Desk) -> None:
    """Find out where the time of some cells goes."""
    from bench.why.profile.profiler import profile_cells

    profile_cells(desk.job, desk.tell)


def denormals(desk: Desk) -> None:
    """Find out what denormal numbers cost some cells."""
    from bench.why.denormals.cost import measure_cells

    measure_cells(desk.job, desk.tell)


def gradients(desk: Desk) -> None:
    """Find out how far back gradients reach."""
    from bench.why.gradients.setups import measure as measure_gradients

    desk.tell("gradients", found=measure_gradients())


def functions(desk: Desk) -> None:
    """Time functions that somebody sent."""
    from bench.worker.caller import time_functions

    time_functions(desk.job, desk.tell)


_ALL: tuple[Callable[[Desk], None], ...] = (
    survey, check, blocks, first, limits, profile, denormals, gradients, functions,
)  # fmt: skip
JOBS = {job.__name__: job for job in _ALL}
