"""How long something takes at its best, and rates that are free of what a call costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from bench.host.clock import Clock, Run
from bench.measure.alternate import check_reading

REPEATS = 7
ROUNDS = 15
MOST_CALLS = 2**20
BLOCK_SECONDS = 4e-4
"""Short, so that some of the repeats meet the machine undisturbed: the best of them counts."""

Call = Callable[[], object]


def best_seconds(clock: Clock, call: Call, repeats: int = REPEATS) -> float:
    """Seconds of one call in the fastest of a few blocks of calls. Raises `bench.measure.alternate.BadSample`."""
    calls = calls_of(clock, call)
    return min(_time(clock, call, calls) / calls for _ in range(repeats))


def slope(clock: Clock, small: Call, large: Call, difference: float) -> float | None:
    """How much is done per second when that is `difference` more in the large call than in the small one.

    What both calls cost alike, such as going through torch, cancels. The two take turns, so that both meet the same
    machine, and the median of the rounds counts: the best of differences would be the luckiest of errors. None where
    the large call takes no longer.
    """
    calls = [calls_of(clock, call) for call in (small, large)]
    differences = []
    for _ in range(ROUNDS):
        first, second = (_time(clock, call, n) / n for call, n in zip((small, large), calls, strict=True))
        differences.append(second - first)
    seconds = statistics.median(differences)
    return difference / seconds if seconds > 0 else None


def calls_of(clock: Clock, call: Call) -> int:
    """How many calls make a block."""
    calls, taken = 1, _time(clock, call, 1)
    while taken < BLOCK_SECONDS / 2 and calls < MOST_CALLS:
        calls = min(MOST_CALLS, max(2 * calls, math.ceil(calls * BLOCK_SECONDS / max(taken, 1e-9))))
        taken = _time(clock, call, calls)
    return calls


def _time(clock: Clock, call: Call, calls: int) -> float:
    reading = clock.time(_repeated(call), calls)
    check_reading(reading)
    return reading.seconds


def _repeated(call: Call) -> Run:
    def run(calls: int) -> None:
        for _ in range(calls):
            call()

    return run
