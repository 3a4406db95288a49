"""Every setup in order: one plain table, ready for JSON."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from bench.cases.presets import powers
from bench.why.gradients.file import DEFAULT, FACTOR, SCHEMA, Norms, horizon, longest_finite, lost, rate
from bench.why.gradients.flow import Networks, draw, flow, spectral_radius

RADII = (None, 0.5, 0.9, 1.0, 1.1, 1.5)
"""Spectral radii of W_hh; None is torch's initialisation."""

NONLINEARITIES = ("tanh", "relu")
DTYPES = ("float32", "bfloat16")

THEORY_STEPS = 256
"""Enough for the largest eigenvalue to win, and few enough that 1.5 to this power is nothing to float64."""

MOST_BYTES = 2 * 2**30
"""Of the networks in float64. At work there are about twice as many."""

LOW, HIGH = 0.1, 0.9
"""The quantiles over seeds beside the median."""


def measure(hidden_size: int = 128, seeds: int = 16, seq_len: int = 1024) -> dict[str, Any]:
    """Measure every setup for sequences of 1, 2, 4 ... seq_len steps -> the content of gradients.json.

    Norms that are no number are None. Raises ValueError for a size below 1, or sizes that would fill the memory.
    """
    for name, value in {"hidden-size": hidden_size, "seeds": seeds, "seq-len": seq_len}.items():
        if value < 1:
            raise ValueError(f"--{name} must be a whole number of at least 1, not {value}")
    needed = 8 * len(RADII) * seeds * hidden_size * (seq_len + 2 * hidden_size)
    if needed > MOST_BYTES:
        raise ValueError(
            f"--hidden-size, --seeds and --seq-len together ask for {needed / 2**30:.1f} GiB of "
            f"numbers, over {MOST_BYTES / 2**30:g} GiB; take one of them smaller"
        )
    lengths = tuple(sorted({*powers(1, seq_len), seq_len}))
    networks = draw(RADII, hidden_size, range(seeds), seq_len)
    own_radii = np.array([spectral_radius(weight) for weight in networks.weight_hh]).reshape(len(RADII), seeds)
    setups = [
        row
        for nonlinearity, dtype in itertools.product(NONLINEARITIES, DTYPES)
        for row in _rows(networks, nonlinearity, dtype, lengths, own_radii)
    ]
    return {
        "schema": SCHEMA,
        "torch": str(torch.__version__),
        "hidden_size": hidden_size,
        "seeds": list(range(seeds)),
        "lengths": list(lengths),
        "factor": FACTOR,
        "quantiles": [LOW, HIGH],
        "steps": steps_shown(seq_len),
        "setups": setups,
        "theory": _theory(networks, own_radii, min(seq_len, THEORY_STEPS)),
    }


def steps_shown(longest: int) -> list[int]:
    """The k that are kept: every one up to 11, then eight to a doubling, and the last."""
    spaced = (round(2 ** (eighth / 8)) for eighth in range(8 * longest.bit_length()))
    return sorted({0, longest, *(k for k in spaced if k <= longest)})


def beginning(radius: float | None) -> str:
    """How a network begins, in a word: DEFAULT or its spectral radius."""
    return DEFAULT if radius is None else f"{radius:.1f}"


def _rows(
    networks: Networks, nonlinearity: str, dtype: str, lengths: tuple[int, ...], own_radii: Norms
) -> list[dict[str, Any]]:
    """The figures of one network and dtype, for each beginning."""
    found = flow(networks, nonlinearity, getattr(torch, dtype), lengths)
    by_beginning = (len(RADII), -1)
    back = found.steps_back.numpy().reshape(*by_beginning, *found.steps_back.shape[1:])  # (beginning, seed, L, T + 1)
    first = found.first_input.numpy().reshape(*by_beginning, len(lengths))
    return [
        {
            "nonlinearity": nonlinearity,
            "dtype": dtype,
            "beginning": beginning(radius),
            "radius": float(np.median(own_radii[k])),
        }
        | _figures(back[k], first[k])
        for k, radius in enumerate(RADII)
    ]


def _figures(back: Norms, first: Norms) -> dict[str, Any]:
    """From norms by seed, length and k (S, L, T + 1), and of the first input by seed and length (S, L)."""
    shown = steps_shown(back.shape[2] - 1)
    chosen = np.stack([longest_finite(norms) for norms in back])  # (S, T + 1)
    horizons = [horizon(norms) for norms in chosen]
    underflows, overflows = lost(back[:, -1])
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = (chosen / chosen[:, :1])[:, shown]
    return {
        "steps_back": _spread(relative),
        "last_state": _spread(back[:, :, 0]),
        "first_input": _spread(first),
        "horizons": [one.steps for one in horizons],
        "ends": [one.end for one in horizons],
        "rates": [rate(norms) for norms in chosen],
        "underflows": underflows,
        "overflows": overflows,
        "norms": back[:, -1].size,
    }


def _theory(networks: Networks, own_radii: Norms, steps: int) -> list[dict[str, Any]]:
    """The linear limit, in float64: each network's rate against the spectral radius of its W_hh."""
    found = flow(networks, "linear", torch.float64, (steps,)).steps_back[:, 0].numpy()
    rates = np.array([rate(norms) or np.nan for norms in found]).reshape(own_radii.shape)
    return [
        {
            "beginning": beginning(radius),
            "steps": steps,
            "radius": float(np.median(own_radii[k])),
            "rate": _plain(np.median(rates[k])),
            "largest_error": _plain(np.max(np.abs(rates[k] / own_radii[k] - 1))),
        }
        for k, radius in enumerate(RADII)
    ]


def _spread(values: Norms) -> dict[str, list[float | None]]:
    """Median and quantiles over the first axis. What is no number counts as infinite: something overflowed."""
    filled = np.where(np.isnan(values), np.inf, values)
    low, high = np.quantile(filled, (LOW, HIGH), axis=0, method="nearest")
    named = {"median": np.median(filled, axis=0), "low": low, "high": high}
    return {name: [_plain(value) for value in part] for name, part in named.items()}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
