"""The kernel of `persistent-triton` in Triton's interpreter, on the CPU. A process of its own, for `test_cuda_impls`.

Triton decides when it is imported whether kernels are compiled or interpreted. Run as
`TRITON_INTERPRET=1 python -m tests.interpreted`, this prints a JSON object: the name of each check, and "" or what was
wrong. The interpreter runs a kernel's programs one after the other, so a barrier between them would never open; it is
checked with a process for each program, on shared memory, where the interpreter's atomics are the processor's own.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.process import BaseProcess

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure.parity import check
from bench.measure.reference import Reference
from rnn_impls import persistent_triton
from rnn_impls.persistent_triton import Chip, PersistentTriton, Plan

SMALL = Case(mode="training", input_size=3, hidden_size=20, batch_size=3, seq_len=5)
PATIENCE = 120.0
"""Seconds after which a process that waits at a barrier is taken to wait for ever."""


class Interpreted(PersistentTriton):
    """The same on the device on which the interpreter works"""

    devices = ("cpu",)


@contextmanager
def chip(processors: int, shared: int = 2**16, alone: int = 0) -> Iterator[None]:
    """Divide the work as for another chip, small networks among several programs, too."""
    kept = Chip.__dict__["of"], persistent_triton.ALONE
    Chip.of = classmethod(lambda *_: Chip(processors, shared))  # type: ignore[assignment, method-assign]
    persistent_triton.ALONE = alone
    try:
        yield
    finally:
        Chip.of, persistent_triton.ALONE = kept  # type: ignore[method-assign]


def equal(case: Case) -> None:
    """What is held before anything is timed: outputs, hidden states, gradients, against the float64 reference."""
    check(Reference.of(case), Interpreted)


def equal_on(case: Case, processors: int, shared: int, programs: int) -> None:
    """The same, with the work divided among so many programs."""
    with chip(processors, shared):
        plan = Plan.of(case.hidden_size, case.batch_size, 4, Chip.of(torch.device("cpu")))
        assert plan.programs == programs, f"{plan} is not what was to be tested"
        equal(case)


def run_program(number: int, matrix: Tensor, given: Tensor, exchange: Tensor, *rest: object) -> None:
    """One program of a launch, in a process of its own."""
    import numpy as np
    import triton.language as tl
    from triton.runtime import interpreter

    own = interpreter.TensorHandle(np.array([number], dtype=np.int32), tl.int32)
    interpreter.interpreter_builder.create_get_program_id = lambda _: own
    # The interpreter writes arguments back to their device when a launch ends; here that would undo others' writes.
    interpreter.GridExecutor._restore_args_dev = lambda *_: None
    states, counter, plan = rest
    assert isinstance(counter, Tensor)
    assert isinstance(plan, Plan)
    torch.zeros = lambda *_, **__: counter  # all programs of a launch have one counter
    persistent_triton.kernel = lambda: {(plan.programs,): OneProgram()}  # type: ignore[assignment]
    persistent_triton.run(matrix, given, exchange, states, False, plan)  # type: ignore[arg-type]


class OneProgram:
    """The kernel with a grid of one, which is the program that the process stands for."""

    def __call__(self, *arguments: object, **constants: object) -> None:
        """Launch it."""
        from rnn_impls import persistent_kernel

        persistent_kernel.recurrence[(1,)](*arguments, **constants)


def barrier(back: bool, batch: int) -> None:
    """Three programs of twelve units, six steps: none runs ahead of the others, and together they are right."""
    torch.manual_seed(0)
    hidden, steps = 12 * 3, 6
    plan = Plan(programs=3, rows=16, columns=64, sequences=1 if batch == 1 else 4, parts=0 if batch == 1 else 4)
    matrix = torch.randn(hidden, hidden) / hidden**0.5
    given, first = torch.randn(steps, batch, hidden), torch.randn(batch, hidden)
    states = torch.tanh(torch.randn(steps + 1, batch, hidden))
    exchange, counter = torch.full((steps + 1, batch, hidden), torch.nan), torch.zeros(1, dtype=torch.int32)
    exchange[-1 if back else 0] = first
    for tensor in (matrix, given, exchange, states, counter):
        tensor.share_memory_()
    programs = [
        multiprocessing.get_context("fork").Process(
            target=run_program, args=(n, matrix, given, exchange, states if back else None, counter, plan), daemon=True
        )
        for n in range(plan.programs)
    ]
    second = exchange[-3] if back else exchange[2]
    try:
        programs[0].start()
        wait_until(lambda: int(counter) > 0, programs[:1])
        time.sleep(0.2)  # it would have the time to run ahead
        assert int(counter) == 1, "a program counted twice before the others came"
        assert second.isnan().all(), "a program ran ahead of the others"
        for program in programs[1:]:
            program.start()
        wait_until(lambda: not any(program.is_alive() for program in programs), [])
        assert [program.exitcode for program in programs] == [0, 0, 0]
    finally:
        for program in programs:
            if program.is_alive():
                program.kill()
    assert int(counter) == plan.programs * steps
    torch.testing.assert_close(exchange, by_hand(matrix, given, first, states if back else None))


def by_hand(matrix: Tensor, given: Tensor, first: Tensor, states: Tensor | None) -> Tensor:
    """What the kernel's rows must hold, step by step."""
    rows = [first]
    for t in range(len(given)) if states is None else reversed(range(len(given))):
        total = given[t] + rows[-1] @ matrix.T
        rows.append(torch.tanh(total) if states is None else total * (1 - states[t + 1] ** 2))
    return torch.stack(rows if states is None else rows[::-1])


def wait_until(true: Callable[[], bool], alive: Sequence[BaseProcess]) -> None:
    """Return when it is; raises TimeoutError, or RuntimeError if a process dies that was to be alive."""
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("a program waits at its barrier")
        if not all(process.is_alive() for process in alive):
            raise RuntimeError("a program ended early")
        time.sleep(0.01)


def checks() -> dict[str, Callable[[], None]]:
    """Name -> check."""
    found: dict[str, Callable[[], None]] = {}
    for nonlinearity in ("tanh", "relu"):
        for hidden in (5, 16, 20, 33):
            for batch in (1, 3):
                for steps in (1, 5):
                    case = dataclasses.replace(
                        SMALL, network=f"rnn-{nonlinearity}", hidden_size=hidden, batch_size=batch, seq_len=steps
                    )
                    found[f"{nonlinearity}, hidden {hidden}, batch {batch}, {steps} steps"] = partial(equal, case)
    bend = partial(dataclasses.replace, SMALL)
    more = {
        "inference": bend(mode="inference"),
        "inference, batch 1": bend(mode="inference", batch_size=1),
        "hidden 1": bend(mode="inference", hidden_size=1, batch_size=1),  # the profiler's hollow network
        "two layers and a head": bend(num_layers=2, output_size=4),
        "more sequences than are multiplied at once": bend(batch_size=19, seq_len=2),
        "hidden 128": bend(hidden_size=128, batch_size=2, seq_len=3),
        "float16": bend(dtype="float16", hidden_size=33, seq_len=4),
        "float16, batch 1": bend(dtype="float16", hidden_size=33, batch_size=1, seq_len=4),
        # With more sequences the products go to tl.dot, which the interpreter can't do in bfloat16.
        "bfloat16, batch 1": bend(dtype="bfloat16", hidden_size=33, batch_size=1, seq_len=4),
    }
    found |= {name: partial(equal, case) for name, case in more.items()}
    # Of a single step, programs wait for no one and can run one after the other.
    for batch in (1, 3):
        found[f"a step among 5 programs, batch {batch}"] = partial(
            equal_on, bend(hidden_size=33, batch_size=batch, seq_len=1), 8, 2**16, 5
        )
    found["a step among 3 programs of 16 units"] = partial(equal_on, bend(hidden_size=33, seq_len=1), 3, 2**16, 3)
    found["no shared memory for tl.dot"] = partial(equal_on, SMALL, 1, 0, 1)
    for back in (False, True):
        for batch in (1, 3):
            found[f"barrier, {'back' if back else 'forward'}, batch {batch}"] = partial(barrier, back, batch)
    return found


def verdict(test: Callable[[], None]) -> str:
    """What the check raised, or nothing."""
    try:
        test()
    except Exception:  # a check may fail in any way; the others are made all the same
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    torch.set_num_threads(1)  # so that processes can be forked
    print(json.dumps({name: verdict(test) for name, test in checks().items()}))
