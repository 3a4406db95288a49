"""The limits of the CPU, in the process that measures: pairs of a name and a value.

cpu.product.<dtype>.t<n>   torch.mm of square matrices
cpu.peak.<dtype>.t<n>      the fastest of that, of a 3 x 3 convolution, which oneDNN computes as a product of its own
                           making, and of multiply-adds in registers
cpu.stream.<level>.t<n>    reading from a cache or memory: the fastest of a loop of our own, torch.sum and torch.dot
cpu.matvec.<level>.t<n>    torch.mv with its matrix there, call included
cpu.call.operator          one eager operator on one number, in inference mode
cpu.call.module            one step of a Python loop that calls an nn.Module which does nothing
cpu.call.node              one autograd node, forward and backward, less the operators themselves
cpu.chain.add              one addition that waits for the one before, in torch.cumsum or a loop of our own

Loops of our own are in C++ (`probes.cpp`). torch's operators come with calls, packing and their makers' choices: MKL
leaves half of some CPUs' vector units idle, and a sum reads a cache at half of its rate. A bound that rests on them
alone is beaten by whoever does better; without a compiler they are all there is. Units are those of
`bench.why.limits.limits`; threads are set by the caller.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.cases.case import DTYPES
from bench.host.clock import Clock
from bench.why.limits.best import best_seconds, slope
from bench.why.limits.limits import LEVELS
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


Found = tuple[str, float]

SIDES = (256, 512)
CONVOLUTION = (256, 32)
"""Channels and side of the image: 1.2 GFLOP, with operands of 1 and 2.3 MiB."""
SLOW = 2e10
"""A rate below which a routine is no match for the hardware, and larger sizes are not worth the wait."""
MEMORY_SPANS = 2**25, 2**27
"""Bytes that are read to see the memory, when the last cache is no larger; four times it otherwise."""
SHARED = ("L3", "memory")
"""What several cores read from; of L1 and L2 each has its own, and n threads have n times as much, as fast each."""
CHAIN = 2**15
OF_A_PROBE = 30
"""Blocks of which the best counts: a bound rests on it, so it must meet the machine undisturbed at least once."""


def cpu_limits(clock: Clock, threads: int, caches: dict[str, int], probes: Probes | None) -> Iterator[Found]:
    """Everything that depends on the number of threads, which the caller has set."""
    for dtype in DTYPES:
        product, convolution = _products(clock, getattr(torch, dtype))
        yield f"cpu.product.{dtype}.t{threads}", product
        own = probes.products(dtype, threads) if probes else None
        yield f"cpu.peak.{dtype}.t{threads}", max(product, convolution, _rate(clock, own))
    for level, (small, large) in spans(caches, threads).items():
        if threads == 1 or level in SHARED:
            own = probes.reading(large, threads) if probes else None
            if rate := max(_stream(clock, small, large), _rate(clock, own)):
                yield f"cpu.stream.{level}.t{threads}", rate
        side = math.isqrt(large // 4)
        matrix, vector, result = torch.randn(side, side), torch.randn(side), torch.empty(side)
        seconds = best_seconds(clock, partial(torch.mv, matrix, vector, out=result))
        yield f"cpu.matvec.{level}.t{threads}", 4 * side * side / seconds


def spans(caches: dict[str, int], threads: int) -> dict[str, tuple[int, int]]:
    """Level -> the bytes of a small and a large array that lie there and not further in, for several threads together.

    The large one takes half of its level, since others use it, too.
    """
    found, inner = {}, 0
    for level in LEVELS:
        if level in caches:
            size = caches[level] * (1 if level in SHARED else threads)
            small, large = max(inner, size // 8), size // 2
            if small < large:
                found[level] = (small, large)
            inner = size
    largest = max(2 * inner, MEMORY_SPANS[0]), max(4 * inner, MEMORY_SPANS[1])
    return found | {"memory": largest}


def _rate(clock: Clock, probe: tuple[Callable[[], None], float] | None) -> float:
    """How much of what a probe does is done per second, at its best; 0 without one."""
    return probe[1] / best_seconds(clock, probe[0], OF_A_PROBE) if probe else 0.0


def _products(clock: Clock, dtype: torch.dtype) -> tuple[float, float]:
    """Operations per second in torch.mm and in a convolution."""
    best = 0.0
    for side in SIDES:
        one, other = (torch.randn(side, side).to(dtype) for _ in range(2))
        result = torch.empty(side, side, dtype=dtype)
        seconds = best_seconds(clock, partial(torch.mm, one, other, out=result), 15)
        best = max(best, 2 * side**3 / seconds)
        if best < SLOW:
            break
    return best, _convolution(clock, dtype) if best >= SLOW else 0.0


def _convolution(clock: Clock, dtype: torch.dtype) -> float:
    """Operations per second in a 3 x 3 convolution, 0 where oneDNN has none for this dtype."""
    if not torch.backends.mkldnn.is_available() or dtype not in (torch.float32, torch.bfloat16):
        return 0.0
    channels, side = CONVOLUTION
    image = torch.randn(1, channels, side, side).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    seconds = best_seconds(clock, lambda: functional.conv2d(image, weight, padding=1), 15)
    inner = (3 * side - 2) ** 2  # products that a window at the border leaves out don't count
    return 2 * channels**2 * inner / seconds


def _stream(clock: Clock, small: int, large: int) -> float:
    """Bytes per second by the difference between reading `large` and `small` bytes in the faster of two operators; 0
    where neither shows any."""
    one, other = torch.randn(large // 4), torch.randn(large // 8)
    few, half, few_of_one, few_of_other = one[: small // 4], one[: large // 8], one[: small // 8], other[: small // 8]
    rates = [
        slope(clock, few.sum, one.sum, large - small),
        slope(clock, lambda: torch.dot(few_of_one, few_of_other), lambda: torch.dot(half, other), large - small),
    ]
    return max((rate for rate in rates if rate), default=0.0)


def call_limits(clock: Clock, probes: Probes | None) -> Iterator[Found]:
    """What calls cost, and how long a dependent addition takes; by one thread."""
    number, result = torch.ones(1), torch.empty(1)
    operator = best_seconds(clock, lambda: torch.add(number, number, out=result))
    yield "cpu.call.operator", operator
    idle, steps = nn.Identity(), range(64)

    def loop() -> None:
        for _ in steps:
            idle(number)

    yield "cpu.call.module", best_seconds(clock, loop) / len(steps)
    yield "cpu.call.node", _node(clock)
    line = torch.ones(CHAIN)
    found = [best_seconds(clock, lambda: torch.cumsum(line, 0)) / CHAIN]
    if probes:
        call, additions = probes.additions()
        found.append(best_seconds(clock, call, OF_A_PROBE) / additions)
    yield "cpu.chain.add", min(found)


def _node(clock: Clock) -> float:
    """Seconds that one more node adds to forward and backward, less the two operators that compute: 64 negations."""
    start = torch.ones(1, requires_grad=True)

    def forward_and_backward(nodes: int) -> Callable[[], None]:
        def call() -> None:
            value: Tensor = start
            for _ in range(nodes):
                value = torch.neg(value)
            value.backward()
            start.grad = None

        return call

    def alone() -> None:
        value = start
        for _ in range(2 * 64):
            value = torch.neg(value)

    with torch.enable_grad():
        both = best_seconds(clock, forward_and_backward(65)) - best_seconds(clock, forward_and_backward(1))
    with torch.inference_mode():
        start = torch.ones(1)
        bare = best_seconds(clock, alone)
    return max(both - bare, 1e-9) / 64
