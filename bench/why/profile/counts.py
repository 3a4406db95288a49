"""Operators, bytes and operations of a traced call, from the shapes that the profiler recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.why.profile.trace import ALLOCATION, COPY, PRODUCT, VIEW, Event, Window, counted, is_node

_ITEM_BYTES = {"float": 4, "double": 8, "c10::BFloat16": 2, "c10::Half": 2, "long int": 8, "long": 8, "int": 4,
               "bool": 1, "unsigned char": 1, "signed char": 1}  # fmt: skip
_FLOATS = ("float", "double", "c10::BFloat16", "c10::Half")
_OVERWRITES = ("aten::copy_", "aten::fill_", "aten::zero_", "aten::_foreach_copy_", "aten::_foreach_zero_")
"""Their first tensor is written and not read, and there is no other result."""


@dataclass
class Product:
    """Alike products: how many, operations of one, bytes of its operands and its result."""

    count: int
    operations: float
    bytes: int


@dataclass
class Counts:
    """What one traced call did.

    `operators` computed or moved data, by name in `by_name`; `views` only made another view of a tensor; `nodes` are
    autograd's. Bytes: `copied` to another place, `touched` by element-wise operators and copies (read and written),
    `allocated` in all and `peak` at once beyond what was there before.
    """

    operators: int = 0
    views: int = 0
    allocations: int = 0
    nodes: int = 0
    kernels: int = 0
    copied_bytes: int = 0
    touched_bytes: int = 0
    allocated_bytes: int = 0
    peak_bytes: int = 0
    by_name: dict[str, int] = field(default_factory=dict)
    products: list[Product] = field(default_factory=list)

    @property
    def product_operations(self) -> float:
        """Operations in products whose shapes are known."""
        return sum(product.count * product.operations for product in self.products)


def count(window: Window) -> Counts:
    """Count what happened in a window of one call."""
    found, names, products = Counts(kernels=len(window.device)), Counter[str](), Counter[tuple[float, int]]()
    item = _usual_item(window)
    for event in window.root.walk():
        found.nodes += is_node(event)
        found.views += event.kind == VIEW
        found.allocations += event.kind == ALLOCATION
        if not counted(event):
            continue
        found.operators += 1
        names[event.name.removeprefix("aten::")] += 1
        shapes = tensors(event, item)
        if event.kind == PRODUCT:
            operations, size = product(event.name, shapes)
            products[operations, size] += 1
        else:
            result = 0 if event.name in _OVERWRITES else max((size for _, size in shapes), default=0)
            found.touched_bytes += sum(size for _, size in shapes) + result
            if event.kind == COPY:
                found.copied_bytes += copied(event.name, shapes)
    found.by_name = dict(names.most_common())
    found.products = [Product(n, operations, size) for (operations, size), n in products.items() if operations]
    in_use = 0
    for change in window.allocations:
        found.allocated_bytes += max(0, change)
        in_use += change
        found.peak_bytes = max(found.peak_bytes, in_use)
    return found


Shape = tuple[int, ...]


def tensors(event: Event, item: int = 4) -> list[tuple[Shape, int]]:
    """Shape and bytes of each tensor among an operator's arguments; a list of tensors counts one by one.

    `item` is the bytes of one number in a list, of which the trace does not tell the dtype.
    """
    found: list[tuple[Shape, int]] = []
    dims, types = event.args.get("Input Dims", []), event.args.get("Input type", [])
    for shape, kind in zip(dims, types, strict=False):
        _add(found, shape, kind, item)
    return found


def _usual_item(window: Window) -> int:
    """Bytes of one number in most of the tensors of real numbers that a window's operators were given."""
    kinds = Counter(
        kind for event in window.root.walk() for kind in event.args.get("Input type", []) if kind in _FLOATS
    )
    return _ITEM_BYTES[kinds.most_common(1)[0][0]] if kinds else 4


def _add(found: list[tuple[Shape, int]], shape: Any, kind: Any, item: int) -> None:
    if not isinstance(shape, list) or kind in ("", "Scalar", "ScalarList"):
        return
    if shape and isinstance(shape[0], list):
        found += [(tuple(each), math.prod(each) * item) for each in shape]
    elif kind in _ITEM_BYTES:
        found.append((tuple(shape), math.prod(shape) * _ITEM_BYTES[kind]))


def copied(name: str, shapes: Sequence[tuple[Shape, int]]) -> int:
    """Bytes that an operator puts in another place: all of a list that is joined, else those of its first tensor."""
    if name in ("aten::cat", "aten::_cat"):
        return sum(size for _, size in shapes)
    return shapes[0][1] if shapes else 0


def product(name: str, shapes: Sequence[tuple[Shape, int]]) -> tuple[float, int]:
    """Operations of a product, and the bytes of its operands and result; 0 where its shapes don't tell.

    (n, k) by (k, m) are 2 n k m operations; a batch of those so many times as much; what is added first is not looked
    at.
    """
    name = name.removesuffix("_")
    with_sum = name in ("aten::addmm", "aten::baddbmm", "aten::addbmm", "aten::addmv", "aten::_addmm_activation")
    operands = shapes[1:3] if with_sum else shapes[:2]
    if len(operands) < 2 or name.startswith(("aten::_cudnn", "aten::mkldnn_rnn", "aten::cudnn", "aten::mkldnn_conv")):
        return 0.0, 0
    (one, first), (other, second) = operands
    if not one or not other or len(one) > 3 or len(other) > 3:
        return 0.0, 0
    batch = one[0] if len(one) == 3 else 1
    rows, inner = (one[-2], one[-1]) if len(one) > 1 else (1, one[0])
    columns = other[-1] if len(other) > 1 else 1
    item = first // max(1, math.prod(one))
    return 2.0 * batch * rows * inner * columns, first + second + batch * rows * columns * item
