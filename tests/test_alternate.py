"""Alternation and clocks, on a fake clock: the planted ratio comes out though no single time is right."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import torch

from bench.host.clock import CudaClock, Evidence, HostClock, MpsClock, Reading, Run, clock_for
from bench.measure.alternate import (
    BLOCK_SECONDS,
    CONTROL,
    BadSample,
    Timed,
    alike_blocks,
    alternate,
    calls_per_block,
    no_garbage_collection,
)
from bench.table.observation import ratio_of_means


@dataclass
class FakeMachine:
    """A clock that moves only by what is run on it, at a speed that a mood decides."""

    mood: Callable[[], float] = lambda: 1.0
    now: float = 0.0
    blocks: list[int] = field(default_factory=list)

    def spend(self, seconds: float) -> Run:
        """Make a run whose call costs this long on a machine in normal mood."""

        def run(calls: int) -> None:
            self.now += calls * seconds * self.mood()

        return run

    def time(self, run: Run, calls: int) -> Reading:
        """Time the block, and keep how many calls it was."""
        self.blocks.append(calls)
        start = self.now
        run(calls)
        return Reading(self.now - start)


@dataclass
class ScriptedClock:
    """Gives these readings, one after the other, whatever it is asked to time."""

    readings: Iterator[Reading]

    def time(self, run: Run, calls: int) -> Reading:
        """Run, and look at the script instead of a clock."""
        run(calls)
        return next(self.readings)


class SteadyClock:
    """A clock to which every block lasts a second."""

    def time(self, run: Run, calls: int) -> Reading:
        """Run, and say a second."""
        run(calls)
        return Reading(1.0)


def idle(calls: int) -> None:
    """Do nothing."""


def noting(log: list[str], name: str) -> Run:
    """Make a run that notes its name."""
    return lambda calls: log.append(name)


def noted_clock(log: list[object], *times: float) -> Callable[[], float]:
    """Make a `perf_counter` that gives these times and notes that it was read."""
    left = iter(times)

    def perf_counter() -> float:
        log.append("clock")
        return next(left)

    return perf_counter


def drifting(seed: int) -> Callable[[], float]:
    """Make a machine that wanders over a factor of many, a little at each block."""
    draw, level = random.Random(seed), [0.0]

    def mood() -> float:
        level[0] += draw.gauss(0, 0.06)
        return math.exp(level[0])

    return mood


def test_ratio_is_right_on_a_drifting_machine() -> None:
    """Right to 1 % over the rounds, while single times of one differ threefold and more."""
    machine = FakeMachine(drifting(1))
    timed = {"slow": Timed(machine.spend(4.2e-4), 5), "fast": Timed(machine.spend(1e-4), 20)}
    samples = alternate(machine, timed, 400, random.Random(1)).samples
    slow, fast = samples["slow"].seconds, samples["fast"].seconds
    assert math.exp(ratio_of_means(slow, fast).log) == pytest.approx(4.2, rel=0.01)
    assert max(slow) / min(slow) > 3


def test_one_after_the_other_would_have_been_wrong() -> None:
    """The same machine, the same blocks, not alternated: the ratio is off by far more than 1 %."""
    machine = FakeMachine(drifting(1))
    order = random.Random(1)
    slow = alternate(machine, {"slow": Timed(machine.spend(4.2e-4), 5)}, 400, order).samples["slow"].seconds
    fast = alternate(machine, {"fast": Timed(machine.spend(1e-4), 20)}, 400, order).samples["fast"].seconds
    assert abs(math.exp(ratio_of_means(slow, fast).log) / 4.2 - 1) > 0.05


def test_everyone_runs_once_a_round_in_a_new_order() -> None:
    """Each round is a permutation of all that is timed, the control among it, and not the same one every time."""
    ran: list[str] = []
    timed = {name: Timed(noting(ran, name), 1) for name in ("a", "b", "c", CONTROL)}
    clock = ScriptedClock(iter([Reading(1.0)] * 200))
    result = alternate(clock, timed, 50, random.Random(1), warmup=False)
    rounds = [tuple(ran[start : start + 4]) for start in range(0, len(ran), 4)]
    assert len(rounds) == 50
    assert all(sorted(names) == sorted(timed) for names in rounds)
    assert len(set(rounds)) > 10, "of 24 orders"
    assert {names[0] for names in rounds} == set(timed), "everyone goes first now and then"
    assert list(result.samples) == list(timed)


def test_the_order_is_the_random_generators() -> None:
    """The same generator gives the same order, so that a pass can be told by its seed."""

    def orders(seed: int) -> list[str]:
        ran: list[str] = []
        timed = {name: Timed(noting(ran, name), 1) for name in "abcd"}
        alternate(SteadyClock(), timed, 10, random.Random(seed))
        return ran

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)


def test_samples_are_seconds_per_call_in_the_order_of_rounds() -> None:
    """A block's time is divided by its calls, the events' too."""
    clock = ScriptedClock(iter([Reading(8.0, 4.0), Reading(16.0, 12.0)]))
    samples = alternate(clock, {"a": Timed(idle, 4)}, 2, random.Random(1), warmup=False).samples["a"]
    assert samples.calls == 4
    assert samples.seconds == [2.0, 4.0]
    assert samples.event_seconds == [1.0, 3.0]


def test_without_events_there_are_no_event_times() -> None:
    """On the CPU the list stays empty."""
    samples = alternate(SteadyClock(), {"a": Timed(idle, 4)}, 2, random.Random(1)).samples["a"]
    assert samples.event_seconds == []


@pytest.mark.parametrize(("calls", "warm"), [(1, [1]), (2, [2]), (50, [2])])
def test_warm_up_is_short_and_not_recorded(calls: int, warm: list[int]) -> None:
    """One block of two calls comes before the first round, of one where a call fills a block, and is no sample."""
    machine = FakeMachine()
    result = alternate(machine, {"a": Timed(machine.spend(1.0), calls)}, 3, random.Random(1))
    assert machine.blocks == [*warm, calls, calls, calls]
    assert result.samples["a"].seconds == [1.0, 1.0, 1.0]


def test_one_may_go_without_warm_up() -> None:
    """The others are warmed up all the same."""
    machine = FakeMachine()
    timed = {"a": Timed(machine.spend(1.0), 1, warm=False), "b": Timed(machine.spend(1.0), 7)}
    result = alternate(machine, timed, 1, random.Random(1))
    assert machine.blocks[0] == 2
    assert sorted(machine.blocks[1:]) == [1, 7]
    assert [len(own.seconds) for own in result.samples.values()] == [1, 1]


@pytest.mark.parametrize("fatal_block", [1, 2, 5], ids=["in warm-up", "in the first round", "later"])
def test_one_that_raises_is_dropped_and_the_others_go_on(fatal_block: int) -> None:
    """Its exception is kept, its samples are not, and the others have all their rounds."""
    ran = 0

    def fails(calls: int) -> None:
        nonlocal ran
        ran += 1
        if ran == fatal_block:
            raise MemoryError("no more")

    timed = {"good": Timed(idle, 2), "bad": Timed(fails, 2), CONTROL: Timed(idle, 2)}
    result = alternate(SteadyClock(), timed, 8, random.Random(1))
    assert set(result.samples) == {"good", CONTROL}
    assert [len(own.seconds) for own in result.samples.values()] == [8, 8]
    assert isinstance(result.failures["bad"], MemoryError)
    assert ran == fatal_block, "it isn't called again"


@pytest.mark.parametrize("seconds", [0.0, -1e-3, math.nan, math.inf])
def test_a_time_that_cannot_be_is_no_sample(seconds: float) -> None:
    """A clock that stands, goes backwards or breaks is a failure that says which block and what it read."""
    clock = ScriptedClock(iter([Reading(1.0), Reading(seconds)]))
    result = alternate(clock, {"a": Timed(idle, 1)}, 3, random.Random(1), warmup=False)
    assert result.samples == {}
    assert isinstance(result.failures["a"], BadSample)
    assert str(result.failures["a"]).startswith(f"block 1 took {seconds} s, ")


@pytest.mark.parametrize("seconds", [0.0, math.nan])
def test_an_event_time_that_cannot_be_is_no_sample(seconds: float) -> None:
    """Also when the host's clock is right."""
    clock = ScriptedClock(iter([Reading(1.0, seconds)]))
    result = alternate(clock, {"a": Timed(idle, 1)}, 1, random.Random(1), warmup=False)
    assert isinstance(result.failures["a"], BadSample)
    assert "by the device's events" in str(result.failures["a"])


def test_an_interruption_is_nobodys_failure() -> None:
    """Ctrl-C ends the alternation, and leaves garbage collection as it was."""

    def interrupted(calls: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alternate(SteadyClock(), {"a": Timed(interrupted, 1)}, 1, random.Random(1))
    assert gc.isenabled()


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_collection_is_off_inside_and_as_before_outside(enabled: bool) -> None:
    """Also after an exception, and also where it was off already."""
    (gc.enable if enabled else gc.disable)()
    try:
        with no_garbage_collection():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
        with pytest.raises(RuntimeError), no_garbage_collection():
            raise RuntimeError
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_no_garbage_is_collected_while_measuring() -> None:
    """What is timed runs with collection off."""
    states: list[bool] = []
    timed = {"a": Timed(lambda calls: states.append(gc.isenabled()), 2)}
    alternate(SteadyClock(), timed, 3, random.Random(1))
    assert states == [False] * 4
    assert gc.isenabled()


def test_garbage_collection_can_be_left_alone() -> None:
    """A caller that has switched it off for longer keeps the switch."""
    states: list[bool] = []
    timed = {"a": Timed(lambda calls: states.append(gc.isenabled()), 2)}
    alternate(SteadyClock(), timed, 1, random.Random(1), collect_garbage=False)
    assert states == [True, True]


@pytest.mark.parametrize(
    ("seconds", "calls"), [(BLOCK_SECONDS / 10, 10), (BLOCK_SECONDS / 3.4, 3), (BLOCK_SECONDS, 1), (60.0, 1)]
)
def test_calls_per_block_make_a_block(seconds: float, calls: int) -> None:
    """About BLOCK_SECONDS' worth, and one call at least."""
    assert calls_per_block(seconds) == calls


@pytest.mark.parametrize(
    "seconds",
    [
        {"a": 1.26e-3, "b": 1.25e-3, "c": 1.32e-3, "d": 2.43e-3},
        {"a": 1.5e-3, "b": 1.45e-3},
        {"a": 3e-3, "b": 2.2e-3, "c": 0.9e-3},
        {"a": 0.8e-3, "b": 1.05e-5, "c": 3.1e-4},
    ],
)
def test_blocks_of_short_calls_last_alike(seconds: dict[str, float]) -> None:
    """Within a fifth or so of each other, and no shorter than nine tenths of a block."""
    calls = alike_blocks(seconds)
    lengths = [calls[name] * each for name, each in seconds.items()]
    assert max(lengths) < 1.4 * min(lengths)
    assert min(lengths) > 0.9 * BLOCK_SECONDS
    assert max(lengths) < 2.4 * BLOCK_SECONDS


def test_long_calls_make_blocks_by_themselves() -> None:
    """And leave the length of the others alone."""
    assert alike_blocks({"long": 1.0, "short": 1e-3}) == {"long": 1, "short": 2}
    assert alike_blocks({"long": 1.0}) == {"long": 1}
    assert alike_blocks({}) == {}


def test_evidence_is_kept_per_call() -> None:
    """Waiting is divided by the calls, as the seconds are; switches are of the block."""
    clock = ScriptedClock(iter([Reading(8.0, None, Evidence(4.0, 2))]))
    samples = alternate(clock, {"a": Timed(idle, 4)}, 1, random.Random(1), warmup=False).samples["a"]
    assert (samples.seconds, samples.waited_seconds, samples.switches) == ([2.0], [1.0], [2])


def test_what_is_not_known_is_not_kept() -> None:
    """A clock without evidence leaves the lists empty."""
    samples = alternate(SteadyClock(), {"a": Timed(idle, 4)}, 2, random.Random(1)).samples["a"]
    assert samples.waited_seconds == samples.switches == []


def test_host_clock_reads_around_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference of two readings with the calls between them."""
    log: list[object] = []
    monkeypatch.setattr("bench.host.clock.time.perf_counter", noted_clock(log, 10.0, 12.5))
    reading = HostClock().time(log.append, 7)
    assert (reading.seconds, reading.event_seconds) == (2.5, None)
    assert log == ["clock", 7, "clock"]


def test_cuda_clock_synchronises_outside_and_records_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synchronise, clock, event, calls, event, synchronise, clock; events count milliseconds."""
    log: list[object] = []
    events: list[FakeEvent] = []

    class FakeEvent:
        def __init__(self, enable_timing: bool = False) -> None:
            assert enable_timing
            events.append(self)
            self.name = f"event {len(events)}"

        def record(self) -> None:
            log.append(self.name)

        def elapsed_time(self, end: FakeEvent) -> float:
            assert (self, end) == tuple(events)
            log.append("elapsed")
            return 1500.0

    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: log.append("synchronise"))
    monkeypatch.setattr("bench.host.clock.time.perf_counter", noted_clock(log, 10.0, 12.5))
    reading = CudaClock().time(log.append, 7)
    assert (reading.seconds, reading.event_seconds) == (2.5, 1.5)
    assert log == ["synchronise", "clock", "event 1", 7, "event 2", "synchronise", "clock", "elapsed"]


def test_mps_clock_synchronises_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synchronise, clock, calls, synchronise, clock."""
    log: list[object] = []
    monkeypatch.setattr(torch.mps, "synchronize", lambda: log.append("synchronise"))
    monkeypatch.setattr("bench.host.clock.time.perf_counter", noted_clock(log, 10.0, 12.5))
    reading = MpsClock().time(log.append, 7)
    assert (reading.seconds, reading.event_seconds) == (2.5, None)
    assert log == ["synchronise", "clock", 7, "synchronise", "clock"]


def test_each_device_has_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA and MPS synchronise, everything else reads the host's clock."""
    monkeypatch.setattr(torch.cuda, "Event", lambda enable_timing: object())
    assert isinstance(clock_for("cuda"), CudaClock)
    assert isinstance(clock_for("mps"), MpsClock)
    assert isinstance(clock_for("cpu"), HostClock)
