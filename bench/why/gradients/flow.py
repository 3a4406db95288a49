"""The norm of the loss's gradient with respect to the hidden state k steps back, and to the first input.

    h_t = f(W_ih x_t + b + W_hh h_{t-1})     f is tanh, relu, or nothing at all (linear, where theory is exact)
    loss = |h_T - target|^2 / 2              at the last step alone, as for one label per sequence

By the chain rule the gradient goes back one step at a time:

    d loss / d h_T     = h_T - target
    d loss / d h_{t-1} = W_hh^T (f'_t * d loss / d h_t)
    d loss / d x_1     = W_ih^T (f'_1 * d loss / d h_1)

Every step multiplies by W_hh^T, so that without f' the norm goes as the spectral radius of W_hh to the power k; f' of
tanh and relu, at most 1, can only take away from each entry. Networks begin as torch initialises them, or with W_hh
scaled to a spectral radius (`draw`). Sources: Bengio, Simard and Frasconi, "Learning long-term dependencies with
gradient descent is difficult", IEEE Transactions on Neural Networks 5 (1994), 157-166; Pascanu, Mikolov and Bengio,
"On the difficulty of training recurrent neural networks", ICML 2013, equations 3 to 7.

The recursion is written out, rather than left to autograd, since one sweep then serves all lengths: the steps of a
short sequence are the first steps of a long one. That both give the same is tested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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
    nothing else. Inputs are standard normal, target and first state uniform in ±1, as in `bench.measure.problem`.
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


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "linear": lambda sums: sums,
}

SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda state: 1 - state * state,
    "relu": lambda state: (state > 0).to(state.dtype),
    "linear": torch.ones_like,
}
"""f' from the state f(a) alone."""


@dataclass(frozen=True)
class Flow:
    """Norms, float64, of N networks and L lengths; zeros, infinities and NaN are kept as they came.

    `steps_back` (N, L, T + 1): d loss / d h_{length-k} by length and k, NaN for k over the length; k = length is the
    state before the first step. `first_input` (N, L): d loss / d x_1, by length.
    """

    steps_back: Tensor
    first_input: Tensor


def flow(networks: Networks, nonlinearity: str, dtype: torch.dtype, lengths: Sequence[int]) -> Flow:
    """Measure the norms for sequences that are the first so many steps of the networks' inputs.

    States, weights and gradients are in `dtype`. Raises ValueError when there are no inputs for so long a sequence.
    """
    if max(lengths) > networks.inputs.shape[1]:
        raise ValueError(f"no inputs for {max(lengths)} steps, only for {networks.inputs.shape[1]}")
    cast = networks.to(dtype)
    states = _forward(cast, ACTIVATIONS[nonlinearity], max(lengths))
    return _backward(cast, SLOPES[nonlinearity], states, lengths)


def _forward(networks: Networks, activation: Callable[[Tensor], Tensor], steps: int) -> list[Tensor]:
    """h_0 ... h_T, each (N, 1, H)."""
    recurrent = networks.weight_hh.transpose(1, 2).contiguous()  # rows times this is far faster than with columns
    entered = torch.baddbmm(networks.bias, networks.inputs[:, :steps], networks.weight_ih.transpose(1, 2))
    states = [networks.state]
    for sums in entered.unbind(1):
        states.append(activation(torch.baddbmm(sums.unsqueeze(1), states[-1], recurrent)))
    return states


def _backward(
    networks: Networks, slope: Callable[[Tensor], Tensor], states: Sequence[Tensor], lengths: Sequence[int]
) -> Flow:
    """One sweep from the last step to the first, with a row of `delta` for each sequence that is that long."""
    rows = sorted(lengths, reverse=True)
    steps_back = torch.full((len(networks.state), len(rows), rows[0] + 1), torch.nan, dtype=torch.float64)
    through = delta = networks.state[:, :0]  # (N, sequences so far, H): d loss / d a_t and d loss / d h_t
    for step in range(rows[0], -1, -1):
        if step in rows:
            delta = torch.cat((delta, states[step] - networks.target), dim=1)
        norms = _norm(delta)
        for row in range(delta.shape[1]):
            steps_back[:, row, rows[row] - step] = norms[:, row]
        if step:
            # f' and its product are rounded once, as in torch's own backward, which matters in bfloat16.
            wide = torch.promote_types(delta.dtype, torch.float32)
            through = (delta.to(wide) * slope(states[step].to(wide))).to(delta.dtype)
            delta = torch.bmm(through, networks.weight_hh)
    first_input = _norm(torch.bmm(through, networks.weight_ih))
    order = [rows.index(length) for length in lengths]
    return Flow(steps_back[:, order], first_input[:, order])


def _norm(rows: Tensor) -> Tensor:
    """(N, R, H) -> (N, R), in float64, whose squares neither under- nor overflow where float32's entries don't."""
    norms: Tensor = rows.double().norm(dim=2)
    return norms
