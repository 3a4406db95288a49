"""denormals.json: what it holds, written and read; nothing here needs torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.store.files import BrokenFile, read_json, take, write_json

SCHEMA = 1
"""Of denormals.json; raised when its fields change."""


@dataclass(frozen=True)
class Count:
    """Of the gradient of a Case's loss with respect to its inputs, the shares of denormal numbers and of zeros among
    all; and the least and greatest number of steps back at which a hundredth or more are denormal, None where none."""

    case: str
    share: float
    zeros: float
    first: int | None = None
    last: int | None = None


@dataclass
class Flushing:
    """One cell as it is and with denormals flushed: seconds of a backward pass and of a whole training call, medians of
    each process, as pairs (as it is, flushed); and its largest relative error when they are flushed. `reason` says why
    there are none."""

    case: str
    implementation: str
    backward: list[list[float]] = field(default_factory=list)
    call: list[list[float]] = field(default_factory=list)
    parity_error: float | None = None
    reason: str = ""

    @property
    def cell(self) -> Cell:
        """Whose it is."""
        return self.case, self.implementation


@dataclass
class Denormals:
    """All of it; `missing` says why there is nothing, if so."""

    counts: list[Count] = field(default_factory=list)
    flushing: list[Flushing] = field(default_factory=list)
    missing: str = ""


def write(path: Path, found: Denormals) -> None:
    """Write it. Raises OSError."""
    write_json(path, {"schema": SCHEMA} | dataclasses.asdict(found))


def read(path: Path) -> Denormals:
    """Read it. Raises BrokenFile naming file and field."""
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    try:
        counts = [Count(**each) for each in take(content, path, "counts", list)]
        flushing = [Flushing(**each) for each in take(content, path, "flushing", list)]
        for case in [*(each.case for each in counts), *(each.case for each in flushing)]:
            Case.parse(case)
    except (TypeError, ValueError) as error:
        raise BrokenFile(f"{path}: the field counts or flushing is not as expected: {error}") from None
    for each in flushing:
        if not all(map(_times, (*each.backward, *each.call))):
            raise BrokenFile(f"{path}: the field flushing has no pairs of times for {each.implementation}")
    return Denormals(counts, flushing, take(content, path, "missing", str))


def _times(pair: Any) -> bool:
    """Whether this is a pair of times."""
    return len(pair) == 2 and all(type(each) is float and math.isfinite(each) and each > 0 for each in pair)
