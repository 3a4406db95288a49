"""What `compare` found: every sample, and the estimates that are made of them; saved and loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bench.functions import shown
from bench.store.files import BrokenFile, read_json, take, write_json
from bench.table.comparison import EstimateWarning, compare, joined, standings
from bench.table.leader import against_the_leader
from bench.table.observation import by_pass, with_counted
from bench.table.qualified import of_samples
from bench.table.sampled import Sampled
from bench.table.stats import Estimate, interval_of_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = 1

_OWN = ("seconds", "event_seconds", "waited_seconds", "switches")
_CONTROLS = ("seconds", "waited_seconds", "switches")
COLUMNS = ("case", "pass", "implementation", "round", "calls", *_OWN, *(f"control_{name}" for name in _CONTROLS))


def rows_of(found: Iterable[tuple[int, Mapping[str, Any]]]) -> pd.DataFrame:
    """A row for each block: `case` (which size, as a number in text), pass, implementation (the function's name),
    round, calls; seconds of a call by the clock and by the device's events, of its waiting, and switches of the block,
    and the same of the control's block of that round. What is not known is NaN."""
    frames = []
    for number, event in found:
        control = event["control"]
        for name, own in event["samples"].items():
            count = len(own["seconds"])
            columns = {
                "case": str(event["size"]), "pass": number, "implementation": name, "round": range(count),
                "calls": own["calls"],
            }  # fmt: skip
            columns |= {key: own[key] or np.nan for key in _OWN}
            columns |= {f"control_{key}": control[key] or np.nan for key in _CONTROLS}
            frames.append(pd.DataFrame(columns))
    frame = pd.concat(frames, ignore_index=True)[list(COLUMNS)]
    return frame.sort_values(["case", "implementation", "pass", "round"], kind="stable", ignore_index=True)


@dataclass(frozen=True, eq=False)
class Result:
    """What `compare` found of `functions` at `sizes`; one size that is None where there are none.

    `samples` has a row for each block (`rows_of`). `passes` is how many there are, `warnings` what qualifies all of
    it, `reason` why it was measured within one process, empty where it was not, `machine` where it was
    (`bench.host.machine.describe`). It prints as a table.
    """

    functions: tuple[str, ...]
    baseline: str
    sizes: tuple[Any, ...]
    samples: pd.DataFrame
    passes: int
    warnings: tuple[EstimateWarning, ...] = ()
    reason: str = ""
    machine: Mapping[str, Any] | None = None

    def to_frame(self) -> pd.DataFrame:
        """A row for each size and function: size, function; seconds of a call, and speedup, the baseline's time over
        its own from the same rounds, each with _low and _high, the ends of the 95 % interval over passes (NaN from
        fewer than two); standing (`fastest`, `tie`, `undecided`, `slower`); passes; rounds of all passes; warnings, a
        tuple of kinds and values."""
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        counted = with_counted(self.samples)
        sampled = Sampled(counted)
        qualified = dict(zip(sampled.cells, of_samples(sampled, self.passes), strict=True))
        rows = []
        for number, size in enumerate(self.sizes):
            of_size = counted[counted["case"] == str(number)]
            there = {name: of_size[of_size["implementation"] == name] for name in self.functions}
            standing = standings(against_the_leader(str(number), there, self.passes))
            for name, samples in there.items():
                logs = by_pass(samples.assign(unit=1.0), "counted", "unit")
                seconds = interval_of_ratio(logs["log"].tolist(), self.passes, errors=logs["error"].tolist())
                ratio = Estimate(1.0, 1.0, 1.0, self.passes)
                if name != self.baseline:
                    ratio = compare(str(number), name, self.baseline, there, self.passes).ratio
                row = {"size": size, "function": name, **_ends("seconds", seconds), **_ends("speedup", ratio)}
                row |= {"standing": standing.get(name, ""), "passes": seconds.passes, "rounds": len(samples)}
                row["warnings"] = joined(self.warnings, qualified[str(number), name])
                rows.append(row)
        return pd.DataFrame(rows)

    def to_markdown(self) -> str:
        """The table for a README or a pull request."""
        return shown.markdown(self._frame, self.baseline)

    def to_latex(self) -> str:
        """The table for a paper; needs the package booktabs there."""
        return shown.latex(self._frame, self.baseline)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Speed-ups over the baseline by size, with their intervals; on `ax` where one is given."""
        return shown.plot(self._frame, self.baseline, ax)

    def __str__(self) -> str:
        return shown.text(self._frame, self.baseline, self.reason)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return shown.html(self._frame, self.baseline, self.reason)

    def save(self, path: str | Path) -> None:
        """Write all of it as JSON, unrounded, whole or not at all. Raises OSError, and ValueError for sizes that JSON
        has no word for."""
        blocks = self.samples.astype(object).where(self.samples.notna(), None)
        content = {
            "schema": SCHEMA,
            "functions": list(self.functions),
            "baseline": self.baseline,
            "sizes": list(self.sizes),
            "passes": self.passes,
            "warnings": [warning.as_dict() for warning in self.warnings],
            "reason": self.reason,
            "machine": dict(self.machine or {}),
            "samples": {name: blocks[name].tolist() for name in COLUMNS},
        }
        try:
            write_json(Path(path), content)
        except TypeError as error:
            raise ValueError(f"{path}: sizes can't be saved: {error}") from None


def load(path: str | Path) -> Result:
    """What `Result.save` wrote. Raises BrokenFile naming file and field."""
    path = Path(path)
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    functions, sizes = (take(content, path, name, list) for name in ("functions", "sizes"))
    baseline, passes = take(content, path, "baseline", str), take(content, path, "passes", int)
    columns = take(content, path, "samples", dict)
    try:
        samples = pd.DataFrame({name: columns[name] for name in COLUMNS})
        numbers = [name for name in COLUMNS if name not in ("case", "pass", "implementation", "round", "calls")]
        samples[numbers] = samples[numbers].astype(float)
        warnings = tuple(EstimateWarning(**each) for each in take(content, path, "warnings", list))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenFile(f"{path}: the field samples or warnings is not as expected: {error}") from None
    if baseline not in functions or set(samples["implementation"]) != set(functions):
        raise BrokenFile(f"{path}: the field samples is not of the functions {', '.join(map(str, functions))}")
    told = tuple(tuple(size) if isinstance(size, list) else size for size in sizes)
    reason, machine = take(content, path, "reason", str), take(content, path, "machine", dict)
    return Result(tuple(functions), baseline, told, samples, passes, warnings, reason, machine)


def _ends(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
