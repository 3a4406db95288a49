"""Scan: torch's own higher-order loop, `scan`, as JAX has it.

`scan(step, state, inputs)` says "call this step for each of these inputs, and hand the state on" to torch itself, which
could compile one step and loop over it without unrolling. It is a prototype: torch 2.13 runs it step by step through
Python, more slowly than a plain loop, and compiling it on a CPU fails ("scan might be aliasing the input or the
output"). So this is what it costs today, uncompiled; the day that it compiles, this row will show it.

When it helps: not yet. When it doesn't: at every step, by what the prototype itself costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.states import State
from rnn_impls.weights import Plain


def scan_of_torch() -> Callable[..., Any]:
    """The prototype. Raises Unavailable where this torch has none."""
    try:
        from torch._higher_order_ops.scan import scan
    except ImportError as error:
        raise Unavailable(f"this torch has no scan: {error}") from error
    found: Callable[..., Any] = scan
    return found


class Scan(Plain):
    """torch's prototype of a higher-order scan, uncompiled"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self._scan = scan_of_torch()

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """What needs no state for all inputs at once, then the scan."""
        parts = self.bound(number).parts()
        read = parts.read()

        def step(state: State, ahead: Tensor) -> tuple[State, Tensor]:
            output, state = parts.after(ahead, state, *read)
            return state, output.clone()  # what is kept may not be what is handed on

        last, outputs = self._scan(step, state, parts.ahead(inputs))
        return outputs, last
