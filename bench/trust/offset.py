"""Head against base where nothing changed: what the gate itself makes of two sides that are the same code."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.stats import Estimate, interval_of_mean


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
