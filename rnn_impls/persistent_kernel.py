"""The kernel of `persistent-triton`: all steps of one layer in one launch. Importing it needs Triton.

Each program keeps ROWS rows of the matrix on the chip from the first step to the last. What a step needs from the other
programs goes through global memory, in a row for every step that is written once and read once: so there is one barrier
a step, and no second buffer. Which way time runs is in where the pointers start and in the sign of their advance.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def squashed(x, RELU: tl.constexpr):
    """f(x). tanh |x| = (1 - e) / (1 + e) with e = exp(-2 |x|), which is at most 1 and so never overflows."""
    if RELU:
        y = tl.where(x < 0, 0.0, x)  # not a maximum, which may drop NaN
    else:
        fall = tl.exp(-2.0 * tl.abs(x))
        size = (1.0 - fall) / (1.0 + fall)
        y = tl.where(x < 0, -size, size)
    return y


@triton.jit
def passed_on(g, y, RELU: tl.constexpr):
    """The gradient g of y = f(x) passed on to x: g f'(x), with f' in terms of y."""
    if RELU:
        slope = tl.where(y > 0, 1.0, 0.0)
    else:
        slope = 1.0 - y * y
    return g * slope


@triton.jit
def arrive(counter):
    """Say that this program's share of a step is written."""
    # One thread counts, and its release covers the other threads' writes only once they are all here.
    tl.debug_barrier()
    tl.atomic_add(counter, 1, sem="release", scope="gpu")


@triton.jit
def wait(counter, arrivals):
    """Return once so many arrivals are counted, and what was written before them can be read."""
    while tl.atomic_add(counter, 0, sem="acquire", scope="gpu") < arrivals:  # compiled to a load
        pass
    tl.debug_barrier()  # what the one thread that looked may read, all may


@triton.jit
def recurrence(
    matrix,  # (H, H), a row for each unit that is computed
    given,  # (B, H) at the first step: what is added to the product
    source,  # (B, H) at the first step: what the matrix is multiplied with
    target,  # (B, H) at the first step: where its result goes, the source of the next
    states,  # (B, H) at the first step, read going back only: the states that the forward pass computed
    counter,  # one int32, zero at the launch
    steps,
    batch,
    hidden,
    advance,  # elements from one step's row to the next one's: B H, negative to go back in time
    PROGRAMS: tl.constexpr,
    ROWS: tl.constexpr,  # units of each program
    COLUMNS: tl.constexpr,  # H, rounded up to a power of two
    SEQUENCES: tl.constexpr,  # sequences multiplied at once
    PARTS: tl.constexpr,  # pieces of the sum over columns, one for each warp; 0 to sum products without tl.dot
    RELU: tl.constexpr,
    BACK: tl.constexpr,
):
    """Forward, target = f(given + source W^T); back, with the matrix transposed, f'(states) (given + source W)."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    kept = rows < hidden
    # The weights are loaded here, once, and are in registers or shared memory for all steps.
    if PARTS == 0:
        columns = tl.arange(0, COLUMNS)
        inside = columns < hidden
        places = rows[:, None] * hidden + columns[None, :]
        weights = tl.load(matrix + places, mask=kept[:, None] & inside[None, :], other=0.0).to(tl.float32)
    else:
        WIDTH: tl.constexpr = COLUMNS // PARTS
        columns = tl.arange(0, PARTS)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
        inside = columns < hidden
        places = rows[None, None, :] * hidden + columns[:, :, None]  # (PARTS, WIDTH, ROWS)
        weights = tl.load(matrix + places, mask=kept[None, None, :] & inside[:, :, None], other=0.0)
    for step in range(steps):
        if PROGRAMS > 1:
            wait(counter, step * PROGRAMS)
        for first in range(0, batch, SEQUENCES):
            # .cg reads past each processor's own cache, which may hold the line as it was before another wrote to it.
            if PARTS == 0:  # SEQUENCES is 1
                at = first * hidden + rows
                valid = kept
                taken = tl.load(source + first * hidden + columns, mask=inside, other=0.0, cache_modifier=".cg")
                product = tl.sum(weights * taken.to(tl.float32)[None, :], axis=1)  # (ROWS)
            else:
                sequences = first + tl.arange(0, SEQUENCES)
                present = sequences < batch
                at = sequences[:, None] * hidden + rows[None, :]
                valid = present[:, None] & kept[None, :]
                taken = tl.load(
                    source + sequences[None, :, None] * hidden + columns[:, None, :],
                    mask=present[None, :, None] & inside[:, None, :],
                    other=0.0,
                    cache_modifier=".cg",
                )  # (PARTS, SEQUENCES, WIDTH)
                product = tl.sum(tl.dot(taken, weights, input_precision="ieee"), axis=0)  # (SEQUENCES, ROWS)
            total = tl.load(given + at, mask=valid, other=0.0).to(tl.float32) + product
            if BACK:
                result = passed_on(total, tl.load(states + at, mask=valid, other=0.0).to(tl.float32), RELU)
            else:
                result = squashed(total, RELU)
            tl.store(target + at, result, mask=valid)
        given += advance
        source += advance
        target += advance
        states += advance
        if PROGRAMS > 1:
            arrive(counter)
        else:
            tl.debug_barrier()  # among the threads of the one program
