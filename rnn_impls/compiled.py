"""Compiled: torch.compile of one step, and of a fixed number of steps at a time.

`torch.compile` traces a function and writes a kernel for it: the addition and the tanh of a step become one loop, and
Python and the dispatcher are passed once for the whole function instead of once for each operator. The product stays a
call of the library. What is compiled here is small on purpose: the whole sequence would be unrolled into one function
as long as the sequence, which takes minutes to compile (15 at 1024 steps: pytorch/pytorch#97155).

`compiled-step` compiles one step and loops over it in Python; `compiled-chunk` compiles CHUNK steps, so that what a
call costs is paid once for all of them, and steps the remainder one by one.

When it helps: in between, where operators are cheap and there are several to fuse. When it doesn't: checking that a
call fits what was compiled costs as much as several operators, so one step gains nothing at small sizes; and compiling
takes seconds, which the table has in a column of its own. It takes a C++ compiler on the CPU, Triton on CUDA.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls.hoisted import FUNCTIONS
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.weights import Plain

CHUNK = 16

_spent: dict[tuple[object, ...], float] = {}
"""Seconds of the longest preparation in this process, by what was prepared."""

Steps = Callable[[Tensor, Tensor, Tensor], Tensor]


def steps_of(nonlinearity: str, count: int) -> Steps:
    """A function of so many steps: ahead (count, B, H), state (B, H), W_hh^T (H, H) -> states (count, B, H)."""
    squash = FUNCTIONS[nonlinearity]

    def steps(ahead: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
        states = []
        for number in range(count):
            state = squash(torch.addmm(ahead[number], state, recurrent))
            states.append(state)
        return torch.stack(states)

    return steps


class CompiledStep(Plain):
    """torch.compile of one step, looped over in Python"""

    needs = ("a C++ compiler",)

    count: ClassVar[int] = 1

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        if shutil.which("c++") is None and not torch.cuda.is_available():
            raise Unavailable("torch.compile needs a C++ compiler, and there is none (c++)")
        # Functions of this object's own: a compiled function that another size has used is compiled anew.
        self._several = torch.compile(steps_of(shape.nonlinearity, self.count), dynamic=False)
        self._one = torch.compile(steps_of(shape.nonlinearity, 1), dynamic=False) if self.count > 1 else self._several
        self._ready = False

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Compile, forward and in training backward, by calling it; from then on nothing is compiled any more.

        What was compiled before for such inputs is found in torch's cache; the price is that of the first time.
        """
        start = time.perf_counter()
        for _ in range(2):
            if self.training:
                self.zero_grad(set_to_none=True)
                self(inputs, hidden)[0].sum().backward()
            else:
                with torch.inference_mode():
                    self(inputs, hidden)
        self.zero_grad(set_to_none=True)
        self._ready = True
        key, seconds = (type(self), self.shape, inputs.shape[1:], self.training), time.perf_counter() - start
        _spent[key] = max(seconds, _spent.get(key, 0.0))
        self.compile_seconds = _spent[key] - seconds

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Layer after layer. Raises RuntimeError where that would have to compile again once it is prepared."""
        if not self._ready:
            return super().forward(inputs, hidden)
        with torch.compiler.set_stance("fail_on_recompile"):
            return super().forward(inputs, hidden)

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> Tensor:
        """One product for all inputs, then as many steps at a time as were compiled."""
        w_ih, w_hh, bias = self.weights(number)
        ahead, recurrent = functional.linear(inputs, w_ih, bias), w_hh.t()
        whole = len(ahead) // self.count * self.count
        parts = []
        for part in ahead[:whole].split(self.count):
            parts.append(self._several(part, state, recurrent))
            state = parts[-1][-1]
        for part in ahead[whole:].split(1) if whole < len(ahead) else ():
            parts.append(self._one(part, state, recurrent))
            state = parts[-1][-1]
        return torch.cat(parts)


class CompiledChunk(CompiledStep):
    """torch.compile of 16 steps at a time"""

    count = CHUNK
