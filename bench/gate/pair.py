"""One pair: a fresh process of each side, both pinned to the same core, their blocks taken in turn.

    for each case, in a new random order:
        both sides build its contenders, in the same random order
        for each round:
            for each contender, in a new random order:
                one block on one side, one on the other, whichever first

The two blocks are milliseconds apart on one core and run the same calls, so that all the machine does to one it does to
the other. A pair as a whole is one observation of each cell.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bench.alternate import calls_per_block
from bench.gate.outcome import Cell
from bench.gate.sides import Side
from bench.observation import (
    Observation,
    Times,
    clipped,
    counting,
    median_of_ratios,
    ratio_of_means,
    spikes,
    waited_share,
)
from bench.process import WorkerDied

MIN_ROUNDS, MAX_ROUNDS = 7, 60
MIN_ROUNDS_OF_LONG_CALLS, LONG_CALL_SECONDS = 3, 0.5

PAIR_SECONDS = 1.6
"""Length aimed at for the measuring in a pair. Starting two processes takes about as long, and the spread that blocks
add then equals that between processes: pairs longer or shorter give wider bounds for the same time. With few cells left
the rounds grow instead, up to MAX_ROUNDS."""


MOST_SPIKES = 0.05
"""Share of a contender's blocks beyond which long ones are its own doing, not the machine's."""


class SideDied(Exception):
    """A worker of one side died or fell silent; the text says which and how, `case` at what ("" before any)."""

    def __init__(self, text: str, case: str) -> None:
        super().__init__(text)
        self.case = case


class SideChanged(Exception):
    """An implementation changed what torch is set to, so that the two sides are not measured alike."""


@dataclass(frozen=True)
class Plan:
    """How a cell is measured in a pair."""

    calls: int
    rounds: int


@dataclass
class Pair:
    """What came of one pair: a log ratio, head over base, of each cell; a reason for each that failed; the share of
    each cell's time in which something else had the core, NaN where that is not known."""

    logs: dict[Cell, float] = field(default_factory=dict)
    failures: dict[Cell, str] = field(default_factory=dict)
    disturbed: dict[Cell, float] = field(default_factory=dict)


@dataclass
class Blocks:
    """The blocks of one cell on one side, in the order of the rounds: seconds of a call and of its waiting, switches
    of the block (NaN where they are not known)."""

    seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    switches: list[float] = field(default_factory=list)

    def counted(self) -> tuple[Times, bool]:
        """What counts of each block but for the spikes, and whether anything is known; see `bench.observation`."""
        return counting(self.seconds, self.waited, self.switches)


def plan(call_seconds: dict[Cell, float]) -> dict[Cell, Plan]:
    """Calls a block and rounds a pair for each cell, from its rough seconds per call."""
    aim = PAIR_SECONDS / max(1, len(call_seconds))
    plans = {}
    for cell, seconds in call_seconds.items():
        calls = calls_per_block(seconds)
        least = MIN_ROUNDS_OF_LONG_CALLS if seconds > LONG_CALL_SECONDS else MIN_ROUNDS
        rounds = min(MAX_ROUNDS, max(least, round(aim / (2 * calls * seconds))))
        plans[cell] = Plan(calls, rounds)
    return plans


class Workers:
    """The two fresh processes of a pair, (base, head); use it in a with statement, after which they are gone.

    They get ready on their own, off the core that is measured on, so that they may be started while another pair is
    measured.
    """

    def __init__(self, sides: tuple[Side, Side], log: Path) -> None:
        self.sides = sides
        with ExitStack() as stack:
            self.both = tuple(stack.enter_context(side.start(log)) for side in sides)
            self._stack = stack.pop_all()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def measure_pair(workers: Workers, plans: dict[Cell, Plan], order: random.Random, timeout: float) -> Pair:
    """Measure every planned cell once, by this pair. Raises SideDied and SideChanged."""
    duel = _Duel(workers, order, timeout)
    duel.hear_both()
    by_case: dict[str, dict[str, Plan]] = {}
    for (case, name), how in plans.items():
        by_case.setdefault(case, {})[name] = how
    cases = list(by_case)
    order.shuffle(cases)
    pair = Pair()
    blocks: dict[Cell, tuple[Blocks, Blocks]] = {}
    for case in cases:
        blocks |= duel.measure(case, by_case[case], pair)
    rate = spike_rate([side.counted()[0] for sides in blocks.values() for side in sides])
    for cell, (base, head) in blocks.items():
        pair.logs[cell] = observed(base, head, rate).log
        pair.disturbed[cell] = waited_share(base.seconds + head.seconds, base.waited + head.waited)
    return pair


def observed(base: Blocks, head: Blocks, rate: float) -> Observation:
    """What a pair says of one cell: the log ratio, head over base."""
    (base_counts, base_known), (head_counts, head_known) = base.counted(), head.counted()
    if not (base_known and head_known):
        return median_of_ratios(head.seconds, base.seconds)
    return ratio_of_means(clipped(head_counts, rate), clipped(base_counts, rate))


def spike_rate(contenders: Sequence[ArrayLike]) -> float:
    """The share of blocks that are spikes with most contenders of both sides: what the machine does to all. There is no
    control in a pair; what one contender does itself is left out by the median over them."""
    found = [np.asarray(blocks, float) for blocks in contenders]
    shares = sorted(spikes(blocks[np.isfinite(blocks)]) / len(blocks) for blocks in found if len(blocks))
    share = shares[len(shares) // 2] if shares else 0.0
    return share if share <= MOST_SPIKES else 0.0


def _known(answer: dict[str, Any], name: str) -> float:
    """A figure of an answer, NaN where there is none."""
    return math.nan if answer.get(name) is None else float(answer[name])


class _Duel:
    """Two workers, and whose turn it is."""

    def __init__(self, workers: Workers, order: random.Random, timeout: float) -> None:
        self.sides, self.workers, self.order, self.timeout = workers.sides, workers.both, order, timeout
        self.case = ""

    def measure(self, case: str, plans: dict[str, Plan], pair: Pair) -> dict[Cell, tuple[Blocks, Blocks]]:
        """The blocks of all contenders of one case, base's and head's; those that fail go into `pair`."""
        self.case = case
        names = list(plans)
        self.order.shuffle(names)
        for side, answer in enumerate(self.ask_both({"build": case, "names": names})):
            for name, reason in answer["failures"].items():
                pair.failures.setdefault((case, name), f"{reason} (in {self.sides[side].name})")
        blocks = {(case, name): (Blocks(), Blocks()) for name in names}
        for round_number in range(max(how.rounds for how in plans.values())):
            self.order.shuffle(names)
            for name in names:
                if (case, name) not in pair.failures and round_number < plans[name].rounds:
                    self._blocks((case, name), plans[name].calls, blocks[case, name], pair)
        self._check_state(case)
        return {cell: sides for cell, sides in blocks.items() if cell not in pair.failures}

    def _blocks(self, cell: Cell, calls: int, blocks: tuple[Blocks, Blocks], pair: Pair) -> None:
        """One block on each side."""
        for side in self.order.sample((0, 1), 2):
            answer = self.ask(side, {"block": cell[1], "calls": calls})
            if "failure" in answer:
                pair.failures[cell] = f"{answer['failure']} (in {self.sides[side].name})"
                return
            blocks[side].seconds.append(answer["seconds"])
            blocks[side].waited.append(_known(answer, "waited_seconds"))
            blocks[side].switches.append(_known(answer, "switches"))

    def _check_state(self, case: str) -> None:
        """Both sides must be set alike after the case, threads as the case has it."""
        base, head = ({k: v for k, v in answer.items() if k != "event"} for answer in self.ask_both({"state": True}))
        for side, state in zip(self.sides, (base, head), strict=True):
            wanted = wanted_state(case)
            if changed := [
                f"{key} is {state[key]}, not {value}" for key, value in wanted.items() if state[key] != value
            ]:
                raise SideChanged(
                    f"{side.name} changes what torch is set to while {case} is measured: {', '.join(changed)}"
                )

    def ask_both(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """The same to both, one after the other, whichever first; the answers as (base, head)."""
        answers: list[dict[str, Any]] = [{}, {}]
        for side in self.order.sample((0, 1), 2):
            answers[side] = self.ask(side, message)
        return answers

    def ask(self, side: int, message: dict[str, Any]) -> dict[str, Any]:
        """Tell one side something, and wait for what it answers."""
        self.workers[side].tell(message)
        return self._hear(side)

    def hear_both(self) -> None:
        """Both are ready."""
        for side in (0, 1):
            self._hear(side)

    def _hear(self, side: int) -> dict[str, Any]:
        try:
            return self.workers[side].hear(self.timeout)
        except WorkerDied as death:
            raise SideDied(f"{self.sides[side].name}: {death}", self.case) from None


def wanted_state(case: str) -> dict[str, Any]:
    """What torch is set to while a case is measured; see `bench.machine.fix_numerics`."""
    threads = int(case.rpartition("-t")[2])
    return {"threads": threads, "tf32_matmul": False, "tf32_cudnn": False, "cudnn_benchmark": False}
