"""What the cells of an outcome are called."""

from __future__ import annotations

from collections.abc import Iterable

from bench.cases.case import FIELDS, Case, Cell
from bench.report.names import axis_value, phrase, short_names


class Labels:
    """What cells are called: the implementation's short name, and what sets its case apart from the others."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        found = list(cells)
        self._short = short_names(name for _, name in found)
        cases = [Case.parse(case) for case, _ in found]
        others = ("hidden_size", "seq_len", "input_size")
        varying = [axis for axis in FIELDS if axis not in others and len({getattr(c, axis) for c in cases}) > 1]
        fixed_input = any(case.input_size != case.hidden_size for case in cases)
        self._axes = ["hidden_size", "seq_len", *(["input_size"] if fixed_input else []), *varying]

    def case(self, cell: Cell) -> str:
        """`hidden 64, 16 steps`."""
        case = Case.parse(cell[0])
        return ", ".join(axis_value(axis, getattr(case, axis)) for axis in self._axes)

    def implementation(self, cell: Cell) -> str:
        """`manual`."""
        return self._short[cell[1]]

    def whole(self, cell: Cell) -> str:
        """`manual` in code type, `at hidden 64, 16 steps`."""
        return f"{phrase(cell[1], self._short)} at {self.case(cell)}"
