"""How many numbers of a gradient are denormal, and how many steps back they stand.

Counted in the gradient of the loss with respect to the inputs, d loss / d x_t, which passes through the state: it has a
number for each step, sequence and input, and vanishes as the gradient of the state does. torch's own module computes
it, or else the network's step, in the dtype of the Case, with denormals as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure.problem import Problem, loss
from bench.measure.spotcheck import computed
from bench.why.denormals.table_file import Count

NOTICED = 0.01
"""Share of a step's numbers from which on they count as denormal there."""


def count(case: Case) -> Count:
    """Count those of a Case in training."""
    problem = Problem.of(case)
    inputs = problem.inputs.clone().requires_grad_()
    outputs, _ = computed(case, dict(problem.weights), inputs, problem.hidden, inputs.dtype)
    total = loss(problem.masked(outputs), problem.target, case.loss, problem.lengths)
    return counted(case, torch.autograd.grad(total, inputs)[0], problem.lengths)


def counted(case: Case, gradient: Tensor, lengths: Tensor | None = None) -> Count:
    """Count those of a gradient (T, B, I); of a ragged batch, whose sequences have these lengths (B,), each from its
    end."""
    steps, batch, _ = gradient.shape
    ends = torch.full((batch,), steps) if lengths is None else lengths
    back = (ends - 1 - torch.arange(steps)[:, None]).flatten()  # (T B): steps back from the end
    flat = gradient.abs().flatten(0, 1)[back >= 0]  # (useful steps, I)
    back = back[back >= 0]
    denormal = ((flat > 0) & (flat < torch.finfo(gradient.dtype).tiny)).double().mean(1)
    at = torch.bincount(back, denormal) / torch.bincount(back)
    where = (at >= NOTICED).nonzero().flatten().tolist()
    share, zeros = float(denormal.mean()), float((flat == 0).double().mean())
    return Count(case.id, share, zeros, *((where[0], where[-1]) if where else (None, None)))
