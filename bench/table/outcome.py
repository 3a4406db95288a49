"""What a gate found, however it came by it: a verdict on each cell, what could not be compared, and an exit code.

A gate reads meters. Of `time` and `first`, the time to the first result, there is a ratio with an interval, a
CellVerdict; `memory` and `operators` are counted, the same every time, and there is a CountVerdict.
"""

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

TIME, MEMORY, OPERATORS, FIRST = "time", "memory", "operators", "first"
METERS = (TIME, MEMORY, OPERATORS, FIRST)
"""What a gate reads, in the order in which it is told."""


def parse_meters(text: str) -> tuple[str, ...]:
    """`time,memory` -> the meters it names, each once. Raises ValueError for one that there is not, and for none."""
    names = list(filter(None, (part.strip() for part in text.split(","))))
    if unknown := [name for name in names if name not in METERS]:
        raise ValueError(f"--meter {unknown[0]}: there is no such meter; there are {', '.join(METERS)}")
    if not names:
        raise ValueError(f"--meter: name one of {', '.join(METERS)}, or several")
    return tuple(meter for meter in METERS if meter in names)


FIGURES = {MEMORY: ("peak_bytes", "allocations"), OPERATORS: ("operators", "nodes", "launches")}
"""What is counted for each of the exact ones; see `bench.why.meters`."""

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
class Difference:
    """A figure that is another on the head's side, of one call; `names` says of what there is more, or less, by how
    many, for a figure of things that have names."""

    figure: str
    before: float
    after: float
    names: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class CountVerdict:
    """An exact meter of one cell: regressed where any of its figures rose, improved where some fell and none rose.
    Inconclusive is what could not be counted exactly; `note` says why."""

    cell: Cell
    meter: str
    verdict: str
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Uncompared:
    """A cell without a verdict, and the reason."""

    cell: Cell
    status: str
    reason: str


@dataclass(frozen=True)
class Asked:
    """The pairs begin, over so many cells; there are none where nothing is measured in pairs."""

    cells: int


@dataclass(frozen=True)
class Lost:
    """A pair of processes that was lost, the cell that it was lost at, and how."""

    cell: Cell
    reason: str


@dataclass(frozen=True)
class Look:
    """How a gate stood when it had measured so many pairs: cells that are settled, and those that regressed among them;
    cells that are open, and those that look slower among them. `meter` is TIME or FIRST."""

    pairs: int
    seconds: float
    settled: int
    regressed: int
    open: int
    slower: int
    meter: str = TIME


News = Asked | Look | Lost
"""What a gate tells while it is at work."""


@dataclass
class Outcome:
    """All that a gate found. `base` and `head` are what people call the sides; seconds for times, a fraction for
    `min_effect`. `meters` are those asked for: `verdicts` are by TIME, `firsts` by FIRST, for which changes below
    `first_effect` are of no interest, and `counts` by the exact ones. `asked` is how many cells were compared, `looks`
    how it went on; `raw` is what the verdicts were reached from, for the JSON file."""

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
    meters: tuple[str, ...] = (TIME,)
    firsts: list[CellVerdict] = field(default_factory=list)
    first_effect: float = 0.0
    counts: list[CountVerdict] = field(default_factory=list)

    def of(self, verdict: str, meter: str = TIME) -> list[CellVerdict]:
        """The cells with this verdict by a meter that is a ratio, the largest effect first."""
        return sorted((v for v in self.ratios(meter) if v.verdict == verdict), key=lambda v: -abs(v.effect))

    def ratios(self, meter: str) -> list[CellVerdict]:
        """Every cell by a meter that is a ratio."""
        return self.firsts if meter == FIRST else self.verdicts

    def counted(self, meter: str, verdict: str) -> list[CountVerdict]:
        """The cells with this verdict by an exact meter."""
        return [found for found in self.counts if found.meter == meter and found.verdict == verdict]

    @property
    def counted_changes(self) -> list[CountVerdict]:
        """What rose by an exact meter, then what fell."""
        return [found for said in (REGRESSED, IMPROVED) for found in self.counts if found.verdict == said]

    def traded(self, cell: Cell) -> CellVerdict | None:
        """The improved time that a rise of another meter of this cell may be the price of, if there is one."""
        return next((found for found in self.of(IMPROVED) if found.cell == cell), None)

    @property
    def judged(self) -> list[CellVerdict | CountVerdict]:
        """Every verdict, by whatever meter."""
        return [*self.verdicts, *self.firsts, *self.counts]

    @property
    def changed(self) -> list[CellVerdict]:
        """Regressed, then improved."""
        return self.of(REGRESSED) + self.of(IMPROVED)

    @property
    def faults(self) -> list[Uncompared]:
        """What should have been compared and could not be."""
        return [left for left in self.uncompared if left.status == INCOMPARABLE]

    def exit_code(self, strict: bool = False) -> int:
        """0 nothing regressed, 1 regressed by any meter, 3 incomparable, 4 nothing decided at all, and with `strict`
        not all. A trade is regressed: who asked for the meter asked to hear of every rise."""
        verdicts = [found.verdict for found in self.judged]
        if REGRESSED in verdicts:
            return FAILED
        if self.faults or self.too_few or not verdicts:
            return INCOMPARABLE_CODE
        undecided = verdicts.count(INCONCLUSIVE)
        return INCONCLUSIVE_CODE if undecided == len(verdicts) or (strict and undecided) else OK
