"""The law of one implementation: time = fixed + steps x (per step + per product x products of a step).

Three numbers say what a call costs before its first step, what a step costs whatever its size, and what a multiply-add
costs. A run has a law for each implementation in each setting (`laws`), with intervals and errors.

The unit of replication is the pass, as everywhere: each pass has a law of its own, and intervals are over passes. They
say how well the three numbers are known, not how well the law holds; that, cells tell that were held out of its fit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from bench.cases.case import FIELDS, Case
from bench.store.manifest import Manifest
from bench.table.measured import pass_seconds
from bench.table.reading import Run
from bench.table.stats import Estimate, interval_of_mean
from bench.why.work import Counted, layers_of

PARTS = ("fixed", "per_step", "per_product")

LEAST_CELLS = len(PARTS) + 1
"""Fewer leave nothing to hold out."""

TRUSTED = 0.15
"""The median error on held-out cells beyond which a law is shown, but nothing follows from it."""

Floats = NDArray[np.float64]


class Point(NamedTuple):
    """A cell as the law sees it: its sizes, and the multiply-adds of one step of its forward pass."""

    hidden_size: int
    input_size: int
    steps: int
    products: int


class Law(NamedTuple):
    """Seconds: `fixed` for a call, `per_step` for a step, `per_product` for a multiply-add of the forward pass.

    In training the time of a product holds what the backward pass adds to it.
    """

    fixed: float
    per_step: float
    per_product: float

    def seconds(self, point: Point) -> float:
        """The time of a call."""
        return self.fixed + point.steps * (self.per_step + self.per_product * point.products)


def point_of(case: Case, counted: Counted = None) -> Point:
    """A Case as the law sees it.

    Multiply-adds of a step: B times the products of each layer (`bench.why.work.layers_of`), B x H x O in the head.
    Raises NoFloor where those of the network are not known.
    """
    products = sum(map(sum, layers_of(case, counted))) + case.hidden_size * case.output_size
    return Point(case.hidden_size, case.input_size, case.seq_len, case.batch_size * products)


def counted_like(manifest: Manifest, case: Case) -> Counted:
    """Products that were counted of a case with the same network and layers, whose steps have the same operations."""
    alike = ("network", "input_size", "hidden_size", "num_layers")
    for record in manifest.cells:
        measured = Case.parse(record.case)
        if record.products and all(getattr(measured, name) == getattr(case, name) for name in alike):
            return record.products
    return None


def why_not(points: Sequence[Point]) -> str:
    """Why these points give no law that can be tested on one that it has not seen; empty if they do."""
    if len(points) < LEAST_CELLS:
        return f"three numbers and a cell to test them on need {LEAST_CELLS} cells"
    if len({point.steps for point in points}) < 2:
        return "with one length of sequence, the cost of a call can't be told from that of its steps"
    if len({point.products for point in points}) < 2:
        return "with one size of product, the cost of a step can't be told from that of its products"
    if not all(determined(but(points, k)) for k in range(len(points))):
        return "with one of the cells held out, the others do not determine the three numbers"
    return ""


def determined(points: Sequence[Point]) -> bool:
    """Whether times at these points determine the three parts."""
    if len(points) < len(PARTS):
        return False
    columns = _columns(points)
    return int(np.linalg.matrix_rank(columns / np.linalg.norm(columns, axis=0))) == len(PARTS)


def but(points: Sequence[Point], k: int) -> list[Point]:
    """All points but the k-th."""
    return [*points[:k], *points[k + 1 :]]


def fit(points: Iterable[Point], seconds: Floats) -> Law:
    """The law with the least squares of the errors, each relative to the time of its point, and no part below zero.

    C. L. Lawson and R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23: NNLS.
    """
    columns = _columns(points) / seconds[:, None]
    scale = np.linalg.norm(columns, axis=0)  # the parts are microseconds and picoseconds
    found, _ = nnls(columns / scale, np.ones_like(seconds))
    return Law(*(found / scale).tolist())


def _columns(points: Iterable[Point]) -> Floats:
    """What each part is multiplied by, one row a point."""
    return np.array([(1.0, point.steps, float(point.steps) * point.products) for point in points])


SETTING = tuple(name for name in FIELDS if name not in ("input_size", "hidden_size", "seq_len"))
"""What one law holds for. The batch is among them although its size counts in the products: at batch 1 each weight is
read for a single multiply-add, in a larger batch for many, so that a product has another price."""


@dataclass(frozen=True, eq=False)
class Fit:
    """The law of one implementation in one setting, the fields SETTING of Case.

    `seconds` has one row for each pass that measured every point, one column for each point; `laws` are those of the
    passes, `without` those fitted to all points but one.
    """

    implementation: str
    setting: Mapping[str, Any]
    points: tuple[Point, ...]
    passes: tuple[int, ...]
    seconds: Floats
    laws: tuple[Law, ...]
    without: Mapping[Point, tuple[Law, ...]]

    @cached_property
    def parts(self) -> dict[str, Estimate]:
        """The mean over passes of each of PARTS, with Student's interval cut off at 0, which none can be below."""
        means = [interval_of_mean(values) for values in zip(*self.laws, strict=True)]
        kept = [replace(mean, low=float(np.maximum(mean.low, 0.0))) for mean in means]
        return dict(zip(PARTS, kept, strict=True))

    @cached_property
    def errors(self) -> Floats:
        """By how much of its time each point is missed by the laws without it: 0.1 is 10 % too much."""
        told = [np.mean([law.seconds(point) for law in self.without[point]]) for point in self.points]
        return np.array(told) / _means(self.seconds) - 1

    @property
    def held_out_error(self) -> float:
        """Median over points of the size of `errors`."""
        return float(np.median(np.abs(self.errors)))

    @property
    def trusted(self) -> bool:
        """Whether crossovers and predictions may rest on it: it has intervals, and holds."""
        return len(self.passes) > 1 and self.held_out_error <= TRUSTED

    @property
    def worst(self) -> tuple[Point, float]:
        """The point missed by most, and its error."""
        k = int(np.argmax(np.abs(self.errors)))
        return self.points[k], float(self.errors[k])

    def beyond(self, size: Callable[[Point], int]) -> float:
        """Median error on the points of the greatest size, fitted to the others alone: what extrapolating costs.

        NaN where the others do not determine a law.
        """
        last = max(map(size, self.points))
        seen = [k for k, point in enumerate(self.points) if size(point) < last]
        if not determined([self.points[k] for k in seen]):
            return float("nan")
        times = _means(self.seconds)
        law = fit([self.points[k] for k in seen], times[seen])
        unseen = [k for k in range(len(times)) if k not in seen]
        return float(np.median([abs(law.seconds(self.points[k]) / times[k] - 1) for k in unseen]))


class Unfitted(NamedTuple):
    """An implementation without a law in a setting, of how many cells, and why."""

    implementation: str
    setting: Mapping[str, Any]
    cells: int
    reason: str


class Laws(NamedTuple):
    """Every law that a run's cells allow, and the rest with reasons."""

    fits: list[Fit]
    unfitted: list[Unfitted]

    def of(self, setting: Mapping[str, Any]) -> Laws:
        """Those of one setting."""
        return Laws(
            [each for each in self.fits if each.setting == setting],
            [each for each in self.unfitted if each.setting == setting],
        )


def laws(run: Run, cases: Collection[str] | None = None) -> Laws:
    """The laws of a run, or of some of its Cases, in the order of its cells."""
    groups: dict[tuple[Any, ...], dict[Point, pd.Series]] = {}
    counted = {record.case: record.products for record in run.manifest.cells if record.products}
    for (name, implementation), seconds in pass_seconds(run, cases).items():
        case = Case.parse(name)
        key = (implementation, *(getattr(case, field) for field in SETTING))
        groups.setdefault(key, {})[point_of(case, counted.get(name))] = seconds
    found = Laws([], [])
    for (implementation, *values), columns in groups.items():
        setting = dict(zip(SETTING, values, strict=True))
        whole = pd.concat(list(columns.values()), axis=1, keys=range(len(columns))).dropna().sort_index()
        if reason := why_not(list(columns)) or ("" if len(whole) else "no pass measured all of them"):
            found.unfitted.append(Unfitted(implementation, setting, len(columns), reason))
        else:
            found.fits.append(fit_law(implementation, setting, tuple(columns), whole))
    return found


def fit_law(implementation: str, setting: Mapping[str, Any], points: tuple[Point, ...], times: pd.DataFrame) -> Fit:
    """The laws of these points, from seconds by pass (rows, by number) and point (columns)."""
    seconds = times.to_numpy(float)
    without = {
        point: tuple(fit(but(points, k), row) for row in np.delete(seconds, k, axis=1))
        for k, point in enumerate(points)
    }
    by_pass = tuple(fit(points, row) for row in seconds)
    return Fit(implementation, setting, points, tuple(times.index), seconds, by_pass, without)


def _means(seconds: Floats) -> Floats:
    """The geometric mean over passes, as in the table of cells."""
    means: Floats = np.exp(np.log(seconds).mean(axis=0))
    return means
