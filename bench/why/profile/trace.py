"""A trace file as events inside one another, what kind of work each does by its name, and a flame graph of them.

The file is what torch's profiler writes and Perfetto reads, Chrome's trace events: `ts` and `dur` in microseconds,
categories in `cat`. It is read without torch.

The flame graph (`folded`) is one line for each stack of calls, its frames joined by semicolons, and nanoseconds:
Brendan Gregg's folded format (Communications of the ACM 59(6), 2016, 48-57). speedscope.app opens it as it is,
`flamegraph.pl` and `inferno-flamegraph` draw it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.store.files import BrokenFile

PRODUCT, ELEMENTWISE, COPY, ALLOCATION = "product", "elementwise", "copy", "allocation"
VIEW, WRAPPER, AUTOGRAD, OUTSIDE = "view", "wrapper", "autograd", "outside"
"""A view makes a tensor of the same memory; a wrapper does its work by calling others; OUTSIDE is Python, or whatever
the profiler does not see into."""

WORK = (PRODUCT, ELEMENTWISE, COPY)
"""Kinds that compute or move data: what is counted as an operator."""

_PRODUCTS = """mm addmm bmm baddbmm mv addmv dot vdot addr ger addbmm _addmm_activation mkldnn_linear _cudnn_rnn
_cudnn_rnn_backward mkldnn_rnn_layer mkldnn_rnn_layer_backward _scaled_mm convolution_overrideable mkldnn_convolution
cudnn_convolution _thnn_fused_lstm_cell _mixed_dtypes_linear"""
_COPIES = """copy_ cat _cat fill_ zero_ index_select gather scatter_ index index_put_ _index_put_impl_ masked_fill_ roll
flip constant_pad_nd slice_backward select_backward _foreach_copy_ _foreach_zero_ tril triu"""
_ALLOCATIONS = """empty empty_like empty_strided new_empty new_empty_strided resize_ resize_as_ set_ record_stream"""
_VIEWS = """as_strided as_strided_ t transpose view select unsqueeze squeeze expand unbind slice narrow permute alias
detach detach_ _reshape_alias resolve_conj resolve_neg split split_with_sizes chunk unfold _unsafe_view expand_as
view_as swapaxes diagonal real lift_fresh is_nonzero item _local_scalar_dense unflatten flatten movedim requires_grad_
cudnn_is_acceptable result_type broadcast_tensors broadcast_to"""
_WRAPPERS = """linear matmul rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell stack clone contiguous to _to_copy reshape
zeros zeros_like ones ones_like full full_like new_zeros repeat einsum nll_loss nll_loss_nd hstack vstack concat
convolution _convolution conv2d log_softmax softmax ones_like_ rand randn pad tensordot"""

_KINDS = {
    f"aten::{name}": kind
    for kind, names in (
        (PRODUCT, _PRODUCTS),
        (COPY, _COPIES),
        (ALLOCATION, _ALLOCATIONS),
        (VIEW, _VIEWS),
        (WRAPPER, _WRAPPERS),
    )
    for name in names.split()
}
_NODE = re.compile(r"^autograd::|Backward\d*$|AccumulateGrad$|^torch::autograd::")


def kind_of(name: str) -> str:
    """The kind of an operator. One that is not known computes element by element, as nearly all of torch's do; names
    that are none of torch's own operators are wrappers, for what they call is what counts."""
    known = _KINDS.get(name) or _KINDS.get(name.removesuffix("_"))  # addmm_ is addmm, in place
    if known:
        return known
    if _NODE.search(name):
        return AUTOGRAD
    return ELEMENTWISE if name.startswith("aten::") else WRAPPER


_PRODUCT_KERNEL = re.compile(r"gemm|gemv|rnn|cutlass|splitk|dot_kernel|xmma|nvjet|triton_tem|triton_mm")
_OWN_KERNEL = re.compile(r"\brecurrence")


def kernel_kind(name: str) -> str:
    """The kind of a CUDA kernel by its name, for those whose operator can't be told: products have `gemm`, `RNN`, `dot`
    or `nvjet` in theirs. One of this suite's that runs all steps is called `recurrence`: nothing sees into it."""
    if _OWN_KERNEL.search(name):
        return OUTSIDE
    text = name.lower()
    if "elemwise" in text:  # cuDNN's, between the products of two steps, has RNN in its name as well
        return ELEMENTWISE
    if _PRODUCT_KERNEL.search(text):
        return PRODUCT
    copies = ("memcpy", "memset", "copy", "catarray", "fillfunctor")
    return COPY if any(word in text for word in copies) else ELEMENTWISE


_HOST = 0  # CPU among c10's types of devices (c10/core/DeviceType.h)
WINDOW = "rnn-bench: "
"""Calls are marked in a trace by an annotation of this name and a label."""


@dataclass
class Event:
    """An operator, or a stretch of Python: seconds from the trace's beginning, and what lies inside it."""

    name: str
    start: float
    end: float
    kind: str
    thread: Any = None
    args: dict[str, Any] = field(default_factory=dict)
    children: list[Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From beginning to end."""
        return self.end - self.start

    @property
    def own_seconds(self) -> float:
        """Less what lies inside."""
        return self.seconds - sum(child.seconds for child in self.children)

    def walk(self) -> Iterator[Event]:
        """It and all inside it, outer ones first."""
        waiting = [self]
        while waiting:
            event = waiting.pop()
            yield event
            waiting.extend(reversed(event.children))


@dataclass
class DeviceEvent:
    """A kernel or a copy on the device: seconds, its name, and the operator that launched it where that is known."""

    name: str
    start: float
    end: float
    operator: str = ""


@dataclass
class Window:
    """One marked stretch of a trace: a root event that holds what the host did in it, in all threads; what the device
    did; and changes of memory in bytes, in order of time: the device's where it did anything, else the host's."""

    label: str
    root: Event
    device: list[DeviceEvent]
    allocations: list[int]


def read_trace(path: Path, python: bool = False) -> list[Window]:
    """The marked windows of a trace file, with Python's own functions among the events where that is wanted and they
    were recorded. Raises BrokenFile for one that can't be read or has none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"), parse_float=Decimal)
        return windows(content["traceEvents"], python)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFile(f"{path}: no trace of this suite: {type(error).__name__}: {error}") from None


def windows(raw: list[dict[str, Any]], python: bool = False) -> list[Window]:
    """The marked windows among trace events. Raises ValueError when there is none."""
    marks = [each for each in raw if each.get("cat") == "user_annotation" and each["name"].startswith(WINDOW)]
    if not marks:
        raise ValueError("no call is marked in it")
    wanted = ("cpu_op", "python_function") if python else ("cpu_op",)
    origin = min(_nanoseconds(mark["ts"]) for mark in marks)
    host = [_host_event(each, origin) for each in raw if each.get("ph") == "X" and each.get("cat") in wanted]
    device = _device_events(raw, origin)
    memory = [each for each in raw if each["name"] == "[memory]"]
    found = []
    for mark in sorted(marks, key=lambda each: float(each["ts"])):
        start, end = _stretch(mark, origin)
        root = Event(mark["name"].removeprefix(WINDOW), start, end, OUTSIDE, mark.get("tid"))
        nest(root, [event for event in host if start <= event.start and event.end <= end])
        within = [event for event in device if start <= event.start < end]
        own = [each for each in memory if (each["args"].get("Device Type", 0) != _HOST) == bool(within)]
        changes = [each["args"]["Bytes"] for each in own if start <= _stretch(each, origin)[0] < end]
        found.append(Window(root.name, root, within, changes))
    return found


def _stretch(raw: dict[str, Any], origin: int) -> tuple[float, float]:
    """Beginning and end in seconds from the origin, added up in whole nanoseconds, as they are written: what ends at
    the same moment must not end a rounding error apart, or it is not inside what it is inside of."""
    start = _nanoseconds(raw["ts"]) - origin
    return start / 1e9, (start + _nanoseconds(raw.get("dur", 0))) / 1e9


def _nanoseconds(micro: Decimal | float) -> int:
    """Of microseconds since the machine was started: too many for a float to tell one nanosecond from the next."""
    return round(micro * 1000)


def _host_event(raw: dict[str, Any], origin: int) -> Event:
    name = str(raw["name"])
    start, end = _stretch(raw, origin)
    return Event(name, start, end, kind_of(name), raw.get("tid"), raw.get("args", {}))


def nest(root: Event, events: list[Event]) -> None:
    """Put each event into the innermost one of its thread that holds it; those of other threads hang on the root, which
    waits for them meanwhile, as for the backward pass of a device."""
    by_thread: dict[Any, list[Event]] = {}
    for event in events:
        by_thread.setdefault(event.thread, []).append(event)
    for own in by_thread.values():
        own.sort(key=lambda event: (event.start, -event.end))
        open_events = [root]
        for event in own:
            while len(open_events) > 1 and open_events[-1].end < event.end:
                open_events.pop()
            open_events[-1].children.append(event)
            open_events.append(event)


def _device_events(raw: list[dict[str, Any]], origin: int) -> list[DeviceEvent]:
    """Kernels, copies and fills on the device, with the operator whose external id each carries."""
    operators = {each["args"].get("External id"): str(each["name"]) for each in raw if each.get("cat") == "cpu_op"}
    operators.pop(None, None)
    found = []
    for each in raw:
        if each.get("ph") == "X" and each.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset"):
            launched_by = operators.get(each.get("args", {}).get("External id"), "")
            found.append(DeviceEvent(str(each["name"]), *_stretch(each, origin), launched_by))
    return sorted(found, key=lambda event: event.start)


def counted(event: Event) -> bool:
    """Whether an event is an operator that computes or moves data, rather than one that only calls such.

    One of no known kind counts unless it calls another that computes: `aten::sum` counts, and so does the `aten::fill_`
    inside it.
    """
    if event.kind == ELEMENTWISE:
        return not any(child.kind in (WORK[0], ELEMENTWISE) for child in event.walk() if child is not event)
    return event.kind in WORK


def is_node(event: Event) -> bool:
    """Whether an event is an autograd node's own, not the engine's wrapping around it."""
    return event.kind == AUTOGRAD and not event.name.startswith("autograd::")


def folded(window: Window) -> str:
    """The host's side of a window; its own time where a frame has any, in the order of the calls."""
    stacks: dict[str, int] = {}
    _add(stacks, window.root, [window.label])
    return "".join(f"{stack} {count}\n" for stack, count in stacks.items() if count > 0)


def _add(stacks: dict[str, int], event: Event, frames: list[str]) -> None:
    stack = ";".join(frames)
    stacks[stack] = stacks.get(stack, 0) + max(0, round(event.own_seconds * 1e9))
    for child in event.children:
        _add(stacks, child, [*frames, child.name.replace(";", ",").replace("\n", " ")])
