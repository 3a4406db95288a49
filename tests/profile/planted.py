"""Implementations whose cost is known, and traces of a device that is not here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.why.profile.trace import WINDOW, Window, windows
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.manual import Manual
from rnn_impls.whole import Whole

HERE = "tests/profile/planted.py:"
"""Before the name of a class of this file, where an implementation is asked for."""

SPARE_BYTES = 4 * 5000


class More(Manual):
    """the cell written by hand, with some operators more in each step"""

    extra: ClassVar[int] = 0

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Manual's loop; each state is compared with itself so many times, which leaves it as it is."""
        states, outputs = list(hidden.unbind(0)), []
        for current_input in inputs.unbind(0):
            below = current_input
            for layer, cell in enumerate(self.layers):
                output, states[layer] = cell(below, states[layer])
                for _ in range(self.extra):
                    states[layer] = torch.minimum(states[layer], states[layer])
                below = states[layer]
            outputs.append(output)
        return torch.stack(outputs), torch.stack(states)


class OneMore(More):
    """one operator more in each step"""

    extra = 1


class FiveMore(More):
    """five operators more in each step"""

    extra = 5


class CopiesMore(Manual):
    """the cell written by hand, which also copies SPARE_BYTES in each call"""

    spare: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.register_buffer("spare", torch.zeros(SPARE_BYTES // 4))

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Copy, then do what Manual does."""
        self.spare.clone()
        return super().forward(inputs, hidden)


class Products(Whole):
    """a large matrix product in each call, and nothing else of weight; it grows with the hidden size"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.register_buffer("matrix", torch.ones(8 * shape.hidden_size, 8 * shape.hidden_size))

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply; the results are the hidden state's, as if it stayed where it is."""
        torch.mm(self.matrix, self.matrix)  # type: ignore[arg-type] # a buffer
        return hidden, hidden


class RefusesSmall(Whole):
    """runs no network below 32 hidden units, so that it has no twin"""

    least: ClassVar[int] = 32

    def __init__(self, shape: NetworkShape) -> None:
        if shape.hidden_size < self.least:
            raise Unavailable(f"made for {self.least} hidden units and more")
        super().__init__(shape)


class RefusesOne(RefusesSmall):
    """runs no network below 16 hidden units, so that its twin has as many"""

    least = 16


class Trace:
    """Trace events as torch's profiler writes them; all times are microseconds, bytes are bytes."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = [{"ph": "M", "name": "process_name", "ts": 0, "args": {"name": "python"}}]

    def window(self, label: str, start: float, length: float, thread: int = 1) -> Trace:
        """Mark a stretch."""
        return self._add("user_annotation", WINDOW + label, start, length, thread)

    def operator(self, name: str, start: float, length: float, thread: int = 1, **args: Any) -> Trace:
        """An operator on the host; `id` is its external id, `dims` and `types` are those of its arguments."""
        names = {"id": "External id", "dims": "Input Dims", "types": "Input type"}
        return self._add("cpu_op", name, start, length, thread, **{names[key]: value for key, value in args.items()})

    def python(self, name: str, start: float, length: float) -> Trace:
        """A function of Python's."""
        return self._add("python_function", name, start, length, 1)

    def kernel(self, name: str, start: float, length: float, by: int | None = None, cat: str = "kernel") -> Trace:
        """Something that the device does, launched by the operator with this external id."""
        return self._add(cat, name, start, length, 7, **({} if by is None else {"External id": by}))

    def memory(self, at: float, change: int, device: int = 0) -> Trace:
        """Bytes taken, or given back, on the host (0) or on CUDA (1)."""
        args = {"Bytes": change, "Device Type": device}
        self.events.append({"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "ts": at, "args": args})
        return self

    def read(self, python: bool = False) -> list[Window]:
        """The windows of the trace."""
        return windows(self.events, python)

    def one(self) -> Window:
        """Its only window."""
        (window,) = self.read()
        return window

    def write(self, path: Path) -> Path:
        """Write it as a file."""
        path.write_text(json.dumps({"schemaVersion": 1, "traceEvents": self.events}))
        return path

    def _add(self, cat: str, name: str, start: float, length: float, thread: int, **args: Any) -> Trace:
        event = {"ph": "X", "cat": cat, "name": name, "pid": 1, "tid": thread, "ts": start, "dur": length, "args": args}
        self.events.append(event)
        return self
