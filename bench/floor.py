"""The floor: the least time that any implementation needs for a Case on a machine whose limits are known.

    floor   = max(compute, memory)
    compute = operations / peak + links x link
    memory  = layers x links x read(W_hh) + read(once)

`operations`, `links` (T, in training 2T) and the bytes are counted in `bench.work`; the rest is measured, see
`bench.limits`, and taken at its most favourable.

- `peak` is the highest rate of products that any routine reached in this dtype with these threads (Williams, Waterman
  and Patterson, Communications of the ACM 52(4), 2009, 65-76: the roofline's flat part).
- `read(n)` is the time to read n bytes that are read again and again: what fits into L1 comes from there, what is left
  and fits into L2 from there, and so on outwards, each at the rate measured there. A step needs all of W_hh, and the
  next one needs this one's result, so nothing but a cache can save reading it again (the roofline's slope).
- L1 is taken to feed two operands for each multiply-add that the core makes, as cores do since 2013: at `peak` it
  delivers half an item per operation, and never binds by itself.
- `link` is what one step must wait for whatever the hardware computes at once: a product of H terms is a tree of
  ceil(log2 H) dependent additions, after a multiplication and before the nonlinearity, each as long as a dependent
  addition was measured to take. In dtypes below 32 bits hardware sums several products in one instruction, and only
  the two others count.

On CUDA, weights stay on the chip as far as its registers and shared memory hold them, and come from L2, then from
memory; `link` is left out, since how fast multiprocessors can tell each other of a step is not known without a kernel
of one's own; and a call takes at least one launch.

Everything may overlap with everything else, hence the maximum; nothing else is counted: no dispatch, no nonlinearity,
no writing of states. So no implementation is faster, and a fast one comes near where the machine, not the software, is
the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.cases import Case
from bench.limits.caches import LEVELS
from bench.limits.limits import Limits
from bench.work import ITEM_BYTES, Work, work

COMPUTE, MEMORY, LAUNCH = "compute", "memory", "launch"


class NoFloor(Exception):
    """There is no floor for a Case: the text says which limit is missing."""


@dataclass(frozen=True)
class Floor:
    """Seconds of one call: `seconds` is the largest of the others, which say what for."""

    seconds: float
    compute: float
    memory: float
    launch: float = 0.0

    @property
    def bound(self) -> str:
        """What it rests on: `compute`, `memory` or `launch`."""
        return max((self.compute, COMPUTE), (self.memory, MEMORY), (self.launch, LAUNCH))[1]


def floor(case: Case, limits: Limits, weights_dtype: str = "") -> Floor:
    """The floor of a Case; for a way that rounds its weights to another dtype, that of the network it computes.

    Raises NoFloor naming the limit that is missing.
    """
    asked = work(case, weights_dtype)
    if case.device == "cpu":
        compute = asked.operations / peak(limits, case.dtype, case.threads) + asked.links * _link(case, limits)
        launch = 0.0
    elif case.device == "cuda":
        compute = asked.operations / _cuda_peak(limits, case.dtype)
        launch = limits.best("cuda.call.launch") or 0.0
    else:
        raise NoFloor(f"the limits of {case.device} are not measured")
    memory = _memory(asked, levels(limits, case))
    return Floor(max(compute, memory, launch), compute, memory, launch)


def peak(limits: Limits, dtype: str, threads: int) -> float:
    """Operations per second of products on the CPU with these threads, at most.

    What a wider dtype reaches, a narrower one could: twice that of float64 in float32, the same below, where operands
    can at least be widened. With threads that were not measured, as much per thread as with the fewest that were.
    """
    wanted = [dtype] if ITEM_BYTES[dtype] == 8 else [dtype, "float32"]
    rates = [_scaled(limits, f"cpu.peak.{name}", threads) for name in wanted]
    wider, narrower = _scaled(limits, "cpu.peak.float64", threads), _scaled(limits, "cpu.peak.float32", threads)
    rates += [narrower / 2 if ITEM_BYTES[dtype] == 8 else 2 * wider]
    if not max(rates) > 0:
        raise NoFloor("the rate of products was not measured")
    return max(rates)


def levels(limits: Limits, case: Case) -> list[tuple[str, float, float]]:
    """Where bytes can lie, from the inside: name, bytes that fit (infinite for the memory), bytes per second."""
    if case.device == "cuda":
        return _cuda_levels(limits, case)
    found = []
    for level in LEVELS:
        size = limits.facts.get(f"cpu.cache.{level}", 0)
        own = level != "L3"
        rate = limits.best(f"cpu.stream.{level}.t1") or 0.0
        rate = rate * case.threads if own else max(rate, _scaled(limits, f"cpu.stream.{level}", case.threads))
        if level == "L1":
            rate = max(rate, peak(limits, case.dtype, case.threads) * ITEM_BYTES[case.dtype] / 2)
        if size and rate:
            found.append((level, float(size * (case.threads if own else 1)), rate))
    memory = max(_scaled(limits, "cpu.stream.memory", case.threads), limits.best("cpu.stream.memory.t1") or 0.0)
    if not memory:
        raise NoFloor("the rate of reading from memory was not measured")
    return [*found, ("memory", math.inf, memory)]


def read_seconds(count: float, places: list[tuple[str, float, float]]) -> float:
    """Seconds to read so many bytes once, when they are read again and again: as much as fits lies innermost."""
    seconds, left = 0.0, count
    for _, size, rate in places:
        here = min(left, size)
        seconds, left = seconds + here / rate, left - here
    return seconds


def _memory(asked: Work, places: list[tuple[str, float, float]]) -> float:
    return asked.layers * asked.links * read_seconds(asked.weights, places) + read_seconds(asked.once, places)


def _link(case: Case, limits: Limits) -> float:
    """Seconds that a step waits for its own chain; nothing where the addition was not measured."""
    addition = limits.best("cpu.chain.add") or 0.0
    tree = math.ceil(math.log2(case.hidden_size)) if ITEM_BYTES[case.dtype] >= 4 and case.hidden_size > 1 else 0
    return (tree + 2) * addition


def _scaled(limits: Limits, name: str, threads: int) -> float:
    """The rate with these threads: as measured, else in proportion from the nearest lower count; 0 without any."""
    best = 0.0
    for count in limits.threads():
        rate = limits.best(f"{name}.t{count}")
        if rate is not None and count <= threads:
            best = max(best, rate * threads / count) if count < threads else rate
    return best


def _cuda_peak(limits: Limits, dtype: str) -> float:
    rate = limits.best(f"cuda.peak.{dtype}")
    if rate is None:
        raise NoFloor(f"the rate of products in {dtype} on CUDA was not measured")
    return rate


def _cuda_levels(limits: Limits, case: Case) -> list[tuple[str, float, float]]:
    """The chip itself, at the rate of its products as L1 above; L2; the device's memory."""
    memory = limits.best("cuda.stream.memory")
    if memory is None:
        raise NoFloor("the rate of reading from the device's memory was not measured")
    found = []
    if size := limits.facts.get("cuda.cache.chip"):
        found.append(("chip", float(size), _cuda_peak(limits, case.dtype) * ITEM_BYTES[case.dtype] / 2))
    size, rate = limits.facts.get("cuda.cache.L2", 0), limits.best("cuda.stream.L2")
    if size and rate:
        found.append(("L2", float(size), rate))
    return [*found, ("memory", math.inf, memory)]
