"""Laws fitted to planted times, for tests of scaling laws and of what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.cases.case import Case
from bench.table.law import SETTING, Fit, Law, Point, fit_law, point_of

HIDDEN = (32, 128, 512)
LENGTHS = (1, 8, 64, 512)


def grid(
    hidden: Sequence[int] = HIDDEN, lengths: Sequence[int] = LENGTHS, input_size: int = 0, **fields: Any
) -> list[Case]:
    """Cases of every hidden size and length; an input size of 0 is as wide as the hidden state."""
    return [
        Case(input_size=input_size or size, hidden_size=size, seq_len=steps, **fields)
        for size in hidden
        for steps in lengths
    ]


def times(
    truth: Callable[[Point], float], cases: Sequence[Case], *, passes: int = 5, spread: float = 0.003, seed: int = 1
) -> pd.DataFrame:
    """Seconds by pass and case that scatter around a truth."""
    draw = np.random.default_rng(seed)
    seconds = np.array([truth(point_of(case)) for case in cases])
    scatter = np.exp(draw.normal(0, spread, (passes, len(cases))))
    return pd.DataFrame(seconds * scatter, index=range(1, passes + 1))


def fitted(
    truth: Law | Callable[[Point], float], implementation: str = "manual", cases: Sequence[Case] = (), **options: Any
) -> Fit:
    """The law of one implementation, fitted to planted times; the cases are all of one setting."""
    found = list(cases) or grid()
    setting = {name: getattr(found[0], name) for name in SETTING}
    seconds = times(truth.seconds if isinstance(truth, Law) else truth, found, **options)
    return fit_law(implementation, setting, tuple(point_of(case) for case in found), seconds)
