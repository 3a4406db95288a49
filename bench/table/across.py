"""The best of some implementations against another, case by case, such as the runtimes beside torch against `whole`."""

from __future__ import annotations

from collections.abc import Sequence

from bench.table.cells import measured_samples
from bench.table.comparison import Comparison, compare
from bench.table.reading import Run


def best_against(run: Run, names: Sequence[str], other: str) -> list[Comparison]:
    """Of each case in which any of the names and the other were measured, the Comparison with the other of that one
    whose ratio is the largest."""
    samples, first = measured_samples(run), run.manifest.first_passes or None
    found = []
    for case in sorted({case for case, _ in samples}):
        there = {name: samples[case, name] for name in (*names, other) if (case, name) in samples}
        compared = [compare(case, name, other, there, first) for name in names if name in there and other in there]
        known = [each for each in compared if each.ratio.value > 0]  # no shared rounds, no ratio
        found += [max(known, key=lambda each: each.ratio.value)] if known else []
    return found
