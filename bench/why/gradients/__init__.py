"""Do gradients vanish or explode? Their norm, step by step back in time, for several ways to begin.

    networks.py  the networks, drawn from seeds: torch's initialisation, or scaled to a spectral radius (torch)
    flow.py      the norms themselves, of many networks side by side (torch)
    horizon.py   how far a gradient reaches, its rate per step, what under- and overflowed (arrays)
    command.py   every setup in order, as one plain table

What is read from that table, sentences, table and picture, is in `bench.report.gradients`, which needs no torch.
"""

SCHEMA = 1
"""Of gradients.json; raised when its fields change."""

DEFAULT = "default"
"""How a network begins that torch initialised, where others have their spectral radius."""
