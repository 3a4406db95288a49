"""Peak memory of one call, in a call of its own that is never timed."""

from __future__ import annotations

from typing import Any

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
    try:
        events: list[Any] | None = _memory_events_alone(run)
    except (ImportError, AttributeError, TypeError):  # private names; another version of torch may have others
        events = _all_events(run)
    if events is None:
        return None
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    in_use = peak = 0
    for _, change in changes:
        in_use += change
        peak = max(peak, in_use)
    return peak


def _memory_events_alone(run: Run) -> list[Any]:
    """Profile one call without recording its operators, which takes a quarter of the time of recording them."""
    from torch._C._autograd import _disable_profiler, _enable_profiler, _prepare_profiler
    from torch._C._profiler import ProfilerActivity, ProfilerConfig, ProfilerState, RecordScope, _ExperimentalConfig

    # By position: state, shapes no, memory yes, stack, flops and modules no.
    config = ProfilerConfig(ProfilerState.KINETO, False, True, False, False, False, _ExperimentalConfig())
    activities = {ProfilerActivity.CPU}
    _prepare_profiler(config, activities)
    _enable_profiler(config, activities, {RecordScope.USER_SCOPE})  # type: ignore[call-arg]  # not in torch's stubs
    try:
        run(1)
    finally:
        result = _disable_profiler()
    return list(result.events())


def _all_events(run: Run) -> list[Any] | None:
    """Profile one call by torch's public profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run(1)
    # The public `events()` builds a tree, which takes 70 times as long and loses the order of the events.
    results = profile.profiler.kineto_results if profile.profiler is not None else None
    return None if results is None else list(results.events())
