"""Stacked gradients of an LSTM: the backward pass that `stacked-grad` has for `lstm`.

Of h = o tanh(c) with c = f c' + i g, where c' is the cell before, a gradient d_h of h adds to the cell's, d_c, which
the step after has handed on; and the two give those of the sums before each gate

    d_c += d_h o (1 - tanh(c)^2)
    d_i = d_c g i (1 - i),    d_f = d_c c' f (1 - f),    d_g = d_c i (1 - g^2),    d_o = d_h tanh(c) o (1 - o)

To the step before go  d_c f  as the cell's gradient and  (d_i, d_f, d_g, d_o) W_hh  as the state's. All that multiplies
d_h and d_c there is known beforehand, for all steps at once; so the loop backward has one product and a few
multiplications a step, and the gradients of the weights are one product each, as for an Elman network.
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
        ctx: Any, inputs: Tensor, hidden: Tensor, cell: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """inputs (T, B, I), hidden and cell (B, H), W_ih (4 H, I), W_hh (4 H, H), the sum of their biases (4 H)
        -> states (T, B, H), last cell (B, H)."""
        gates = functional.linear(inputs, w_ih, bias)  # (T, B, 4 H): sums before the gates, overwritten by i, f, g, o
        first, size, recurrent = hidden, hidden.shape[-1], w_hh.t()
        cells = gates.new_empty(len(inputs) + 1, *cell.shape)  # that each step began with, and the last
        states, squashed = cells.new_empty(len(inputs), *cell.shape), cells.new_empty(len(inputs), *cell.shape)
        cells[0] = cell
        before, *after = cells.unbind(0)
        for gate, cell_after, tanh, state in zip(gates, after, squashed, states, strict=True):
            gate.addmm_(hidden, recurrent)
            i, f, g, o = gate.chunk(4, dim=-1)  # (B, H) each
            gate[:, : 2 * size].sigmoid_(), g.tanh_(), o.sigmoid_()
            torch.mul(i, g, out=cell_after).addcmul_(f, before)
            hidden = torch.mul(o, torch.tanh(cell_after, out=tanh), out=state)
            before = cell_after
        ctx.save_for_backward(inputs, first, w_ih, w_hh, gates, cells, squashed, states)
        ctx.set_materialize_grads(False)  # a loss of the states alone has none of the last cell
        return states, before.clone()

    @staticmethod
    def backward(ctx: Any, *of_results: Tensor | None) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) and d loss / d last cell (B, H), none for zeros -> that of inputs, hidden, cell,
        W_ih, W_hh and bias, where it is asked for."""
        inputs, first, w_ih, w_hh, gates, cells, squashed, states = ctx.saved_tensors
        of_states, of_last = of_results
        of_states = torch.zeros_like(states) if of_states is None else of_states
        i, f, g, o = gates.chunk(4, dim=-1)
        to_cell, to_o = o * (1 - squashed * squashed), squashed * o * (1 - o)  # (T, B, H) each
        to_gates = torch.stack((g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g)), dim=2)  # (T, B, 3, H)
        found = torch.empty_like(gates)  # d_i, d_f, d_g, d_o
        of_cell = torch.zeros_like(first) if of_last is None else of_last.clone()
        of_hidden, size = torch.zeros_like(first), first.shape[-1]
        for t in range(len(states) - 1, -1, -1):
            d_h = of_states[t] + of_hidden  # (B, H)
            of_cell.addcmul_(d_h, to_cell[t])
            torch.mul(of_cell.unsqueeze(1), to_gates[t], out=found[t, :, : 3 * size].unflatten(-1, (3, size)))
            torch.mul(d_h, to_o[t], out=found[t, :, 3 * size :])
            of_cell.mul_(f[t])
            torch.mm(found[t], w_hh, out=of_hidden)
        flat, asked = found.flatten(0, 1), ctx.needs_input_grad  # (T B, 4 H)
        before = torch.cat((first.unsqueeze(0), states[:-1])).flatten(0, 1)  # (T B, H): the state each step began with
        return (
            (found @ w_ih) if asked[0] else None,
            of_hidden if asked[1] else None,
            of_cell if asked[2] else None,
            flat.t() @ inputs.flatten(0, 1) if asked[3] else None,
            flat.t() @ before if asked[4] else None,
            flat.sum(0) if asked[5] else None,
        )
