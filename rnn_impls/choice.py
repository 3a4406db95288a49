"""Which of several calls that compute the same is the fastest here, found by a short measurement at `prepare`.

A size that was tuned on one CPU is wrong on another: there a library's product uses the whole vector unit, here half of
it. So whoever can hand over to others measures them, untimed, on the machine and for the sizes that it is prepared for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

ROUNDS = 15
BLOCK_SECONDS = 1e-3
MOST_SECONDS = 0.5
"""After which no further round is begun, once there are LEAST_ROUNDS."""
LEAST_ROUNDS = 3
CLEARLY = 0.02
"""By how much another must be faster than the first to be taken."""

Clock = Callable[[], float]


def fastest(calls: Mapping[str, Callable[[], object]], clock: Clock = time.perf_counter) -> str:
    """The name of the call to make: the first, unless another is clearly faster.

    All take turns, a block of calls each, in rounds, so that all meet the same machine; the best block of each counts,
    since a neighbour only ever adds. Each is called once before, so that no first call counts.
    """
    default, *others = calls
    counts = {name: _calls(call, clock) for name, call in calls.items()}
    best, rounds, begun = dict.fromkeys(calls, math.inf), 0, clock()
    while rounds < ROUNDS and (rounds < LEAST_ROUNDS or clock() - begun < MOST_SECONDS):
        best = {name: min(best[name], _seconds(call, counts[name], clock)) for name, call in calls.items()}
        rounds += 1
    other = min(others, key=lambda name: best[name], default=default)
    return other if best[default] > (1 + CLEARLY) * best[other] else default


def _calls(call: Callable[[], object], clock: Clock) -> int:
    """How many make a block."""
    call()
    return max(1, math.ceil(BLOCK_SECONDS / max(_seconds(call, 1, clock), 1e-9)))


def _seconds(call: Callable[[], object], count: int, clock: Clock) -> float:
    """Of one call, in a block of so many."""
    start = clock()
    for _ in range(count):
        call()
    return max((clock() - start) / count, 1e-12)
