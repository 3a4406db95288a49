"""`fused-cpu` of an LSTM: one layer over all steps by the kernel, with the backward pass of `stacked_lstm.py`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnn_impls.fused_kernel import kernel


class Layer(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, hidden: Tensor, cell: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, threads: int
    ) -> tuple[Tensor, Tensor]:
        """inputs (T, B, I), hidden and cell (B, H), W_ih (4 H, I), W_hh (4 H, H), the sum of their biases (4 H)
        -> states (T, B, H), last cell (B, H)."""
        own = kernel()
        packed = own.packed_gates(w_ih, 4), own.packed_gates(w_hh, 4)
        states, last, kept = own.lstm_forward(inputs, hidden, cell, *packed, bias, True, threads)
        assert kept is not None
        ctx.save_for_backward(inputs, hidden, w_ih, w_hh, states, *kept)
        ctx.threads = threads
        ctx.set_materialize_grads(False)  # a loss of the states alone has none of the last cell
        return states, last

    @staticmethod
    def backward(ctx: Any, *of_results: Tensor | None) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) and d loss / d last cell (B, H), none for zeros -> that of inputs, hidden, cell,
        W_ih, W_hh and bias, where it is asked for."""
        inputs, hidden, w_ih, w_hh, states, *kept = ctx.saved_tensors
        own, threads, asked = kernel(), ctx.threads, ctx.needs_input_grad
        of_states, of_last = of_results
        found, of_hidden, of_cell = own.lstm_backward(
            of_states, of_last, tuple(kept), own.packed(w_hh, as_is=True), threads
        )
        flat = found.flatten(0, 1)  # (T B, 4 H)
        before = torch.cat((hidden.unsqueeze(0), states[:-1])).flatten(0, 1)  # (T B, H): the state each step began with
        return (
            found @ w_ih if asked[0] else None,
            of_hidden if asked[1] else None,
            of_cell if asked[2] else None,
            own.weight_gradient(flat, inputs.flatten(0, 1), threads) if asked[3] else None,
            own.weight_gradient(flat, before, threads) if asked[4] else None,
            flat.sum(0) if asked[5] else None,
            None,
        )
