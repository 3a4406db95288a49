"""How a Case calls an implementation: the whole sequence at once, step by step, or a batch of several lengths.

inference, training    forward(inputs, hidden)
streaming              forward(inputs[t : t + 1], hidden) for each step t, with the state that the step before left
ragged batches         forward(inputs, hidden, lengths) of one that takes lengths; any other runs over the padding,
and a product with a mask puts zeros beyond the end of each sequence
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from bench.cases.case import STREAMING, Case
from bench.measure.problem import Problem
from rnn_impls.interface import Implementation
from rnn_impls.states import State

Call = Callable[[Tensor, State], tuple[Tensor, State]]
"""inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H), hidden (L, B, H)."""


def call_of(case: Case, module: Implementation, problem: Problem) -> Call:
    """What one call of a Case is, for an implementation that is built."""
    if case.mode == STREAMING:
        return Stream(module, torch.cuda.synchronize if case.device == "cuda" else None)
    if problem.lengths is None:
        return module
    return partial(module, lengths=problem.lengths) if takes_lengths(module) else partial(_padded, module, problem)


def takes_lengths(implementation: Implementation | type[Implementation]) -> bool:
    """Whether it is given the lengths of a ragged batch; an implementation of another tree may not know of it."""
    return bool(getattr(implementation, "takes_lengths", False))


def _padded(module: Implementation, problem: Problem, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
    """Every sequence as long as the longest, then zeros beyond their ends; the states are those of the padding."""
    outputs, hidden = module(inputs, hidden)
    return problem.masked(outputs), hidden


class Stream:
    """One call a step, each with the state that the one before left.

    `ends` are readings of the host's clock in seconds, T + 1 for each sequence since they were last taken: before the
    first step, and as each step's result was there. Between two of them lies a step, and the reading of the clock (some
    50 ns).
    """

    def __init__(self, module: Implementation, synchronize: Callable[[], None] | None = None) -> None:
        """`synchronize` waits for the device, where calls return before they are done."""
        self._module, self._synchronize = module, synchronize
        self.ends: list[list[float]] = []

    def __call__(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H), hidden (L, B, H)."""
        steps, outputs = inputs.split(1), []  # T times (1, B, I)
        if self._synchronize is not None:
            self._synchronize()
        ends = [time.perf_counter()]
        for step in steps:
            output, hidden = self._module(step, hidden)
            if self._synchronize is not None:
                self._synchronize()
            ends.append(time.perf_counter())
            outputs.append(output)
        self.ends.append(ends)
        return torch.cat(outputs), hidden

    def taken(self) -> list[list[float]]:
        """The readings, which are then forgotten."""
        found, self.ends = self.ends, []
        return found
