"""Does an implementation remember its results? A call with inputs that it was given before then does less.

What counts is not time but the operators that torch runs: whoever looks inputs up does so for new ones, too, and then
computes besides. A kernel of one's own that is no operator of torch cannot be seen.
"""

from __future__ import annotations

import torch

from bench.cases import Case
from bench.problem import Problem
from bench.workload import Workload
from rnn_impls.interface import Implementation


class Remembers(Exception):
    """It does; the text says how that shows."""


def check(case: Case, implementation: type[Implementation]) -> None:
    """Call it with new inputs, with others, and with the same again in other tensors. Raises Remembers where the last
    call runs fewer operators than the one before, and whatever building or calling the implementation raises."""
    workload = Workload(case, implementation, Problem.of(case))
    for _ in range(2):  # what is done once, at a first call, is no sign
        workload.renew(1)
        new = _operators(workload)
    workload.given = [(inputs.clone(), hidden.clone()) for inputs, hidden in workload.given]
    if _operators(workload) < new:
        raise Remembers("remembers its results: it runs fewer operators for inputs that it was given before")


def _operators(workload: Workload) -> int:
    """How many operators a call runs, by torch's profiler; an operator's name has a namespace, as in `aten::mm`."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        workload(1)
    return sum("::" in event.name for event in profile.events() or ())
