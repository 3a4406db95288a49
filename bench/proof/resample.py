"""Many gate runs made of recorded pairs: drawn whole, with replacement, and given to the judge as they come.

They describe what the judge makes of the pairs there are, and draw the curve of the picture. They bound nothing: a
thousand of them hold no more than the few live runs whose pairs they repeat, so bounds are those of the live runs.

A pair of an unchanged run in which all cells were measured is one draw; a slowdown is planted by adding its logarithm
to the cells of one implementation, which is what a delay proportional to their time does. Cells of one pair stay
together, so that what they share (a process's luck, the machine's mood) is kept.

`head_against_base` is what the gate itself makes of two sides that are the same code.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cases.case import Cell
from bench.gate.judge import Judge
from bench.table.outcome import IMPROVED, REGRESSED, UNCHANGED
from bench.table.stats import Estimate, interval_of_mean

Pool = list[dict[Cell, float]]
"""Log ratios of the recorded pairs."""


@dataclass(frozen=True)
class Verdicts:
    """What many runs of one sort said. `false` counts runs with a change that was not there, `found` those that failed
    for the one that was; `cells_found` of `cells` that were slowed; `missed` those called unchanged."""

    runs: int
    failed: int
    false: int
    cells: int
    cells_found: int
    missed: int


def pool(rows: Sequence[Mapping[str, Any]]) -> Pool:
    """The pairs of unchanged runs in which every cell was measured."""
    found: Pool = []
    for row in rows:
        logs = {(cell["case"], cell["implementation"]): cell["logs"] for cell in row["cells"]}
        for number in range(min(map(len, logs.values()), default=0)):
            found.append({cell: values[number] for cell, values in logs.items()})
    return found


def resample(pairs: Pool, min_effect: float, delay: float, names: Sequence[str], runs: int, most: int) -> Verdicts:
    """So many gate runs of at most `most` pairs; the implementations of `names` are slowed in turn, one a run."""
    draw = random.Random(1)
    failed = false = cells = cells_found = missed = 0
    for number in range(runs):
        slowed = names[number % len(names)] if delay else ""
        verdicts = judged(
            pairs, min_effect, {cell: math.log1p(delay) * (cell[1] == slowed) for cell in pairs[0]}, most, draw
        )
        changed = {cell for cell, verdict in verdicts.items() if verdict in (REGRESSED, IMPROVED)}
        true = {cell for cell in verdicts if cell[1] == slowed}
        failed += any(verdict == REGRESSED for verdict in verdicts.values())
        false += any(cell not in true or verdicts[cell] == IMPROVED for cell in changed)
        cells += len(true)
        cells_found += sum(verdicts[cell] == REGRESSED for cell in true)
        missed += sum(verdicts[cell] == UNCHANGED for cell in true) if delay > min_effect else 0
    return Verdicts(runs, failed, false, cells, cells_found, missed)


def judged(
    pairs: Pool, min_effect: float, shift: Mapping[Cell, float], most: int, draw: random.Random
) -> dict[Cell, str]:
    """One run: pairs drawn until all is decided, the looks are used up, or there were `most`."""
    judge = Judge(list(pairs[0]), min_effect)
    while judge.open and not judge.exhausted and judge.pairs < most:
        pair = draw.choice(pairs)
        judge.add({cell: pair[cell] + shift[cell] for cell in judge.open})
    if judge.open and not judge.exhausted:
        judge.look()
    return {cell: found.verdict for cell, found in judge.hearings.items()}


def head_against_base(unchanged: Sequence[Mapping[str, Any]]) -> Estimate:
    """The change, as a fraction, that unchanged runs show on average: 0.001 is a head 0.1 % slower.

    Each run says one value, the mean over its cells of their mean log ratio; the interval is Student's over runs, since
    cells and pairs of one run share its machine and its moment. NaN bounds from fewer than two runs.
    """
    logs = [
        math.fsum(math.fsum(cell["logs"]) / len(cell["logs"]) for cell in row["cells"]) / len(row["cells"])
        for row in unchanged
    ]
    found = interval_of_mean(logs)
    return dataclasses.replace(
        found, value=math.expm1(found.value), low=math.expm1(found.low), high=math.expm1(found.high)
    )
