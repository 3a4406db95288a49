"""Head against base: survey both sides, then read the meters asked for: counts, first results, times."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.gate import exact
from bench.gate.comparable import Surveyed, comparable, survey, told_choices
from bench.gate.first_results import LEAST_EFFECT, FirstResults
from bench.gate.judge import Judge, conclude
from bench.gate.pair import Crews, Pair, measure_pair, plan
from bench.gate.pursuit import Pursuit, Tell
from bench.gate.sides import Side
from bench.host.identity import differences
from bench.host.machine import cores
from bench.table.comparison import DISTURBED, DISTURBED_FROM, NO_EVIDENCE, NOT_PINNED, EstimateWarning
from bench.table.outcome import FIGURES, FIRST, TIME, Asked, Incomparable, Outcome

FIRSTS_SHARE = 0.5
"""Of what is left of the budget, the most that first results take where times are asked for, too."""


def measure_pairs(
    sides: tuple[Side, Side],
    settings: Settings,
    min_effect: float,
    log: Path,
    tell: Tell = lambda news: None,
    different_software: bool = False,
    meters: Collection[str] = (TIME,),
) -> Outcome:
    """Hold head against base by these meters. `settings.budget` bounds the whole, in seconds.

    Raises Incomparable when they cannot be held against each other at all.
    """
    begun = time.perf_counter()
    end = begun + (settings.budget or math.inf)
    outcome = Outcome(sides[0].name, sides[1].name, min_effect, meters=tuple(meters))
    counting, names = bool(FIGURES.keys() & set(meters)), (sides[0].name, sides[1].name)
    base, head = survey(sides, settings, log, end, counting)
    outcome.notes += told_differences(sides, base.machine, head.machine, different_software)
    outcome.machine = head.machine
    outcome.notes += told_choices(names, base, head)
    calls, outcome.uncompared = comparable(names, base, head)
    outcome.asked = len(calls)
    tell(Asked(len(calls)))
    if counting:

        def again(cells: Collection[Cell]) -> tuple[Surveyed, Surveyed]:
            return survey(sides, settings, log, end, counting, cells)

        outcome.counts = exact.counted(names, base, head, calls, meters, again)
        outcome.raw["meters"] = exact.totals(base, head, calls)
    ratios = sum(meter in meters for meter in (TIME, FIRST))
    if FIRST in meters:
        outcome.first_effect = max(LEAST_EFFECT, min_effect)
        judge = Judge(list(calls), outcome.first_effect, len(calls) * (ratios - 1))
        now = time.perf_counter()
        until = now + (end - now) * (FIRSTS_SHARE if TIME in meters else 1.0)
        firsts = FirstResults(sides, outcome, judge, settings, log, tell, begun, until)
        firsts.measure()
        firsts.conclude()
    if TIME in meters:
        judge = Judge(list(calls), min_effect, len(calls) * (ratios - 1))
        pairs = _Pairs(sides, outcome, judge, settings, log, tell, begun, end, calls=calls)
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
class _Pairs(Pursuit[Crews]):
    """The pairs of times of one gate; `calls` are rough seconds per call."""

    calls: dict[Cell, float] = field(default_factory=dict)
    disturbed: dict[Cell, list[float]] = field(default_factory=dict)

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

    @contextmanager
    def started(self) -> Iterator[Callable[[], Crews]]:
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

    def measured(self, processes: Crews) -> Pair:
        """The open cells, by this pair."""
        cells = {cell: self.calls[cell] for cell in self.judge.open}
        pair = measure_pair(processes, plan(cells), self.order)
        for cell, share in pair.disturbed.items():
            self.disturbed.setdefault(cell, []).append(share)
        return pair
