"""The floor: the least time that any implementation needs for a Case on a machine whose limits are known.

    floor   = max(compute, memory, chain, launch) / (1 + MARGIN)
    compute = operations / peak
    memory  = max over levels of (layers x links x what W_hh has beyond + what is read once and lies beyond) / rate
    chain   = links x link

`operations`, `links` (T, in training 2T - 1) and the bytes are counted from the Case's sizes alone (`work`); the rest
is measured, see `bench.why.limits`, and taken at its most favourable. Everything may overlap with everything else, so
only the largest counts, and nothing else does: no dispatch, no nonlinearity, no writing of states.

- A multiply-add is two operations, as everywhere (LINPACK counts so). Only products are counted; the nonlinearity and
  the sums beside them are a hundredth of it from hidden 64 on, and a floor may leave out what it likes. Shapes: T
  steps, B sequences, I inputs, H hidden units, L layers, O outputs.
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
of one's own; and a call takes at least one launch.

MARGIN is for what one sitting of `bench limits` may miss: a clock that ran lower than it does when the Case is
measured. A Case that is faster still is shown with a warning, and another sitting mends the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.cases.case import Case
from bench.why.limits.limits import LEVELS, Limits

ITEM_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one call.

    `free` operations belong to no step: the input products of all steps, and in training the products that give the
    weights' gradients, can be made at once. `chained` operations belong to `links`, each of which needs the one before:
    T steps forward, and in training T - 1 backward, since the gradient ends at the first step: nobody asks for that of
    the initial state. `weights` are the bytes of one layer's W_hh, which every link of every layer reads; `once` the
    bytes that a call must read or write at least once: inputs, outputs, W_ih, and in training the gradients of the
    weights.
    """

    free: float
    chained: float
    links: int
    layers: int
    weights: int
    once: int

    @property
    def operations(self) -> float:
        """All of them."""
        return self.free + self.chained


def work(case: Case, weights_dtype: str = "") -> Work:
    """Count the operations and bytes of one call of a Case, for weights of its own dtype or of another.

    Forward, for each layer and step: W_ih x of 2 B I H operations, W_hh h of 2 B H H. Backward: the gradient passed
    to the step before, 2 B H H, where there is one, and to the layer below, 2 B H H, but none to the inputs and the
    initial state, which nobody asks for; the gradients of W_ih and W_hh, as much as their products. The head: 2 B H O
    forward, twice that backward.
    """
    steps, batch, hidden, layers = case.seq_len, case.batch_size, case.hidden_size, case.num_layers
    item = ITEM_BYTES[case.dtype]
    rounded = ITEM_BYTES[weights_dtype or case.dtype]
    recurrent = 2.0 * batch * hidden * hidden
    inputs = 2.0 * batch * hidden * (case.input_size + (layers - 1) * hidden)
    head = 2.0 * batch * hidden * case.output_size
    weights = hidden * (case.input_size + (layers - 1) * hidden) + hidden * case.output_size
    states = steps * batch * (case.input_size + (case.output_size or hidden))
    recurrent_bytes, once = hidden * hidden * rounded, states * item + weights * rounded
    if case.mode == "inference":
        free, chained = steps * (inputs + head), steps * layers * recurrent
        return Work(free, chained, steps, layers, recurrent_bytes, once)
    below = 2.0 * batch * hidden * hidden * (layers - 1)
    backward = inputs + layers * recurrent + below + 2 * head
    links = 2 * steps - 1
    free, chained = steps * (inputs + head + backward), links * layers * recurrent
    gradients = (weights + layers * hidden * hidden) * item
    return Work(free, chained, links, layers, recurrent_bytes, once + gradients)


COMPUTE, MEMORY, CHAIN, LAUNCH = "compute", "memory", "chain", "launch"

MARGIN = 0.15
"""By how much limits may have been missed."""


class NoFloor(Exception):
    """There is no floor for a Case: the text says which limit is missing."""


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


def floor(case: Case, limits: Limits, weights_dtype: str = "") -> Floor:
    """The floor of a Case; for a way that rounds its weights to another dtype, that of the network it computes.

    Raises NoFloor naming the limit that is missing.
    """
    asked = work(case, weights_dtype)
    if case.device not in ("cpu", "cuda"):
        raise NoFloor(f"the limits of {case.device} are not measured")
    on_cpu = case.device == "cpu"
    rate = peak(limits, case.dtype, case.threads) if on_cpu else _cuda_peak(limits, case.dtype)
    compute, memory = asked.operations / rate, _memory(asked, levels(limits, case))
    if on_cpu:
        return Floor(compute, memory, chain=asked.links * _link(case, limits))
    return Floor(compute, memory, launch=limits.best("cuda.call.launch") or 0.0)


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
