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

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.states import State
from rnn_impls.weights import Plain

CHUNK = 16

_spent: dict[tuple[object, ...], float] = {}
"""Seconds of the longest preparation in this process, by what was prepared."""

Step = Callable[..., tuple[Tensor, State]]


def steps_of(after: Step, count: int) -> Step:
    """A function of so many steps: ahead (count, B, ...), the state, and what each step reads -> outputs
    (count, B, H), state. `after` is that of `rnn_impls.networks.network.Parts`."""

    def steps(ahead: Tensor, state: State, *read: Tensor) -> tuple[Tensor, State]:
        outputs = []
        for number in range(count):
            output, state = after(ahead[number], state, *read)
            outputs.append(output)
        return torch.stack(outputs), state

    # A code of its own: what is compiled counts by that, and beyond eight (`torch._dynamo.config.recompile_limit`) a
    # function runs as it is written, without a word.
    steps.__code__ = steps.__code__.replace()
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
        self._parts = [self.bound(layer).parts() for layer in range(len(shape.layer_inputs()))]
        self._several = [self._compiled(parts.after, self.count) for parts in self._parts]
        self._one = [self._compiled(parts.after, 1) for parts in self._parts] if self.count > 1 else self._several
        self._ready = False

    def prepare(self, inputs: Tensor, hidden: State) -> None:
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

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Layer after layer. Raises RuntimeError where that would have to compile again once it is prepared."""
        if not self._ready:
            return super().forward(inputs, hidden)
        with torch.compiler.set_stance("fail_on_recompile"):
            return super().forward(inputs, hidden)

    @staticmethod
    def _compiled(after: Step, count: int) -> Step:
        found: Step = torch.compile(steps_of(after, count), dynamic=False)
        return found

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """What needs no state for all inputs at once, then as many steps at a time as were compiled."""
        parts = self._parts[number]
        ahead, read = parts.ahead(inputs), parts.read()
        whole = len(ahead) // self.count * self.count
        outputs = []
        for part in ahead[:whole].split(self.count) if whole else ():
            output, state = self._several[number](part, state, *read)
            outputs.append(output)
        for part in ahead[whole:].split(1) if whole < len(ahead) else ():
            output, state = self._one[number](part, state, *read)
            outputs.append(output)
        return torch.cat(outputs), state


class CompiledChunk(CompiledStep):
    """torch.compile of 16 steps at a time"""

    count = CHUNK
