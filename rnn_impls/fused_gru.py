"""`fused-cpu` of a GRU: one layer over all steps by the kernel, with the backward pass of `stacked_gru.py`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnn_impls.fused_kernel import kernel


class Layer(torch.autograd.Function):
    """One layer over all steps."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, threads: int
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (3 H, I), W_hh (3 H, H), their biases (3 H) -> states (T, B, H)."""
        own = kernel()
        packed = own.packed_gates(w_ih, 3), own.packed_gates(w_hh, 3)
        states, kept = own.gru_forward(inputs, state, *packed, (b_ih, b_hh), True, threads)
        ctx.save_for_backward(inputs, state, w_ih, w_hh, states, kept)
        ctx.threads = threads
        return states

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and the biases, where it is asked for."""
        inputs, state, w_ih, w_hh, states, kept = ctx.saved_tensors
        own, threads, asked = kernel(), ctx.threads, ctx.needs_input_grad
        before = torch.cat((state.unsqueeze(0), states[:-1]))  # (T, B, H): the state that each step began with
        of_input, of_state, of_first = own.gru_backward(
            of_states[0], before, kept, own.packed(w_hh, as_is=True), threads
        )
        flat_input, flat_state = of_input.flatten(0, 1), of_state.flatten(0, 1)  # (T B, 3 H)
        return (
            of_input @ w_ih if asked[0] else None,
            of_first if asked[1] else None,
            own.weight_gradient(flat_input, inputs.flatten(0, 1), threads),
            own.weight_gradient(flat_state, before.flatten(0, 1), threads),
            flat_input.sum(0),
            flat_state.sum(0),
            None,
        )
