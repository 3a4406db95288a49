"""A fresh process that does one job, and tells what it finds as it goes: `python -m bench.worker`.

The job comes as JSON on standard input, the findings leave as JSON lines on what was standard output; whatever an
implementation prints goes to standard error instead. Jobs:

    {"kind": "survey", "devices": [...], "max_call": s, "cells": [[case id, implementation], ...]}
    {"kind": "pass", "order": seed, "cases": [{"case": id, "calls": {implementation: n}, "rounds": n}, ...]}

Findings: `ready` (machine and devices), `refused` (and then nothing more), `start` (a case and an implementation),
`cell` (a survey's record), `case` (a pass's samples), `end` (the ledger).
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
from typing import Any, TextIO

from bench.cases import Case
from bench.ledger import Ledger


def main() -> None:
    """Do the job on standard input."""
    job = json.load(sys.stdin)
    out = _private_stdout()

    def tell(event: str, **findings: Any) -> None:
        out.write(json.dumps({"event": event, **findings}) + "\n")
        out.flush()

    ledger = Ledger()
    from bench import machine, measure, survey  # noqa: F401  # torch, here: the ledger is told how long it takes

    gc.collect()
    gc.freeze()  # what the imports left stays; looking through it again costs 0.15 s at every collection
    ledger.add("imports", time.time() - job["started"])
    machine.fix_numerics()
    machine.pin(1)
    try:
        present = machine.require(job.get("devices", ()))
    except ValueError as error:
        tell("refused", reason=str(error))
        return
    tell("ready", machine=machine.describe(), devices=present)
    if job["kind"] == "survey":
        _survey(job, present, ledger, tell)
    else:
        _pass(job, ledger, tell)
    tell("end", ledger=ledger.seconds)


def _survey(job: dict[str, Any], present: list[str], ledger: Ledger, tell: Callable[..., None]) -> None:
    """Survey the cells whose device is here; the others are no part of this run."""
    from bench.machine import pin
    from bench.survey import Surveyor

    surveyor = Surveyor(job["max_call"], ledger)
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


def _private_stdout() -> TextIO:
    """Keep the real standard output for findings, and send everybody else's prints to standard error."""
    sys.stdout.flush()
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


if __name__ == "__main__":
    main()
