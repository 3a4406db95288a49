"""The estimator on planted machines: what a neighbour adds goes, what the code does itself stays."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from bench.host.clock import Evidence, Reading, Run
from bench.measure.alternate import CONTROL, Samples, Timed, alternate
from bench.table.observation import clipped, median_of_ratios, ratio_of_means, running_seconds, spikes, waited_share

PASSES, ROUNDS = 5, 150
CALL = 2e-3
SLICE = 3e-3
"""Seconds for which a neighbour keeps the core each time."""


@dataclass
class Work:
    """What a call does: seconds on the core, asleep, in a helper thread for which the main one waits."""

    run: float = CALL
    asleep: float = 0.0
    helper: float = 0.0


class Core:
    """A core with a neighbour that comes for a while and goes. A block is stopped the more often the longer it is on
    the core, and waits when it wakes up; the kernel counts what was waited, and knows of no theft by a hypervisor.

    With two threads there are two such cores; a block ends when both threads have, so that the one that is stopped
    longer holds up the other. Evidence is what `bench.host.clock` makes of the kernel's counters."""

    def __init__(
        self, seed: int, *, busy: float = 0.5, stolen: float = 0.0, moods: float = 0.1, threads: float = 1
    ) -> None:
        self.threads = int(threads)
        self.draw = random.Random(seed)
        self.busy, self.stolen, self.moods = busy, stolen, moods
        self.here, self.until, self.now = False, 0.0, 0.0
        self.todo: list[Work] = []

    def timed(self, work: Callable[[int], Work], calls: int) -> Timed:
        """Something whose n-th call does this work."""
        made = 0

        def run(count: int) -> None:
            nonlocal made
            for _ in range(count):
                made += 1
                self.todo.append(work(made))

        return Timed(run, calls)

    def time(self, run: Run, calls: int) -> Reading:
        """The block, as clock and kernel see it."""
        self.todo.clear()
        run(calls)
        mood = math.exp(self.draw.gauss(0, self.moods))
        own = sum(work.run + work.helper for work in self.todo) * mood * math.exp(self.draw.gauss(0, 0.02))
        asleep = sum(work.asleep for work in self.todo)
        if self.draw.random() < self.stolen:
            own *= 3
        waited = 0.0
        if self._neighbour():
            waited = max(self._stopped(own, asleep > 0) for _ in range(self.threads))
        seconds = own + asleep + waited
        self.now += seconds
        return Reading(seconds, evidence=Evidence(waited, int(waited > 0)))

    def _stopped(self, own: float, sleeps: bool) -> float:
        """Seconds for which a thread on its core is stopped: the more often the longer it runs."""
        stops = sum(1 for _ in range(math.ceil(own / SLICE)) if self.draw.random() < min(1.0, own / SLICE))
        return SLICE * (stops + (sleeps and self.draw.random() < 0.5))

    def _neighbour(self) -> bool:
        """Whether it is here; it stays and stays away for 0.05 to 1.5 s."""
        while self.now >= self.until:
            self.here = not self.here and self.busy > 0
            self.until += self.draw.uniform(0.05, 1.5)
        return self.here


def passes(own: Callable[[int], Work], calls: int, **core: float) -> list[dict[str, Samples]]:
    """Passes of one beside plain work and the control, each on a core of its own luck."""
    found = []
    for seed in range(PASSES):
        machine = Core(seed, **core)
        timed = {
            "plain": machine.timed(lambda _: Work(), calls),
            "own": machine.timed(own, calls),
            CONTROL: machine.timed(lambda _: Work(1.5e-4), 13),
        }
        found.append(alternate(machine, timed, ROUNDS, random.Random(seed), collect_garbage=False).samples)
    return found


def cost(own: Callable[[int], Work], calls: int, **core: float) -> float:
    """How many times as long as plain work it takes, by the estimator, over five passes."""
    found = passes(own, calls, **core)
    running = [{name: running_seconds(s.seconds, s.waited_seconds) for name, s in each.items()} for each in found]
    rate = sum(spikes(each[CONTROL]) for each in running) / sum(len(each[CONTROL]) for each in running)
    logs = [ratio_of_means(clipped(each["own"], rate), clipped(each["plain"], rate)).log for each in running]
    return math.exp(float(np.mean(logs)))


def every_fourth(extra: Work) -> Callable[[int], Work]:
    """A call that does more every fourth time."""
    return lambda number: Work(
        CALL + extra.run * (number % 4 == 0), extra.asleep * (number % 4 == 0), extra.helper * (number % 4 == 0)
    )


PLANTED = {
    "as long every fourth time": (Work(CALL), 1.25),
    "sleeps every fourth time": (Work(0.0, asleep=CALL), 1.25),
    "works in a helper thread every fourth time": (Work(0.0, helper=CALL), 1.25),
    "the same": (Work(0.0), 1.0),
}


@pytest.mark.parametrize("calls", [1, 4, 20])
@pytest.mark.parametrize("busy", [0.0, 0.5])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("planted", PLANTED)
def test_what_the_code_does_itself_stays(planted: str, threads: int, busy: float, calls: int) -> None:
    """At one call a block as at many, with one thread as with two, alone and beside a neighbour: within 2.5 % of what
    was planted."""
    extra, wanted = PLANTED[planted]
    assert cost(every_fourth(extra), calls, busy=busy, threads=threads) == pytest.approx(wanted, rel=0.025)


@pytest.mark.parametrize("every", [10, 20])
def test_rare_slow_calls_stay_where_the_machine_makes_no_spikes(every: int) -> None:
    """Nothing is clipped when the control has no spikes, however rare a slow call is."""
    own = cost(lambda number: Work(CALL * (3 if number % every == 0 else 1)), 1, moods=0.0)
    assert own == pytest.approx(1 + 2 / every, rel=0.02)


def test_a_median_would_have_lost_it() -> None:
    """Why it is a mean: the median of the rounds knows nothing of every fourth call."""
    found = passes(every_fourth(Work(CALL)), 1, busy=0.0)
    logs = [median_of_ratios(each["own"].seconds, each["plain"].seconds).log for each in found]
    assert math.exp(float(np.mean(logs))) < 1.1


def test_dropping_disturbed_blocks_would_have_been_biased() -> None:
    """Why nothing is dropped: longer blocks are stopped more often, so that the short ones are left."""
    found = passes(every_fourth(Work(CALL)), 1)
    means = []
    for each in found:
        calm = {n: np.asarray(s.seconds)[np.asarray(s.waited_seconds) == 0].mean() for n, s in each.items()}
        means.append(math.log(calm["own"] / calm["plain"]))
    assert math.exp(float(np.mean(means))) < 1.23


def test_theft_that_no_counter_shows_is_limited() -> None:
    """A hypervisor makes 1 % of the blocks three times as long: the control tells how often, and twins stay twins."""
    raw = [
        ratio_of_means(each["own"].seconds, each["plain"].seconds).log
        for each in passes(lambda _: Work(), 4, busy=0.0, stolen=0.01)
    ]
    assert cost(lambda _: Work(), 4, busy=0.0, stolen=0.01) == pytest.approx(1.0, abs=0.012)
    assert np.std(raw) > 0.012


def test_running_seconds_by_hand() -> None:
    """Less the waiting, never less than a hundredth; unknown waiting gives nothing."""
    found = running_seconds([2.0, 2.0, 2.0], [0.5, 2.5, math.nan])
    assert found[:2].tolist() == [1.5, 0.02]
    assert math.isnan(found[2])


def test_ratio_of_means_by_hand() -> None:
    """Means 2 and 1; deviations of the rounds -0.5, 0, 0.5 and theirs 0: error 0.5 / sqrt(3)."""
    found = ratio_of_means([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])
    assert found.log == pytest.approx(math.log(2))
    assert found.error == pytest.approx(0.5 / math.sqrt(3))
    assert ratio_of_means([2.0], [1.0]).error != ratio_of_means([2.0], [1.0]).error, "one round has no error"


def test_moods_that_both_share_are_no_error() -> None:
    """The machine at half its speed in every other round: nothing of the ratio, nothing of its error."""
    mood = np.array([1.0, 2.0, 1.0, 2.0])
    found = ratio_of_means(3 * mood, mood)
    assert (found.log, found.error) == pytest.approx((math.log(3), 0.0), abs=1e-12)


def test_ratios_over_the_same_rounds_chain() -> None:
    """a over b times b over c is a over c."""
    draw = np.random.default_rng(1)
    a, b, c = draw.uniform(1, 2, (3, 20))
    assert ratio_of_means(a, b).log + ratio_of_means(b, c).log == pytest.approx(ratio_of_means(a, c).log)


def test_median_of_ratios_cancels_what_a_round_shares() -> None:
    """Speed shared by both sides of a round drops out, and one bad round is left out."""
    speed = np.array([1.0, 3.0, 0.2, 7.0, 1.0])
    other = speed * np.array([1, 1, 1, 1, 50.0])
    found = median_of_ratios(4.2 * speed, other)
    assert found.log == pytest.approx(math.log(4.2))
    assert math.isnan(found.error)


def test_spikes_are_counted_against_the_controls_own_median() -> None:
    """From 1.3 times on."""
    assert spikes([1.0, 1.0, 1.0, 1.0, 1.29, 1.31, 9.0]) == 2
    assert spikes([1.0] * 9) == 0


@pytest.mark.parametrize(
    ("rate", "rounds", "clips"), [(0.0, 100, 0), (0.0004, 100, 0), (0.01, 100, 3), (0.5, 14, 2), (0.5, 6, 0)]
)
def test_as_many_are_clipped_as_spikes_are_to_be_expected(rate: float, rounds: int, clips: int) -> None:
    """The 95 % quantile of Poisson's distribution, at most a seventh; never to less than the next largest."""
    blocks = np.arange(1.0, rounds + 1)
    found = clipped(blocks, rate)
    assert (found < blocks).sum() == clips
    assert found.max() == rounds - clips


def test_waited_share_by_hand() -> None:
    """Of all time; unknown where any of it is."""
    assert waited_share([3.0, 1.0], [1.0, 0.0]) == 0.25
    assert math.isnan(waited_share([3.0, 1.0], [1.0, math.nan]))
