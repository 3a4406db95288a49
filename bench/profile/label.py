"""What bounds a cell: one word, by a rule from its profile and the machine's limits.

    more than half of the time is overhead (Python and dispatch, autograd, gaps, waiting)
        on CUDA, with gaps between kernels the largest part of it    launch-bound
        else                                                         overhead-bound
    otherwise, of the least times that the operators it made need here,
        operations / peak is the larger                              compute-bound
        bytes / rate of where they lie is the larger                 memory-bound

The operators' shapes give operations and bytes; where the profiler can't see the products (a kernel of one's own, a
library's whole network), those of the Case's floor stand in for them.
"""

from __future__ import annotations

from bench.cases import Case
from bench.floor import MEMORY, NoFloor, floor, levels, peak, read_seconds
from bench.limits.limits import Limits
from bench.profile.breakdown import CATEGORIES, GAPS, OVERHEAD
from bench.profile.counts import Counts
from bench.work import work

OVERHEAD_BOUND, LAUNCH_BOUND, MEMORY_BOUND, COMPUTE_BOUND = (
    "overhead-bound", "launch-bound", "memory-bound", "compute-bound",
)  # fmt: skip
HALF = 0.5


def overhead_share(categories: dict[str, float]) -> float:
    """The part of a call in which nothing is computed."""
    total = sum(categories.get(name, 0.0) for name in CATEGORIES)
    return sum(categories.get(name, 0.0) for name in OVERHEAD) / total if total > 0 else 0.0


def label(case: Case, categories: dict[str, float], counts: Counts, limits: Limits) -> str:
    """The label of one cell. Raises `bench.floor.NoFloor` where it takes a limit that is missing."""
    if overhead_share(categories) > HALF:
        largest = max(OVERHEAD, key=lambda name: categories.get(name, 0.0))
        return LAUNCH_BOUND if case.device == "cuda" and largest == GAPS else OVERHEAD_BOUND
    if case.device != "cpu" or counts.product_operations < HALF * work(case).operations:
        return MEMORY_BOUND if floor(case, limits).bound == MEMORY else COMPUTE_BOUND
    compute, memory = needs(case, counts, limits)
    return MEMORY_BOUND if memory > compute else COMPUTE_BOUND


def needs(case: Case, counts: Counts, limits: Limits) -> tuple[float, float]:
    """The least seconds for the operations, and for the bytes, of the operators that a cell made on the CPU.

    A product's bytes come from the innermost level that holds them; those of the other operators, whose tensors are
    mostly as small as a state, from where their mean one fits. Raises NoFloor.
    """
    places = levels(limits, case)
    compute = counts.product_operations / peak(limits, case.dtype, case.threads)
    memory = sum(product.count * read_seconds(product.bytes, places) for product in counts.products)
    others = max(1, counts.operators - sum(product.count for product in counts.products))
    return compute, memory + others * read_seconds(counts.touched_bytes / others, places)


__all__ = ["COMPUTE_BOUND", "LAUNCH_BOUND", "MEMORY_BOUND", "OVERHEAD_BOUND", "NoFloor", "label", "needs",
           "overhead_share"]  # fmt: skip
