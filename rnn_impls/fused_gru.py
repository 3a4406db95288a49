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
        found, of_first = own.gru_backward(of_states[0], before, kept, own.packed(w_hh, as_is=True), threads)
        flat, size = found.flatten(0, 1), state.shape[1]  # (T B, 4 H): d_n, d_r, d_z, r d_n
        entered, of_bias, of_w_ih = inputs.flatten(0, 1), flat.sum(0), torch.empty_like(w_ih)
        own.weight_gradient(flat[:, size : 3 * size], entered, threads, out=of_w_ih[: 2 * size])
        own.weight_gradient(flat[:, :size], entered, threads, out=of_w_ih[2 * size :])
        return (
            _input_order(found, size) @ w_ih if asked[0] else None,
            of_first if asked[1] else None,
            of_w_ih,
            own.weight_gradient(flat[:, size:], before.flatten(0, 1), threads),
            _input_order(of_bias, size),
            of_bias[size:],
            None,
        )


def _input_order(found: Tensor, size: int) -> Tensor:
    """(..., 4 H) in the order d_n, d_r, d_z, r d_n -> d_r, d_z, d_n, (..., 3 H): that of the input's weights."""
    return torch.cat((found[..., size : 3 * size], found[..., :size]), dim=-1)
