"""Microseconds a step of the kernels, by rows, warps, barrier and precision; a line of JSON for each as it is found.

The rest of a layer, the input product, is left out: what is timed is the recurrence, and what fills the rows before it.
Each result is held against the steps in float64.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.host.machine import fix_numerics
from rnn_impls import cluster_cuda, lateness, persistent_triton
from rnn_impls.interface import Unavailable
from rnn_impls.persistent_plan import Chip, Plan, Tuning
from tests.emulated import emulated
from tests.gpu.parts import GROUPS
from tests.gpu.timing import seconds

DTYPES = (torch.float32, torch.bfloat16)
SIZES = ((1024, 1), (1024, 16), (512, 1), (512, 16), (1024, 4))
"""Hidden size and batch, in order of interest."""

TUNINGS = (
    Tuning(),
    Tuning(counted=True),
    Tuning(rows=16),
    Tuning(rows=32),
    Tuning(warps=4),
    Tuning(warps=16),
    Tuning(rows=16, warps=4),
    Tuning(rows=16, warps=16),
)
THREE_TF32 = tuple(dataclasses.replace(each, precision="tf32x3") for each in TUNINGS if not each.counted)

Work = tuple[dict[str, Any], Callable[[], Tensor]]
"""What distinguishes a variant, and the call that gives states (T, B, H)."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """matrix (H, H), given (T, B, H), first (B, H), by chance."""

    matrix: Tensor
    given: Tensor
    first: Tensor

    @classmethod
    def of(cls, hidden: int, batch: int, steps: int, dtype: torch.dtype, device: str) -> Problem:
        """The same for every variant."""
        chance = torch.Generator().manual_seed(0)
        sizes = (hidden, hidden), (steps, batch, hidden), (batch, hidden)
        matrix, given, first = (torch.randn(size, generator=chance) for size in sizes)
        return cls(*(each.to(device, dtype) for each in (matrix / hidden**0.5, given, first)))

    def by_hand(self, steps: int) -> Tensor:
        """The states of the first steps, (T, B, H), in float64."""
        state, found = self.first.double(), []
        for added in self.given[:steps].double():
            state = torch.tanh(added + state @ self.matrix.double().T)
            found.append(state)
        return torch.stack(found)


def persistent(problem: Problem, plan: Plan, tuning: Tuning) -> Tensor:
    """The Triton kernel."""
    steps, batch, hidden = problem.given.shape
    exchange = problem.given.new_empty(steps + 1, batch, hidden)
    exchange[0] = problem.first
    persistent_triton.absent(exchange[1:])
    persistent_triton.run(problem.matrix, problem.given, exchange, None, False, plan, tuning)
    return exchange[1:]


def cluster(problem: Problem, layout: cluster_cuda.Layout) -> Tensor:
    """The CUDA kernel; on the CPU what emulates it."""
    if problem.given.device.type == "cpu":
        return torch.from_numpy(emulated(layout, *(each.numpy() for each in vars(problem).values())))
    return cluster_cuda.launched(problem.given, problem.first, problem.matrix, False, layout)


def whole(problem: Problem) -> Callable[[], Tensor]:
    """nn.RNN, whose input product is part of it: hidden as wide as the input, and W_ih the identity."""
    hidden = problem.given.shape[-1]
    module = torch.nn.RNN(hidden, hidden, bias=False).to(problem.given.device, problem.given.dtype).eval()
    with torch.no_grad():
        for parameter, values in zip(module.parameters(), (torch.eye(hidden), problem.matrix), strict=True):
            parameter.copy_(values)
    return lambda: module(problem.given, problem.first[None])[0]


def works(group: str, problem: Problem, chip: Chip) -> Iterator[Work]:
    """The variants of a group for a problem."""
    _, batch, hidden = problem.given.shape
    size = problem.given.element_size()
    if group == "whole":
        yield {}, whole(problem)
    if group == "persistent":
        several = problem.given.dtype == torch.float32 and batch > 1
        for tuning in (*TUNINGS, *(THREE_TF32 if several else ())):
            yield (
                dataclasses.asdict(tuning),
                lambda tuning=tuning: persistent(  # type: ignore[misc]
                    problem, Plan.of(hidden, batch, size, chip, tuning), tuning
                ),
            )
    if group == "cluster":
        first = cluster_cuda.Layout.of(hidden, batch)
        layouts = [first, dataclasses.replace(first, scope="cta")]
        for sequences in (1, 2, 4):
            layouts += [dataclasses.replace(first, sequences=sequences, kept=kept) for kept in (4, 5, 6, 7)]
        for layout in dict.fromkeys(each for each in layouts if each.kept <= each.width // 128 and each.fits):
            yield dataclasses.asdict(layout), lambda layout=layout: cluster(problem, layout)  # type: ignore[misc]


def exchanges(steps: int, device: str) -> Iterator[tuple[Problem, Work]]:
    """The exchange alone: a row a program, so that products take next to nothing. One program after the other can't
    wait for each other, so that a dry run has one."""
    for programs in (1,) if device == "cpu" else (128, 64, 32, 16):
        problem = Problem.of(programs, 1, steps, torch.float32, device)
        plan = Plan(programs, 1, max(16, programs), 1, 0, 4)
        for counted in (False, True):
            tuning = Tuning(rows=1, warps=4, counted=counted)
            call = lambda p=problem, plan=plan, tuning=tuning: persistent(p, plan, tuning)  # noqa: E731
            yield problem, ({"programs": programs, "counted": counted}, call)


def row(problem: Problem, work: Work, device: str) -> dict[str, Any]:
    """Microseconds a step, and how far the states are from those in float64."""
    about, call = work
    steps, batch, hidden = problem.given.shape
    told = {"hidden": hidden, "batch": batch, "steps": steps, "dtype": str(problem.given.dtype), **about}
    try:
        with torch.inference_mode():
            looked = min(steps, 64)
            far = (call()[:looked].double() - problem.by_hand(looked)).abs().max().item()
            lateness.require_none(problem.given.device)
            taken, how = seconds(call, device)
            lateness.require_none(problem.given.device)
    except Unavailable as error:
        return told | {"unavailable": str(error)}
    except Exception as error:  # a variant may fail in any way; the others have their turn
        return told | {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"}
    return told | {"microseconds a step": round(1e6 * taken / steps, 4), "how": how, "largest error": far}


def main() -> None:
    """A group's variants, each written and shown as it is found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--group", choices=GROUPS, required=True)
    asked = parser.parse_args()
    dry = asked.device == "cpu"
    fix_numerics()
    chip = Chip.of(torch.device(asked.device))
    steps = 3 if dry else 512
    sizes = ((20, 1), (20, 2)) if dry else SIZES
    found: Iterator[tuple[Problem, Work]] = (
        exchanges(steps, asked.device)
        if asked.group == "exchange"
        else (
            (problem, work)
            for hidden, batch in sizes
            for dtype in (DTYPES[:1] if dry else DTYPES)
            for problem in [Problem.of(hidden, batch, steps, dtype, asked.device)]
            for work in works(asked.group, problem, chip)
        )
    )
    for problem, work in found:
        told = json.dumps({"group": asked.group} | row(problem, work, asked.device))
        with (asked.out / "variants.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(told + "\n")
        print(told, flush=True)


if __name__ == "__main__":
    main()
