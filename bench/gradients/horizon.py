"""How far back a gradient reaches, its rate, and where its numbers end: functions of arrays of norms, k = 0 first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Norms = NDArray[np.float64]

FACTOR = 1e3
"""A gradient that fell or grew by this factor has vanished or exploded: what comes from there counts a thousandth of
what comes from the last step, or drowns it."""

TINY = 2.0**-126
"""The smallest normal number of float32 and of bfloat16, whose exponents are the same (IEEE 754-2019, table 3.5)."""

VANISHES, EXPLODES, NEITHER = "vanishes", "explodes", "neither"


@dataclass(frozen=True)
class Horizon:
    """`steps` is the first k at which the norm has fallen or grown by FACTOR, None when there is none; `end` says
    which of the two it was."""

    steps: int | None
    end: str


def horizon(norms: Norms) -> Horizon:
    """The horizon of one network's norms (T + 1). A norm that is no number counts as grown: something overflowed."""
    fallen = (norms <= norms[0] / FACTOR) & np.isfinite(norms[0])
    grown = ~(norms / FACTOR < norms[0]) & ~fallen
    gone = np.flatnonzero(fallen | grown)
    if not len(gone):
        return Horizon(None, NEITHER)
    first = int(gone[0])
    return Horizon(first, VANISHES if fallen[first] else EXPLODES)


def longest_finite(norms: Norms) -> Norms:
    """Of one network's norms by length, shortest first, and k (L, T + 1): those of the longest length whose loss has a
    finite gradient at its own last step. Where the states of a long sequence overflow, this is how its gradients
    flowed while there were any. The shortest, when there is none."""
    finite = np.flatnonzero(np.isfinite(norms[:, 0]))
    chosen: Norms = norms[finite[-1] if len(finite) else 0]
    return chosen


def lost(norms: Norms) -> tuple[int, int]:
    """(underflows, overflows) among norms of any shape. Underflows are below TINY, where digits get lost, zeros among
    them (also those of a relu network none of whose units is active); overflows are infinities and NaN."""
    return int((norms < TINY).sum()), int((~np.isfinite(norms)).sum())


def rate(norms: Norms) -> float | None:
    """The factor by which one network's norm (T + 1) changes per step, over the later half of the steps before the
    first under- or overflow, where the first steps' transient is over. None where there are no two such norms."""
    usable = (norms >= TINY) & np.isfinite(norms)
    last = (len(norms) if usable.all() else int(np.argmin(usable))) - 1
    if last < 1:
        return None
    first = last // 2
    return float((norms[last] / norms[first]) ** (1 / (last - first)))
