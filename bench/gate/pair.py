"""One pair: fresh processes of each side, all pinned to the same core, their blocks in alternation.

    for each case, in a new random order:
        both sides build its implementations, in the same random order
        for each round:
            for each implementation, in a new random order:
                one block on one side, one on the other, whichever first

The two blocks are milliseconds apart on one core and run the same calls, so that all the machine does to one it does to
the other. A pair as a whole is one observation of each cell. One block of each cell and side has a result of it looked
at.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from bench.cases.case import Case, Cell
from bench.gate.sides import Side
from bench.host.clock import Reading
from bench.measure.alternate import calls_per_block
from bench.run.crew import BlockFailed, Lost
from bench.table.observation import (
    Observation,
    Times,
    clipped,
    counting,
    median_of_ratios,
    ratio_of_means,
    spikes,
    waited_share,
)

MIN_ROUNDS, MAX_ROUNDS = 7, 60
MIN_ROUNDS_OF_LONG_CALLS, LONG_CALL_SECONDS = 3, 0.5

PAIR_SECONDS = 1.6
"""Length aimed at for the measuring in a pair. Starting two processes takes about as long, and the spread that blocks
add then equals that between processes: pairs longer or shorter give wider bounds for the same time. With few cells left
the rounds grow instead, up to MAX_ROUNDS."""


LEAD_ON_CUDA = 1
"""Untimed calls before each block there."""

MOST_SPIKES = 0.05
"""Share of a cell's blocks beyond which long ones are its own doing, not the machine's."""


class SideDied(Exception):
    """A process of one side died or fell silent; the text says which and how, and the cell that it was at is known."""

    def __init__(self, text: str, cell: Cell) -> None:
        super().__init__(text)
        self.cell = cell


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

    def add(self, reading: Reading, calls: int) -> None:
        """Put down a block of so many calls."""
        evidence = reading.evidence
        self.seconds.append(reading.seconds / calls)
        self.waited.append(math.nan if evidence.waited_seconds is None else evidence.waited_seconds / calls)
        self.switches.append(math.nan if evidence.switches is None else evidence.switches)

    def counted(self) -> tuple[Times, bool]:
        """What counts of each block but for the spikes, and whether anything is known; see
        `bench.table.observation`."""
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


class Crews:
    """The fresh processes of a pair, a crew a side, (base, head); use it in a with statement, after which they are
    gone.

    They get ready on their own, off the cores that are measured on with `threads` threads, so that they may be started
    while another pair is measured. `first` is the side, 0 or 1, that is started first; who calls has each side come
    first equally often.
    """

    def __init__(
        self, sides: tuple[Side, Side], names: Sequence[str], log: Path, timeout: float, first: int, threads: int = 1
    ) -> None:
        self.sides = sides
        logs = (log.with_name("base"), log.with_name("head"))
        with ExitStack() as stack:
            started = {
                side: stack.enter_context(sides[side].crew(names, logs[side], timeout, threads))
                for side in (first, 1 - first)
            }
            self.both = (started[0], started[1])
            self._stack = stack.pop_all()

    def __enter__(self) -> Crews:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def measure_pair(crews: Crews, plans: dict[Cell, Plan], order: random.Random) -> Pair:
    """Measure every planned cell once, by this pair. Raises SideDied."""
    by_case: dict[str, dict[str, Plan]] = {}
    for (case, name), how in plans.items():
        by_case.setdefault(case, {})[name] = how
    cases = list(by_case)
    order.shuffle(cases)
    pair = Pair()
    both = _PairOfCrews(crews, order, pair)
    blocks: dict[Cell, tuple[Blocks, Blocks]] = {}
    for case in cases:
        blocks |= both.measure(case, by_case[case])
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


def spike_rate(cells: Sequence[ArrayLike]) -> float:
    """The share of blocks that are spikes in most cells of both sides: what the machine does to all. There is no
    control in a pair; what one implementation does itself is left out by the median over them."""
    found = [np.asarray(blocks, float) for blocks in cells]
    shares = sorted(spikes(blocks[np.isfinite(blocks)]) / len(blocks) for blocks in found if len(blocks))
    share = shares[len(shares) // 2] if shares else 0.0
    return share if share <= MOST_SPIKES else 0.0


class _PairOfCrews:
    """The crews of a pair, told in alternation what to do; what fails goes into `pair`."""

    def __init__(self, crews: Crews, order: random.Random, pair: Pair) -> None:
        self.sides, self.crews, self.order, self.pair = crews.sides, crews.both, order, pair

    def measure(self, case: str, plans: dict[str, Plan]) -> dict[Cell, tuple[Blocks, Blocks]]:
        """The blocks of all implementations of one case that don't fail, base's and head's."""
        names = list(plans)
        self.order.shuffle(names)
        for crew in self.crews:
            crew.begin(case)
        for name in names:
            self._build((case, name), plans[name].calls)
        blocks = {(case, name): (Blocks(), Blocks()) for name in names}
        checked = {name: self.order.randrange(plans[name].rounds) for name in names}
        for round_number in range(max(how.rounds for how in plans.values())):
            self.order.shuffle(names)
            for name in names:
                if (case, name) not in self.pair.failures and round_number < plans[name].rounds:
                    check = round_number == checked[name]
                    self._blocks((case, name), plans[name].calls, blocks[case, name], check)
        return {cell: sides for cell, sides in blocks.items() if cell not in self.pair.failures}

    def _build(self, cell: Cell, calls: int) -> None:
        """Build a cell on each side, and warm it up."""
        for side in self.order.sample((0, 1), 2):
            with self._blamed(side, cell):
                if reason := self.crews[side].build(cell[1]):
                    raise BlockFailed(reason)
                self.crews[side].block(cell[1], min(2, calls))

    def _blocks(self, cell: Cell, calls: int, blocks: tuple[Blocks, Blocks], check: bool) -> None:
        """One block on each side. On CUDA an untimed call leads it in: the first kernel after another process's has the
        device change from one to the other, which is no time of the code."""
        lead = LEAD_ON_CUDA if Case.parse(cell[0]).device == "cuda" else 0
        for side in self.order.sample((0, 1), 2):
            with self._blamed(side, cell):
                blocks[side].add(self.crews[side].block(cell[1], calls, lead=lead, check=check), calls)
            if cell in self.pair.failures:
                return

    @contextmanager
    def _blamed(self, side: int, cell: Cell) -> Iterator[None]:
        """What fails is a reason that names the side. Raises SideDied where a process is lost."""
        try:
            yield
        except BlockFailed as error:
            self.pair.failures.setdefault(cell, f"{error} (in {self.sides[side].name})")
        except Lost as loss:
            raise SideDied(f"{self.sides[side].name}: {loss}", cell) from None
