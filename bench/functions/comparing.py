"""`compare`: how much faster is one function than another, by the suite's own measuring core."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bench.functions.result import Result, rows_of
from bench.functions.sending import NotSendable, Sent, device_of, send
from bench.functions.trial import Check, Function, arguments_of, equal, try_all
from bench.host.process import WorkerDied, findings
from bench.table.comparison import ONE_PROCESS, UNCHECKED, EstimateWarning


def compare(
    functions: Mapping[str, Function],
    *,
    inputs: Callable[..., tuple[Any, ...]] | None = None,
    sizes: Sequence[Any] | None = None,
    check: Check | None = equal,
    baseline: str = "",
    passes: int = 5,
    seconds: float = 0.5,
    threads: int = 1,
    timeout: float = 120.0,
) -> Result:
    """Time functions in alternation, over fresh processes, and give their paired ratios with intervals.

    `functions` are two or more, by the names that the result tells them by. `inputs` makes the tuple of arguments that
    all are called with: for each of `sizes` it is given that size, without sizes nothing. It runs here, and what it
    makes is sent. `check(actual, expected)` holds what each gives against what the `baseline` gives, the last function
    if none is named; it raises or returns False where they differ. None checks nothing.

    Each of the `passes` is a fresh process on one core with so many `threads`, which measures each size for about
    `seconds`. Functions that can't be imported there, such as lambdas, are measured within this process, and the result
    carries a warning. A process that tells nothing for `timeout` seconds is given up.

    Raises ValueError for functions that differ, raise, change their inputs, or can't be called, in one line with the
    function's name; RuntimeError where a fresh process is lost.
    """
    from bench.worker import caller

    if caller.loading():  # this is a script that is run again, to have what it defines
        raise caller.Reached
    over = _checked(functions, baseline, passes, seconds, threads)
    arguments = arguments_of(inputs, sizes)
    told = (None,) if sizes is None else tuple(sizes)
    for size, given in zip(told, arguments, strict=True):
        try_all(functions, given, size, check, over)
    device = device_of([*functions.values(), *arguments])
    how = {"device": device, "threads": threads, "seconds": seconds}
    warnings = [] if check else [EstimateWarning(UNCHECKED)]
    reason = ""
    try:
        found, machine = _elsewhere(send(functions, arguments), passes, timeout, told, how)
    except NotSendable as not_sendable:
        warnings.append(EstimateWarning(ONE_PROCESS))
        reason = str(not_sendable)
        found, machine = _here(functions, arguments, passes, told, how)
    samples = rows_of(found)
    return Result(tuple(functions), over, told, samples, passes, tuple(warnings), reason, machine)


Found = list[tuple[int, dict[str, Any]]]
"""What each pass told of each size: the pass's number, and a worker's `timed`."""


def _checked(functions: Mapping[str, Function], baseline: str, passes: int, seconds: float, threads: int) -> str:
    """The baseline's name. Raises ValueError for what can't be asked."""
    if len(functions) < 2:
        raise ValueError(f"compare takes two functions or more, not {len(functions)}")
    for name, function in functions.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"functions are named by text, not by {name!r}")
        if not callable(function):
            raise ValueError(f"`{name}` is a {type(function).__name__}, not a function")
    for what, value in (("passes", passes), ("seconds", seconds), ("threads", threads)):
        if not value > 0:
            raise ValueError(f"{what} must be more than 0, not {value:g}")
    if baseline and baseline not in functions:
        raise ValueError(f"baseline {baseline!r} is not among {', '.join(functions)}")
    return baseline or list(functions)[-1]


def _elsewhere(
    sent: Sent, passes: int, timeout: float, sizes: Sequence[Any], how: Mapping[str, Any]
) -> tuple[Found, dict[str, Any]]:
    """Measured by fresh processes, one after the other; what the first finds this machine to be. Raises NotSendable,
    ValueError, RuntimeError."""
    found: Found = []
    machine: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="rnn-bench-compare-") as folder, _telling(passes) as tell:
        file = Path(folder, "sent.pickle")
        file.write_bytes(sent.content)
        for number in range(1, passes + 1):
            tell(number)
            try:
                for event in findings(sent.job(file, **how), timeout, Path(folder, "worker.log")):
                    if event["event"] == "ready":
                        machine = machine or event["machine"]
                    elif event["event"] == "unsendable":
                        raise NotSendable(f"a fresh process can't have them: {event['reason']}")
                    elif event["event"] == "timed":
                        _raise_failures(event, sizes)
                        found.append((number, event))
            except WorkerDied as death:
                raise RuntimeError(f"pass {number}: {death}, while the functions took turns") from None
    return found, machine


def _here(
    functions: Mapping[str, Function],
    arguments: Sequence[tuple[Any, ...]],
    passes: int,
    sizes: Sequence[Any],
    how: Mapping[str, Any],
) -> tuple[Found, dict[str, Any]]:
    """The same within this process: so many takings. Raises ValueError."""
    from bench.host.machine import describe
    from bench.measure.turns import take_turns, told

    found: Found = []
    order = random.Random()
    with _settled(how["threads"]), _telling(passes) as tell:
        for number in range(1, passes + 1):
            tell(number)
            for size, given in order.sample(list(enumerate(arguments)), len(arguments)):
                result = take_turns(functions, given, how["device"], how["seconds"], order)
                event = {"size": size, **told(result)}
                _raise_failures(event, sizes)
                found.append((number, event))
        machine = describe()
    return found, machine


def _raise_failures(event: Mapping[str, Any], sizes: Sequence[Any]) -> None:
    """Raise ValueError for a function that went well when it was tried, and not when it was timed."""
    size = sizes[event["size"]]
    for name, reason in event["failures"].items():
        raise ValueError(f"`{name}` raises {reason}, while it was timed{'' if size is None else f' at {size}'}")


@contextmanager
def _settled(threads: int) -> Iterator[None]:
    """This process on as many cores, and as it was before when this ends."""
    import torch

    from bench.host.machine import pin

    torch_threads = torch.get_num_threads()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(threads)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        if cores is not None:
            os.sched_setaffinity(0, cores)


@contextmanager
def _telling(passes: int) -> Iterator[Callable[[int], None]]:
    """Shows which pass is measured, on a terminal; nothing elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    shown = console.status("comparing ...") if console.is_terminal else nullcontext()
    with shown as status:
        yield lambda number: status.update(f"comparing: pass {number} of {passes}") if status is not None else None
