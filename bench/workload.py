"""Case x Implementation -> something to call."""

from __future__ import annotations

import torch

from bench.cases import Case
from bench.problem import Problem, loss, network_shape
from rnn_impls.interface import Implementation, Unavailable


class Workload:
    """One Implementation, built and loaded for one Case, ready to be called.

    Raises `Unavailable` when the implementation does not run on the Case's device or refuses its network, and
    whatever the implementation itself raises.
    """

    def __init__(self, case: Case, implementation: type[Implementation], problem: Problem) -> None:
        if implementation.devices and case.device not in implementation.devices:
            raise Unavailable(f"runs only on {', '.join(implementation.devices)}")
        self.case = case
        self.problem = problem
        self.module = implementation(network_shape(case)).to(device=case.device, dtype=getattr(torch, case.dtype))
        self.module.load(problem.weights)
        # cuDNN chooses its algorithm by this flag, not by whether a graph is recorded.
        self.module.train(case.mode == "training")
        self.module.prepare(problem.inputs, problem.hidden)

    def __call__(self, calls: int) -> None:
        """Run it `calls` times; the contexts are entered once, so that they are no part of what is timed."""
        if self.case.mode == "training":
            for _ in range(calls):
                self.train_once()
        else:
            module, inputs, hidden = self.module, self.problem.inputs, self.problem.hidden
            with torch.inference_mode():
                for _ in range(calls):
                    module(inputs, hidden)

    def train_once(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Clear the gradients, forward, loss, backward -> outputs (T, B, O or H), hidden (L, B, H)."""
        self.module.zero_grad(set_to_none=True)
        outputs, hidden = self.module(self.problem.inputs, self.problem.hidden)
        loss(outputs, self.problem.target).backward()
        return outputs, hidden


class Control:
    """The fixed workload that is alternated with every contender: 32 steps of `tanh(b + h W)` at hidden 128.

    It is part operator calls and part matrix products, as the contenders are, and never changes: a time divided by
    the control's, taken within milliseconds of it, can be compared between runs. Change it, and rename it.
    """

    NAME = "control-1"
    STEPS, BATCH, HIDDEN = 32, 1, 128

    def __init__(self, device: str) -> None:
        draw = torch.Generator().manual_seed(0)
        bound = 1 / self.HIDDEN**0.5
        self.weight = torch.empty(self.HIDDEN, self.HIDDEN).uniform_(-bound, bound, generator=draw).to(device)
        self.bias = torch.empty(self.HIDDEN).uniform_(-bound, bound, generator=draw).to(device)
        self.hidden = torch.empty(self.BATCH, self.HIDDEN).uniform_(-1, 1, generator=draw).to(device)

    def __call__(self, calls: int) -> None:
        """Run it `calls` times."""
        with torch.inference_mode():
            for _ in range(calls):
                hidden = self.hidden
                for _ in range(self.STEPS):
                    hidden = torch.tanh(torch.addmm(self.bias, hidden, self.weight))
