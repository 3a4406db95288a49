"""Memory of a call, in calls of their own that are never timed: the peak, and what is left behind."""

from __future__ import annotations

import gc
from typing import Any

import torch

from bench.clock import Run
from bench.workload import Workload

LEAKY_CALLS = 5
"""Calls in a row that have to leave memory behind before it is called a leak: a cache is full by then."""


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


def left_bytes(workload: Workload) -> int | None:
    """Bytes that every call leaves allocated when it has ended: the least of several, 0 when one of them leaves none.

    What Python's garbage collection gives back is not counted, nor what lies outside of torch's allocators. To be asked
    after a first call: what training leaves, the gradients, the next call releases. None as for the peak.
    """
    least: int | None = None
    for number in range(LEAKY_CALLS):
        left = _left_by_a_call(workload, collect=number > 0)
        if left is None or left <= 0:  # nearly always so at the first: sound implementations pay for one call
            return None if left is None else 0
        least = left if least is None else min(least, left)
    return least


def _left_by_a_call(workload: Workload, collect: bool) -> int | None:
    """Bytes allocated less bytes released during a call, and with `collect` a garbage collection after it."""
    if collect:
        gc.collect()  # what earlier calls left to it is not this one's

    def run(calls: int) -> None:
        workload(calls)
        if collect:
            gc.collect()

    if workload.case.device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        run(1)
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated() - before
    if workload.case.device == "cpu":
        changes = _cpu_changes(run)
        return None if changes is None else sum(changes)
    return None


def _cpu_peak_bytes(run: Run) -> int | None:
    """The largest running sum of the profiler's memory events."""
    changes = _cpu_changes(run)
    if changes is None:
        return None
    in_use = peak = 0
    for change in changes:
        in_use += change
        peak = max(peak, in_use)
    return peak


def _cpu_changes(run: Run) -> list[int] | None:
    """Bytes of each allocation, and less than nothing of each release, in order."""
    try:
        events: list[Any] | None = _memory_events_alone(run)
    except (ImportError, AttributeError, TypeError):  # private names; another version of torch may have others
        events = _all_events(run)
    if events is None:
        return None
    return [size for _, size in sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")]


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
