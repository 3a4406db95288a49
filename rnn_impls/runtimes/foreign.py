"""What implementations by another runtime share."""

from __future__ import annotations

import importlib
import re
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnn_impls.importing import in_a_line
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.networks import BUILTIN
from rnn_impls.states import State, tensors
from rnn_impls.weights import Plain

Array = NDArray[np.float32]

TASKS = Path("/proc/self/task")


class Foreign(Plain):
    """A network whose weights are torch's and whose calls are not: `prepare` hands the weights over, once.

    Subclasses say in `requires` which packages they need and from which version on, make in `compile` what is called,
    and run the whole network, with its head, in `forward`. What they return is nobody else's, and can be written to.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    networks: ClassVar[tuple[str, ...]] = tuple(BUILTIN)
    requires: ClassVar[dict[str, str]] = {}
    """Package -> the least version that is known to work."""
    extra: ClassVar[str] = ""
    """The optional dependency of this suite that installs them."""
    own_allocator: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    copies: ClassVar[tuple[str, ...]] = ()
    """What a call copies at the boundary with torch, beside its work: `states`, the ones given; `results`."""

    threads_started: int | None = None
    """Threads that came with importing the runtime and making the first call ready, the most seen in this process; None
    where the system doesn't tell."""
    copied_bytes: int = 0
    """Bytes that a call copies at the boundary; that is part of its time."""

    def __init__(self, shape: NetworkShape) -> None:
        start = time.perf_counter()
        super().__init__(shape)
        self.adapted_seconds = time.perf_counter() - start  # importing a runtime is no part of building a network
        self._before = threads()
        self.packages = {name: package(name, least, self.extra) for name, least in self.requires.items()}

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Hand the weights over, and make the call ready for inputs of this shape. Raises Unavailable."""
        if self.training and not self.trains:
            raise Unavailable(f"{self.extra} runs inference alone")
        if inputs.dtype != torch.float32:
            raise Unavailable("made for float32")
        try:
            self.compile(inputs, hidden)
        except self.refusals() as error:
            raise Unavailable(f"{self.extra} refuses the network: {in_a_line(error)}") from error
        with torch.set_grad_enabled(self.training):
            outputs, last = self(inputs, hidden)  # some start their threads, or compile, at the first call
        self.threads_started = self._started()
        crossing = {"states": tensors(hidden), "results": (outputs, *tensors(last))}
        self.copied_bytes = sum(each.nbytes for name in self.copies for each in crossing[name])
        self.chosen = f"{self.name_of_runtime()}, {_told(self.threads_started)}, {_copied(self.copied_bytes)}"

    def name_of_runtime(self) -> str:
        """`onnxruntime 1.32.0`: the package that runs the network, and its version."""
        return f"{self.extra} {version(self.extra)}"

    def refusals(self) -> tuple[type[Exception], ...]:
        """What `compile` raises where the runtime does not take the network."""
        return ()

    def _started(self) -> int | None:
        now = threads()
        if now is None or self._before is None:
            return None
        _most_started[self.extra] = max(now - self._before, _most_started.get(self.extra, 0))
        return _most_started[self.extra]

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Build what `forward` calls, for inputs (T, B, I) and hidden (L, B, H)."""
        raise NotImplementedError

    def matrices(self) -> list[list[Array]]:
        """For each layer and direction W_ih (G H, I), W_hh (G H, H), b_ih and b_hh (G H). Where only their sum counts,
        b_hh is zeros."""
        found = []
        for layer in range(len(self.shape.layer_inputs())):
            own = [array(parameter) for parameter in self.own(layer)]
            found.append(own if len(own) == 4 else [*own, np.zeros_like(own[2])])
        return found


_most_started: dict[str, int] = {}
"""By the extra that installs a runtime. A second object of one mostly finds the threads that the first has started."""


def package(name: str, least: str, extra: str) -> ModuleType:
    """An installed package. Raises Unavailable saying how to install it, or what is wrong with it."""
    install = f"pip install 'rnn-bench[{extra}]'"
    try:
        found = version(name)
    except PackageNotFoundError:
        raise Unavailable(f"{name} is not installed: {install}") from None
    if _numbers(found) < _numbers(least):
        raise Unavailable(f"{name} {found} is too old, it needs {least} or newer: {install}")
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # an extension may raise anything where it was built for another machine
        raise Unavailable(f"{name} {found} can't be imported: {in_a_line(error)}") from error


def _numbers(text: str) -> tuple[int, ...]:
    """`1.32.0rc1` -> (1, 32, 0)."""
    return tuple(int(found[0]) if (found := re.match(r"\d+", part)) else 0 for part in text.split(".")[:3])


def array(tensor: Tensor) -> Array:
    """A tensor as an array in the same memory."""
    found: Array = tensor.detach().contiguous().numpy()
    return found


def arrays(state: State) -> list[Array]:
    """The tensors of a state as arrays."""
    return [array(each) for each in tensors(state)]


def threads() -> int | None:
    """Threads of this process; None where the system doesn't tell."""
    return sum(1 for _ in TASKS.iterdir()) if TASKS.is_dir() else None


def flushes_denormals() -> bool:
    """Whether this thread takes numbers too small for a full mantissa for zeros, as torch can be told to."""
    least = 5e-324
    return least * float(1) == 0.0


def _copied(count: int) -> str:
    return f"{count:,} bytes copied a call" if count else "nothing copied"


def _told(started: int | None) -> str:
    if started is None:
        return "threads not known"
    return f"{started} thread{'' if started == 1 else 's'} of its own"
