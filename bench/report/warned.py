"""Warnings in words: short for a row of a table, a sentence for the head of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from bench.report.units import whole_percent
from bench.table.comparison import (
    COUNTED,
    DISTURBED,
    DRIFT,
    FEW_PASSES,
    FEW_ROUNDS,
    GAP,
    NO_EVIDENCE,
    NOT_PINNED,
    ONE_PROCESS,
    PARTS,
    SHARED_CORE,
    TAKEN_AGAIN,
    UNCHECKED,
    EstimateWarning,
    joined,
)

_SHORT: dict[str, Callable[[float], str]] = {
    DISTURBED: lambda share: f"disturbed {whole_percent(share)}",
    TAKEN_AGAIN: lambda passes: f"{_count(passes, 'pass', 'passes')} taken again",
    SHARED_CORE: lambda passes: f"shared core in {_count(passes, 'pass', 'passes')}",
    DRIFT: lambda factor: f"drift {factor:.1f}×",
    FEW_ROUNDS: lambda rounds: f"{_count(rounds, 'round', 'rounds')} a pass",
    FEW_PASSES: lambda passes: _count(passes, "pass", "passes"),
    PARTS: lambda share: f"parts {whole_percent(share)} off",
    GAP: lambda gap: f"gap {gap:.2f}×",
    NO_EVIDENCE: lambda passes: "no evidence",
    NOT_PINNED: lambda _: "not pinned",
    COUNTED: lambda _: "operations counted",
    ONE_PROCESS: lambda _: "one process",
    UNCHECKED: lambda _: "unchecked",
}

_SENTENCES: dict[str, Callable[[float], str]] = {
    DISTURBED: lambda share: f"others had the core up to {whole_percent(share)} of the time; not counted",
    TAKEN_AGAIN: lambda passes: f"up to {_count(passes, 'pass was', 'passes were')} disturbed and taken again",
    SHARED_CORE: lambda passes: (
        "disturbed: another run measured on the same core at the same time, "
        f"in up to {_count(passes, 'pass', 'passes')}"
    ),
    DRIFT: lambda factor: (
        f"the machine was up to {factor:.1f}× slower in one pass than in another; speed-ups hold, times are means"
    ),
    FEW_ROUNDS: lambda rounds: f"as few as {_count(rounds, 'round', 'rounds')} in a pass",
    FEW_PASSES: lambda passes: f"only {_count(passes, 'pass', 'passes')}: the interval is wide, or missing",
    PARTS: lambda share: f"the parts of the profile are up to {whole_percent(share)} off the time measured",
    GAP: lambda gap: f"the floor was beaten, by a gap down to {gap:.2f}×: `rnn-bench limits --again` mends it",
    NO_EVIDENCE: lambda passes: "nothing is known of what disturbed the blocks: medians over rounds are shown",
    COUNTED: lambda _: "the network does not state its operations: torch's flop counter did, and floors rest on that",
    ONE_PROCESS: lambda _: "measured within one process: another may differ by more than the intervals say",
    UNCHECKED: lambda _: "nobody looked whether results are equal",
    NOT_PINNED: lambda _: "this system binds no process to a core: repeats will differ by more",
}


def short(warnings: Iterable[EstimateWarning]) -> str:
    """`disturbed 14 %, drift 1.4×`; empty for none."""
    return ", ".join(_SHORT[warning.kind](warning.value) for warning in warnings)


def shared(carried: Sequence[tuple[EstimateWarning, ...]]) -> set[str]:
    """The kinds that all of these cells carry: they are worth saying once."""
    kinds = [{warning.kind for warning in warnings} for warnings in carried]
    return set.intersection(*kinds) if kinds else set()


def sentences(cells: pd.DataFrame) -> list[str]:
    """What `told` says of the measured cells of a run."""
    return told(cells.loc[cells["seconds"].notna(), "warnings"].tolist())


def told(carried: Sequence[tuple[EstimateWarning, ...]]) -> list[str]:
    """A sentence for each kind of warning that any cell carries: in how many of them, and the worst of it."""
    counts = Counter(warning.kind for warnings in carried for warning in warnings)
    return [
        f"{_of(counts[warning.kind], len(carried))}: {_SENTENCES[warning.kind](warning.value)}."
        for warning in joined(*carried)
    ]


def _of(count: int, measured: int) -> str:
    if count == measured:
        return "In all cells" if measured > 1 else "In the one cell measured"
    return f"In {count} of {measured} cells"


def _count(number: float, one: str, many: str) -> str:
    return f"{number:.0f} {one if number == 1 else many}"
