"""gradients.json: what it holds of each network's norms, read and checked, and what its rows say in a few words.

Horizon, rate and what was lost are functions of arrays of norms, k = 0 first, the step back. The table is that of
`bench.why.gradients.setups.measure`; nothing here needs torch.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.store.files import BrokenFile, read_json, take

Norms = NDArray[np.float64]

SCHEMA = 1
"""Of gradients.json; raised when its fields change."""

DEFAULT = "default"
"""How a network begins that torch initialised, where others have their spectral radius."""

FACTOR = 1e3
"""A gradient that fell or grew by this factor has vanished or exploded: what comes from there counts a thousandth of
what comes from the last step, or drowns it."""

TINY = 2.0**-126
"""The smallest normal number of float32 and of bfloat16, whose exponents are the same (IEEE 754-2019, table 3.5)."""

VANISHES, EXPLODES, NEITHER = "vanishes", "explodes", "neither"


@dataclass(frozen=True)
class Horizon:
    """`steps` is the first k at which the norm has fallen or grown by FACTOR, None when there is none; `end` says
    which of the two it was."""

    steps: int | None
    end: str


def horizon(norms: Norms) -> Horizon:
    """The horizon of one network's norms (T + 1). A norm that is no number counts as grown: something overflowed."""
    fallen = (norms <= norms[0] / FACTOR) & np.isfinite(norms[0])
    grown = ~(norms / FACTOR < norms[0]) & ~fallen
    gone = np.flatnonzero(fallen | grown)
    if not len(gone):
        return Horizon(None, NEITHER)
    first = int(gone[0])
    return Horizon(first, VANISHES if fallen[first] else EXPLODES)


def longest_finite(norms: Norms) -> Norms:
    """Of one network's norms by length, shortest first, and k (L, T + 1): those of the longest length whose loss has a
    finite gradient at its own last step. Where the states of a long sequence overflow, this is how its gradients
    flowed while there were any. The shortest, when there is none."""
    finite = np.flatnonzero(np.isfinite(norms[:, 0]))
    chosen: Norms = norms[finite[-1] if len(finite) else 0]
    return chosen


def lost(norms: Norms) -> tuple[int, int]:
    """(underflows, overflows) among norms of any shape. Underflows are below TINY, where digits get lost, zeros among
    them (also those of a relu network none of whose units is active); overflows are infinities and NaN."""
    return int((norms < TINY).sum()), int((~np.isfinite(norms)).sum())


def rate(norms: Norms) -> float | None:
    """The factor by which one network's norm (T + 1) changes per step, over the later half of the steps before the
    first under- or overflow, where the first steps' transient is over. None where there are no two such norms."""
    usable = (norms >= TINY) & np.isfinite(norms)
    last = (len(norms) if usable.all() else int(np.argmin(usable))) - 1
    if last < 1:
        return None
    first = last // 2
    return float((norms[last] / norms[first]) ** (1 / (last - first)))


Row = dict[str, Any]

_NUMBER = (int, float, type(None))
_FIELDS = {"torch": str, "hidden_size": int, "seeds": list, "lengths": list, "factor": float, "quantiles": list,
           "steps": list, "setups": list, "theory": list}  # fmt: skip
_ROWS: dict[str, dict[str, Any]] = {
    "setups": {"nonlinearity": str, "dtype": str, "beginning": str, "radius": float, "horizons": list, "ends": list,
               "rates": list, "underflows": int, "overflows": int, "norms": int},
    "theory": {"beginning": str, "steps": int, "radius": float, "rate": _NUMBER, "largest_error": _NUMBER},
}  # fmt: skip
_SPREADS = {"steps_back": "steps", "last_state": "lengths", "first_input": "lengths"}
"""Curves of a setup, and the field that says at which steps or lengths their values are."""

_PARTS = ("median", "low", "high")


def read(path: Path) -> dict[str, Any]:
    """The content of a gradients.json. Raises BrokenFile naming the file and the field that is missing or wrong."""
    found = read_json(path)
    if take(found, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: the field schema is {found['schema']}; this version reads {SCHEMA}")
    for field, kind in _FIELDS.items():
        take(found, path, field, kind)
    for field, kind in {"seeds": int, "lengths": int, "steps": int, "quantiles": float}.items():
        if not found[field] or any(type(value) is not kind for value in found[field]):
            raise BrokenFile(f"{path}: the field {field} does not hold numbers, each {kind.__name__}")
    for field, kinds in _ROWS.items():
        numbered = {field: {str(number): row for number, row in enumerate(found[field])}}
        for number in numbered[field]:
            for name, wanted in kinds.items():
                take(numbered, path, f"{field}.{number}.{name}", wanted)
            if field == "setups":
                _check_setup(found, numbered, path, f"setups.{number}")
    if not any(_key(row) == ("tanh", "float32", DEFAULT) for row in found["setups"]):
        raise BrokenFile(f"{path}: the field setups has no row of tanh, float32 and the {DEFAULT} initialisation")
    return found


def _check_setup(found: dict[str, Any], numbered: dict[str, Any], path: Path, place: str) -> None:
    """Every list of a setup holds as many numbers as it should, and horizons are where the ends say so."""
    counts = {f"{name}.{part}": len(found[over]) for name, over in _SPREADS.items() for part in _PARTS}
    counts |= {name: len(found["seeds"]) for name in ("horizons", "rates")}
    for field, count in counts.items():
        values = take(numbered, path, f"{place}.{field}", list)
        if len(values) != count or any(value is not None and type(value) not in (int, float) for value in values):
            raise BrokenFile(f"{path}: the field {place}.{field} does not hold {count} numbers")
    horizons, ends = (take(numbered, path, f"{place}.{name}", list) for name in ("horizons", "ends"))
    if len(ends) != len(horizons) or any(
        name not in ((NEITHER,) if steps is None else (VANISHES, EXPLODES))
        for steps, name in zip(horizons, ends, strict=True)
    ):
        raise BrokenFile(f"{path}: the field {place}.ends does not say for each seed how its gradient ends")


def _key(row: Row) -> tuple[Any, Any, Any]:
    return row["nonlinearity"], row["dtype"], row["beginning"]


def setups(found: dict[str, Any], nonlinearity: str, dtype: str) -> dict[str, Row]:
    """Beginning -> its row, torch's initialisation first and then by rising radius; {} where none was measured."""
    rows = [row for row in found["setups"] if _key(row)[:2] == (nonlinearity, dtype)]
    rows.sort(key=lambda row: (row["beginning"] != DEFAULT, row["radius"]))
    return {row["beginning"]: row for row in rows}


def counted_seeds(found: dict[str, Any]) -> str:
    """`16 seeds`."""
    count = len(found["seeds"])
    return f"{count} seed{'' if count == 1 else 's'}"


def end(row: Row) -> str:
    """How the gradients of most seeds end."""
    return str(statistics.mode(row["ends"]))


def span(row: Row) -> tuple[int, int, int]:
    """Lowest, median and highest horizon, in steps, of the seeds that end as most do; only for rows that do end.

    The median of an even number is the upper one: by then, half of the seeds have ended.
    """
    steps = [k for k, ends in zip(row["horizons"], row["ends"], strict=True) if ends == end(row)]
    return min(steps), statistics.median_high(steps), max(steps)
