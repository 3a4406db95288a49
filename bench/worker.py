"""A fresh process that does one job, and tells what it finds as it goes: `python -m bench.worker`.

The job comes as a line of JSON on standard input, the findings leave as JSON lines on what was standard output;
whatever an implementation prints goes to standard error instead. Jobs:

    {"kind": "survey", "devices": [...], "max_call": s, "cells": [[case id, implementation], ...]}; a `selection` is
        answered with the names it stands for, `"memory": false` leaves that part out
    {"kind": "pass", "order": seed, "cases": [{"case": id, "calls": {implementation: n}, "rounds": n}, ...]}
    {"kind": "limits", "threads": [...]}: what the machine allows, with one thread, with as many as it has cores, and
        with these counts; see `bench.limits`
    {"kind": "profile", "cells": [[case id, implementation], ...], "steps": n, "folder": path}: where their time goes,
        at n steps at most; see `bench.profile`
    {"kind": "gradients"}: how far back gradients reach; see `bench.gradients`
    {"kind": "turns"}: one side of a pair, which is told what to do line by line; see `bench.turns`

Any job may name a `tree`, the folder whose `rnn_impls` is measured and from which files of one's own are found; without
one it is the current folder for the latter and this suite's own for the former. `bench` is this suite's in any case.

Findings: `ready` (machine and devices), `refused` (and then nothing more), `start` (a case and an implementation),
`cell` (a survey's record), `case` (a pass's samples), `facts`, `limit` and `missing` (of the machine), `profile` (a
record), `gradients` (a table), `end` (the ledger).
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from bench.cases import Case
from bench.ledger import Ledger
from bench.machine import stand_aside


def main() -> None:
    """Do the job on standard input."""
    job = json.loads(sys.stdin.readline())
    out = _private_stdout()

    def tell(event: str, **findings: Any) -> None:
        out.write(json.dumps({"event": event, **findings}) + "\n")
        out.flush()

    _enter(Path(job.get("tree") or "."))
    ledger = Ledger()
    if job["kind"] == "turns":
        stand_aside()
    from bench import machine, measure, survey  # noqa: F401  # torch, here: the ledger is told how long it takes
    from bench.turns import take_turns

    gc.collect()
    gc.freeze()  # what the imports left stays; looking through it again costs 0.15 s at every collection
    ledger.add("imports", time.time() - job["started"])
    machine.fix_numerics()
    if job["kind"] != "turns":  # its core may be measuring another pair
        machine.pin(1)
    try:
        present = machine.require(job.get("devices", ()))
    except ValueError as error:
        tell("refused", reason=str(error))
        return
    if job["kind"] == "turns":
        tell("ready")
    else:
        tell("ready", machine=machine.describe(), devices=present, names=_names(job, present))
    if job["kind"] == "survey":
        _survey(job, present, ledger, tell)
    elif job["kind"] == "turns":
        take_turns(sys.stdin, tell, job.get("delay", {}))
    elif job["kind"] == "limits":
        _limits(job, present, tell)
    elif job["kind"] == "profile":
        _profile(job, tell)
    elif job["kind"] == "gradients":
        _gradients(tell)
    else:
        _pass(job, ledger, tell)
    tell("end", ledger=ledger.seconds)


def _enter(tree: Path) -> None:
    """Go to a tree and import from it; a second `bench` in it is not found, since this one is imported already."""
    os.chdir(tree)
    sys.path.insert(0, str(tree.resolve()))


def _names(job: dict[str, Any], present: list[str]) -> dict[str, list[str]]:
    """What a job's selection stands for in this tree, by device; nothing where this tree does not know it."""
    from rnn_impls import registry

    try:
        return {device: registry.select(job["selection"], device) for device in present if "selection" in job}
    except ValueError:
        return {}


def _survey(job: dict[str, Any], present: list[str], ledger: Ledger, tell: Callable[..., None]) -> None:
    """Survey the cells whose device is here; the others are no part of this run."""
    from bench.machine import pin
    from bench.survey import Surveyor

    surveyor = Surveyor(job["max_call"], ledger, job.get("memory", True))
    for case_id, name in job["cells"]:
        case = Case.parse(case_id)
        if case.device in present:
            tell("start", case=case_id, implementation=name)
            pin(case.threads)
            tell("cell", record=dataclasses.asdict(surveyor.survey(case, name)))


def _pass(job: dict[str, Any], ledger: Ledger, tell: Callable[..., None]) -> None:
    """Measure the cases in an order of this pass's own."""
    from bench.measure import measure

    order = random.Random(job["order"])
    cases = list(job["cases"])
    order.shuffle(cases)
    for item in cases:
        tell("start", case=item["case"], implementation=None)

        def starting(name: str, case: str = item["case"]) -> None:
            tell("start", case=case, implementation=name)

        found = measure(Case.parse(item["case"]), item["calls"], item["rounds"], order, ledger, starting)
        tell(
            "case",
            case=item["case"],
            samples=found.samples,
            control_seconds=found.control_seconds,
            failures=found.failures,
        )


def _limits(job: dict[str, Any], present: list[str], tell: Callable[..., None]) -> None:
    """What this machine allows."""
    from bench.limits.job import measure_limits
    from bench.machine import cores

    measure_limits(present, sorted({1, cores(), *job["threads"]}), tell)


def _profile(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Where the time of some cells goes."""
    from bench.profile.job import profile_cells

    profile_cells(job, tell)


def _gradients(tell: Callable[..., None]) -> None:
    """How far back gradients reach."""
    from bench.gradients.command import measure

    tell("gradients", found=measure())


def _private_stdout() -> TextIO:
    """Keep the real standard output for findings, and send everybody else's prints to standard error."""
    sys.stdout.flush()
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


if __name__ == "__main__":
    main()
