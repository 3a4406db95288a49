"""How `persistent-triton` divides a layer among programs: what a GPU's processors can hold decides it. No Triton."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rnn_impls.interface import Unavailable

CAPACITY = 2**15
"""Weights a program may hold, at most: half of the 65536 registers of a processor."""

PER_THREAD = 128
"""Weights a thread may hold: half of the 255 registers that it can have."""

ALONE = 2**18
"""Products a step (B H H) up to which one program does them all. A processor makes 128 in a cycle (CUDA C++ Programming
Guide, throughput of float32 instructions), so these take 2048 cycles. That the exchange, a trip or two to the shared
cache of some hundred cycles each, takes about as long is a guess that a measurement on a GPU should replace."""

LEAST_ROWS = 8
"""Rows of a program, at least: fewer would mean more programs to wait for, each with next to nothing to do."""

MOST_SEQUENCES = 16
"""Sequences multiplied at once: as many as the rows of a tensor core's tile."""


@dataclass(frozen=True)
class Tuning:
    """What can be chosen, and should be by measuring.

    `rows` of a program: 0 for as few as fill the processors; more mean fewer programs that read the whole state each.
    `warps` of a program. `counted`: the barrier with a counter instead of numbers that are their own flag.
    `precision` of products of tensor cores in float32: `ieee`, without them; `tf32x3`, each a sum of three in TF32.
    """

    rows: int = 0
    warps: int = 8
    counted: bool = False
    precision: str = "ieee"


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
    """How a layer's work is divided; all but `warps` are the kernel's constants of the same names."""

    programs: int
    rows: int
    columns: int
    sequences: int
    parts: int
    warps: int

    @classmethod
    def of(cls, hidden: int, batch: int, itemsize: int, chip: Chip, tuning: Tuning = Tuning()) -> Plan:
        """For H units and B sequences of `itemsize` bytes a number.

        Raises Unavailable when the rows of a program are more weights than it can hold, or, of as many rows as asked
        for, the programs more than there are processors.
        """
        columns = max(16, _power_of_two(hidden))  # a product of tensor cores is over 16 columns at least
        holds = min(CAPACITY, PER_THREAD * 32 * tuning.warps)
        if tuning.rows:
            rows = tuning.rows
        elif batch * hidden * hidden <= ALONE and columns * columns <= holds:
            rows = columns
        else:
            rows = max(LEAST_ROWS, _power_of_two(_divided(hidden, chip.processors)))
        programs = _divided(hidden, rows)
        if rows * columns > holds:
            raise Unavailable(
                f"the weights of hidden {hidden} don't fit on the chip: {rows} rows of {columns} for each of "
                f"{chip.processors} processors, which hold {holds} at most"
            )
        if programs > chip.processors:
            raise Unavailable(f"{programs} programs of {rows} rows, which must run at once on {chip.processors}")
        # Both factors of a product pass through shared memory.
        sequences = min(MOST_SEQUENCES, _power_of_two(batch))
        while sequences and (sequences + rows) * columns * itemsize > chip.shared:
            sequences //= 2
        by_products = batch == 1 or not sequences
        return cls(
            programs=programs,
            rows=rows,
            columns=columns,
            sequences=1 if by_products else sequences,
            parts=0 if by_products else min(tuning.warps, columns // 16),
            warps=tuning.warps,
        )


def _divided(whole: int, by: int) -> int:
    return -(-whole // by)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
