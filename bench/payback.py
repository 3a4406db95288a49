"""After how many calls what it takes longer to build has been earned back."""

from __future__ import annotations

import math

AT_ONCE, NEVER = 0.0, math.inf


def payback(build: float, reference_build: float, reference_seconds: float, gain: tuple[float, float, float]) -> float:
    """Calls after which a way and its building have taken no longer than the reference and its own.

    That is (build - reference's build) / (reference's seconds x (1 - 1 / gain)), rounded up: what a call saves is taken
    from the gain over the reference, value and ends of its interval, since it was measured in the same rounds. AT_ONCE
    for one that is faster and builds no slower, NEVER for one that is slower; NaN where the interval does not say which
    it is, or a figure is missing.
    """
    value, low, high = gain
    if high < 1:
        return NEVER
    if not low > 1 or any(map(math.isnan, (build, reference_build, reference_seconds))):
        return math.nan
    extra, saved = build - reference_build, reference_seconds * (1 - 1 / value)
    return float(math.ceil(extra / saved * (1 - 1e-12))) if extra > 0 else AT_ONCE  # 100.00000000000001 is 100
