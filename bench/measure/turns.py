"""Any functions in alternation, in this process: the same core as for implementations, without a Case.

take_turns(functions, arguments, ...)
    find how long a call of each takes, roughly
    make blocks that last alike, the control's among them
    repeat in rounds, in a new random order each, as long as asked for
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.host.clock import Clock, Run, clock_for
from bench.measure.alternate import CONTROL, Alternation, Timed, alike_blocks, alternate
from bench.measure.fault import reason_of
from bench.measure.workload import control_for

ROUGH_SECONDS = 5e-4
"""A time from which a call's length is known well enough to say how many make a block."""
LEAST_ROUNDS, MOST_ROUNDS = 7, 400


def take_turns(
    functions: Mapping[str, Callable[..., Any]],
    arguments: Sequence[Any],
    device: str,
    seconds: float,
    order: random.Random,
) -> Alternation:
    """The samples of these functions called with these arguments, and of the control, by name; `seconds` is about how
    long that should take, unless LEAST_ROUNDS take longer. The clock is that of the device. One that raises is a
    failure, and the others go on."""
    clock = clock_for(device)
    names = order.sample(list(functions), len(functions))  # what is called first lies better in memory, as in passes
    runs: dict[str, Run] = {name: repeated(functions[name], arguments) for name in names}
    runs[CONTROL] = control_for(device)
    failures: dict[str, Exception] = {}
    call_seconds: dict[str, float] = {}
    for name, run in runs.items():
        try:
            call_seconds[name] = rough_seconds(clock, run)
        except Exception as error:  # a user's function may raise anything; the others are still measured
            failures[name] = error
    calls = alike_blocks(call_seconds)
    round_seconds = sum(count * call_seconds[name] for name, count in calls.items())
    rounds = min(MOST_ROUNDS, max(LEAST_ROUNDS, round(seconds / round_seconds)))
    result = alternate(clock, {name: Timed(runs[name], count) for name, count in calls.items()}, rounds, order)
    result.failures.update(failures)
    return result


def told(result: Alternation) -> dict[str, Any]:
    """What came of it, for a line of JSON: `samples` of each function, those of the `control`, `failures` by name."""
    samples = {name: dataclasses.asdict(own) for name, own in result.samples.items()}
    failures = {name: reason_of(error) for name, error in result.failures.items()}
    return {"control": samples.pop(CONTROL, None), "samples": samples, "failures": failures}


def repeated(function: Callable[..., Any], arguments: Sequence[Any]) -> Run:
    """So many calls of a function; what they return is let go."""

    def run(calls: int) -> None:
        for _ in range(calls):
            function(*arguments)

    return run


def rough_seconds(clock: Clock, run: Run) -> float:
    """Seconds of a call, from the first of 1, 2, 4, ... calls that take ROUGH_SECONDS together; one call comes before
    them, in which what is compiled or read from disk is."""
    run(1)
    calls = 1
    while (seconds := clock.time(run, calls).seconds) < ROUGH_SECONDS:
        calls *= 2
    return seconds / calls
