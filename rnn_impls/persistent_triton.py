"""Persistent: one kernel for all steps, with the recurrent weights on the chip from the first step to the last.

A GPU forgets between kernels. A loop that launches one product a step reads all of W_hh again at every step, and waits
several microseconds for each launch. But the weights fit: a GPU's registers hold tens of megabytes together, and at
hidden 1024 W_hh is four. So each of H / R programs loads R rows once, and then goes through all steps with them (Diamos
et al. 2016, "Persistent RNNs"). What is left of a step is to exchange the state, B H numbers, through the cache that
all programs share, and to wait until everybody's share is there.

The numbers are their own flag. Rows are filled, before the launch, with a NaN that is never computed; a program reads
the row that it needs again and again until none of it is left. That takes one trip to the shared cache, where a barrier
takes three or four: write, count, see the count, read. It would wait for ever for a program that is not running yet, so
there are never more programs than processors, and the launch is a cooperative one, which fails where they can't all run
at once; and each wait has an end, after which results are NaN and `late` tells. A network small enough for one program
waits for nobody.

The backward loop is the same kernel with W_hh transposed and time reversed, `g_t = f'_t (dL/dh_t + g_{t+1} W_hh)`, and
each weight's gradient is one product for all steps, as in `stacked-grad`. The input product runs ahead for all steps.
`persistent_kernel.py`, beside this file, is the kernel, `persistent_plan.py` the division of work; products and sums
are in float32 for all dtypes, without TF32.

`persistent-triton-tf32x3` takes tensor cores to float32, too: each factor is split into two TF32 numbers, 22 bits
together, and a product is the sum of three of theirs. Without that, several sequences in float32 are multiplied number
by number, by factors that the compiler lays into shared memory so that threads wait for each other there.

When it helps: long sequences and small batches, where launches and reading weights are all there is. When it doesn't:
large batches, where the products themselves take the time and a library's are better; short sequences, which don't pay
for loading; sequences whose rows, T B H numbers, don't fit the shared cache, since what was filled is then fetched from
memory; hidden sizes whose weights don't fit, about 2048 on a large GPU. It needs Triton, and a compile of seconds.

Experimental: its numbers are tested in Triton's interpreter, and that it compiles; it has not been run on a GPU yet.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls import lateness
from rnn_impls.interface import NetworkShape, Unavailable
from rnn_impls.persistent_plan import Chip, Plan, Tuning
from rnn_impls.weights import PlainElman

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
PATIENCE = 2**21
"""Looks at what is absent before a program gives up: about a second, since each takes a trip to the shared cache."""


@cache
def kernel() -> Any:
    """The kernel. Raises Unavailable where Triton is missing."""
    try:
        from rnn_impls import persistent_kernel
    except ImportError as error:
        raise Unavailable(f"Triton can't be imported (pip install triton): {error}") from error
    return persistent_kernel.recurrence


def absent(rows: Tensor) -> Tensor:
    """The same memory as whole numbers, all bits of which are set: what the kernel waits to see replaced."""
    return rows.view(torch.int32 if rows.element_size() == 4 else torch.int16).fill_(-1)


def run(
    matrix: Tensor,
    given: Tensor,
    exchange: Tensor,
    states: Tensor | None,
    relu: bool,
    plan: Plan,
    tuning: Tuning = Tuning(),  # noqa: B008 # frozen
    patience: int = PATIENCE,
) -> None:
    """Launch the kernel: matrix (H, H), given (T, B, H), exchange (T + 1, B, H), of which one end row is filled and the
    others are `absent`.

    Without `states`, forward: row 0 holds the first state, and row t + 1 becomes that after step t. With the states
    (T + 1, B, H) that this gave, back: the last row holds zeros, and row t becomes g_t.
    """
    steps, batch, hidden = given.shape
    back = states is not None
    bits = exchange.view(torch.int32 if exchange.element_size() == 4 else torch.int16)
    if states is None:
        starts, advance = (given[0], bits[0], bits[1], exchange), batch * hidden
    else:
        starts, advance = (given[-1], bits[-1], bits[-2], states[-1]), -batch * hidden
    flag = lateness.flag(given.device)
    counter = torch.zeros_like(flag) if tuning.counted else flag
    kernel()[(plan.programs,)](
        matrix,
        *starts,
        counter,
        flag,
        steps,
        batch,
        hidden,
        advance,
        patience,
        PROGRAMS=plan.programs,
        ROWS=plan.rows,
        COLUMNS=plan.columns,
        SEQUENCES=plan.sequences,
        PARTS=plan.parts,
        COUNTED=tuning.counted,
        PRECISION=tuning.precision,
        RELU=relu,
        BACK=back,
        num_warps=plan.warps,
        num_stages=1,  # loads for later steps must not be made ahead: their rows are not written yet
        launch_cooperative_grid=plan.programs > 1,
    )


def forward_states(
    inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool, tuning: Tuning
) -> Tensor:
    """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> it and all later states, (T + 1, B, H)."""
    ahead = functional.linear(inputs, w_ih, bias)  # (T, B, H)
    steps, batch, hidden = ahead.shape
    states = ahead.new_empty(steps + 1, batch, hidden)
    states[0] = state
    absent(states[1:])
    plan = Plan.of(hidden, batch, ahead.element_size(), Chip.of(ahead.device), tuning)
    run(w_hh, ahead, states, None, relu, plan, tuning)
    return states


class Layer(torch.autograd.Function):
    """One layer over all steps, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool, tuning: Tuning
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih (H, I), W_hh (H, H), bias (H) -> states (T, B, H)."""
        states = forward_states(inputs, state, w_ih, w_hh, bias, relu, tuning)
        ctx.save_for_backward(inputs, w_ih, w_hh, states)
        ctx.relu, ctx.tuning = relu, tuning
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *of_states: Tensor) -> tuple[Tensor | None, ...]:
        """d loss / d states (T, B, H) -> that of inputs, state, W_ih, W_hh and bias, each where it is asked for."""
        inputs, w_ih, w_hh, states = ctx.saved_tensors
        given = of_states[0].contiguous()
        steps, batch, hidden = given.shape
        exchange = given.new_empty(steps + 1, batch, hidden)
        exchange[-1] = 0  # nothing comes from beyond the last step
        absent(exchange[:-1])
        plan = Plan.of(hidden, batch, given.element_size(), Chip.of(given.device), ctx.tuning)
        run(w_hh.t().contiguous(), given, exchange, states, ctx.relu, plan, ctx.tuning)
        g = exchange[:-1]  # (T, B, H)
        flat, asked = g.flatten(0, 1), ctx.needs_input_grad
        return (
            g @ w_ih if asked[0] else None,
            g[0] @ w_hh if asked[1] else None,
            flat.t() @ inputs.flatten(0, 1),
            flat.t() @ states[:-1].flatten(0, 1),  # with the state that each step began with
            flat.sum(0),
            None,
            None,
        )


class PersistentTriton(PlainElman):
    """experimental, never run on a GPU yet: one Triton kernel for all steps, weights on the chip (needs Triton)"""

    devices = ("cuda",)
    needs = ("Triton",)
    tuning: ClassVar[Tuning] = Tuning()

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        kernel()

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Compile the kernel for these sizes, by running it once. Raises Unavailable for what it can't do, and
        RuntimeError where its programs wait for each other in vain."""
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
        lateness.require_none(outputs.device)

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One launch; another for the backward pass."""
        w_ih, w_hh, bias = self.own(number)
        own = (w_ih, w_hh, bias, self.nonlinearity == "relu", self.tuning)
        if torch.is_grad_enabled():
            states: Tensor = Layer.apply(inputs, state, *own)
        else:
            states = forward_states(inputs, state, *own)[1:]
        return states, states[-1]


class PersistentTritonTf32x3(PersistentTriton):
    """experimental, never run on a GPU yet: `persistent-triton` with a float32 product as three of TF32"""

    tuning = Tuning(precision="tf32x3")

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """As before. Raises Unavailable where it would be the same kernel."""
        if inputs.dtype != torch.float32 or inputs.shape[1] == 1:
            raise Unavailable("made for float32 and several sequences; otherwise it is `persistent-triton` itself")
        super().prepare(inputs, hidden)
