"""The time of a call in categories that add up to it.

On the CPU: the profiler makes every operator slower by about as much as a small one lasts, so its times can't be taken
as they are. Beside the call stands its *hollow twin*: the same network with one hidden unit and one input, which makes
the same calls with next to nothing to compute. Both are timed without the profiler, and both are traced.

    work of a kind        its own time in the call less that in the twin: what the profiler adds cancels
    Python and dispatch   the twin's time without the profiler, less autograd's part
    autograd              the engine's and its nodes' own time in the twin, less what the profiler adds to each event

On CUDA the host works ahead of the device, so time is told from the device: what it was busy with, and why it was not.
The profiler slows the host, not the kernels; gaps are therefore what is left of the time measured without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.why.profile.trace import (
    ALLOCATION,
    AUTOGRAD,
    COPY,
    ELEMENTWISE,
    OUTSIDE,
    PRODUCT,
    VIEW,
    WRAPPER,
    DeviceEvent,
    Window,
    kernel_kind,
    kind_of,
)

DISPATCH, PRODUCTS, ELEMENTS, COPIES = "Python and dispatch", "matrix products", "elementwise", "copies and allocation"
GRADIENTS, UNSEEN, GAPS, WAITING = "autograd", "inside one call", "kernel launch gaps", "waiting for the device"
CATEGORIES = (DISPATCH, GRADIENTS, GAPS, WAITING, COPIES, ELEMENTS, PRODUCTS, UNSEEN)
"""In the order they are shown: first what computes nothing. UNSEEN is work in code that the profiler can't see into,
such as a kernel of one's own."""
OVERHEAD = (DISPATCH, GRADIENTS, GAPS, WAITING)

_WORK = {PRODUCT: PRODUCTS, ELEMENTWISE: ELEMENTS, COPY: COPIES, ALLOCATION: COPIES}
_DEVICE = {PRODUCT: PRODUCTS, ELEMENTWISE: ELEMENTS, COPY: COPIES, OUTSIDE: UNSEEN}


@dataclass(frozen=True)
class OwnTimes:
    """Own seconds by kind per call, events per call, and the length of the traced call."""

    by_kind: dict[str, float]
    nodes: float
    events: float
    seconds: float


def own_times(window: Window, calls: int) -> OwnTimes:
    """What a window of so many calls says of one."""
    by_kind: dict[str, float] = {}
    nodes = events = 0
    for event in window.root.walk():
        by_kind[event.kind] = by_kind.get(event.kind, 0.0) + event.own_seconds / calls
        nodes += event.kind == AUTOGRAD
        events += 1
    return OwnTimes(by_kind, nodes / calls, (events - 1) / calls, window.root.seconds / calls)


def cpu_breakdown(traced: OwnTimes, hollow: OwnTimes, hollow_seconds: float, *, seen: bool = True) -> dict[str, float]:
    """Category -> seconds. `hollow_seconds` is the twin's time without the profiler; `seen` says that the products of
    the network are among the operators traced, so that time outside of any operator is Python's and not theirs."""
    per_event = max(0.0, hollow.seconds - hollow_seconds) / max(1.0, hollow.events)
    grown = {
        kind: traced.by_kind.get(kind, 0.0) - hollow.by_kind.get(kind, 0.0)
        for kind in {**traced.by_kind, **hollow.by_kind}
    }
    found = dict.fromkeys(CATEGORIES, 0.0)
    nodes = min(hollow_seconds, max(0.0, hollow.by_kind.get(AUTOGRAD, 0.0) - per_event * hollow.nodes))
    found[GRADIENTS] = max(0.0, nodes + grown.get(AUTOGRAD, 0.0))
    found[DISPATCH] = hollow_seconds - nodes + grown.get(VIEW, 0.0) + grown.get(WRAPPER, 0.0)
    found[DISPATCH if seen else UNSEEN] += grown.get(OUTSIDE, 0.0)
    for kind, category in _WORK.items():
        found[category] += grown.get(kind, 0.0)
    return {category: max(0.0, seconds) for category, seconds in found.items()}


def cuda_breakdown(window: Window, calls: int, seconds: float) -> dict[str, float]:
    """Category -> seconds of one of so many calls, each of which takes `seconds` without the profiler.

    Idle time is shared out as the trace shows it: before the first kernel it is Python's and dispatch's, between
    kernels it is a gap in launching, after the last one it is spent waiting.
    """
    found = dict.fromkeys(CATEGORIES, 0.0)
    for event in window.device:
        found[_DEVICE.get(_device_kind(event), ELEMENTS)] += (event.end - event.start) / calls
    busy = busy_seconds(window.device) / calls
    overlapping = sum(found.values())
    if overlapping > 0:  # kernels side by side count by their share
        found = {category: part * busy / overlapping for category, part in found.items()}
    if not window.device:
        found[DISPATCH] = seconds
        return found
    first = window.device[0].start - window.root.start
    last = max(0.0, window.root.end - max(event.end for event in window.device))
    between = max(0.0, window.root.seconds - first - last - busy * calls)
    idle, traced_idle = max(0.0, seconds - busy), first + between + last
    for category, part in ((DISPATCH, first), (GAPS, between), (WAITING, last)):
        found[category] = idle * part / traced_idle if traced_idle > 0 else 0.0
    return found


def _device_kind(event: DeviceEvent) -> str:
    kind = kind_of(event.operator) if event.operator else ""
    return kind if kind in _DEVICE else kernel_kind(event.name)


def busy_seconds(events: Sequence[DeviceEvent]) -> float:
    """How long the device did something: the union of its events, which are in order of their beginnings."""
    seconds, until = 0.0, float("-inf")
    for event in events:
        seconds += max(0.0, event.end - max(event.start, until))
        until = max(until, event.end)
    return seconds


def working(categories: Mapping[str, float]) -> float:
    """Seconds in which something is computed or moved."""
    return sum(seconds for name, seconds in categories.items() if name not in OVERHEAD)


def settled(categories: Mapping[str, float], seconds: float) -> dict[str, float]:
    """The categories scaled so that they add up to the time measured without the profiler.

    The overhead is the twin's time and was measured without it, too; so it is the work that is scaled, and only where
    there is more overhead than time, or no work, the whole. Where nothing was found at all, it is all dispatch.
    """
    work = working(categories)
    overhead = sum(part for name, part in categories.items() if name in OVERHEAD)
    if work > 0 and seconds > overhead:
        scale = (seconds - overhead) / work
        return {name: part if name in OVERHEAD else part * scale for name, part in categories.items()}
    if not overhead > 0:
        return dict.fromkeys(categories, 0.0) | {DISPATCH: seconds}
    return {name: part * (seconds / overhead) if name in OVERHEAD else 0.0 for name, part in categories.items()}
