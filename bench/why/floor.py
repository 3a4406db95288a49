"""The floor: the least time that any implementation needs for a Case on a machine whose limits are known.

    floor   = max(compute, memory, chain, launch) / (1 + MARGIN)
    compute = operations / peak
    memory  = max over levels of (layers x links x what W_hh has beyond + what is read once and lies beyond) / rate
    chain   = links x link

`operations`, `links` (T, in training 2T - 1) and the bytes are counted in `bench.why.work`; the rest is measured, see
`bench.why.limits`, and taken at its most favourable. Everything may overlap with everything else, so only the largest
counts, and nothing else does: no dispatch, no nonlinearity, no writing of states.

- `peak` is the highest rate of products that anything reached in this dtype with these threads (Williams, Waterman
  and Patterson, Communications of the ACM 52(4), 2009, 65-76: the roofline's flat part).
- A step needs all of W_hh, and the next one needs this one's result, so nothing but a cache can save reading it again
  (the roofline's slope). What a level and those further in can't hold together comes through the next one, at the rate
  measured there; some CPUs keep in an outer level what an inner one has, which leaves less room. No level is slower
  than one further out, from where everything passes through it.
- L1 is taken to feed each multiply-add of the core with a weight: at `peak` it delivers half an item per operation,
  and never binds by itself.
- `link` is what one step must wait for whatever the hardware computes at once: a product of H terms is a tree of
  ceil(log2 H) dependent additions, after a multiplication and before the nonlinearity, each as long as a dependent
  addition was measured to take. In dtypes below 32 bits hardware sums several products in one instruction, and only
  the two others count.

On CUDA, weights stay on the chip as far as its registers and shared memory hold them, and come from L2, then from
memory; `link` is left out, since how fast multiprocessors can tell each other of a step is not known without a kernel
of one's own; and a call takes at least one launch, by whatever way was the cheapest: an eager operator, a captured
graph, or one more kernel in such a graph, which is what a launch costs the device alone.

MARGIN is for what one sitting of `bench limits` may miss: a clock that ran lower than it does when the Case is
measured. A Case that is faster still is shown with a warning, and another sitting mends the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.cases.case import Case
from bench.why.limits.limits import LEVELS, Limits
from bench.why.work import ITEM_BYTES, Counted, NoFloor, Work, work
from rnn_impls import networks
from rnn_impls.networks import Network

COMPUTE, MEMORY, CHAIN, LAUNCH = "compute", "memory", "chain", "launch"

MARGIN = 0.15
"""By how much limits may have been missed."""


@dataclass(frozen=True)
class Floor:
    """Seconds of one call. `seconds` is the floor: the largest of the others, which say what for, less MARGIN."""

    compute: float
    memory: float
    chain: float = 0.0
    launch: float = 0.0

    @property
    def seconds(self) -> float:
        """The least time."""
        return max(self.compute, self.memory, self.chain, self.launch) / (1 + MARGIN)

    @property
    def bound(self) -> str:
        """What it rests on: `compute`, `memory`, `chain` or `launch`."""
        parts = {COMPUTE: self.compute, MEMORY: self.memory, CHAIN: self.chain, LAUNCH: self.launch}
        return max(parts, key=lambda name: parts[name])


def floor(
    case: Case, limits: Limits, weights_dtype: str = "", counted: Counted = None, useful_steps: int | None = None
) -> Floor:
    """The floor of a Case; for one that rounds its weights to another dtype, that of the network it computes; for a
    ragged batch, that of its useful steps (`bench.why.work.work`).

    Raises NoFloor naming the limit that is missing.
    """
    asked = work(case, weights_dtype, counted, useful_steps)
    if case.device not in ("cpu", "cuda"):
        raise NoFloor(f"the limits of {case.device} are not measured")
    on_cpu = case.device == "cpu"
    rate = peak(limits, case.dtype, case.threads) if on_cpu else _cuda_peak(limits, case.arithmetic)
    compute, memory = asked.operations / rate, _memory(asked, levels(limits, case))
    if on_cpu:
        return Floor(compute, memory, chain=asked.links * _link(case, limits, asked.chained > 0))
    return Floor(compute, memory, launch=_launch(limits))


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
    rate = max(_scaled(limits, "cpu.stream.memory", case.threads), limits.best("cpu.stream.memory.t1") or 0.0)
    if not rate:
        raise NoFloor("the rate of reading from memory was not measured")
    found = [("memory", math.inf, rate)]
    for level in reversed(LEVELS):
        size = limits.facts.get(f"cpu.cache.{level}", 0)
        own = level != "L3"
        measured = limits.best(f"cpu.stream.{level}.t1") or 0.0
        measured = measured * case.threads if own else max(measured, _scaled(limits, "cpu.stream.L3", case.threads))
        rate = max(rate, measured)
        if level == "L1":
            rate = max(rate, peak(limits, case.dtype, case.threads) * ITEM_BYTES[case.dtype] / 2)
        if size and measured:
            found.insert(0, (level, float(size * (case.threads if own else 1)), rate))
    return found


def read_seconds(count: float, places: list[tuple[str, float, float]]) -> float:
    """Seconds to read so many bytes once, when they are read again and again: as much as fits lies innermost, and what
    lies further out comes from there at the same time."""
    seconds, inside = 0.0, 0.0
    for _, size, rate in places:
        seconds = max(seconds, max(0.0, count - inside) / rate)
        inside += size
    return seconds


def _memory(asked: Work, places: list[tuple[str, float, float]]) -> float:
    """The level that takes longest for what comes through it: W_hh at every link, the rest once."""
    seconds, inside = 0.0, 0.0
    for _, size, rate in places:
        weights, once = max(0.0, asked.weights - inside), max(0.0, asked.once - inside)
        seconds = max(seconds, (asked.layers * asked.links * weights + once) / rate)
        inside += size
    return seconds


def _link(case: Case, limits: Limits, chained: bool) -> float:
    """Seconds that a step waits for its own chain; nothing where the addition was not measured."""
    if not chained:
        return 0.0
    addition = limits.best("cpu.chain.add") or 0.0
    tree = math.ceil(math.log2(case.hidden_size)) if ITEM_BYTES[case.dtype] >= 4 and case.hidden_size > 1 else 0
    beside = Network.chain if networks.is_own(case.network) else networks.load(case.network).chain
    return (tree + beside) * addition


def _scaled(limits: Limits, name: str, threads: int) -> float:
    """The rate with these threads: as measured, else in proportion from the nearest lower count; 0 without any."""
    best = 0.0
    for count in limits.threads():
        rate = limits.best(f"{name}.t{count}")
        if rate is not None and count <= threads:
            best = max(best, rate * threads / count) if count < threads else rate
    return best


def _cuda_peak(limits: Limits, arithmetic: str) -> float:
    rate = limits.best(f"cuda.peak.{arithmetic}")
    if rate is None:
        raise NoFloor(f"the rate of products in {arithmetic} on CUDA was not measured")
    return rate


_LAUNCHES = ("cuda.call.launch", "cuda.call.graph", "cuda.chain.kernel")


def _launch(limits: Limits) -> float:
    """Seconds of the cheapest launch; nothing where none was measured. A difference may have come out below 0."""
    found = [seconds for name in _LAUNCHES if (seconds := limits.best(name)) is not None and seconds > 0]
    return min(found, default=0.0)


def _cuda_levels(limits: Limits, case: Case) -> list[tuple[str, float, float]]:
    """The chip itself, at the rate of its products as L1 above; L2; the device's memory."""
    memory = limits.best("cuda.stream.memory")
    if memory is None:
        raise NoFloor("the rate of reading from the device's memory was not measured")
    found = []
    if size := limits.facts.get("cuda.cache.chip"):
        found.append(("chip", float(size), _cuda_peak(limits, case.arithmetic) * ITEM_BYTES[case.dtype] / 2))
    size, rate = limits.facts.get("cuda.cache.L2", 0), limits.best("cuda.stream.L2")
    if size and rate:
        found.append(("L2", float(size), rate))
    return [*found, ("memory", math.inf, memory)]
