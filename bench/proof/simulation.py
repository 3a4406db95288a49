"""Simulated runs with a known truth, through the suite's own alternation and intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.host.clock import Evidence, Reading
from bench.measure.alternate import CONTROL, Samples, Timed, alternate
from bench.table.observation import Observation, clipped, ratio_of_means, running_seconds, spikes
from bench.table.stats import Estimate, interval_of_ratio, passes_needed

PASSES, ROUNDS, MOST_PASSES = 5, 12, 60
"""Of a simulated run."""


@dataclass(frozen=True)
class Weather:
    """How a simulated machine misbehaves; standard deviations of log time, from the pilot runs of this suite.

    `luck`: each implementation's own factor in each process (memory layout; 2.4 to 3.2 % of a ratio). `mood`: the
    machine's speed in a process as a whole. `drift`: its change from one block to the next, shared by all. `jitter`:
    what one block has to itself. `stopped`: how often a block is stopped and takes up to three times as long, as the
    kernel knows; `stolen`: the same by a hypervisor, as nobody knows. `storms`: how often all blocks of a pass are
    stopped ten times as often.
    """

    luck: float = 0.02
    mood: float = 0.25
    drift: float = 0.04
    jitter: float = 0.05
    stopped: float = 0.03
    stolen: float = 0.003
    storms: float = 0.2


class SimulatedClock:
    """A clock on a simulated machine: a block lasts as long as its implementation's truth and the weather say."""

    def __init__(self, truth: dict[str, float], weather: Weather, draw: random.Random) -> None:
        self._weather, self._draw = weather, draw
        self._log_speed = draw.gauss(0, weather.mood)
        self._seconds = {name: s * math.exp(draw.gauss(0, weather.luck)) for name, s in truth.items()}
        self._stopped = weather.stopped * (10 if draw.random() < weather.storms else 1)

    def timed(self, name: str) -> Timed:
        """Something for `alternate` that stands for this implementation."""
        return Timed(lambda calls: name, calls=1)

    def time(self, run: Callable[[int], object], calls: int) -> Reading:
        """The block's simulated seconds."""
        weather, draw = self._weather, self._draw
        self._log_speed += draw.gauss(0, weather.drift)
        seconds = self._seconds[str(run(calls))] * math.exp(self._log_speed + draw.gauss(0, weather.jitter))
        if draw.random() < weather.stolen:
            seconds *= 1 + 2 * draw.random()
        waited = seconds * 2 * draw.random() if draw.random() < self._stopped else 0.0
        return Reading((seconds + waited) * calls, evidence=Evidence(waited * calls, int(waited > 0)))


def one_pass(truth: dict[str, float], rounds: int, weather: Weather, draw: random.Random) -> dict[str, Samples]:
    """One simulated pass of the implementations that `truth` names and of the control."""
    clock = SimulatedClock(truth | {CONTROL: 1.5e-3}, weather, draw)
    timed = {name: clock.timed(name) for name in (*truth, CONTROL)}
    return alternate(clock, timed, rounds, draw, collect_garbage=False).samples


def observations(passes: list[dict[str, Samples]], baseline: str, own: str) -> list[Observation]:
    """What passes say of the ratio of two implementations, by the suite's estimator."""
    running = [{name: running_seconds(s.seconds, s.waited_seconds) for name, s in each.items()} for each in passes]
    rate = sum(spikes(each[CONTROL]) for each in running) / sum(len(each[CONTROL]) for each in running)
    return [ratio_of_means(clipped(each[baseline], rate), clipped(each[own], rate)) for each in running]


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


def coverage(runs: int, precision: float | None = None, seed: int = 1) -> Coverage:
    """Simulate runs of a true speed-up of 4.1; with a precision, add passes as a run does."""
    draw = random.Random(seed)
    truth = {"baseline": 4.1e-3, "own": 1e-3}
    held = taken = 0
    for _ in range(runs):
        found = [one_pass(truth, ROUNDS, Weather(), draw) for _ in range(PASSES)]
        if precision is not None:
            logs, errors = _said(found)
            wanted = min(MOST_PASSES, passes_needed(logs, precision, errors=errors))
            found += [one_pass(truth, ROUNDS, Weather(), draw) for _ in range(wanted - PASSES)]
        logs, errors = _said(found)
        estimate: Estimate = interval_of_ratio(logs, first=PASSES, errors=errors)
        held += estimate.low <= 4.1 <= estimate.high
        taken += len(found)
    rule = f"{PASSES} passes" if precision is None else f"{PASSES} passes, then more for ±{precision:.1%}"
    return Coverage(rule, runs, held, taken / runs)


def _said(passes: list[dict[str, Samples]]) -> tuple[list[float], list[float]]:
    """The log ratio of each pass, and its error."""
    found = observations(passes, "baseline", "own")
    return [each.log for each in found], [each.error for each in found]
