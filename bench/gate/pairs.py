"""Head against base: survey both sides, then pair after pair until every cell is decided or the budget is spent."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.gate.comparable import comparable, survey, told_choices
from bench.gate.judge import LOOKS, Judge, conclude
from bench.gate.pair import Crews, Pair, SideDied, measure_pair, plan
from bench.gate.sides import Side
from bench.host.machine import cores, differences
from bench.table.comparison import DISTURBED, DISTURBED_FROM, NO_EVIDENCE, NOT_PINNED, EstimateWarning
from bench.table.outcome import INCOMPARABLE, REGRESSED, Asked, Incomparable, Look, Lost, News, Outcome, Uncompared

MOST_LOST = 2
"""Pairs that may be lost over one implementation until it is given up: a process that dies once may have been killed by
anybody, one that dies twice over the same dies of it."""

PATIENCE = 20.0
"""Seconds after which a gate that has failed already goes on only with the cells that are suspected, too: nothing that
the others could say would change how it ends."""

WIND_UP = 3.0
"""Seconds of the budget for what is not measuring: the command's start, a pair longer than the others, the worktree."""

Tell = Callable[[News], None]


def measure_pairs(
    sides: tuple[Side, Side],
    settings: Settings,
    min_effect: float,
    log: Path,
    tell: Tell = lambda news: None,
    different_software: bool = False,
) -> Outcome:
    """Hold head against base. `settings.budget` bounds the whole, in seconds.

    Raises Incomparable when they cannot be held against each other at all.
    """
    begun = time.perf_counter()
    outcome = Outcome(sides[0].name, sides[1].name, min_effect)
    base, head = survey(sides, settings, log, begun + (settings.budget or math.inf))
    outcome.notes += told_differences(sides, base.machine, head.machine, different_software)
    outcome.machine = head.machine
    outcome.notes += told_choices((sides[0].name, sides[1].name), base, head)
    calls, outcome.uncompared = comparable((sides[0].name, sides[1].name), base, head)
    outcome.asked = len(calls)
    tell(Asked(len(calls)))
    pairs = _Pairs(sides, outcome, Judge(list(calls), min_effect), calls, settings, log, tell, begun)
    pairs.measure()
    conclude(outcome, pairs.judge, pairs.given_up, pairs.pair_seconds(), pairs.warnings())
    outcome.seconds = time.perf_counter() - begun
    return outcome


def told_differences(sides: tuple[Side, Side], base: dict[str, Any], head: dict[str, Any], allowed: bool) -> list[str]:
    """What differs between the machine and software of the two sides, in words. Raises Incomparable if nothing may."""
    names = [side.name for side in sides]
    told = [f"{key}: {old} in {names[0]}, {new} in {names[1]}" for key, (old, new) in differences(base, head).items()]
    if told and not allowed:
        raise Incomparable(f"the two sides run on different machines or software: {'; '.join(told)}")
    return told


@dataclass
class _Pairs:
    """The pairs of one gate, and what they cost."""

    sides: tuple[Side, Side]
    outcome: Outcome
    judge: Judge
    calls: dict[Cell, float]
    settings: Settings
    log: Path
    tell: Tell
    begun: float
    order: random.Random = field(default_factory=random.Random)
    lost: Counter[str] = field(default_factory=Counter)
    spent: list[float] = field(default_factory=list)
    given_up: set[Cell] = field(default_factory=set)
    disturbed: dict[Cell, list[float]] = field(default_factory=dict)

    def measure(self) -> None:
        """Pairs until all is decided, the looks are used up, or another pair would not fit into the budget."""
        with self._started() as next_pair:
            while self.judge.open and not self.judge.exhausted:
                if self._elapsed() + self.pair_seconds() + WIND_UP > (self.settings.budget or float("inf")):
                    self._last_look()
                    break
                start = time.perf_counter()
                with next_pair() as crews:
                    looked = self._one_pair(crews)
                self.spent.append(time.perf_counter() - start)
                if looked:
                    self._after_look()

    def warnings(self) -> dict[Cell, tuple[EstimateWarning, ...]]:
        """What qualifies each cell's verdict: the mean share of the time, over pairs, in which something else had the
        core; that nothing is known of it; that nothing was pinned."""
        unpinned = [EstimateWarning(NOT_PINNED)] if self.outcome.machine.get("pinned") is False else []
        found = {}
        for cell, shares in self.disturbed.items():
            blind = sum(map(math.isnan, shares))
            share = sum(known for known in shares if not math.isnan(known)) / max(1, len(shares) - blind)
            found[cell] = (
                *([EstimateWarning(DISTURBED, share)] if share > DISTURBED_FROM else []),
                *([EstimateWarning(NO_EVIDENCE, blind)] if blind else []),
                *unpinned,
            )
        return found

    def pair_seconds(self) -> float:
        """What a pair takes, by those there were."""
        return sum(self.spent) / max(1, len(self.spent))

    @contextmanager
    def _started(self) -> Iterator[Callable[[], Crews]]:
        """Yields what gives the next pair's processes, those after them being started meanwhile if there is a core."""
        firsts = itertools.cycle(self.order.sample((0, 1), 2))  # so that neither side is the older one more often
        threads = max((Case.parse(case).threads for case, _ in self.calls), default=1)
        ahead = cores() > threads
        with ExitStack() as stack:
            waiting: list[Crews] = []

            def start() -> Crews:
                names = list(dict.fromkeys(name for _, name in self.judge.open))
                timeout = self.settings.timeout
                return stack.enter_context(Crews(self.sides, names, self.log, timeout, next(firsts), threads))

            def next_pair() -> Crews:
                crews = waiting.pop() if waiting else start()
                if ahead:
                    waiting.append(start())
                return crews

            yield next_pair

    def _elapsed(self) -> float:
        return time.perf_counter() - self.begun

    def _one_pair(self, crews: Crews) -> bool:
        """Measure a pair and hand it to the judge; whether the judge looked."""
        cells = {cell: self.calls[cell] for cell in self.judge.open}
        try:
            pair = measure_pair(crews, plan(cells), self.order)
        except SideDied as death:
            self._lose(death)
            return False
        return self._take(pair)

    def _take(self, pair: Pair) -> bool:
        for cell, reason in pair.failures.items():
            self._give_up(cell, reason)
        for cell, share in pair.disturbed.items():
            self.disturbed.setdefault(cell, []).append(share)
        looked = self.judge.add(pair.logs)
        if looked:
            self._note_look()
        return looked

    def _note_look(self) -> None:
        """Say where it stands."""
        found, left = self.judge.hearings, self.judge.open
        look = Look(
            pairs=self.judge.pairs,
            seconds=self._elapsed(),
            settled=len(found) - len(left),
            regressed=sum(hearing.verdict == REGRESSED for hearing in found.values()),
            open=len(left),
            slower=sum(found[cell].suspected == REGRESSED for cell in left),
        )
        self.outcome.looks.append(look)
        self.tell(look)

    def _lose(self, death: SideDied) -> None:
        """A pair is lost. One loss is put up with; an implementation that loses pairs again is given up."""
        name = death.cell[1]
        self.outcome.lost.append(Lost(death.cell, str(death)))
        self.tell(self.outcome.lost[-1])
        self.lost[name] += 1
        if self.lost[name] >= MOST_LOST:
            for cell in self.judge.open:
                if cell[1] == name:
                    self._give_up(cell, str(death))

    def _give_up(self, cell: Cell, reason: str) -> None:
        self.judge.drop(cell)
        self.given_up.add(cell)
        self.outcome.uncompared.append(Uncompared(cell, INCOMPARABLE, reason))

    def _after_look(self) -> None:
        """Once the gate has failed and patience is out, cells that nobody suspects are left undecided."""
        failed = any(found.verdict == REGRESSED for found in self.judge.hearings.values())
        if failed and self._elapsed() > PATIENCE:
            for cell in self.judge.open:
                if self.judge.hearings[cell].suspected != REGRESSED:
                    self.judge.drop(cell)

    def _last_look(self) -> None:
        """The budget is spent between two looks: the next look's share of the error is spent on what there is."""
        if self.judge.pairs >= LOOKS[0]:
            self.judge.look()
            self._note_look()
        self.outcome.notes.append(f"the budget of {self.settings.budget:.0f} s was spent")
