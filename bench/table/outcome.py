"""What a gate found, however it came by it: a verdict on each cell, what could not be compared, and an exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.cases.case import Cell
from bench.table.comparison import Comparison, EstimateWarning

REGRESSED, IMPROVED, UNCHANGED, INCONCLUSIVE = "regressed", "improved", "unchanged", "inconclusive"

BASE, HEAD = "base", "head"
"""The two sides of a Comparison here: above 1, the head takes longer."""

OK, FAILED, INCOMPARABLE_CODE, INCONCLUSIVE_CODE = 0, 1, 3, 4
"""Exit codes. 2 is wrong usage or broken input, 5 a failure of the suite itself; neither gives an outcome."""

NEW, NOT_RUN, INCOMPARABLE = "new", "not run", "incomparable"
"""Why a cell has no verdict: the base has no such implementation; neither side can run it or would take too long; or
one of them fails. Only the last is a fault."""


class Incomparable(Exception):
    """The two sides cannot be held against each other at all; the text says why."""


@dataclass(frozen=True)
class CellVerdict:
    """One cell. `effect` and its bounds are fractions: 0.05 is 5 % slower than the base, -0.05 that much faster.

    `seen` is how many observations it rests on: pairs of processes, or passes of the smaller run. `warnings` qualify
    the effect (`bench.table.comparison`).
    """

    cell: Cell
    verdict: str
    effect: float
    low: float
    high: float
    seen: int
    note: str = ""
    warnings: tuple[EstimateWarning, ...] = ()

    @classmethod
    def of(cls, cell: Cell, verdict: str, comparison: Comparison, note: str = "") -> CellVerdict:
        """The verdict that rests on a Comparison of BASE with HEAD."""
        ratio = comparison.ratio
        effect, low, high = (each - 1 for each in (ratio.value, ratio.low, ratio.high))
        return cls(cell, verdict, effect, low, high, ratio.passes, note, comparison.warnings)


@dataclass(frozen=True)
class Uncompared:
    """A cell without a verdict, and the reason."""

    cell: Cell
    status: str
    reason: str


@dataclass(frozen=True)
class Asked:
    """The pairs begin, over so many cells."""

    cells: int


@dataclass(frozen=True)
class Lost:
    """A pair of processes that was lost, the cell that it was lost at, and how."""

    cell: Cell
    reason: str


@dataclass(frozen=True)
class Look:
    """How a gate stood when it had measured so many pairs: cells that are settled, and those that regressed among them;
    cells that are open, and those that look slower among them."""

    pairs: int
    seconds: float
    settled: int
    regressed: int
    open: int
    slower: int


News = Asked | Look | Lost
"""What a gate tells while it is at work."""


@dataclass
class Outcome:
    """All that a gate found. `base` and `head` are what people call the sides; seconds for times, a fraction for
    `min_effect`. `asked` is how many cells were measured in pairs, `looks` how it went on; `raw` is what the verdicts
    were reached from, for the JSON file."""

    base: str
    head: str
    min_effect: float
    verdicts: list[CellVerdict] = field(default_factory=list)
    uncompared: list[Uncompared] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    asked: int = 0
    looks: list[Look] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    pairs: int = 0
    seconds: float = 0.0
    too_few: str = ""
    raw: dict[str, Any] = field(default_factory=dict)

    def of(self, verdict: str) -> list[CellVerdict]:
        """The cells with this verdict, the largest effect first."""
        return sorted((v for v in self.verdicts if v.verdict == verdict), key=lambda v: -abs(v.effect))

    @property
    def changed(self) -> list[CellVerdict]:
        """Regressed, then improved."""
        return self.of(REGRESSED) + self.of(IMPROVED)

    @property
    def faults(self) -> list[Uncompared]:
        """What should have been compared and could not be."""
        return [left for left in self.uncompared if left.status == INCOMPARABLE]

    def exit_code(self, strict: bool = False) -> int:
        """0 nothing regressed, 1 regressed, 3 incomparable, 4 nothing decided at all, and with `strict` not all."""
        if self.of(REGRESSED):
            return FAILED
        if self.faults or self.too_few or not self.verdicts:
            return INCOMPARABLE_CODE
        undecided = len(self.of(INCONCLUSIVE))
        return INCONCLUSIVE_CODE if undecided == len(self.verdicts) or (strict and undecided) else OK
