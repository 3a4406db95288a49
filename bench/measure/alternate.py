"""Implementations and control in alternation: the heart of the suite.

    for each round:
        for each implementation and the control, in a new random order:
            make n calls, a few milliseconds' worth, and keep seconds / n

A shared machine speeds up and slows down over tenths of seconds. What is measured one after the other meets another
machine each time; what is measured within milliseconds of each other meets the same one, and the ratio is right though
no single time is. Rounds of one process still share its memory layout and its luck, so a whole pass is one
observation of the ratio, not as many as it has rounds: see `bench.table.stats`.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from bench.host.clock import Clock, Reading, Run
from bench.measure.fault import Fault

CONTROL = "control"
BLOCK_SECONDS = 2e-3
"""Length aimed at for a block: short against the machine's moods, long against the clock's 50 ns and, on CUDA,
against a synchronisation's 10 µs or so (under 1 %). In 0.4 s a ratio repeats to 0.5 %
within one process at 0.5 to 4 ms alike; longer blocks leave fewer rounds for the same time."""


MOST_LENGTHS = 20
"""Calls shorter than that part of a block fill any length to within a few percent."""


class BadSample(Fault):
    """A time that cannot be: not a number, infinite, zero or negative. The clock or the machine is at fault."""


@dataclass(frozen=True)
class Timed:
    """Something to run, how many calls make a block of it, and whether it is warmed up. `check`, where there is one,
    runs a block that counts like any other and has a result of it looked at; `warming` what is not kept."""

    run: Run
    calls: int
    warm: bool = True
    check: Run | None = None
    warming: Run | None = None


@dataclass
class Samples:
    """The blocks of one that is timed, in the order of the rounds: seconds per call, also of the waiting that is no
    time of the code; switches of the block as a whole. What is not known is an empty list; see `bench.host.clock`."""

    calls: int
    seconds: list[float] = field(default_factory=list)
    event_seconds: list[float] = field(default_factory=list)
    waited_seconds: list[float] = field(default_factory=list)
    switches: list[int] = field(default_factory=list)

    def add(self, reading: Reading) -> None:
        """Put down a block."""
        self.seconds.append(reading.seconds / self.calls)
        if reading.event_seconds is not None:
            self.event_seconds.append(reading.event_seconds / self.calls)
        if reading.evidence.waited_seconds is not None:
            self.waited_seconds.append(reading.evidence.waited_seconds / self.calls)
        if reading.evidence.switches is not None:
            self.switches.append(reading.evidence.switches)


@dataclass
class Alternation:
    """What came of it: samples of those that finished (the control among them), a reason for each that failed."""

    samples: dict[str, Samples]
    failures: dict[str, Exception]


def calls_per_block(seconds_per_call: float) -> int:
    """How many calls of this length make a block."""
    return max(1, round(BLOCK_SECONDS / seconds_per_call))


def alike_blocks(call_seconds: Mapping[str, float]) -> dict[str, int]:
    """How many calls of each make blocks that last alike, one to two BLOCK_SECONDS where calls are so short.

    A block begins with the caches as another's left them. That costs it some 35 µs (Intel Xeon, hidden 128), 2 % of a
    block of 2 ms and 3 % of one of 1 ms: two of the same speed, one with a call a block and one with two, differed by
    1.5 to 2.5 %. So of all block lengths that are whole numbers of somebody's calls that is taken from which the
    others' need differ least; calls that are longer make a block by themselves.
    """
    short = [seconds for seconds in call_seconds.values() if seconds <= 2 * BLOCK_SECONDS]
    lengths = {
        seconds * calls
        for seconds in short
        for calls in range(math.ceil(BLOCK_SECONDS / seconds), math.floor(2 * BLOCK_SECONDS / seconds) + 1)
        if seconds > BLOCK_SECONDS / MOST_LENGTHS or calls == round(BLOCK_SECONDS / seconds)
    }

    def unlikeness(length: float) -> float:
        return max(abs(max(1, round(length / seconds)) * seconds / length - 1) for seconds in short)

    length = min(sorted(lengths), key=unlikeness, default=BLOCK_SECONDS)
    return {name: max(1, round(length / seconds)) for name, seconds in call_seconds.items()}


def alternate(
    clock: Clock,
    timed: Mapping[str, Timed],
    rounds: int,
    order: random.Random,
    *,
    warmup: bool = True,
    collect_garbage: bool = True,
    fatal: type[Exception] | tuple[type[Exception], ...] = (),
) -> Alternation:
    """Measure these in alternation for a number of rounds.

    First comes a round of two calls, of one where a single call fills a block, that are not kept. Those that are not to
    be warmed up go without.

    One that raises is dropped, and the others go on: round k of one stays comparable with round k of another.
    What is `fatal` is raised. Those that have a `check` are checked in one round, drawn for each.
    """
    checked = {name: order.randrange(rounds) for name, own in timed.items() if own.check}
    result = Alternation({name: Samples(own.calls) for name, own in timed.items()}, {})
    with no_garbage_collection() if collect_garbage else nullcontext():
        for round_number in range(-1 if warmup else 0, rounds):
            names = list(result.samples)
            order.shuffle(names)
            for name in names:
                own = timed[name]
                try:
                    if round_number >= 0:
                        check = own.check if round_number == checked.get(name) else None
                        _measure(clock, own.calls, check or own.run, result.samples[name])
                    elif own.warm:
                        clock.time(own.warming or own.run, min(2, own.calls))
                except fatal:
                    raise
                except Exception as error:  # an implementation may raise anything; the rest of the run goes on
                    result.failures[name] = error
                    del result.samples[name]
    return result


def _measure(clock: Clock, calls: int, run: Run, samples: Samples) -> None:
    """One block."""
    reading = clock.time(run, calls)
    check_reading(reading, f"block {len(samples.seconds)}")
    samples.add(reading)


def check_reading(reading: Reading, what_took: str = "a block") -> None:
    """Raise BadSample for a reading that no block can have taken."""
    for what, seconds in (("", reading.seconds), (" by the device's events", reading.event_seconds)):
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            raise BadSample(f"{what_took} took {seconds} s{what}, which cannot be")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect now, then not until the end, so that nobody pays for another's garbage."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
