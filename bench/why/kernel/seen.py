"""What the profiler saw of a call: its events, and what each call for a whole sequence was given."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.profiler import profile, record_function

SEQUENCES = ("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu")
ONEDNN = "aten::mkldnn_rnn_layer"
ALLOCATION = "aten::empty"
FORWARD = "rnn-bench: forward"
"""The stretch of a call that counts: no loss, no backward pass."""

OPERATOR, SCRIPT = 0, 2
"""Of torch's RecordScope (aten/src/ATen/record_function.h): an operator, and a function of TorchScript."""

_WITH_ARGUMENTS = frozenset((*SEQUENCES, ONEDNN, ALLOCATION))
_DTYPES = {"float": "float32", "double": "float64", "c10::BFloat16": "bfloat16", "c10::Half": "float16"}


@dataclass(frozen=True)
class Event:
    """One event, in nanoseconds: of the host, or of the `device`. Operators of `_WITH_ARGUMENTS` carry what they were
    given: shapes, lists of them for lists of tensors; dtypes; other arguments; `graph`, whether gradients were on."""

    name: str
    start: int = 0
    end: int = 0
    scope: int = OPERATOR
    device: bool = False
    correlation: int = 0
    shapes: Sequence[Any] = ()
    dtypes: Sequence[str] = ()
    inputs: Sequence[Any] = ()
    graph: bool = False


def recorded(forward: Callable[[], Any], device: str, after: Callable[[Any], object] | None = None) -> list[Event]:
    """The events of a call in order of their beginnings: of the host, those of `forward` alone; of a CUDA device, those
    of `after` too, which is given its result. Raises whatever they raise."""
    cuda = device == "cuda"
    with profile(record_shapes=True, use_device="cuda" if cuda else None) as profiler:
        with record_function(FORWARD):
            found = forward()
        if after is not None and cuda:
            after(found)
        if cuda:
            torch.cuda.synchronize()
    results = profiler.kineto_results  # torch's own list of events takes ten times as long to build
    if results is None:
        raise RuntimeError("this torch has no profiler")
    events = sorted((_event(each) for each in results.events()), key=lambda event: (event.start, -event.end))
    window = next(event for event in events if event.name == FORWARD and not event.device)
    return [event for event in events if event.device or (window is not event and _inside(event, window))]


def _inside(event: Event, other: Event) -> bool:
    return other.start <= event.start and event.end <= other.end


def _event(raw: Any) -> Event:
    name, start, end = raw.name(), raw.start_ns(), raw.end_ns()
    if raw.device_type().name != "CPU":
        return Event(name, start, end, device=True, correlation=raw.correlation_id())
    if name not in _WITH_ARGUMENTS:
        return Event(name, start, end, raw.scope(), correlation=raw.correlation_id())
    given = raw.structured_input_shapes(), raw.dtypes(), raw.concrete_inputs()
    # A sequence number is drawn where gradients are on (at::GradMode), whether or not anything asks for them.
    return Event(name, start, end, raw.scope(), False, raw.correlation_id(), *given, raw.sequence_nr() >= 0)


@dataclass(frozen=True)
class Given:
    """What a call for a sequence was given: the dtype and the sizes of its input, (T, B, I), or (N, I) where it is
    packed; `projected` says that the hidden state is smaller than the cell state."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    packed: bool = False
    batch_first: bool = False
    projected: bool = False
    graph: bool = False

    @property
    def steps(self) -> int:
        """T; 0 where it can't be told, of a packed sequence."""
        return 0 if self.packed or len(self.shape) != 3 else self.shape[1 if self.batch_first else 0]


def given_to(events: Sequence[Event]) -> list[Given]:
    """What each call for a sequence was given, in their order; of calls inside one another, such as those that autocast
    makes, the innermost."""
    calls = [event for event in events if event.name in SEQUENCES and not event.device]
    outer = {k for k, (event, after) in enumerate(itertools.pairwise(calls)) if _inside(after, event)}
    return [_given(event) for k, event in enumerate(calls) if k not in outer]


def _given(event: Event) -> Given:
    """By the arguments of native_functions.yaml: input, hx, params, has_biases, num_layers, dropout, train,
    bidirectional, batch_first; a packed one has data and batch_sizes (T,) in place of the input, and no batch_first."""
    packed = len(event.dtypes) > 1 and event.dtypes[1] in ("long int", "long")
    states = event.shapes[2 if packed else 1]
    return Given(
        event.name,
        _DTYPES.get(event.dtypes[0], event.dtypes[0]),
        tuple(event.shapes[0]),
        packed,
        not packed and bool(event.inputs[8]),
        event.name == "aten::lstm" and states[0][2:] != states[1][2:],
        event.graph,
    )


def primitive(events: Sequence[Event]) -> str:
    """Which of oneDNN's primitives ran, `training` or `inference`.

    The one for training hands its backward pass a workspace, of bytes (mkldnn/RNN.cpp). Its argument `train` is no sign
    of it: that is `module.training`, and torch goes by the grad mode.
    """
    layers = [event for event in events if event.name == ONEDNN]
    spaces = [event for event in events if event.name == ALLOCATION and event.inputs[1:2] == [_BYTES]]
    return "training" if any(_inside(space, layer) for space in spaces for layer in layers[:1]) else "inference"


_BYTES = 0
"""uint8 among c10's scalar types (c10/core/ScalarType.h)."""
