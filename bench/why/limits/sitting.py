"""What a worker does to measure the limits of its machine: one value of each, told as it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch

from bench.host.clock import HostClock, clock_for, warm_up
from bench.host.machine import pin
from bench.measure.alternate import BadSample, no_garbage_collection
from bench.measure.fault import reason_of
from bench.why.limits.cpu import Probes, call_limits, cpu_limits, probes
from bench.why.limits.cuda import cuda_call_limits, cuda_facts, cuda_limits
from bench.why.limits.limits import cache_bytes
from rnn_impls.interface import Unavailable

Part = Callable[[], Iterable[tuple[str, float]]]


def measure_limits(devices: Sequence[str], threads: Sequence[int], tell: Callable[..., None]) -> None:
    """Tell `facts`, then `limit` for each name, or `missing` where a part fails, and go on with the next."""
    caches = cache_bytes()
    tell("facts", facts={f"cpu.cache.{level}": size for level, size in caches.items()})
    if not caches:
        tell("missing", name="cpu.cache", reason="the system does not tell the sizes of its caches")
    own = _probes(tell)
    with torch.inference_mode(), no_garbage_collection():
        for count in threads:
            pin(count)
            _try(tell, f"cpu, {count} threads", partial(cpu_limits, HostClock(), count, caches, own))
    pin(1)
    with no_garbage_collection():
        _try(tell, "cpu.call", lambda: call_limits(HostClock(), own))
        if "cuda" not in devices:
            tell("missing", name="cuda", reason="there is no CUDA device here")
            return
        facts = cuda_facts()
        tell("facts", facts=facts)
        clock = clock_for("cuda")
        warm_up()
        with torch.inference_mode():
            _try(tell, "cuda", lambda: cuda_limits(clock, facts.get("cuda.cache.L2", 0)))
            _try(tell, "cuda.call", lambda: cuda_call_limits(clock, HostClock()))


def _probes(tell: Callable[..., Any]) -> Probes | None:
    """Loops of our own; where they can't be built, why, and torch's operators stand in."""
    try:
        return probes()
    except Unavailable as error:
        tell("missing", name="cpu.probes", reason=f"{error}; torch's own operators stand in, and may be beaten")
        return None


def _try(tell: Callable[..., Any], name: str, part: Part) -> None:
    """Tell what a part finds until it fails, and then why; a machine without one thing may have the others."""
    try:
        for limit, value in part():
            tell("limit", name=limit, value=value)
    except (RuntimeError, BadSample, AttributeError) as error:  # what torch raises for a dtype or a call it lacks
        tell("missing", name=name, reason=reason_of(error))
