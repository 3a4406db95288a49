"""What a preset is made of: grids, and the Cases that follow.

A grid maps axes (fields of `Case`) to their values; what it leaves out keeps the default of `Case`. An `input_size` of
`HIDDEN` makes the input as wide as the hidden state.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from typing import Any

from bench.cases.case import FIELDS, Case

HIDDEN = "hidden"
Grid = dict[str, tuple[Any, ...]]
BOTH_MODES = ("inference", "training")

PASSES = 5
CASE_SECONDS = 0.3
"""A ratio then repeats to under 1 % within the process, well below the 2 to 3 % by which processes differ: time is
better spent on more passes than on longer ones."""


def powers(first: int, last: int) -> tuple[int, ...]:
    """first, 2 first, 4 first ... up to last."""
    return tuple(itertools.takewhile(lambda n: n <= last, (first * 2**k for k in itertools.count())))


@dataclasses.dataclass(frozen=True)
class Preset:
    """A name, what it is for and where its numbers come from, and its grids.

    `passes` is how many a run of it takes unless told otherwise, `case_seconds` the length aimed at for a Case in one
    of them; `implementations` are those that it is about.
    """

    name: str
    about: str
    grids: tuple[Grid, ...]
    passes: int = PASSES
    case_seconds: float = CASE_SECONDS
    implementations: str = "default"

    def cases(self, device: str, overrides: Grid | None = None) -> list[Case]:
        """Its Cases on a device, with some axes replaced; sorted, each once."""
        found: set[Case] = set()
        for grid in self.grids:
            found.update(_expand({"input_size": (HIDDEN,)} | grid | (overrides or {}) | {"device": (device,)}))
        return sorted(found)


Build = Callable[[], Iterable[Grid]]


def register(presets: dict[str, Preset], build: Build, **fields: Any) -> Build:
    """Put the preset that a function describes among these, under the function's name with dashes."""
    name = build.__name__.replace("_", "-")
    about = " ".join((build.__doc__ or "").split())
    presets[name] = Preset(name, about, tuple(build()), **fields)
    return build


def _expand(grid: Grid) -> Iterable[Case]:
    """Every combination of a grid's values as a Case."""
    if unknown := set(grid) - set(FIELDS):
        raise ValueError(f"unknown axis {', '.join(sorted(unknown))}; known are {', '.join(FIELDS)}")
    for values in itertools.product(*grid.values()):
        fields = dict(zip(grid, values, strict=True))
        if fields["input_size"] == HIDDEN:
            fields["input_size"] = fields.get("hidden_size", Case.hidden_size)
        yield Case(**fields)
