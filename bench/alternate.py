"""Contenders and control in alternation: the heart of the suite.

    for each round:
        for each contender and the control, in a new random order:
            make n calls, a few milliseconds' worth, and keep seconds / n

A shared machine speeds up and slows down over tenths of seconds. Contenders measured one after the other each meet
another machine; contenders measured within milliseconds of each other meet the same one, and their ratio is right
though no single time is. Rounds of one process still share its memory layout and its luck, so a whole pass is one
observation of the ratio, not as many as it has rounds: see `bench.stats`.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from bench.clock import Clock, Reading, Run

CONTROL = "control"
BLOCK_SECONDS = 2e-3
"""Length aimed at for a block: short against the machine's moods, long against the clock's 50 ns and, on CUDA,
against a synchronisation's 10 µs or so (under 1 %). In 0.4 s a ratio repeats to 0.5 %
within one process at 0.5 to 4 ms alike; longer blocks leave fewer rounds for the same time."""


class BadSample(Exception):
    """A time that cannot be: not a number, infinite, zero or negative. The clock or the machine is at fault."""


@dataclass(frozen=True)
class Contender:
    """Something to run, and how many calls make a block of it."""

    run: Run
    calls: int


@dataclass
class Samples:
    """The blocks of one contender, in the order of the rounds: seconds per call."""

    calls: int
    seconds: list[float] = field(default_factory=list)
    event_seconds: list[float] = field(default_factory=list)


@dataclass
class Alternation:
    """What came of it: samples of those that finished (the control among them), a reason for each that failed."""

    samples: dict[str, Samples]
    failures: dict[str, Exception]


def calls_per_block(seconds_per_call: float) -> int:
    """How many calls of this length make a block."""
    return max(1, round(BLOCK_SECONDS / seconds_per_call))


def alternate(
    clock: Clock,
    contenders: Mapping[str, Contender],
    rounds: int,
    order: random.Random,
    *,
    warmup: bool = True,
    collect_garbage: bool = True,
) -> Alternation:
    """Measure the contenders in alternation for a number of rounds.

    First comes a round of two calls that are not kept. Those whose single call fills a block go without: one cold
    block is one round of at least seven, and the median leaves it out.

    A contender that raises is dropped, and the others go on: round k of one stays comparable with round k of another.
    """
    result = Alternation({name: Samples(c.calls) for name, c in contenders.items()}, {})
    with no_garbage_collection() if collect_garbage else nullcontext():
        for round_number in range(-1 if warmup else 0, rounds):
            names = list(result.samples)
            order.shuffle(names)
            for name in names:
                contender = contenders[name]
                try:
                    if round_number >= 0:
                        _measure(clock, contender, result.samples[name])
                    elif contender.calls > 1:
                        clock.time(contender.run, 2)
                except Exception as error:  # a contender may raise anything; the rest of the run goes on
                    result.failures[name] = error
                    del result.samples[name]
    return result


def _measure(clock: Clock, contender: Contender, samples: Samples) -> None:
    """One block."""
    reading = clock.time(contender.run, contender.calls)
    check_reading(reading, f"block {len(samples.seconds)}")
    samples.seconds.append(reading.seconds / contender.calls)
    if reading.event_seconds is not None:
        samples.event_seconds.append(reading.event_seconds / contender.calls)


def check_reading(reading: Reading, what_took: str = "a block") -> None:
    """Raise BadSample for a reading that no block can have taken."""
    for what, seconds in (("", reading.seconds), (" by the device's events", reading.event_seconds)):
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise BadSample(f"{what_took} took {seconds} s{what}, which cannot be")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect now, then not until the end, so that no contender pays for another's garbage."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
