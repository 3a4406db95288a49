"""The process that times first results: of an implementation that was never built or called in it.

Told, one line of JSON each: {"first": name, "case": case id}. Answered: `first` with the seconds that building,
preparing and the first call took together, compiling included, and those in which something else had the core; or with
a `failure`.

A process can give one first result. So that one start of an interpreter is enough for many, each is taken in a process
forked from this one, which has imported what it needs and has computed nothing. In the fork torch's own first steps
(its threads, its libraries) are taken beforehand, as what every implementation finds; importing somebody's file, the
weights and inputs are not part of it, as in `bench.measure.workload`. What an earlier process left in a cache on disk,
such as a compiled kernel, is found there.

On devices whose driver does not survive a fork, and on systems other than Linux, the firsts are taken in this process
itself: what an implementation keeps for all its objects is then paid by the first of its Cases alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch

from bench.cases.case import Case
from bench.host.clock import clock_for
from bench.measure import state
from bench.measure.alternate import check_reading, no_garbage_collection
from bench.measure.fault import reason_of
from bench.measure.problem import Feed, Problem
from bench.measure.workload import Control, Workload
from rnn_impls import registry


def time_firsts(lines: Iterable[str], tell: Callable[..., None]) -> None:
    """Do as told until there are no more lines."""
    for line in lines:
        told = json.loads(line)
        case = Case.parse(told["case"])
        forks = sys.platform == "linux" and case.device == "cpu"
        tell("first", **(_in_a_fork(case, told["first"]) if forks else first(case, told["first"])))


def first(case: Case, name: str) -> dict[str, Any]:
    """Build an implementation and call it once, in this process; `seconds` and `waited_seconds`, or a `failure`."""
    state.arrange(case)
    try:
        problem = Problem.of(case)
        feed = Feed(problem)
        _torch_starts(case.device)
        implementation = registry.load(name)

        def build_and_call(calls: int) -> None:
            Workload(case, implementation, problem, feed)(calls)

        with no_garbage_collection():
            reading = clock_for(case.device).time(build_and_call, 1)
        check_reading(reading)
    except Exception as error:  # a user's implementation may raise anything
        return {"failure": reason_of(error)}
    return {"seconds": reading.seconds, "waited_seconds": reading.evidence.waited_seconds}


def _torch_starts(device: str) -> None:
    """What torch does once in a process: its library of products, autograd's engine."""
    Control(device)(1)
    torch.ones(2, 2, device=device, requires_grad=True).sum().backward()


def _in_a_fork(case: Case, name: str) -> dict[str, Any]:
    """The same in a child of this process."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as stream:
                json.dump(first(case, name), stream)
            code = 0
        finally:
            os._exit(code)  # nothing of the parent's is to be run at its end
    os.close(writing)
    with os.fdopen(reading) as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0 and told:
        found: dict[str, Any] = json.loads(told)
        return found
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return {"failure": f"its process {how} before it gave a first result"}
