"""How much of a pass each Case gets: calls per block and rounds, from the survey's rough seconds per call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.alternate import CONTROL, alike_blocks
from bench.manifest import MEASURED, CellRecord
from bench.presets import CASE_SECONDS

MIN_ROUNDS, MAX_ROUNDS = 7, 400
MIN_ROUNDS_OF_LONG_CALLS, LONG_ROUND_SECONDS = 3, 2.0
LONG_CALL_SECONDS = 0.05
"""A call that is longer is not warmed up: its first block takes up to 8 % longer than the others (129 first blocks of
the AMD reference runs; up to 21 % below 20 ms), a percent of a mean of seven, and warming it up takes as long as a
block."""

STARTING_SECONDS = 1.2
"""About what a process takes until it can measure, mostly torch's import, where no ledger tells yet. A pass measures at
least as long: with few Cases most of the time would go into starting."""
CONTROL_CALL_SECONDS = 1.5e-4
"""Rough length of a control call; it only decides how many make a block."""


@dataclass(frozen=True)
class CasePlan:
    """What a worker is to do with a Case in a pass, and which contenders it is not to warm up; `seconds` is what that
    should take."""

    case: str
    calls: dict[str, int]
    rounds: int
    seconds: float
    cold: tuple[str, ...] = ()

    def as_job(self) -> dict[str, Any]:
        """As the worker is told it."""
        return {"case": self.case, "calls": self.calls, "rounds": self.rounds, "cold": self.cold}


def plan_case(case: str, call_seconds: dict[str, float], case_seconds: float = CASE_SECONDS) -> CasePlan:
    """Plan a Case for contenders with these seconds per call, to take `case_seconds` where that allows MIN_ROUNDS."""
    with_control = {**call_seconds, CONTROL: CONTROL_CALL_SECONDS}
    calls = alike_blocks(with_control)
    round_seconds = sum(calls[name] * seconds for name, seconds in with_control.items())
    least = MIN_ROUNDS if round_seconds < LONG_ROUND_SECONDS else MIN_ROUNDS_OF_LONG_CALLS
    rounds = min(MAX_ROUNDS, max(least, round(case_seconds / round_seconds)))
    warm = sum(seconds for seconds in call_seconds.values() if seconds <= LONG_CALL_SECONDS)
    cold = tuple(name for name, seconds in call_seconds.items() if seconds > LONG_CALL_SECONDS)
    return CasePlan(case, calls, rounds, rounds * round_seconds + warm, cold)


def plan_pass(
    records: Iterable[CellRecord],
    only: set[tuple[str, str]] | None = None,
    case_seconds: float = CASE_SECONDS,
    starting_seconds: float = STARTING_SECONDS,
) -> list[CasePlan]:
    """Plan all Cases that have a cell to measure; `only` narrows it down to some (case, implementation).

    Where they would together take less time than starting the process does, each gets more.
    """
    by_case: dict[str, dict[str, float]] = {}
    for record in records:
        chosen = only is None or (record.case, record.implementation) in only
        if record.status == MEASURED and record.call_seconds is not None and chosen:
            by_case.setdefault(record.case, {})[record.implementation] = record.call_seconds
    aim = aimed_seconds(len(by_case), case_seconds, starting_seconds)
    return [plan_case(case, call_seconds, aim) for case, call_seconds in by_case.items()]


def aimed_seconds(cases: int, case_seconds: float, starting_seconds: float = STARTING_SECONDS) -> float:
    """The length to aim at for each of so many Cases of a pass."""
    return max(case_seconds, starting_seconds / max(1, cases))
