"""The state of a network: a tensor, or a tuple of several as torch hands an LSTM's, (h, c).

Of one layer they are (B, H) each; of all layers (L, B, H), as `torch.nn.RNN` and `torch.nn.LSTM` have them, or
(2 L, B, H) where the network runs in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

State = Any
"""A Tensor, or a tuple of several. Which of the two, the network says, and no type can: who is made for networks of one
state alone says Tensor where this stands."""


def tensors(state: State) -> tuple[Tensor, ...]:
    """The tensors of a state, one or several."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


def like(state: State, found: Sequence[Tensor]) -> State:
    """Tensors as a state of the same form as another."""
    return found[0] if isinstance(state, Tensor) else tuple(found)


def mapped(function: Callable[[Tensor], Tensor], state: State) -> State:
    """The state with a function taken of each of its tensors."""
    return like(state, [function(tensor) for tensor in tensors(state)])


def apart(hidden: State) -> list[State]:
    """That of all layers -> those of each: (L, B, H) -> L times (B, H)."""
    if isinstance(hidden, Tensor):
        return list(hidden.unbind(0))
    return list(zip(*(each.unbind(0) for each in hidden), strict=True))


def together(states: Sequence[State]) -> State:
    """The other way round."""
    first = states[0]
    if isinstance(first, Tensor):
        return torch.stack(list(states))
    return tuple(torch.stack(each) for each in zip(*states, strict=True))


def ended(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Outputs (T, B, ...) with zeros beyond the end of each sequence; lengths (B,) on the CPU."""
    beyond = torch.arange(len(outputs))[:, None] >= lengths  # (T, B)
    return outputs.masked_fill(beyond.unsqueeze(-1).to(outputs.device), 0)
