"""What a call does, counted and not timed: the same every time, so that one more is one more.

    operators     called, by name: those that compute or move data, that make a view, and whatever another library
                  registered. Who only calls others is not counted, they are; nor is making room, which is `allocations`
    nodes         of autograd, run by the backward pass
    allocations   by torch's allocator
    peak_bytes    at once, beyond the weights and inputs that are there before
    launches      of the host, on CUDA: kernels, graphs, copies and fills

All of one warm call: the first may compile, or fill a cache. The profiler sees three in a row; the last two count, and
what differs between them is not exact. What an implementation keeps from one call to the next is part of the peak.
What torch's profiler can't see into counts as what it calls; Python of one's own is not seen at all.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.autograd.profiler import profile, record_function

from bench.measure.workload import Workload
from bench.why.profile.trace import OUTSIDE, VIEW, WRAPPER, Event, counted, kind_of, nest

OPERATORS, NODES, ALLOCATIONS, PEAK, LAUNCHES = "operators", "nodes", "allocations", "peak_bytes", "launches"

PAST_TORCH = "it takes memory past torch's allocator"
UNSEEN = "not counted on this device"

_NODE = "autograd::engine::evaluate_function: "
"""What the engine calls each node that it runs (torch/csrc/autograd/engine.cpp)."""
_LAUNCHES = ("LaunchKernel", "LaunchCooperativeKernel", "GraphLaunch", "Memcpy", "Memset")
"""What is in the names of those calls of CUDA's runtime and driver that put work on a stream."""
_OPERATOR = 0
"""Of torch's RecordScope."""
_MEMORY = "[memory]"
"""What the profiler calls an allocation or a release."""


@dataclass
class Counted:
    """What is known of one cell, as it is told: `exact` figures of a call; of those that have names, how many of each
    (`names`: figure -> name -> count); figures that `differ` between two counts; and why others are `unknown`."""

    exact: dict[str, float] = field(default_factory=dict)
    names: dict[str, dict[str, int]] = field(default_factory=dict)
    differ: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def meters(workload: Workload) -> Counted:
    """Count calls of a workload. Raises whatever a call raises, and RuntimeError where this torch has no profiler."""
    enabled = gc.isenabled()
    gc.disable()  # it would look through some ten thousand events again and again
    try:
        one, other = _calls(workload)
    finally:
        if enabled:
            gc.enable()
    found = Counted()
    for figure, value in other.figures.items():
        if value == one.figures[figure] and other.names.get(figure) == one.names.get(figure):
            found.exact[figure] = value
        else:
            found.differ.append(figure)
    found.names = {figure: dict(of.most_common()) for figure, of in other.names.items() if figure in found.exact}
    unseen = PAST_TORCH if getattr(workload.module, "own_allocator", False) else UNSEEN
    found.unknown = {figure: unseen for figure in (ALLOCATIONS, PEAK) if figure not in other.figures}
    return found


@dataclass
class _Call:
    """What was counted of one call: figures, and the names behind those that have any."""

    figures: dict[str, float]
    names: dict[str, Counter[str]]


CALLS = 3
_CALL = "rnn-bench: call "
"""What a call is marked by among the events, before its number."""


def _calls(workload: Workload) -> list[_Call]:
    """What each of CALLS in a row did, but for the first.

    All in one session of the profiler: it does not see that memory is released which was allocated outside of one.
    """
    cuda, memory = workload.case.device == "cuda", list[dict[str, float]]()
    # Gradients of an earlier call would be released by the first, and hide its own; see `bench.measure.memory`.
    workload.module.zero_grad(set_to_none=True)
    workload.renew(1)  # so that the buffers of inputs are there before
    before = torch.cuda.memory_allocated() if cuda else 0
    with profile(profile_memory=not cuda, use_device="cuda" if cuda else None) as profiler:
        for number in range(CALLS):
            workload.renew(1)
            count = _cuda_allocations() if cuda else 0
            with record_function(f"{_CALL}{number}"):
                workload(1)
                if cuda:
                    torch.cuda.synchronize()
            if cuda:
                most = max(0, torch.cuda.max_memory_allocated() - before)
                memory.append({ALLOCATIONS: _cuda_allocations() - count, PEAK: most})
    if profiler.kineto_results is None:  # torch's own list of events takes ten times as long to build
        raise RuntimeError("this torch has no profiler")
    seen = events(profiler.kineto_results.events())
    spans = sorted((each.start, each.end) for each in seen if each.name.startswith(_CALL))
    if workload.case.device == "cpu":
        memory = allocated(seen, spans)
    if not memory or getattr(workload.module, "own_allocator", False):  # another tree may not know of it
        memory = [{}] * CALLS
    calls = [[each for each in seen if start <= each.start and each.end <= end] for start, end in spans[1:]]
    one, other = (_names(call, cuda) for call in calls)
    return [
        _Call({figure: of.total() for figure, of in names.items()} | of_memory, names)
        for names, of_memory in zip((one, other), memory[1:], strict=True)
    ]


def _names(seen: Sequence[Seen], cuda: bool) -> dict[str, Counter[str]]:
    """Figure -> the names behind it, of one call."""
    return {OPERATORS: operators(seen), NODES: nodes(seen)} | ({LAUNCHES: launches(seen)} if cuda else {})


def _cuda_allocations() -> int:
    """How many the caching allocator has made so far; the peak begins anew."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.memory_stats().get("allocation.all.allocated", 0))


class Seen(NamedTuple):
    """An event of the host, as the profiler saw it: from, to, in nanoseconds; torch's RecordScope; its thread; and of
    an allocation its bytes, less than nothing for a release."""

    name: str
    start: int
    end: int
    scope: int = _OPERATOR
    thread: int = 0
    size: int = 0


def events(raw: Iterable[Any]) -> list[Seen]:
    """The host's among a profiler's events. Each is asked once: asking takes longer than all that follows."""
    found = []
    for each in raw:
        if each.device_type().name == _HOST:
            name = each.name()
            size = each.nbytes() if name == _MEMORY else 0
            found.append(Seen(name, each.start_ns(), each.end_ns(), each.scope(), each.start_thread_id(), size))
    return found


_HOST = "CPU"


def operators(seen: Iterable[Seen]) -> Counter[str]:
    """The operators among events, by name."""
    own = [each for each in seen if each.scope == _OPERATOR and each.name != _MEMORY]
    kinds = {name: kind_of(name) for name in {each.name for each in own}}
    root = Event("", -1.0, float("inf"), OUTSIDE)
    # In nanoseconds, which `nest` only compares.
    nest(root, [Event(each.name, each.start, each.end, kinds[each.name], each.thread) for each in own])
    found = Counter[str]()
    _add(root, found)
    return found


def _add(event: Event, found: Counter[str]) -> bool:
    """Put an event and all inside it down; whether any of them computes. Of views the outermost counts, which is the
    one that was asked for, and none that an operator makes for its own use."""
    if event.kind == VIEW:
        found[event.name] += 1
        return False
    computes = counted(event)
    within = [_add(child, found) for child in event.children if not (computes and child.kind == VIEW)]
    registered = event.kind == WRAPPER and "::" in event.name and not event.name.startswith(("aten::", "profiler::"))
    if computes or (registered and not any(within)):
        found[event.name] += 1
        return True
    return any(within)


def nodes(seen: Iterable[Seen]) -> Counter[str]:
    """Autograd's nodes among events, by name."""
    return Counter(each.name.removeprefix(_NODE) for each in seen if each.name.startswith(_NODE))


def launches(seen: Iterable[Seen]) -> Counter[str]:
    """The host's calls that put work on a CUDA stream, by name."""
    return Counter(each.name for each in seen if any(part in each.name for part in _LAUNCHES))


def allocated(seen: Iterable[Seen], spans: Sequence[tuple[int, int]]) -> list[dict[str, float]]:
    """Allocations among events, for each span (from, to) in nanoseconds: how many, and the most bytes at once, beyond
    those before the first event."""
    changes = sorted((each.start, each.size) for each in seen if each.name == _MEMORY)
    found: list[dict[str, float]] = []
    for start, end in spans:
        level = most = count = 0
        for at, change in changes:
            level += change
            if start <= at <= end:
                count, most = count + (change > 0), max(most, level)
        found.append({ALLOCATIONS: count, PEAK: most})
    return found
