"""How much of a pass each Case gets: calls per block and rounds, from the survey's rough seconds per call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.alternate import BLOCK_SECONDS, CONTROL, calls_per_block
from bench.manifest import MEASURED, CellRecord
from bench.presets import CASE_SECONDS

MIN_ROUNDS, MAX_ROUNDS = 7, 40
MIN_ROUNDS_OF_LONG_CALLS, LONG_ROUND_SECONDS = 3, 2.0
CONTROL_CALL_SECONDS = 1.5e-4
"""Rough length of a control call; it only decides how many make a block."""


@dataclass(frozen=True)
class CasePlan:
    """What a worker is to do with a Case in a pass; `seconds` is what that should take."""

    case: str
    calls: dict[str, int]
    rounds: int
    seconds: float

    def as_job(self) -> dict[str, Any]:
        """As the worker is told it."""
        return {"case": self.case, "calls": self.calls, "rounds": self.rounds}


def plan_case(case: str, call_seconds: dict[str, float], case_seconds: float = CASE_SECONDS) -> CasePlan:
    """Plan a Case for contenders with these seconds per call, to take `case_seconds` where that allows MIN_ROUNDS."""
    calls = {name: calls_per_block(seconds) for name, seconds in call_seconds.items()}
    calls[CONTROL] = calls_per_block(CONTROL_CALL_SECONDS)
    round_seconds = sum(max(BLOCK_SECONDS, seconds) for seconds in call_seconds.values()) + BLOCK_SECONDS
    least = MIN_ROUNDS if round_seconds < LONG_ROUND_SECONDS else MIN_ROUNDS_OF_LONG_CALLS
    rounds = min(MAX_ROUNDS, max(least, round(case_seconds / round_seconds)))
    warmup = sum(call_seconds.values())
    return CasePlan(case, calls, rounds, rounds * round_seconds + warmup)


def plan_pass(
    records: Iterable[CellRecord], only: set[tuple[str, str]] | None = None, case_seconds: float = CASE_SECONDS
) -> list[CasePlan]:
    """Plan all Cases that have a cell to measure; `only` narrows it down to some (case, implementation)."""
    by_case: dict[str, dict[str, float]] = {}
    for record in records:
        chosen = only is None or (record.case, record.implementation) in only
        if record.status == MEASURED and record.call_seconds is not None and chosen:
            by_case.setdefault(record.case, {})[record.implementation] = record.call_seconds
    return [plan_case(case, call_seconds, case_seconds) for case, call_seconds in by_case.items()]
