"""The limits of a CUDA device, in the process that measures: pairs of a name and a value.

    cuda.product.<dtype>      torch.mm of square matrices; TF32 is off, `float32-tf32` is the same with it on
    cuda.peak.<dtype>         the same: cuBLAS is taken to reach what the device allows
    cuda.stream.L2, .memory   reading, in torch.sum: by the difference between two sizes, many of each in a graph, since
                              the host takes longer to launch one than the device to read what L2 holds
    cuda.copy.memory, .host   copying on the device, and from pinned memory of the host to it
    cuda.call.launch          one eager operator on one number, in a long queue: what each kernel costs at least
    cuda.call.graph           the launch of a captured graph of one kernel
    cuda.call.synchronize     torch.cuda.synchronize with nothing to wait for
    cuda.chain.kernel         one kernel of a captured chain, each waiting for the one before

The last is the nearest stand-in for a grid-wide barrier that needs no kernel of one's own: what a step costs when it is
a kernel, without the host. A kernel that stays on the device and synchronises by itself may need less, so no floor
rests on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from bench.cases.case import DTYPES
from bench.host.clock import Clock
from bench.host.machine import fix_numerics
from bench.measure.capture import captured
from bench.why.limits.best import best_seconds, slope

Found = tuple[str, float]

SIDE = 4096
SUMS = 16
CHAIN = 256
MEMORY_BYTES = 2**30
REGISTER_BYTES = 4


def cuda_facts() -> dict[str, int]:
    """Sizes in bytes and counts of device 0, those that this torch tells: its multiprocessors, what fits into their
    registers and shared memory together, and its L2."""
    told = torch.cuda.get_device_properties(0)
    count = int(told.multi_processor_count)
    registers = getattr(told, "regs_per_multiprocessor", 0) * REGISTER_BYTES
    shared = getattr(told, "shared_memory_per_multiprocessor", 0)
    facts = {"cuda.multiprocessors": count, "cuda.cache.L2": int(getattr(told, "L2_cache_size", 0))}
    if registers and shared:
        facts["cuda.cache.chip"] = count * (registers + shared)
    return {name: value for name, value in facts.items() if value}


def cuda_limits(clock: Clock, l2_bytes: int, device: str = "cuda", scale: int = 1) -> Iterator[Found]:
    """Products, streams and copies; `scale` divides all sizes."""
    for dtype in DTYPES:
        rate = _product(clock, getattr(torch, dtype), device, SIDE // scale)
        yield f"cuda.product.{dtype}", rate
        yield f"cuda.peak.{dtype}", rate
    fix_numerics(tf32=True)
    try:
        rate = _product(clock, torch.float32, device, SIDE // scale)
    finally:
        fix_numerics()
    yield "cuda.product.float32-tf32", rate
    yield "cuda.peak.float32-tf32", rate
    spans = {"memory": (MEMORY_BYTES // scale // 4, MEMORY_BYTES // scale)}
    if l2_bytes:
        spans["L2"] = (l2_bytes // scale // 16, l2_bytes // scale // 4)  # more would meet the other half of the L2
    for level, (small, large) in spans.items():
        all_of_it, result = torch.ones(large // 4, device=device), torch.empty((), device=device)
        part, whole = (_sums(each, result, device) for each in (all_of_it[: small // 4], all_of_it))
        if rate_found := slope(clock, part, whole, SUMS * (large - small)):
            yield f"cuda.stream.{level}", rate_found
    source = torch.ones(MEMORY_BYTES // scale // 8, device=device)
    target = torch.empty_like(source)
    yield "cuda.copy.memory", 4 * len(source) / best_seconds(clock, lambda: target.copy_(source))
    host = torch.ones(len(source) // 8, pin_memory=device == "cuda")
    landing = target[: len(host)]
    yield "cuda.copy.host", 4 * len(host) / best_seconds(clock, lambda: landing.copy_(host, non_blocking=True))


def _sums(numbers: torch.Tensor, result: torch.Tensor, device: str) -> Callable[[], object]:
    """SUMS sums, one after the other."""

    def call() -> None:
        for _ in range(SUMS):
            torch.sum(numbers, 0, out=result)

    return captured(call) if device == "cuda" else call


def _product(clock: Clock, dtype: torch.dtype, device: str, side: int) -> float:
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    result = torch.empty(side, side, device=device, dtype=dtype)
    return 2 * side**3 / best_seconds(clock, lambda: torch.mm(one, other, out=result), 5)


def cuda_call_limits(clock: Clock, host_clock: Clock) -> Iterator[Found]:
    """What a launch, a graph and a synchronisation cost."""
    number, result = torch.ones(1, device="cuda"), torch.empty(1, device="cuda")

    def add() -> None:
        torch.add(number, number, out=result)

    def adds() -> None:
        for _ in range(CHAIN):
            add()

    yield "cuda.call.launch", best_seconds(clock, adds) / CHAIN
    yield "cuda.call.synchronize", best_seconds(host_clock, torch.cuda.synchronize)
    one, chain = captured(add), captured(adds)
    yield "cuda.call.graph", best_seconds(clock, one)
    yield "cuda.chain.kernel", (best_seconds(clock, chain) - best_seconds(clock, one)) / (CHAIN - 1)
