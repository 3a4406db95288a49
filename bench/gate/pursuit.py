"""Pair after pair until every cell is decided or the time is spent, whatever a pair is.

A pair that is lost is put up with once; who loses pairs again is given up. Where another pair would not fit any more,
the next look's share of the error is spent on what there is.
"""

from __future__ import annotations

import math
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from bench.cases.case import Cell
from bench.cases.settings import Settings
from bench.gate.judge import LOOKS, Judge
from bench.gate.pair import Pair, SideDied
from bench.gate.sides import Side
from bench.table.outcome import INCOMPARABLE, REGRESSED, TIME, Look, Lost, News, Outcome, Uncompared

MOST_LOST = 2
"""Pairs that may be lost over one implementation until it is given up: a process that dies once may have been killed by
anybody, one that dies twice over the same dies of it."""

PATIENCE = 20.0
"""Seconds after which a gate that has failed already goes on only with the cells that are suspected, too: nothing that
the others could say would change how it ends."""

WIND_UP = 3.0
"""Seconds of the budget for what is not measuring: the command's start, a pair longer than the others, the worktree."""

Tell = Callable[[News], None]

Processes = TypeVar("Processes")
"""The fresh processes of one pair."""


@dataclass
class Pursuit(ABC, Generic[Processes]):
    """The pairs of one gate by one meter, and what they cost. `begun` and `deadline` are readings of
    time.perf_counter."""

    meter: ClassVar[str] = TIME

    sides: tuple[Side, Side]
    outcome: Outcome
    judge: Judge
    settings: Settings
    log: Path
    tell: Tell
    begun: float
    deadline: float = math.inf
    order: random.Random = field(default_factory=random.Random)
    lost: Counter[str] = field(default_factory=Counter)
    spent: list[float] = field(default_factory=list)
    given_up: set[Cell] = field(default_factory=set)

    @abstractmethod
    def started(self) -> AbstractContextManager[Callable[[], AbstractContextManager[Processes]]]:
        """What gives the next pair's processes."""

    @abstractmethod
    def measured(self, processes: Processes) -> Pair:
        """A pair of the cells that are open. Raises SideDied."""

    def measure(self) -> None:
        """Pairs until all is decided, the looks are used up, or another pair would not fit."""
        with self.started() as next_pair:
            while self.judge.open and not self.judge.exhausted:
                if time.perf_counter() + self.pair_seconds() + WIND_UP > self.deadline:
                    self._last_look()
                    break
                start = time.perf_counter()
                with next_pair() as processes:
                    looked = self._one_pair(processes)
                self.spent.append(time.perf_counter() - start)
                if looked:
                    self._after_look()

    def pair_seconds(self) -> float:
        """What a pair takes, by those there were."""
        return sum(self.spent) / max(1, len(self.spent))

    def _elapsed(self) -> float:
        return time.perf_counter() - self.begun

    def _one_pair(self, processes: Processes) -> bool:
        """Measure a pair and hand it to the judge; whether the judge looked."""
        try:
            pair = self.measured(processes)
        except SideDied as death:
            self._lose(death)
            return False
        for cell, reason in pair.failures.items():
            self._give_up(cell, reason)
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
            meter=self.meter,
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
        """The time is spent between two looks: the next look's share of the error is spent on what there is."""
        if self.judge.pairs >= LOOKS[0]:
            self.judge.look()
            self._note_look()
        self.outcome.notes.append(self.overran())

    def overran(self) -> str:
        """That the time is spent, in words."""
        return f"the budget of {self.settings.budget:.0f} s was spent"
