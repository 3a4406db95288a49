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

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

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
    _, one, other = _calls(workload)
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
    """What each of CALLS in a row did.

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
    host = [each for each in profiler.kineto_results.events() if each.device_type().name == "CPU"]
    marks = sorted((each for each in host if each.name().startswith(_CALL)), key=lambda each: each.name())
    spans = [(mark.start_ns(), mark.end_ns()) for mark in marks]
    if workload.case.device == "cpu":
        memory = allocated(host, spans)
    if not memory or getattr(workload.module, "own_allocator", False):  # another tree may not know of it
        memory = [{}] * CALLS
    found = []
    for (start, end), of_memory in zip(spans, memory, strict=True):
        within = [each for each in host if start <= each.start_ns() and each.end_ns() <= end]
        names = {OPERATORS: operators(within), NODES: nodes(within)} | ({LAUNCHES: launches(within)} if cuda else {})
        found.append(_Call({figure: of.total() for figure, of in names.items()} | of_memory, names))
    return found


def _cuda_allocations() -> int:
    """How many the caching allocator has made so far; the peak begins anew."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return int(torch.cuda.memory_stats().get("allocation.all.allocated", 0))


def operators(raw: Iterable[Any]) -> Counter[str]:
    """The operators among a profiler's events, by name."""
    root = Event("", -1.0, float("inf"), OUTSIDE)
    own = [each for each in raw if each.scope() == _OPERATOR and each.name() != _MEMORY]
    # In nanoseconds, which `nest` only compares.
    nest(root, [Event(e.name(), e.start_ns(), e.end_ns(), kind_of(e.name()), e.start_thread_id()) for e in own])
    found = Counter[str]()
    _add(root, found)
    return found


def _add(event: Event, found: Counter[str]) -> bool:
    """Put an event and all inside it down; whether any of them counts. Of views inside one another the outermost
    counts, which is the one that was asked for."""
    if event.kind == VIEW:
        found[event.name] += 1
        return True
    if counted(event):
        found[event.name] += 1
    within = [_add(child, found) for child in event.children]
    inside = counted(event) or any(within)
    registered = event.kind == WRAPPER and "::" in event.name and not event.name.startswith(("aten::", "profiler::"))
    if registered and not inside:
        found[event.name] += 1
    return inside or registered


def nodes(raw: Iterable[Any]) -> Counter[str]:
    """Autograd's nodes among a profiler's events, by name."""
    names = (each.name() for each in raw)
    return Counter(name.removeprefix(_NODE) for name in names if name.startswith(_NODE))


def launches(raw: Iterable[Any]) -> Counter[str]:
    """The host's calls that put work on a CUDA stream, by name."""
    names = (each.name() for each in raw)
    return Counter(name for name in names if any(part in name for part in _LAUNCHES))


def allocated(raw: Iterable[Any], spans: Sequence[tuple[int, int]]) -> list[dict[str, float]]:
    """Allocations among a profiler's events, for each span (from, to) in nanoseconds: how many, and the most bytes at
    once, beyond those before the first event."""
    events = sorted((each.start_ns(), each.nbytes()) for each in raw if each.name() == _MEMORY)
    level, found = 0, [{ALLOCATIONS: 0.0, PEAK: 0.0} for _ in spans]
    for at, change in events:
        level += change
        for of, (start, end) in zip(found, spans, strict=True):
            if start <= at <= end:
                of[ALLOCATIONS] += change > 0
                of[PEAK] = max(of[PEAK], level)
    return found
