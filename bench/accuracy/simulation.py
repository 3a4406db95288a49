"""Simulated runs with a known truth, through the suite's own alternation and intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.alternate import Contender, alternate
from bench.clock import Reading
from bench.stats import Estimate, interval_of_ratio, median_log_ratio, passes_needed


@dataclass(frozen=True)
class Weather:
    """How a simulated machine misbehaves; standard deviations of log time, from the pilot runs of this suite.

    `luck`: each contender's own factor in each process (memory layout; 2.4 to 3.2 % of a ratio). `mood`: the
    machine's speed in a process as a whole. `drift`: its change from one block to the next, shared by all. `jitter`:
    what one block has to itself. `spikes`: how often a block is disturbed, up to threefold.
    """

    luck: float = 0.02
    mood: float = 0.25
    drift: float = 0.04
    jitter: float = 0.05
    spikes: float = 0.03


class SimulatedClock:
    """A clock on a simulated machine: a contender's block lasts as long as its truth and the weather say."""

    def __init__(self, truth: dict[str, float], weather: Weather, draw: random.Random) -> None:
        self._weather, self._draw = weather, draw
        self._log_speed = draw.gauss(0, weather.mood)
        self._seconds = {name: s * math.exp(draw.gauss(0, weather.luck)) for name, s in truth.items()}

    def contender(self, name: str) -> Contender:
        """Something for `alternate` that stands for this contender."""
        return Contender(lambda calls: name, calls=1)

    def time(self, run: Callable[[int], object], calls: int) -> Reading:
        """The block's simulated seconds."""
        weather, draw = self._weather, self._draw
        self._log_speed += draw.gauss(0, weather.drift)
        seconds = self._seconds[str(run(calls))] * math.exp(self._log_speed + draw.gauss(0, weather.jitter))
        if draw.random() < weather.spikes:
            seconds *= 1 + 2 * draw.random()
        return Reading(seconds * calls)


def one_pass(truth: dict[str, float], rounds: int, weather: Weather, draw: random.Random) -> float:
    """One simulated pass: the log ratio of the two contenders that `truth` names."""
    clock = SimulatedClock(truth, weather, draw)
    found = alternate(clock, {name: clock.contender(name) for name in truth}, rounds, draw, collect_garbage=False)
    baseline, own = truth
    return median_log_ratio(found.samples[baseline].seconds, found.samples[own].seconds)


@dataclass(frozen=True)
class Coverage:
    """How many of the simulated runs had the truth inside their 95 % interval."""

    rule: str
    runs: int
    held: int
    mean_passes: float

    @property
    def share(self) -> float:
        """As a fraction."""
        return self.held / self.runs


def coverage(
    runs: int, passes: int = 5, rounds: int = 12, precision: float | None = None, seed: int = 1, most: int = 60
) -> Coverage:
    """Simulate runs of a true speed-up of 4.1; with a precision, add passes as a run does (at most `most`)."""
    draw = random.Random(seed)
    truth = {"baseline": 4.1e-3, "own": 1e-3}
    held = taken = 0
    for _ in range(runs):
        logs = [one_pass(truth, rounds, Weather(), draw) for _ in range(passes)]
        if precision is not None:
            wanted = min(most, passes_needed(logs, precision))
            logs += [one_pass(truth, rounds, Weather(), draw) for _ in range(wanted - passes)]
        estimate: Estimate = interval_of_ratio(logs, first=passes)
        held += estimate.low <= 4.1 <= estimate.high
        taken += len(logs)
    rule = f"{passes} passes" if precision is None else f"{passes} passes, then more for ±{precision:.1%}"
    return Coverage(rule, runs, held, taken / runs)
