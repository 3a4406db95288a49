"""Pairs of first results: how long each side takes from nothing to what its first call gives.

    for each pair, by a fresh process of each side:
        for each round, the other side first than in the round before:
            for each cell, in a new random order:
                a first result on one side, one on the other, each in a process of its own

All are pinned to the same core. What a pair says of a cell is the log ratio, head over base, of the medians over its
rounds. The judge is as that of times, and each counts the other's hypotheses; see `bench.gate.judge`. What is of no
interest is larger here: first results scatter by some percent from process to process.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from bench.cases.case import Case, Cell
from bench.gate.judge import LOOKS, verdict_of
from bench.gate.pair import Pair, SideDied
from bench.gate.pursuit import Pursuit
from bench.host.machine import cores
from bench.host.process import Worker, WorkerDied
from bench.table.outcome import FIRST, IMPROVED, REGRESSED

LEAST_EFFECT = 0.10
"""Changes of a first result below this fraction are of no interest, whatever is of a time."""

LEAST_ROUNDS, MOST_ROUNDS = 4, 8
LEAST_SHARE = 0.01
"""Of a first result that is not waiting: the kernel counts the two by different clocks."""
PAIR_SECONDS = 0.4
"""Length aimed at for the measuring in a pair; starting its two processes takes about a second."""


class Processes:
    """The fresh processes of a pair, (base, head), which get ready on their own; use it in a with statement, after
    which they are gone."""

    def __init__(self, workers: Callable[[ExitStack], tuple[Worker, Worker]]) -> None:
        with ExitStack() as stack:
            self.both = workers(stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


@dataclass
class FirstResults(Pursuit[Processes]):
    """The pairs of first results of one gate; `medians` are those of each pair, of (base, head), in seconds."""

    meter: ClassVar[str] = FIRST
    medians: dict[Cell, list[tuple[float, float]]] = field(default_factory=dict)

    @contextmanager
    def started(self) -> Iterator[Callable[[], Processes]]:
        """Yields what gives the next pair's processes: those after them are started meanwhile where there is a core
        for each, else both at once when they are wanted, since one after the other takes twice as long."""
        threads = max((Case.parse(case).threads for case, _ in self.judge.hearings), default=1)
        ahead = cores() > threads + 1
        aside = threads if ahead else 0  # nobody measures while they start: they may have all cores
        with ExitStack() as stack:
            waiting: list[Processes] = []

            def workers(own: ExitStack) -> tuple[Worker, Worker]:
                base, head = (
                    own.enter_context(side.start(self.log.with_name(f"{name}-first.log"), aside, "first"))
                    for side, name in zip(self.sides, ("base", "head"), strict=True)
                )
                return base, head

            def next_pair() -> Processes:
                processes = waiting.pop() if waiting else stack.enter_context(Processes(workers))
                if ahead:
                    waiting.append(stack.enter_context(Processes(workers)))
                return processes

            yield next_pair

    def measured(self, processes: Processes) -> Pair:
        """First results of the open cells, in rounds."""
        pair, cells = Pair(), self.judge.open
        seconds: dict[Cell, tuple[list[float], list[float]]] = {cell: ([], []) for cell in cells}
        for side, worker in enumerate(processes.both):
            self._hear(worker, side, cells[0])  # that it is ready
        begun, side = time.perf_counter(), self.order.randrange(2)
        for number in itertools.count(1):
            for cell in self.order.sample(cells, len(cells)):
                for each in (side, 1 - side):
                    if cell not in pair.failures:
                        self._one(processes.both[each], each, cell, seconds[cell][each], pair)
            side = 1 - side
            enough = number >= LEAST_ROUNDS and time.perf_counter() - begun > PAIR_SECONDS
            if number % 2 == 0 and (enough or number >= MOST_ROUNDS):
                break
        for cell, (base, head) in seconds.items():
            if cell not in pair.failures:
                both = statistics.median(base), statistics.median(head)
                self.medians.setdefault(cell, []).append(both)
                pair.logs[cell] = math.log(both[1] / both[0])
        return pair

    def _told(self, cell: Cell) -> str:
        """How long it takes on either side, in words: a ratio of milliseconds may be large and mean little."""
        base, head = (statistics.median(side) for side in zip(*self.medians[cell], strict=True))
        return f"{1e3 * base:.3g} ms in {self.sides[0].name}, {1e3 * head:.3g} ms in {self.sides[1].name}"

    def _one(self, worker: Worker, side: int, cell: Cell, seconds: list[float], pair: Pair) -> None:
        """One first result, less the time in which something else had the core; or a failure."""
        worker.tell({"first": cell[1], "case": cell[0]})
        answer = self._hear(worker, side, cell)
        if "failure" in answer:
            pair.failures[cell] = f"{answer['failure']} (in {self.sides[side].name})"
            return
        # A first result may be nearly all waiting: it takes milliseconds, and so does a neighbour's turn on the core.
        seconds.append(max(answer["seconds"] - (answer["waited_seconds"] or 0.0), LEAST_SHARE * answer["seconds"]))

    def _hear(self, worker: Worker, side: int, cell: Cell) -> dict[str, Any]:
        try:
            return worker.hear(self.settings.timeout)
        except WorkerDied as death:
            raise SideDied(f"{self.sides[side].name}: {death}, over its first result", cell) from None

    def overran(self) -> str:
        """That the time is spent, in words: it may be a part of the budget."""
        return f"first results took all of their {self.deadline - self.begun:.0f} s of the budget"

    def conclude(self) -> None:
        """Write what the judge has come to into the outcome."""
        kept = [found for cell, found in self.judge.hearings.items() if cell not in self.given_up]
        limit, pair_seconds = self.judge.limit, self.pair_seconds()
        verdicts = [verdict_of(found, limit, pair_seconds) for found in kept]
        self.outcome.firsts = [
            replace(each, note=self._told(each.cell)) if each.verdict in (REGRESSED, IMPROVED) else each
            for each in verdicts
        ]
        self.outcome.pairs += self.judge.pairs
        if kept and self.judge.pairs < LOOKS[0]:
            self.outcome.too_few = (
                f"{self.judge.pairs} pairs of first results fitted into the budget, and a first look takes {LOOKS[0]}"
            )
        self.outcome.raw["first_log_ratios"] = [[*found.cell, found.logs] for found in kept]
