"""The best of some implementations against another, case by case, such as the runtimes beside torch against `whole`."""

from __future__ import annotations

from collections.abc import Sequence

from bench.table.comparison import Comparison
from bench.table.ratios import ratios
from bench.table.reading import Run


def best_against(run: Run, names: Sequence[str], other: str) -> list[Comparison]:
    """Of each case in which any of the names and the other were measured, the Comparison with the other of that one
    whose ratio is the largest."""
    found = ratios(run, [other])
    best = []
    for case in sorted({case for (case, _), _ in found}):
        known = [found[(case, name), other] for name in names if ((case, name), other) in found]
        best += [max(known, key=lambda each: each.ratio.value)] if known else []
    return best
