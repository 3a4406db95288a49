"""The paired ratios of a run: every implementation over each of some baselines, case by case."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bench.cases.case import Cell
from bench.table.comparison import Comparison
from bench.table.measured import measured_numbers, sampled_of
from bench.table.reading import Run


def ratios(
    run: Run, baselines: Sequence[str], cases: Collection[str] | None = None
) -> dict[tuple[Cell, str], Comparison]:
    """(cell, baseline) -> the Comparison of its implementation with the baseline in that case, where both were measured
    in the same rounds, of all cases or some. The baseline's own is not among them."""
    sampled = sampled_of(run)
    by_case: dict[str, dict[str, int]] = {}
    for k in measured_numbers(run, sampled):
        case, name = sampled.cells[k]
        if cases is None or case in cases:
            by_case.setdefault(case, {})[name] = k
    pairs = [
        (case, one, base)
        for case, there in by_case.items()
        for base in baselines
        if base in there
        for one in there
        if one != base
    ]
    own, other = (np.array([by_case[pair[0]][pair[side]] for pair in pairs], np.int64) for side in (1, 2))
    found = sampled.ratios(own, other, run.manifest.first_passes or None)
    return {
        ((case, one), base): Comparison(case, one, base, found.at(k), p=float(found.p[k]))
        for k, (case, one, base) in enumerate(pairs)
        if found.passes[k]
    }
