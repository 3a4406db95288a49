"""What the CPU does at most, by loops of our own in C++: `probes.cpp`, beside this file, has them.

torch's operators come with calls, packing and their makers' choices: MKL leaves half of some CPUs' vector units idle,
and a sum reads a cache at half of its rate. A bound that rests on them alone is beaten by whoever does better.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch

from rnn_impls.building import built

SOURCE = Path(__file__).with_name("probes.cpp")
ROUNDS, ADDITIONS = 10_000, 100_000
"""Of one call: 30 µs and more, beside which calling it costs nothing."""
READ_AT_LEAST = 2**22
"""Bytes of one call, for the same reason: what is smaller is read again and again."""
LINE = 64
"""Bytes of the widest vector: where it is aligned it never takes two lines of a cache."""

_SIZE, _COUNT = ctypes.c_int64, ctypes.c_int


class Probes:
    """The loops, each as a call to be timed, with how much it does."""

    def __init__(self, path: Path) -> None:
        """`path` is the library's."""
        self._library = ctypes.CDLL(str(path))
        for name, arguments in {
            "multiply_float32": (_SIZE, _COUNT),
            "multiply_float64": (_SIZE, _COUNT),
            "read": (ctypes.c_void_p, _SIZE, _SIZE, _COUNT),
            "add": (_SIZE, ctypes.c_float),
        }.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, None

    def products(self, dtype: str, threads: int) -> tuple[Callable[[], None], float] | None:
        """Multiply-adds in registers, and the operations of all threads; None for a dtype that has no loop."""
        if dtype not in ("float32", "float64"):
            return None
        call = partial(getattr(self._library, f"multiply_{dtype}"), ROUNDS, threads)
        return call, 2.0 * ROUNDS * threads * getattr(self._library, f"products_{dtype}")()

    def reading(self, count: int, threads: int) -> tuple[Callable[[], None], float]:
        """Reading so many bytes, again and again, each thread a part of its own; and the bytes read in all."""
        step = LINE * 8 * threads
        floats, times = count // step * step // 4, max(1, READ_AT_LEAST // count)
        array = torch.randn(floats + LINE // 4)
        start = -(-array.data_ptr() // LINE) * LINE

        def call() -> None:
            self._library.read(start, floats, times, threads)
            _ = array  # lives as long as the call

        return call, 4.0 * floats * times

    def additions(self) -> tuple[Callable[[], None], int]:
        """Additions that wait for each other, and how many."""
        return partial(self._library.add, ADDITIONS, 1.0), ADDITIONS


@cache
def probes() -> Probes:
    """The loops, built at first use on a machine. Raises `rnn_impls.interface.Unavailable` where that can't be done."""
    return Probes(built(SOURCE)[0])
