"""Scripted: the loop over steps in TorchScript instead of Python. Deprecated by torch, and here to be compared with.

`torch.jit.script` turns the loop into a program that torch's own interpreter runs: the same operators a step as in
`hoisted`, called without Python between them. torch 2.13 says of it: "`torch.jit.script` is deprecated. Please switch
to `torch.compile` or `torch.export`."

When it helps: at small sizes, by what Python's loop costs. When it doesn't: the operators are still called one by one,
and each costs what torch's dispatcher costs. It fuses nothing on a CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.weights import Plain

Steps = Callable[[Tensor, Tensor, Tensor], Tensor]


def tanh_steps(ahead: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
    """Input products ahead (T, B, H), state (B, H), W_hh^T (H, H) -> states (T, B, H)."""
    states = []
    for step in ahead.unbind(0):
        state = torch.tanh(torch.addmm(step, state, recurrent))
        states.append(state)
    return torch.stack(states)


def relu_steps(ahead: Tensor, state: Tensor, recurrent: Tensor) -> Tensor:
    """The same with relu: a script can't be handed a function."""
    states = []
    for step in ahead.unbind(0):
        state = torch.relu(torch.addmm(step, state, recurrent))
        states.append(state)
    return torch.stack(states)


@cache
def scripted(nonlinearity: str) -> Steps:
    """The loop as a script. Raises Unavailable where torch no longer makes any."""
    loop = tanh_steps if nonlinearity == "tanh" else relu_steps
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # said in the table instead
            found: Steps = torch.jit.script(loop)
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        raise Unavailable(f"this torch makes no scripts: {(str(error).splitlines() or [''])[0]}") from error
    return found


class Scripted(Plain):
    """the loop in TorchScript (deprecated by torch)"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.steps = [scripted(shape.nonlinearity)]  # in a list: a script is a Module, and would be taken for a part

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Call it a few times: the interpreter watches the first calls and rewrites the program for what it saw."""
        for _ in range(3):
            with torch.set_grad_enabled(self.training):
                self(inputs, hidden)

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> Tensor:
        """One product for all inputs, then the script."""
        w_ih, w_hh, bias = self.weights(number)
        return self.steps[0](functional.linear(inputs, w_ih, bias), state, w_hh.t())
