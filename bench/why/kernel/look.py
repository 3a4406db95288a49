"""The look: a call under torch's profiler, untimed, and what it tells of the kernel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from bench.cases.case import STREAMING, TRAINING
from bench.measure.problem import loss
from bench.measure.workload import Workload
from bench.why.kernel.naming import FUSED_LOOP, LOOP, Call, Kernel, named
from bench.why.kernel.refusals import LIBRARIES, OFF, UNKNOWN, refusal
from bench.why.kernel.seen import SEQUENCES, given_to, recorded


def kernel_of(workload: Workload) -> Kernel:
    """What runs in a call of a workload, and why nothing faster. The call has the shape that it was prepared for: in
    streaming, of one step.

    Nothing is raised from here, since a user's implementation may raise anything: the name then says what it was.
    """
    case, module = workload.case, workload.module
    training, streaming = case.mode == TRAINING, case.mode == STREAMING
    forward: Callable[..., Any] = module if streaming else workload.forward
    inputs, hidden = workload.given[0]
    inputs = inputs[:1] if streaming else inputs
    call = Call(len(inputs), case.num_layers, int(case.output_size > 0), str(getattr(module, "chosen", "")))

    def backward(results: Any) -> None:
        loss(results[0], workload.problem.target, case.loss, workload.problem.lengths).backward()

    try:
        with nullcontext() if training else torch.inference_mode():
            return looked(lambda: forward(inputs, hidden), case.device, call, backward if training else None)
    except Exception as error:  # the cell is measured all the same
        return Kernel(f"not seen ({type(error).__name__})")


def looked(
    forward: Callable[[], Any], device: str, call: Call, backward: Callable[[Any], object] | None = None
) -> Kernel:
    """What runs in `forward` on a device type, and on CUDA in `backward`, which is given its result.

    It is made once; and again, only looking at the library's flag, where nothing but that can tell why ATen went step
    by step. Raises whatever the call raises, and RuntimeError where this torch has no profiler.
    """
    events = recorded(forward, device, backward)
    found = named(events, call)
    library = LIBRARIES.get(device)
    if library is None or not found.name.startswith((LOOP, FUSED_LOOP)):
        return found
    reason = refusal(given_to(events), device) or _by_the_flag(forward, device)
    return Kernel(found.name, f"{library}: {reason}", found.looping)


def _by_the_flag(forward: Callable[[], object], device: str) -> str:
    """Whether the library was switched off as it was called: an implementation may do that for its own calls only."""
    try:
        with _Flags(device) as flags:
            forward()
    except Exception:  # what is compiled may refuse to run under a mode; what ran is known all the same
        return UNKNOWN
    return UNKNOWN if any(flags.seen or [flags.enabled()]) else OFF


class _Flags(TorchFunctionMode):
    """Notes the flag of a device type's library at each call for a sequence."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.seen: list[bool] = []
        self._backend = torch.backends.mkldnn if device == "cpu" else torch.backends.cudnn

    def enabled(self) -> bool:
        """As it is now."""
        return bool(self._backend.enabled)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note it, and go on."""
        if f"aten::{getattr(func, '__name__', '')}" in SEQUENCES:
            self.seen.append(self.enabled())
        return func(*args, **(kwargs or {}))
