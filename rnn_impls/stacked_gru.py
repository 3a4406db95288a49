"""Stacked gradients of a GRU: the backward pass that `stacked-grad` has for `gru`.

Of h = n + z (h' - n), with h' the state before, a gradient g of h gives the sums before each gate

    d_z = g (h' - n) z (1 - z),    d_n = g (1 - z) (1 - n^2),    d_r = d_n m r (1 - r),    m = W_hn h' + b_hn

and hands on  g z + (d_r, d_z, r d_n) W_hh  to the step before. All that multiplies g and d_n there is known beforehand,
for all steps at once; so the loop backward has one product and a few multiplications a step, and the gradients of the
weights are one product each, as for an Elman network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class Layer(torch.autograd.Function):
    """One layer over all steps, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (3 H, I), W_hh (3 H, H), their biases (3 H) -> states (T, B, H)."""
        ahead = functional.linear(inputs, w_ih, b_ih)  # (T, B, 3 H)
        size, first, recurrent = state.shape[-1], state, w_hh.t()
        gates = torch.empty_like(ahead)  # r, z and n of every step
        products = ahead.new_empty(*ahead.shape[:-1], size)  # m of every step
        states = ahead.new_empty(*ahead.shape[:-1], size)
        for of_input, gate, m, after in zip(ahead, gates, products, states, strict=True):
            of_state = torch.addmm(b_hh, state, recurrent)  # (B, 3 H)
            r_z, n = gate[:, : 2 * size], gate[:, 2 * size :]
            torch.add(of_input[:, : 2 * size], of_state[:, : 2 * size], out=r_z).sigmoid_()
            m.copy_(of_state[:, 2 * size :])
            torch.addcmul(of_input[:, 2 * size :], r_z[:, :size], m, out=n).tanh_()
            state = torch.lerp(n, state, r_z[:, size:], out=after)
        ctx.save_for_backward(inputs, first, w_ih, w_hh, gates, products, states)
        return states

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and the biases, where it is asked for."""
        inputs, first, w_ih, w_hh, gates, products, states = ctx.saved_tensors
        before = torch.cat((first.unsqueeze(0), states[:-1]))  # (T, B, H): the state each step began with
        r, z, n = gates.chunk(3, dim=-1)
        to_z, to_n, to_r = (before - n) * z * (1 - z), (1 - z) * (1 - n * n), products * r * (1 - r)
        of_input, of_state = torch.empty_like(gates), torch.empty_like(gates)  # d_r, d_z, d_n; and with r d_n
        size, later = z.shape[-1], torch.zeros_like(first)
        for t in range(len(states) - 1, -1, -1):
            g = of_states[0][t] + later  # (B, H)
            d_r, d_z, d_n = of_input[t].chunk(3, dim=-1)
            torch.mul(g, to_z[t], out=d_z)
            torch.mul(g, to_n[t], out=d_n)
            torch.mul(d_n, to_r[t], out=d_r)
            of_state[t, :, : 2 * size] = of_input[t, :, : 2 * size]
            torch.mul(d_n, r[t], out=of_state[t, :, 2 * size :])
            later = torch.addmm(g * z[t], of_state[t], w_hh)
        flat_input, flat_state = of_input.flatten(0, 1), of_state.flatten(0, 1)  # (T B, 3 H)
        return (
            (of_input @ w_ih) if ctx.needs_input_grad[0] else None,
            later if ctx.needs_input_grad[1] else None,
            flat_input.t() @ inputs.flatten(0, 1),
            flat_state.t() @ before.flatten(0, 1),
            flat_input.sum(0),
            flat_state.sum(0),
        )
