"""One side of a pair of processes that take turns: it builds what it is told to, and times a block when it is told to.

Told, one line of JSON each, and what is answered:

    {"build": case id, "names": [...]}    `built`: failures (name -> reason). What was built before is let go.
    {"block": name, "calls": n}           `block`: seconds of one call and of its waiting, switches of the block (null
                                          where that is not known), or a failure
    {"state": true}                       `state`: what torch is set to by now, which an implementation may have changed

The other side does the same in a process of its own, and `bench.gate.pair` tells them whose turn it is.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.alternate import BadSample, check_reading, no_garbage_collection
from bench.cases import Case
from bench.clock import Clock, Run, clock_for
from bench.machine import numerics, pin
from bench.problem import Problem
from bench.survey import reason_of
from bench.workload import Workload
from rnn_impls import registry


def take_turns(lines: Iterable[str], tell: Callable[..., None], delay: Mapping[str, float]) -> None:
    """Do as told until there are no more lines. `delay` slows an implementation by a fraction, to see who notices."""
    runs: dict[str, Run] = {}
    clock: Clock = clock_for("cpu")
    with no_garbage_collection():
        for line in lines:
            told = json.loads(line)
            if "build" in told:
                runs.clear()
                gc.collect()
                case = Case.parse(told["build"])
                clock = clock_for(case.device)
                tell("built", failures=_build(case, told["names"], clock, delay, runs))
            elif "block" in told:
                tell("block", **_block(clock, runs[told["block"]], told["calls"]))
            else:
                tell("state", **numerics())


def _build(
    case: Case, names: list[str], clock: Clock, delay: Mapping[str, float], runs: dict[str, Run]
) -> dict[str, str]:
    """Build and warm up the contenders of a Case, in the order given, into `runs`; the reasons of those that can't."""
    pin(case.threads)
    failures: dict[str, str] = {}
    problem = Problem.of(case)
    for name in names:
        try:
            run: Run = Workload(case, registry.load(name), problem)
            runs[name] = delayed(run, delay[name]) if name in delay else run
            clock.time(runs[name], 2)
        except Exception as error:  # a user's implementation may raise anything; the others are still measured
            failures[name] = reason_of(error)
            runs.pop(name, None)
    return failures


def _block(clock: Clock, run: Run, calls: int) -> dict[str, Any]:
    """Seconds of one call, by the clock of the device, and what is known of it; or the reason why there are none."""
    try:
        reading = clock.time(run, calls)
        check_reading(reading)
    except BadSample as error:
        return {"failure": str(error)}
    except Exception as error:  # as in _build
        return {"failure": reason_of(error)}
    waited = reading.evidence.waited_seconds
    return {
        "seconds": reading.seconds / calls,
        "waited_seconds": None if waited is None else waited / calls,
        "switches": reading.evidence.switches,
    }


def delayed(run: Run, fraction: float) -> Run:
    """The same, longer by this fraction of its own time on the core, which is spent busily at its end; a neighbour that
    stops it makes it wait, but the delay no longer."""

    def slower(calls: int) -> None:
        start = time.thread_time()
        run(calls)
        end = start + (time.thread_time() - start) * (1 + fraction)
        while time.thread_time() < end:
            pass

    return slower
