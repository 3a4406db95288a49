"""Persistent: one kernel for all steps, with the recurrent weights on the chip from the first step to the last.

A GPU forgets between kernels. A loop that launches one product a step reads all of W_hh again at every step, and waits
several microseconds for each launch. But the weights fit: a GPU's registers hold tens of megabytes together, and at
hidden 1024 W_hh is four. So each of H / R programs loads R rows once, and then goes through all steps with them (Diamos
et al. 2016, "Persistent RNNs"). What is left of a step is to exchange the state, B H numbers, through the cache that
all programs share, and to wait until everybody's share is there.

The barrier is a counter in global memory. A program that has written its share adds one (a release), and begins step s
once it reads s times the number of programs there (an acquire); since the counter only grows, it needs no reset between
steps. It would wait for ever for a program that is not running yet, so there are never more programs than processors,
and the launch is a cooperative one, which fails where they can't all run at once. A network small enough for one
program has no barrier.

The backward loop is the same kernel with W_hh transposed and time reversed, `g_t = f'_t (dL/dh_t + g_{t+1} W_hh)`, and
each weight's gradient is one product for all steps, as in `stacked-grad`. The input product runs ahead for all steps.
`persistent_kernel.py`, beside this file, is the kernel; products and sums are in float32 for all dtypes, without TF32.

When it helps: long sequences and small batches, where launches and reading weights are all there is. When it doesn't:
large batches, where the products themselves take the time and a library's are better; short sequences, which don't pay
for loading; hidden sizes whose weights don't fit, about 2048 on a large GPU. It needs Triton, and a compile of seconds.

Experimental: its numbers are tested in Triton's interpreter, and that it compiles; it has not been run on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.weights import PlainElman

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
WARPS = 8
"""Warps of a program: 256 threads, which may use all 65536 registers of a processor."""

CAPACITY = 2**15
"""Weights a program may hold: 128 registers of each of its 256 threads, half of what they have."""

ALONE = 2**18
"""Products a step (B H H) up to which one program does them all. A processor makes 128 in a cycle (CUDA C++ Programming
Guide, throughput of float32 instructions), so these take 2048 cycles. That a barrier, a few trips to the shared cache
of some hundred cycles each, takes about as long is a guess that a measurement on a GPU should replace."""

LEAST_ROWS = 8
"""Rows of a program, at least: fewer would mean more programs to wait for, each with next to nothing to do."""

MOST_SEQUENCES = 16
"""Sequences multiplied at once: as many as the rows of a tensor core's tile."""


@dataclass(frozen=True)
class Chip:
    """What the division of work depends on: processors, and bytes of shared memory that a program can have."""

    processors: int
    shared: int

    @classmethod
    def of(cls, device: torch.device) -> Chip:
        """That of a CUDA device; anything else is Triton's interpreter, which runs one program at a time."""
        if device.type != "cuda":
            return cls(1, 2**16)
        properties = torch.cuda.get_device_properties(device)
        return cls(
            properties.multi_processor_count, properties.shared_memory_per_multiprocessor - 1024
        )  # 1 KiB is CUDA's


@dataclass(frozen=True)
class Plan:
    """How a layer's work is divided; the fields are the kernel's constants of the same names."""

    programs: int
    rows: int
    columns: int
    sequences: int
    parts: int

    @classmethod
    def of(cls, hidden: int, batch: int, itemsize: int, chip: Chip) -> Plan:
        """For H units and B sequences of `itemsize` bytes a number.

        Raises Unavailable when the rows of a program are more weights than it can hold.
        """
        columns = max(16, _power_of_two(hidden))  # a product of tensor cores is over 16 columns at least
        if batch * hidden * hidden <= ALONE and columns * columns <= CAPACITY:
            rows = columns
        else:
            rows = max(LEAST_ROWS, _power_of_two(_divided(hidden, chip.processors)))
        if rows * columns > CAPACITY:
            raise Unavailable(
                f"the weights of hidden {hidden} don't fit on the chip: {rows} rows of {columns} for each of "
                f"{chip.processors} processors, which hold {CAPACITY} at most"
            )
        # Both factors of a product pass through shared memory.
        sequences = min(MOST_SEQUENCES, _power_of_two(batch))
        while sequences and (sequences + rows) * columns * itemsize > chip.shared:
            sequences //= 2
        by_products = batch == 1 or not sequences
        return cls(
            programs=_divided(hidden, rows),
            rows=rows,
            columns=columns,
            sequences=1 if by_products else sequences,
            parts=0 if by_products else min(WARPS, columns // 16),
        )


def _divided(whole: int, by: int) -> int:
    return -(-whole // by)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


@cache
def kernel() -> Any:
    """The kernel. Raises Unavailable where Triton is missing."""
    try:
        from rnn_impls import persistent_kernel
    except ImportError as error:
        raise Unavailable(f"Triton can't be imported (pip install triton): {error}") from error
    return persistent_kernel.recurrence


def run(matrix: Tensor, given: Tensor, exchange: Tensor, states: Tensor | None, relu: bool, plan: Plan) -> None:
    """Launch the kernel: matrix (H, H), given (T, B, H), exchange (T + 1, B, H), of which one end row is filled.

    Without `states`, forward: row 0 holds the first state, and row t + 1 becomes that after step t. With the states
    (T + 1, B, H) that this gave, back: the last row holds zeros, and row t becomes g_t.
    """
    steps, batch, hidden = given.shape
    back = states is not None
    if states is None:
        starts, advance = (given[0], exchange[0], exchange[1], exchange), batch * hidden
    else:
        starts, advance = (given[-1], exchange[-1], exchange[-2], states[-1]), -batch * hidden
    counter = torch.zeros(1, dtype=torch.int32, device=given.device)
    kernel()[(plan.programs,)](
        matrix,
        *starts,
        counter,
        steps,
        batch,
        hidden,
        advance,
        PROGRAMS=plan.programs,
        ROWS=plan.rows,
        COLUMNS=plan.columns,
        SEQUENCES=plan.sequences,
        PARTS=plan.parts,
        RELU=relu,
        BACK=back,
        num_warps=WARPS,
        num_stages=1,  # loads for later steps must not be made ahead: their rows are not written yet
        launch_cooperative_grid=plan.programs > 1,
    )


def forward_states(inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool) -> Tensor:
    """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> it and all later states, (T + 1, B, H)."""
    ahead = functional.linear(inputs, w_ih, bias)  # (T, B, H)
    steps, batch, hidden = ahead.shape
    states = ahead.new_empty(steps + 1, batch, hidden)
    states[0] = state
    plan = Plan.of(hidden, batch, ahead.element_size(), Chip.of(ahead.device))
    run(w_hh, ahead, states, None, relu, plan)
    return states


class Layer(torch.autograd.Function):
    """One layer over all steps, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> states (T, B, H)."""
        states = forward_states(inputs, state, w_ih, w_hh, bias, relu)
        ctx.save_for_backward(inputs, w_ih, w_hh, states)
        ctx.relu = relu
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and bias, each where it is asked for."""
        inputs, w_ih, w_hh, states = ctx.saved_tensors
        given = of_states[0].contiguous()
        steps, batch, hidden = given.shape
        exchange = given.new_empty(steps + 1, batch, hidden)
        exchange[-1] = 0  # nothing comes from beyond the last step
        plan = Plan.of(hidden, batch, given.element_size(), Chip.of(given.device))
        run(w_hh.t().contiguous(), given, exchange, states, ctx.relu, plan)
        g = exchange[:-1]  # (T, B, H)
        flat, asked = g.flatten(0, 1), ctx.needs_input_grad
        return (
            g @ w_ih if asked[0] else None,
            g[0] @ w_hh if asked[1] else None,
            flat.t() @ inputs.flatten(0, 1),
            flat.t() @ states[:-1].flatten(0, 1),  # with the state that each step began with
            flat.sum(0),
            None,
        )


class PersistentTriton(PlainElman):
    """experimental, never run on a GPU yet: one Triton kernel for all steps, weights on the chip (needs Triton)"""

    devices = ("cuda",)
    needs = ("Triton",)

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        kernel()

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Compile the kernel for these sizes, by running it once. Raises Unavailable for what it can't do."""
        if inputs.dtype not in DTYPES:
            raise Unavailable("the kernel is written for float32, bfloat16 and float16")
        from triton.runtime.errors import OutOfResources

        try:
            with torch.set_grad_enabled(self.training):
                outputs, _ = self(inputs, hidden)
                if self.training:
                    torch.autograd.grad(outputs.sum(), tuple(self.parameters()))
        except OutOfResources as error:  # a GPU with less shared memory or fewer registers than the plan is made for
            raise Unavailable(f"the kernel does not fit on this GPU: {error}") from error
        except RuntimeError as error:
            if "C compiler" in str(error):
                raise Unavailable("Triton finds no C compiler, which it needs to launch a kernel") from error
            raise

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One launch; another for the backward pass."""
        w_ih, w_hh, bias = self.own(number)
        own = (w_ih, w_hh, bias, self.nonlinearity == "relu")
        if torch.is_grad_enabled():
            states: Tensor = Layer.apply(inputs, state, *own)
        else:
            states = forward_states(inputs, state, *own)[1:]
        return states, states[-1]
