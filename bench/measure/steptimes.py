"""How long the steps of a streaming Case take: those of undisturbed blocks are kept, the others counted."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from bench.cases.case import QUANTILES
from bench.host.clock import Evidence

MOST_KEPT = 2_000_000
"""Steps, 16 MB: 400 blocks of 4 ms hold fewer, unless a step takes under a microsecond."""


class StepTimes:
    """The steps of one implementation in one pass.

    What is known of a disturbance is known of a block as a whole, so the steps of a block that was stopped, or waited
    for its core, are left out together; which they are depends on the block alone, never on how long a step took. Where
    nothing is known, all count. Beyond MOST_KEPT steps no more are looked at.
    """

    def __init__(self) -> None:
        self.seconds = array("d")
        self.disturbed = 0

    def add(self, ends: Iterable[Sequence[float]], evidence: Evidence) -> None:
        """Put down the sequences of a block: for each the T + 1 readings of the clock around its steps, in seconds."""
        if len(self.seconds) >= MOST_KEPT:
            return
        disturbed = bool(evidence.switches or evidence.waited_seconds)
        for readings in ends:
            if disturbed:
                self.disturbed += len(readings) - 1
            else:
                self.seconds.extend(after - before for before, after in pairwise(readings))

    def told(self) -> dict[str, float | None]:
        """`steps` that count, `disturbed` ones, and their QUANTILES in seconds, None where no step counts.

        A quantile lies between two neighbours in order, in proportion: number 7 of Hyndman and Fan (American
        Statistician 50, 1996, 361-365), which is numpy's `linear`.
        """
        counts: dict[str, float | None] = {"steps": len(self.seconds), "disturbed": self.disturbed}
        if not self.seconds:
            return counts | dict.fromkeys(QUANTILES)
        found = np.quantile(np.array(self.seconds), [*QUANTILES.values()], method="linear")
        return counts | dict(zip(QUANTILES, found.tolist(), strict=True))
