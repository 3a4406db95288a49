"""Where kernels whose parts wait for each other say that one has waited in vain."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor


@cache
def flag(device: torch.device) -> Tensor:
    """One int32 of a device, for kernels to set to 1; kept, so that no call has to make one."""
    with torch.inference_mode(False):  # a tensor made in it can't be cleared outside of it
        return torch.zeros(1, dtype=torch.int32, device=device)


def late(device: torch.device) -> bool:
    """Whether anything has waited in vain since this was asked last. Waits for the device."""
    found = bool(flag(device).item())
    if found:
        flag(device).zero_()
    return found


def require_none(device: torch.device) -> None:
    """Raises RuntimeError if anything has."""
    if late(device):
        raise RuntimeError("parts of the kernel waited for each other in vain: its results are none")
