"""Stacked gradients: a backward pass of our own, with one product for the gradient of each weight.

Autograd unrolls the loop: for every step it multiplies once to pass the gradient on, and once more to add that step's
share to the gradient of W_hh, a matrix as large as the weight, T times over. But the shares are a sum over steps,

    dL/dW_hh = sum over t of g_t^T h_{t-1},   g_t = f'_t (dL/dh_t + g_{t+1} W_hh)

which is one product of two stacked matrices, (T B, H)^T by (T B, H). So the backward loop only passes the gradient
on, one product and one multiplication a step, and the weights' gradients are made at once when it has ended.

When it helps: in training, always; most where the network is large and its gradient no longer fits a cache. When it
doesn't: in inference, where it is `hoisted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls import stacked_gru, stacked_lstm
from rnn_impls.hoisted import IN_PLACE, Hoisted
from rnn_impls.states import State


class Layer(torch.autograd.Function):
    """One layer over all steps, forward and backward."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, kind: str) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> states (T, B, H)."""
        states = functional.linear(inputs, w_ih, bias)
        first, squash, recurrent = state, IN_PLACE[kind], w_hh.t()
        for step in states.unbind(0):  # (B, H), overwritten by the state it becomes
            state = squash(step.addmm_(state, recurrent))
        ctx.save_for_backward(inputs, first, w_ih, w_hh, states)
        ctx.kind = kind
        return states

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and bias, each where it is asked for."""
        inputs, first, w_ih, w_hh, states = ctx.saved_tensors
        slope = 1 - states * states if ctx.kind == "tanh" else (states > 0).to(states.dtype)  # f' in terms of f
        steps = of_states[0].clone()  # becomes g, from the last step to the first
        later: Tensor | None = None
        for g, own in zip(reversed(steps.unbind(0)), reversed(slope.unbind(0)), strict=True):  # (B, H)
            if later is not None:
                g.addmm_(later, w_hh)
            later = g.mul_(own)
        flat = steps.flatten(0, 1)  # (T B, H)
        before = torch.cat((first.unsqueeze(0), states[:-1])).flatten(0, 1)  # (T B, H): the state each step began with
        asked = ctx.needs_input_grad
        return (
            (steps @ w_ih) if asked[0] else None,
            (steps[0] @ w_hh) if asked[1] else None,
            flat.t() @ inputs.flatten(0, 1),
            flat.t() @ before,
            flat.sum(0),
            None,
        )


class StackedGrad(Hoisted):
    """`hoisted`, with one product for each weight's gradient"""

    same_in: ClassVar[Mapping[str, str]] = {"inference": "hoisted"}

    networks: ClassVar[tuple[str, ...]] = ("rnn-tanh", "rnn-relu", "gru", "lstm")

    def layer(self, number: int, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The function above where a gradient is wanted; a single step has nothing to stack."""
        if not torch.is_grad_enabled() or len(inputs) == 1:
            return super().layer(number, inputs, state)
        if kind := self.shape.network.nonlinearity:
            states: Tensor = Layer.apply(inputs, state, *self.own(number), kind)
        elif isinstance(state, Tensor):
            states = stacked_gru.Layer.apply(inputs, state, *self.own(number))
        else:
            states, cell = stacked_lstm.Layer.apply(inputs, *state, *self.own(number))
            return states, (states[-1], cell)
        return states, states[-1]
