"""Peak memory of one call, in a call of its own that is never timed."""

from __future__ import annotations

import torch

from bench.clock import Run
from bench.workload import Workload


def peak_bytes(workload: Workload) -> int | None:
    """Bytes that one call needs at its peak beyond the weights and inputs that are there before it.

    On CUDA from the caching allocator's own count. On the CPU by adding up the allocations and releases that torch's
    profiler records, so memory that a library takes past torch's allocator is not seen. None where neither is had.
    """
    # Gradients of an earlier call would be released by this one, and hide its own.
    workload.module.zero_grad(set_to_none=True)
    if workload.case.device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        workload(1)
        torch.cuda.synchronize()
        return max(0, torch.cuda.max_memory_allocated() - before)
    if workload.case.device == "cpu":
        return _cpu_peak_bytes(workload)
    return None


def _cpu_peak_bytes(run: Run) -> int | None:
    """The largest running sum of the profiler's memory events."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run(1)
    # The public `events()` builds a tree, which takes 70 times as long and loses the order of the events.
    results = profile.profiler.kineto_results if profile.profiler is not None else None
    if results is None:
        return None
    changes = sorted((e.start_ns(), e.nbytes()) for e in results.events() if e.name() == "[memory]")
    in_use = peak = 0
    for _, change in changes:
        in_use += change
        peak = max(peak, in_use)
    return peak
