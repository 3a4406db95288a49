"""Scripted: the loop over steps in TorchScript instead of Python. Deprecated by torch, and here to be compared with.

`torch.jit.script` turns the loop into a program that torch's own interpreter runs: the same operators a step as in
`hoisted`, called without Python between them. torch 2.13 says of it: "`torch.jit.script` is deprecated. Please switch
to `torch.compile` or `torch.export`."

A script is made of source text, which a network of one's own need not have in the form that it takes; its step is
traced instead, once, and the loop around it scripted.

When it helps: at small sizes, by what Python's loop costs. When it doesn't: the operators are still called one by one,
and each costs what torch's dispatcher costs. It fuses nothing on a CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.networks import Network
from rnn_impls.weights import Plain

Steps = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def tanh_steps(ahead: Tensor, state: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    """Input products ahead (T, B, H), state (B, H), W_hh^T (H, H) -> states (T, B, H), the last of them (B, H)."""
    states = []
    for step in ahead.unbind(0):
        state = torch.tanh(torch.addmm(step, state, recurrent))
        states.append(state)
    return torch.stack(states), state


def relu_steps(ahead: Tensor, state: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
    """The same with relu: a script can't be handed a function."""
    states = []
    for step in ahead.unbind(0):
        state = torch.relu(torch.addmm(step, state, recurrent))
        states.append(state)
    return torch.stack(states), state


class Step(nn.Module):
    """One step of any network, as a module that has the layer's parameters: what is traced."""

    def __init__(self, network: Network, parameters: dict[str, nn.Parameter]) -> None:
        super().__init__()
        self.network = network
        for name, parameter in parameters.items():
            self.register_parameter(name, parameter)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, I), state (B, H) -> output (B, H), state (B, H)."""
        return self.network.step(x, state)


class Loop(nn.Module):
    """All steps: what is scripted."""

    def __init__(self, step: nn.Module) -> None:
        super().__init__()
        self.step = step

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (T, B, I), state (B, H) -> outputs (T, B, H), state (B, H)."""
        outputs = []
        for x in inputs.unbind(0):
            output, state = self.step(x, state)
            outputs.append(output)
        return torch.stack(outputs), state


@contextmanager
def making_scripts() -> Iterator[None]:
    """What torch says of scripts is in the table instead. Raises Unavailable where it no longer makes any."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except (AttributeError, RuntimeError, NotImplementedError) as error:
        raise Unavailable(f"this torch makes no scripts: {(str(error).splitlines() or [''])[0]}") from error


class Scripted(Plain):
    """the loop in TorchScript (deprecated by torch)"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        if len(shape.network.states) > 1:
            raise Unavailable("the script is written for one state")
        # Lists are no modules: what is in them is not taken for a part of this one.
        self._elman: list[Steps] = []
        self._loops: list[nn.Module] = []
        if kind := shape.network.nonlinearity:
            with making_scripts():
                self._elman.append(torch.jit.script(tanh_steps if kind == "tanh" else relu_steps))

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Trace where that is needed, then call it a few times: the interpreter watches the first calls and rewrites
        the program for what it saw."""
        if not self._elman:
            with making_scripts():
                self._loops = [self._traced(number, inputs, state) for number, state in enumerate(hidden)]
        for _ in range(3):
            with torch.set_grad_enabled(self.training):
                self(inputs, hidden)

    def _traced(self, number: int, inputs: Tensor, state: Tensor) -> nn.Module:
        """The loop of a layer in one direction, for sequences like these."""
        width = list(self.shape.layer_inputs().values())[number]
        held = self.shape.network.held(width, self.shape.hidden_size)
        step = Step(self.bound(number), dict(zip(held, self.own(number), strict=True)))
        x = inputs.new_zeros(inputs.shape[1], width)
        loop: nn.Module = torch.jit.script(Loop(torch.jit.trace(step, (x, state.detach()))))
        return loop

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """An Elman network has one product for all inputs before the script, as in `hoisted`."""
        if not self._elman:
            found: tuple[Tensor, Tensor] = self._loops[number](inputs, state)
            return found
        w_ih, w_hh, bias = self.own(number)
        return self._elman[0](functional.linear(inputs, w_ih, bias), state, w_hh.t())
