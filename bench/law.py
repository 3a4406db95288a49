"""The law of one way: time = fixed + steps x (per step + per product x products of a step), and how it is fitted.

Three numbers say what a call costs before its first step, what a step costs whatever its size, and what a multiply-add
costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bench.cases import Case

PARTS = ("fixed", "per_step", "per_product")

LEAST_CELLS = len(PARTS) + 1
"""Fewer leave nothing to hold out."""

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


def point_of(case: Case) -> Point:
    """A Case as the law sees it.

    Multiply-adds of a step: B x H x (I + H) in the first layer, B x H x 2H in each other, B x H x O in the head.
    """
    others = (case.num_layers - 1) * 2 * case.hidden_size
    width = case.input_size + case.hidden_size + others + case.output_size
    return Point(case.hidden_size, case.input_size, case.seq_len, case.batch_size * case.hidden_size * width)


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
