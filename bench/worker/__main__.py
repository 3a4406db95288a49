"""A fresh process that does one job, and tells what it finds as it goes: `python -m bench.worker`.

The job comes as a line of JSON on standard input, the findings leave as JSON lines on what was standard output;
whatever an implementation prints goes to standard error instead. Jobs:

    {"kind": "survey", "devices": [...], "max_call": s, "cells": [[case id, implementation], ...]}; a `selection` is
        answered with the names it stands for, `"memory": false` leaves that part out, `"meters": true` adds what is
        `counted` to each cell (`bench.why.meters`)
    {"kind": "check", "implementation": name, "cases": [case id, ...]}: parity alone; see `bench.run.survey`
    {"kind": "limits", "threads": [...]}: what the machine allows, with one thread, with as many as it has cores, and
        with these counts; see `bench.why.limits`
    {"kind": "profile", "cells": [[case id, implementation], ...], "steps": n, "folder": path}: where their time goes,
        at n steps at most; see `bench.why.profile`
    {"kind": "denormals", "cells": [[case id, implementation], ...], "first": true}: what denormal numbers cost them,
        and with `first` how many there are; see `bench.why.denormals`
    {"kind": "gradients"}: how far back gradients reach; see `bench.why.gradients`
    {"kind": "functions", "sent": path, ...}: any functions, timed in alternation; see `bench.worker.caller`
    {"kind": "blocks"}: one of several that take turns, told line by line whose block to time; see
        `bench.worker.blocks`. With `describe` its `ready` tells the machine; it gets ready off the cores that others
        measure on with so many `threads` (1)
    {"kind": "first"}: as `blocks`, of first results; see `bench.worker.firsts`

Any job may name a `tree`, the folder whose `rnn_impls` is measured and from which files of one's own are found; without
one it is the current folder for the latter and this suite's own for the former. `bench` is this suite's in any case.

Findings: `ready` (machine and devices), `refused` (and then nothing more), `start` (a case and an implementation),
`cell` (a survey's record), `taken` (how a bare module is called), `checked` (a case's outcome), `mending` and `mend` (a
bare module that is not right is tried in other ways, and the lines that make it right), `begun`, `built`,
`block` and `first` (while it times them), `facts`, `limit` and `missing` (of the machine), `profile` (a record),
`gradients` (a table), `timed` and `unsendable` (of functions), `end` (the ledger).
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from bench.host import missing
from bench.host.clock import Ledger
from bench.host.machine import stand_aside
from bench.worker import tree


def main() -> None:
    """Do the job on standard input."""
    lines, out = _private_streams()
    job = json.loads(lines.readline())

    def tell(event: str, **findings: Any) -> None:
        out.write(json.dumps({"event": event, **findings}) + "\n")
        out.flush()

    tree.enter(Path(job.get("tree") or "."))
    try:
        _work(job, lines, tell)
    except ModuleNotFoundError as error:
        if job.get("tree") or not (text := missing.told(error)):  # another side's environment is not set up by us
            raise
        tell("refused", reason=text)


def _work(job: dict[str, Any], lines: TextIO, tell: Callable[..., None]) -> None:
    from bench.worker.jobs import JOBS, Desk  # which import from the tree

    ledger = Ledger()
    takes_turns = job["kind"] in ("blocks", "first")
    if takes_turns:
        stand_aside(job.get("threads", 1))
    from bench.host import machine
    from bench.worker import blocks, firsts, surveyor  # noqa: F401  # torch: the ledger is told how long it takes

    gc.collect()
    gc.freeze()  # what the imports left stays; looking through it again costs 0.15 s at every collection
    ledger.add("imports", time.time() - job["started"])
    machine.fix_numerics()
    if takes_turns:
        machine.keep_heap()
    if not takes_turns:  # its core may be measuring another pair
        machine.pin(1)
    try:
        present = machine.require(job.get("devices", ()))
    except ValueError as error:
        tell("refused", reason=str(error))
        return
    described = {"machine": machine.describe()} if job.get("describe", not takes_turns) else {}
    tell("ready", devices=present, names=_names(job, present), **described)
    JOBS[job["kind"]](Desk(job, present, ledger, tell, lines))
    tell("end", ledger=ledger.seconds)


def _names(job: dict[str, Any], present: list[str]) -> dict[str, list[str]]:
    """What a job's selection stands for in this tree, by device; nothing where this tree does not know it."""
    from rnn_impls import registry

    try:
        return {device: registry.select(job["selection"], device) for device in present if "selection" in job}
    except ValueError:
        return {}


def _private_streams() -> tuple[TextIO, TextIO]:
    """Keep the real standard input and output for what is told and found: everybody else reads nothing, and prints to
    standard error."""
    sys.stdout.flush()
    told, found = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return told, found


if __name__ == "__main__":
    main()
