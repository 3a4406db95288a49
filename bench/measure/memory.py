"""Memory of a call, in calls of their own that are never timed: the peak, and what is left behind."""

from __future__ import annotations

import ctypes
import gc
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.host.clock import Run
from bench.measure.workload import Workload

LEAKY_CALLS = 5
"""Calls in a row that have to leave memory behind before it is called a leak: a cache is full by then."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of one call: what it needs at its peak beyond the weights and inputs that are there before it, and what is
    still allocated when it has ended, beyond the gradients of training."""

    peak: int
    left: int


def footprint(workload: Workload) -> Footprint | None:
    """The memory of one call.

    On CUDA from the caching allocator's own count, and what the pools of captured graphs keep. On the CPU by adding up
    the allocations and releases that torch's profiler records, so memory that a library takes past torch's allocator is
    not seen; of an implementation that says it has its own, from the whole process (`process_peak`), with nothing known
    of what is left. None where nothing is had.
    """
    # Gradients of an earlier call would be released by this one, and hide its own.
    workload.module.zero_grad(set_to_none=True)
    workload.renew(1)  # what was remembered is no memory that a call needs
    if workload.case.device == "cuda":
        torch.cuda.synchronize()
        gc.collect()
        torch.cuda.empty_cache()  # of the pools of graphs that are no more
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        workload(1)
        torch.cuda.synchronize()
        peak, left = torch.cuda.max_memory_allocated() - before, torch.cuda.memory_allocated() - before
        peak += pooled_bytes()
        return Footprint(max(0, peak), left - _gradient_bytes(workload, 512))  # it hands out multiples of 512
    if getattr(workload.module, "own_allocator", False):  # another tree may not know of it
        peak_of_process = process_peak(workload)
        return Footprint(peak_of_process, 0) if peak_of_process else None
    if workload.case.device == "cpu":
        changes = _cpu_changes(workload)
        if changes is not None:
            return Footprint(_peak(changes), sum(changes) - _gradient_bytes(workload, 1))
    return None


def pooled_bytes() -> int:
    """Bytes that captured graphs keep for themselves on the CUDA device: what they compute with lies in pools of their
    own, whose blocks count as free between two replays and yet are nobody else's. In whole segments, of 2 MiB or more.
    """
    segments = torch.cuda.memory_snapshot()
    return sum(each["total_size"] for each in segments if tuple(each.get("segment_pool_id", _SHARED)) != _SHARED)


_SHARED = (0, 0)
"""The id of the pool that all others take from (c10/cuda/CUDACachingAllocator.h)."""


def process_peak(run: Run) -> int | None:
    """Bytes by which the memory of this process grows at the peak of one call, in whole pages; Linux counts to some
    hundred KiB. What a runtime keeps from one call to the next, as ONNX Runtime's arena, is there before and is not
    seen: 0 says that nothing can be told. None elsewhere.

    Source: Linux, Documentation/filesystems/proc, `clear_refs` (5 resets the peak) and `VmHWM` of `status`.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what lies free in the heap would be taken without growing
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        run(1)
        return max(0, _status("VmHWM") - before)
    except (OSError, AttributeError, KeyError):  # another system, another C library, or a kernel that does not say
        return None


def _status(name: str) -> int:
    """A line of /proc/self/status that is in kB, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


def _gradient_bytes(workload: Workload, multiple: int) -> int:
    """What the gradients take that a call has left behind; those that share memory count once."""
    storages = (p.grad.untyped_storage() for p in workload.module.parameters() if p.grad is not None)
    sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(-(-size // multiple) * multiple for size in sizes.values())


def left_bytes(workload: Workload) -> int | None:
    """Bytes that every call leaves allocated when it has ended: the least of several, 0 when one of them leaves none.

    What Python's garbage collection gives back is not counted, nor what lies outside of torch's allocators. To be asked
    after a call that left something, since sound implementations need not pay for it; the gradients of training, which
    that one left, are released by the next. None as for the footprint.
    """
    least: int | None = None
    for _ in range(LEAKY_CALLS):
        left = _left_by_a_call(workload)
        if left is None or left <= 0:
            return None if left is None else 0
        least = left if least is None else min(least, left)
    return least


def _left_by_a_call(workload: Workload) -> int | None:
    """Bytes allocated less bytes released during a call and a garbage collection after it."""
    gc.collect()  # what earlier calls left to it is not this one's
    workload.renew(1)

    def run(calls: int) -> None:
        workload(calls)
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


def _peak(changes: list[int]) -> int:
    """The largest running sum."""
    return max(0, *itertools.accumulate(changes)) if changes else 0


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
