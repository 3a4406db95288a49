"""The kernel of `persistent-triton` in Triton's interpreter, on the CPU. A process of its own, for `test_cuda_impls`.

Triton decides when it is imported whether kernels are compiled or interpreted. Run as
`TRITON_INTERPRET=1 python -m tests.interpreted`, this prints a JSON object: the name of each check, and "" or what was
wrong. The interpreter runs a kernel's programs one after the other, so a barrier between them would never open; it is
checked with a process for each program, on shared memory, where the interpreter's atomics are the processor's own.
So are numbers that are their own flag.
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
from rnn_impls import lateness, persistent_plan, persistent_triton
from rnn_impls.persistent_plan import Chip, Plan, Tuning
from rnn_impls.persistent_triton import PersistentTriton

SMALL = Case(mode="training", input_size=3, hidden_size=20, batch_size=3, seq_len=5)
PATIENCE = 120.0
"""Seconds after which a process that waits at a barrier is taken to wait for ever."""


class Interpreted(PersistentTriton):
    """The same on the device on which the interpreter works"""

    devices = ("cpu",)


@contextmanager
def chip(processors: int, shared: int = 2**16, alone: int = 0) -> Iterator[None]:
    """Divide the work as for another chip, small networks among several programs, too."""
    kept = Chip.__dict__["of"], persistent_plan.ALONE
    Chip.of = classmethod(lambda *_: Chip(processors, shared))  # type: ignore[assignment, method-assign]
    persistent_plan.ALONE = alone
    try:
        yield
    finally:
        Chip.of, persistent_plan.ALONE = kept  # type: ignore[method-assign]


def equal(case: Case) -> None:
    """What is held before anything is timed: outputs, hidden states, gradients, against the float64 reference."""
    check(Reference.of(case), Interpreted)


def equal_on(case: Case, processors: int, shared: int, programs: int) -> None:
    """The same, with the work divided among so many programs."""
    with chip(processors, shared):
        plan = Plan.of(case.hidden_size, case.batch_size, 4, Chip.of(torch.device("cpu")))
        assert plan.programs == programs, f"{plan} is not what was to be tested"
        equal(case)


class OneProgram:
    """The kernel with a grid of one, which is the program that the process stands for."""

    def __call__(self, *arguments: object, **constants: object) -> None:
        """Launch it."""
        from rnn_impls import persistent_kernel

        persistent_kernel.recurrence[(1,)](*arguments, **constants)


@dataclasses.dataclass(frozen=True)
class Launch:
    """Three programs of 16, 16 and 4 units, and what they share: six steps, forward or back."""

    tuning: Tuning
    matrix: Tensor
    given: Tensor
    first: Tensor
    states: Tensor | None
    exchange: Tensor
    counter: Tensor
    flag: Tensor
    plan: Plan

    @classmethod
    def of(cls, back: bool, batch: int, counted: bool) -> Launch:
        """Of random numbers, with rows that hold nothing yet."""
        torch.manual_seed(0)
        hidden, steps = 36, 6
        few = batch == 1
        matrix, given = torch.randn(hidden, hidden) / hidden**0.5, torch.randn(steps, batch, hidden)
        first = torch.randn(batch, hidden)
        states = torch.tanh(torch.randn(steps + 1, batch, hidden))
        exchange = torch.empty(steps + 1, batch, hidden)
        persistent_triton.absent(exchange)
        exchange[-1 if back else 0] = first
        flags = torch.zeros(1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
        for tensor in (matrix, given, exchange, states, *flags):
            tensor.share_memory_()
        plan = Plan(programs=3, rows=16, columns=64, sequences=1 if few else 4, parts=0 if few else 4, warps=8)
        return cls(Tuning(counted=counted), matrix, given, first, states if back else None, exchange, *flags, plan)

    def run(self, number: int, patience: int) -> None:
        """One program of the launch, in a process of its own."""
        import numpy as np
        import triton.language as tl
        from triton.runtime import interpreter

        own = interpreter.TensorHandle(np.array([number], dtype=np.int32), tl.int32)
        interpreter.interpreter_builder.create_get_program_id = lambda _: own
        # The interpreter writes arguments back to their device when a launch ends; here that would undo others' writes.
        interpreter.GridExecutor._restore_args_dev = lambda *_: None
        lateness.flag = lambda _: self.flag  # type: ignore[assignment]
        torch.zeros_like = lambda *_, **__: self.counter  # programs of a launch share one
        persistent_triton.kernel = lambda: {(self.plan.programs,): OneProgram()}  # type: ignore[assignment]
        persistent_triton.run(
            self.matrix, self.given, self.exchange, self.states, False, self.plan, self.tuning, patience
        )

    def row(self, step: int) -> Tensor:
        """What the programs wrote in a step, counted from 1, as the bits it is."""
        return self.exchange[-1 - step if self.states is not None else step].view(torch.int32)

    def written(self, step: int) -> int:
        """How many numbers of it."""
        return int((self.row(step) != -1).sum())

    @contextmanager
    def programs(self, patience: int = 2**30) -> Iterator[list[BaseProcess]]:
        """A process each, none of them started; at the end none of them is left."""
        made: list[BaseProcess] = [
            multiprocessing.get_context("fork").Process(target=self.run, args=(number, patience), daemon=True)
            for number in range(self.plan.programs)
        ]
        try:
            yield made
        finally:
            for program in made:
                if program.is_alive():
                    program.kill()


def waiting(back: bool, batch: int, counted: bool) -> None:
    """None runs ahead of the others, and together they are right."""
    launch = Launch.of(back, batch, counted)
    share = launch.plan.rows * len(launch.first)
    with launch.programs() as programs:
        programs[0].start()
        wait_until(lambda: launch.written(1) == share, programs[:1])
        time.sleep(0.2)  # it would have the time to run ahead
        assert launch.written(1) == share, "more than a program's share is written"
        assert launch.written(2) == 0, "a program ran ahead of the others"
        for program in programs[1:]:
            program.start()
        wait_until(lambda: not any(program.is_alive() for program in programs), [])
        assert [program.exitcode for program in programs] == [0, 0, 0]
    assert int(launch.counter) == (launch.plan.programs * len(launch.given) if counted else 0)
    assert int(launch.flag) == 0
    torch.testing.assert_close(launch.exchange, by_hand(launch))


def in_vain(counted: bool) -> None:
    """A program whose fellows never come ends by itself, and says so."""
    launch = Launch.of(False, 1, counted)
    with launch.programs(patience=50) as programs:
        programs[0].start()
        wait_until(lambda: not programs[0].is_alive(), [])
        assert programs[0].exitcode == 0
    assert int(launch.flag) == 1
    share = launch.plan.rows * len(launch.first)
    assert [launch.written(step) for step in (1, 2, 6)] == [share] * 3, "it stopped before the end"
    assert launch.row(6).view(torch.float32)[:, :16].isnan().all(), "what it had not is in its results"


def not_a_number(batch: int, where: str) -> None:
    """NaN with all bits set, which is the sign of what is absent, is a number like any other NaN where it is given."""
    launch = Launch.of(False, batch, counted=False)
    given = {"input": launch.given[2], "state": launch.exchange[0], "weights": launch.matrix}[where]
    given.view(torch.int32)[0, 5] = -1
    launch.first.copy_(launch.exchange[0])
    with launch.programs(patience=2**14) as programs:
        for program in programs:
            program.start()
        wait_until(lambda: not any(program.is_alive() for program in programs), [])
    assert int(launch.flag) == 0, "a program took a NaN for something absent"
    assert all(launch.written(step) == launch.first.numel() for step in range(1, 7))
    wanted = by_hand(launch)
    assert wanted[-1].isnan().any()
    torch.testing.assert_close(launch.exchange, wanted, equal_nan=True)


def by_hand(launch: Launch) -> Tensor:
    """What the kernel's rows must hold, step by step."""
    rows, given, states = [launch.first], launch.given, launch.states
    for t in range(len(given)) if states is None else reversed(range(len(given))):
        total = given[t] + rows[-1] @ launch.matrix.T
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
    for counted in (False, True):
        how = "barrier" if counted else "exchange"
        for back in (False, True):
            for batch in (1, 3):
                name = f"{how}, {'back' if back else 'forward'}, batch {batch}"
                found[name] = partial(waiting, back, batch, counted)
        found[f"{how}, in vain"] = partial(in_vain, counted)
    for batch in (1, 3):
        for where in ("input", "state", "weights"):
            found[f"NaN in the {where}, batch {batch}"] = partial(not_a_number, batch, where)
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
