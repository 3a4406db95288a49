"""The kernel of `persistent-triton`: all steps of one layer in one launch. Importing it needs Triton.

Each program keeps ROWS rows of the matrix on the chip from the first step to the last. What a step needs from the other
programs goes through global memory, in a row for every step that is written once and read once. Which way time runs is
in where the pointers start and in the sign of their advance.

The numbers are their own flag. Before the launch every number of every row but the first is ABSENT, all bits set, which
as a float is a NaN that no program ever writes: a NaN that was computed is stored as another. So whoever reads a row
reads it again until nothing of it is absent, and needs no counter, no fence, and one trip to the shared cache.

Why that is no race. Rows aren't reused: each number changes once in a launch, from absent to its value. So a read gives
one of the two, and which of them it tells itself; there is no third value, old or new, for a late or an early reader.
No order between two numbers is relied on, since each is looked at by itself, nor between the launch and what filled the
rows, which the stream keeps. A number is written whole: two or four bytes, at a multiple of their size. A reader asks
with volatile loads, which go past each processor's own cache to the one that all share, and again each time. What is
taken for granted beyond PTX's memory model is that a plain store gets there without a fence, soon and of itself; caches
of processors write through. COUNTED is the same kernel with a barrier that takes nothing for granted: a program that
has written its share adds one to a counter (a release), and goes on once all have (an acquire).

No wait lasts for ever: who has looked `patience` times in vain says so in `late`, and waits for nothing any more. What
was absent then is a NaN in the result.
"""

from __future__ import annotations

import triton
import triton.language as tl

ABSENT = tl.constexpr(-1)


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
def wait(counter, arrivals, patience):
    """Return once so many arrivals are counted, and what was written before them can be read: the looks left."""
    looks = patience
    while (tl.atomic_add(counter, 0, sem="acquire", scope="gpu") < arrivals) & (looks > 0):  # compiled to a load
        looks -= 1
    tl.debug_barrier()  # what the one thread that looked may read, all may
    return looks


@triton.jit
def present(places, wanted, patience):
    """Load until nothing of it is absent: the bits, and the looks left."""
    bits = tl.load(places, mask=wanted, other=0, volatile=True)
    looks = patience
    while (tl.max((bits == ABSENT).to(tl.int32), axis=None) > 0) & (looks > 0):
        bits = tl.load(places, mask=wanted, other=0, volatile=True)
        looks -= 1
    return bits, looks


@triton.jit
def stored(result, LIKE: tl.constexpr, BITS: tl.constexpr):
    """The bits to store for a result, never those of ABSENT: any NaN becomes the one with all bits but the sign set."""
    bits = result.to(LIKE).to(BITS, bitcast=True)
    largest: tl.constexpr = (1 << (BITS.primitive_bitwidth - 1)) - 1
    return tl.where(result != result, largest, bits).to(BITS)  # noqa: PLR0124 # true of NaN alone


@triton.jit
def recurrence(
    matrix,  # (H, H), a row for each unit that is computed
    given,  # (B, H) at the first step: what is added to the product
    source,  # (B, H) at the first step: the bits of what the matrix is multiplied with
    target,  # (B, H) at the first step: where those of its result go, the source of the next
    states,  # (B, H) at the first step, read going back only: the states that the forward pass computed
    counter,  # one int32, zero at the launch, for COUNTED
    late,  # one int32, set to 1 by who has waited in vain
    steps,
    batch,
    hidden,
    advance,  # elements from one step's row to the next one's: B H, negative to go back in time
    patience,
    PROGRAMS: tl.constexpr,
    ROWS: tl.constexpr,  # units of each program
    COLUMNS: tl.constexpr,  # H, rounded up to a power of two
    SEQUENCES: tl.constexpr,  # sequences multiplied at once
    PARTS: tl.constexpr,  # pieces of the sum over columns, one for each warp; 0 to sum products without tl.dot
    COUNTED: tl.constexpr,
    PRECISION: tl.constexpr,  # of tl.dot, as it calls them
    RELU: tl.constexpr,
    BACK: tl.constexpr,
):
    """Forward, target = f(given + source W^T); back, with the matrix transposed, f'(states) (given + source W)."""
    LIKE: tl.constexpr = matrix.dtype.element_ty
    BITS: tl.constexpr = target.dtype.element_ty
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    kept = rows < hidden
    # The weights are loaded here, once, and are in registers or shared memory for all steps.
    if PARTS == 0:
        columns = tl.arange(0, COLUMNS)
        inside = columns < hidden
        cells = rows[:, None] * hidden + columns[None, :]
        weights = tl.load(matrix + cells, mask=kept[:, None] & inside[None, :], other=0.0).to(tl.float32)
    else:
        WIDTH: tl.constexpr = COLUMNS // PARTS
        columns = tl.arange(0, PARTS)[:, None] * WIDTH + tl.arange(0, WIDTH)[None, :]
        inside = columns < hidden
        cells = rows[None, None, :] * hidden + columns[:, :, None]  # (PARTS, WIDTH, ROWS)
        weights = tl.load(matrix + cells, mask=kept[None, None, :] & inside[:, :, None], other=0.0)
    gave_up = 0
    for step in range(steps):
        # The first row is there since before the launch, and may hold any NaN.
        looks = tl.where((step == 0) | (gave_up != 0), 0, patience)
        looked = looks
        if PROGRAMS > 1 and COUNTED:
            looks = wait(counter, step * PROGRAMS, looks)
        for first in range(0, batch, SEQUENCES):
            if PARTS == 0:  # SEQUENCES is 1
                at = first * hidden + rows
                valid = kept
                places = first * hidden + columns
                wanted = inside
            else:
                sequences = first + tl.arange(0, SEQUENCES)
                there = sequences < batch
                at = sequences[:, None] * hidden + rows[None, :]
                valid = there[:, None] & kept[None, :]
                places = sequences[None, :, None] * hidden + columns[:, None, :]  # (PARTS, SEQUENCES, WIDTH)
                wanted = there[None, :, None] & inside[:, None, :]
            # What nobody has to be waited for comes while the state is waited for.
            total = tl.load(given + at, mask=valid, other=0.0).to(tl.float32)
            if BACK:
                state = tl.load(states + at, mask=valid, other=0.0).to(tl.float32)
            if PROGRAMS > 1 and not COUNTED:
                bits, looks = present(source + places, wanted, looks)
            else:
                # .cg reads past each processor's own cache, which may hold the line as it was before another's write.
                bits = tl.load(source + places, mask=wanted, other=0, cache_modifier=".cg")
            taken = bits.to(LIKE, bitcast=True)
            if PARTS == 0:
                total += tl.sum(weights * taken.to(tl.float32)[None, :], axis=1)  # (ROWS)
            else:
                total += tl.sum(tl.dot(taken, weights, input_precision=PRECISION), axis=0)  # (SEQUENCES, ROWS)
            if BACK:
                result = passed_on(total, state, RELU)
            else:
                result = squashed(total, RELU)
            tl.store(target + at, stored(result, LIKE, BITS), mask=valid)
        gave_up = tl.where((looked > 0) & (looks == 0), 1, gave_up)
        given += advance
        source += advance
        target += advance
        states += advance
        if PROGRAMS > 1:
            if COUNTED:
                arrive(counter)
        else:
            tl.debug_barrier()  # among the threads of the one program
    if gave_up != 0:
        tl.store(late, 1)
