"""The networks whose gradients are measured: torch's initialisation, or W_hh scaled to a spectral radius."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Networks:
    """N networks with as many inputs as hidden units, each with one sequence (B = 1) of T steps."""

    weight_ih: Tensor  # (N, H, I)
    weight_hh: Tensor  # (N, H, H)
    bias: Tensor  # (N, 1, H)
    inputs: Tensor  # (N, T, I)
    state: Tensor  # (N, 1, H), before the first step
    target: Tensor  # (N, 1, H)

    def to(self, dtype: torch.dtype) -> Networks:
        """The same networks in another dtype."""
        return Networks(*(getattr(self, field.name).to(dtype) for field in dataclasses.fields(self)))


def draw(radii: Sequence[float | None], hidden_size: int, seeds: Sequence[int], steps: int) -> Networks:
    """Networks in float64, N = radii times seeds, those of one radius together.

    None is torch.nn.RNN's initialisation: all weights and both biases uniform in ±1/sqrt(H), which makes the spectral
    radius of W_hh about 1/sqrt(3) = 0.58 (the circular law: entries of variance v fill a disc of radius sqrt(v H);
    Girko 1985). A number is the spectral radius that the same W_hh is scaled to. Networks of one seed differ in
    nothing else. Inputs are standard normal, target and first state uniform in ±1, as in `bench.problem`.
    """
    drawn = [_draw_one(hidden_size, seed, steps) for seed in seeds]
    scaled = [
        dataclasses.replace(one, weight_hh=one.weight_hh if radius is None else _scaled(one.weight_hh, radius))
        for radius in radii
        for one in drawn
    ]
    return Networks(
        *(torch.cat([getattr(one, field.name) for one in scaled]) for field in dataclasses.fields(Networks))
    )


def spectral_radius(matrix: Tensor) -> float:
    """The largest absolute value of an eigenvalue of a matrix (H, H)."""
    return float(torch.linalg.eigvals(matrix.double()).abs().max())


def _draw_one(hidden_size: int, seed: int, steps: int) -> Networks:
    """The network of a seed, N = 1."""
    generator = torch.Generator().manual_seed(seed)
    bound = hidden_size**-0.5

    def uniform(*shape: int, width: float) -> Tensor:
        return torch.empty(1, *shape, dtype=torch.float64).uniform_(-width, width, generator=generator)

    weight_ih, weight_hh = (uniform(hidden_size, hidden_size, width=bound) for _ in range(2))
    bias = uniform(1, hidden_size, width=bound) + uniform(1, hidden_size, width=bound)
    state, target = (uniform(1, hidden_size, width=1.0) for _ in range(2))
    inputs = torch.empty(1, steps, hidden_size, dtype=torch.float64).normal_(
        generator=generator
    )  # last: T changes no weight
    return Networks(weight_ih, weight_hh, bias, inputs, state, target)


def _scaled(weight: Tensor, radius: float) -> Tensor:
    return weight * (radius / spectral_radius(weight[0]))
