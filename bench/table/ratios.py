"""The paired ratios of a run: every implementation over each of some baselines, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.cases.case import Cell
from bench.table.cells import measured_samples
from bench.table.comparison import Comparison, compare
from bench.table.reading import Run
from bench.table.stats import Estimate


def ratios(run: Run, baselines: Sequence[str]) -> dict[tuple[Cell, str], Comparison]:
    """(cell, baseline) -> the Comparison of its implementation with the baseline in that case, where both were measured
    in the same rounds. The baseline's own is not among them."""
    first = run.manifest.first_passes or None
    by_case: dict[str, dict[str, pd.DataFrame]] = {}
    for (case, name), samples in measured_samples(run).items():
        by_case.setdefault(case, {})[name] = samples
    found: dict[tuple[Cell, str], Comparison] = {}
    for case, there in by_case.items():
        for base in (name for name in baselines if name in there):
            for one in (name for name in there if name != base):
                known = found.get(((case, base), one))
                each = _turned(known) if known else compare(case, one, base, there, first)
                if each.ratio.passes:
                    found[(case, one), base] = each
    return found


def _turned(known: Comparison) -> Comparison:
    """The same pair the other way round; intervals are of logarithms, so that their ends turn with them."""
    ratio = known.ratio
    turned = Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low, ratio.passes)
    return replace(known, one=known.other, other=known.one, ratio=turned, p=1 - known.p)
