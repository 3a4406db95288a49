"""What a process is set to that an implementation might change: read, compared, put back.

Everything here is global to the process: a number of threads, a default dtype, a flag of the arithmetic unit. Who
changes it changes what the others compute and how fast, and its own next calls. So it is looked at after an
implementation is imported, built and called; a change is a failure that names it, and is undone.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from bench.cases.case import Case
from bench.host.machine import fix_numerics, fp32_owners, pin
from bench.measure.fault import Fault

_CLOCK = time.perf_counter


class StateChanged(Fault):
    """An implementation changed what its process is set to; the text says what, from what to what."""


@dataclass(frozen=True)
class Setting:
    """One of them: its name for a reader, how to read it, and how to put a value back where that can be done."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object] | None = None


def flushes_denormals() -> bool:
    """Whether numbers too small for a full mantissa are taken for zeros. torch can set this and not read it; it holds
    for all arithmetic of this thread, Python's own among it."""
    least = 5e-324
    return least * float(1) == 0.0


def _set_clock(clock: Any) -> None:
    time.perf_counter = clock


def _set_garbage_collection(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


def _of(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    """How an attribute is read and written."""
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _autocast(device: str) -> Setting:
    return Setting(
        f"autocast on {device}",
        lambda: torch.is_autocast_enabled(device),
        lambda enabled: torch.set_autocast_enabled(device, enabled),
    )


def _tf32() -> tuple[Setting, ...]:
    """What decides on TF32."""
    generic: dict[str, Any] = {"torch": torch.backends, "cuDNN": torch.backends.cudnn} if fp32_owners() else {}
    return (
        Setting("TF32 of cuBLAS", *_of(torch.backends.cuda.matmul, "allow_tf32")),
        Setting("TF32 of cuDNN", *_of(torch.backends.cudnn, "allow_tf32")),
        *(
            Setting(f"fp32_precision of {name}", *_of(owner, "fp32_precision"))
            for name, owner in (generic | fp32_owners()).items()
        ),
    )


SETTINGS = (
    Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
    Setting("the default dtype", torch.get_default_dtype, torch.set_default_dtype),
    Setting("the seed", torch.initial_seed, torch.manual_seed),
    Setting("flush_denormal", flushes_denormals, torch.set_flush_denormal),
    Setting(
        "use_deterministic_algorithms", torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
    ),
    Setting("the grad mode", torch.is_grad_enabled, torch.set_grad_enabled),
    Setting("inference mode", torch.is_inference_mode_enabled),
    Setting("anomaly detection", torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    _autocast("cpu"),
    _autocast("cuda"),
    Setting("float32_matmul_precision", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    *_tf32(),
    Setting("cudnn.enabled", *_of(torch.backends.cudnn, "enabled")),
    Setting("cudnn.benchmark", *_of(torch.backends.cudnn, "benchmark")),
    Setting("cudnn.deterministic", *_of(torch.backends.cudnn, "deterministic")),
    Setting("mkldnn.enabled", *_of(torch.backends.mkldnn, "enabled")),
    Setting("Python's garbage collection", gc.isenabled, _set_garbage_collection),
    Setting(
        "time.perf_counter",
        lambda: "its own" if time.perf_counter is _CLOCK else "another",
        lambda _: _set_clock(_CLOCK),
    ),
    Setting("the current folder", os.getcwd, os.chdir),
    *(
        [
            Setting(
                "the cores it may use",
                lambda: sorted(os.sched_getaffinity(0)),
                lambda cores: os.sched_setaffinity(0, cores),
            )
        ]
        if hasattr(os, "sched_setaffinity")
        else []
    ),
)


def arrange(case: Case) -> list[int]:
    """Set this process as a Case asks: its threads and cores, what it does with denormals, TF32 -> its cores."""
    torch.set_flush_denormal(case.flush_denormal)
    fix_numerics(case.tf32)
    return pin(case.threads)


def now() -> dict[str, Any]:
    """Every setting by name, as it is at this moment; about 10 µs."""
    return {setting.name: _read(setting) for setting in SETTINGS}


def _read(setting: Setting) -> Any:
    try:
        return setting.read()
    except RuntimeError:  # torch refuses where its old and new names for TF32 were mixed
        return "what can't be read"
    except (OSError, TypeError, AttributeError) as error:  # an older one may lack a name
        return type(error).__name__


def changes(before: dict[str, Any]) -> str:
    """What has changed since, in words, once it is put back where that can be done; nothing where nothing has."""
    after = now()
    if after == before:
        return ""
    told = [f"{name} from {then} to {after[name]}" for name, then in before.items() if after[name] != then]
    for setting in (*SETTINGS, *_tf32()):  # which a second time, since its old names write the new ones, too
        if setting.write is not None and _read(setting) != before[setting.name]:
            with suppress(RuntimeError, OSError, TypeError, AttributeError):
                setting.write(before[setting.name])
    return f"changes {', '.join(told)}"


@contextmanager
def kept(doing: str) -> Iterator[None]:
    """A with-block that has to leave everything as it was. Raises StateChanged, also where the block raises itself:
    what was changed tends to be why. `doing` says for a reader when that was."""
    before = now()
    try:
        yield
    except Exception as error:  # whatever it raises, what it changed comes first
        if told := changes(before):
            raise StateChanged(f"{told} {doing}") from error
        raise
    if told := changes(before):
        raise StateChanged(f"{told} {doing}")
