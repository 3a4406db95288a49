"""What bounds a cell: every label from planted shares, counts and limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.cases.case import Case
from bench.why.limits.limits import Limits
from bench.why.profile.breakdown import (
    CATEGORIES,
    DISPATCH,
    ELEMENTS,
    GAPS,
    GRADIENTS,
    PRODUCTS,
    UNSEEN,
    WAITING,
    cuda_breakdown,
    settled,
)
from bench.why.profile.counts import Counts, Product
from bench.why.profile.record import (
    COMPUTE_BOUND,
    LAUNCH_BOUND,
    MEMORY_BOUND,
    OVERHEAD_BOUND,
    label,
    needs,
    overhead_share,
)
from bench.why.work import NoFloor, work
from tests.profile.planted import Trace
from tests.test_floor import planted as machine

MIB = 2**20
CUDA = Limits({}, "", {"cuda.peak.float32": [5e13], "cuda.stream.memory": [3e12]}, {"cuda.cache.chip": 60 * MIB})
NOTHING = Limits({}, "")


def shares(**parts: float) -> dict[str, float]:
    """Categories by the beginnings of their names, in capitals as constants."""
    names = {
        "dispatch": DISPATCH,
        "gradients": GRADIENTS,
        "gaps": GAPS,
        "waiting": WAITING,
        "elements": ELEMENTS,
        "products": PRODUCTS,
        "unseen": UNSEEN,
    }
    return dict.fromkeys(CATEGORIES, 0.0) | {names[name]: part for name, part in parts.items()}


def products(case: Case, size: int) -> Counts:
    """Counts of a call that makes all of its case's operations, each product of so many bytes."""
    return Counts(operators=case.seq_len, products=[Product(case.seq_len, work(case).operations / case.seq_len, size)])


SMALL = Case(hidden_size=64, input_size=64, batch_size=64)
LARGE = Case(hidden_size=4096, input_size=4096)
BUSY = shares(products=0.7, dispatch=0.3)


def test_more_than_half_overhead_is_overhead_bound() -> None:
    """Whatever its kinds, and no limit is needed to say so; exactly half is not more."""
    counts = products(SMALL, 1024)
    assert label(SMALL, shares(dispatch=0.6, products=0.4), counts, NOTHING) == OVERHEAD_BOUND
    assert label(SMALL, shares(dispatch=0.3, gradients=0.3, products=0.4), counts, NOTHING) == OVERHEAD_BOUND
    assert label(SMALL, shares(dispatch=0.5, products=0.5), counts, machine()) == COMPUTE_BOUND
    assert overhead_share(shares(dispatch=1, gaps=1, waiting=1, elements=1)) == 0.75
    assert overhead_share({}) == 0


def test_products_that_fit_the_cache_are_compute_bound() -> None:
    """64 sequences through 16 KiB of weights at 100 GFLOP/s."""
    assert label(SMALL, BUSY, products(SMALL, 48 * 1024), machine()) == COMPUTE_BOUND


def test_products_that_come_from_memory_are_memory_bound() -> None:
    """One sequence through 64 MiB of weights, which memory gives at 10 GB/s."""
    assert label(LARGE, BUSY, products(LARGE, 128 * MIB), machine()) == MEMORY_BOUND


def test_a_faster_memory_makes_the_same_counts_compute_bound() -> None:
    """The label follows from the machine as well."""
    fast = machine(cpu__stream__memory__t1=[1e13], cpu__stream__L2__t1=[1e13], cpu__stream__L3__t1=[1e13])
    assert label(LARGE, BUSY, products(LARGE, 128 * MIB), fast) == COMPUTE_BOUND


def test_bytes_of_the_other_operators_count() -> None:
    """A cell whose products are nothing beside what it touches is memory-bound: its needs by hand."""
    counts = products(SMALL, 16 * 1024)
    counts.operators += 10
    counts.touched_bytes = 10 * 8 * MIB
    compute, memory = needs(SMALL, counts, machine())
    assert compute == pytest.approx(work(SMALL).operations / 1e11)
    one = (7 * MIB - 32 * 1024) / 5e10  # what L3 gives takes longer than what L1 and L2 give at the same time
    assert memory == pytest.approx(64 * 16 * 1024 / 2e11 + 10 * one)
    assert label(SMALL, BUSY, counts, machine()) == MEMORY_BOUND


def test_where_products_are_not_seen_the_floor_decides() -> None:
    """A kernel of one's own leaves no product in the trace."""
    unseen = shares(unseen=0.8, dispatch=0.2)
    assert label(SMALL, unseen, Counts(), machine()) == COMPUTE_BOUND
    assert label(LARGE, unseen, Counts(), machine()) == MEMORY_BOUND


@pytest.mark.parametrize("case", [SMALL, replace(SMALL, device="cuda"), replace(SMALL, device="mps")])
def test_a_missing_limit_is_said(case: Case) -> None:
    """There is no label where it takes a limit that was not measured."""
    for counts in (Counts(), products(SMALL, 1024)):
        with pytest.raises(NoFloor, match="measured"):
            label(case, BUSY, counts, NOTHING)


def on_fake_device(*kernels: tuple[float, float]) -> dict[str, float]:
    """Categories of a call of 100 µs whose kernels are planted by start and length."""
    trace = Trace().window("call", 0, 100)
    for start, length in kernels:
        trace.kernel("sgemm", start, length)
    return settled(cuda_breakdown(trace.one(), 1, 1e-4), 1e-4)


def test_a_host_that_sleeps_between_kernels_is_launch_bound() -> None:
    """Ten kernels of 2 µs, one each 10 µs: the device waits for the host between them."""
    case = replace(SMALL, device="cuda")
    asleep = on_fake_device(*((10 * k, 2) for k in range(10)))
    assert label(case, asleep, Counts(), CUDA) == LAUNCH_BOUND
    assert label(SMALL, asleep, Counts(), CUDA) == OVERHEAD_BOUND, "there is no launching on the CPU"


def test_a_busy_device_is_not_launch_bound() -> None:
    """Ten kernels of 9 µs: the floor says what they wait for."""
    busy = on_fake_device(*((10 * k, 9) for k in range(10)))
    assert label(replace(SMALL, device="cuda"), busy, Counts(), CUDA) == COMPUTE_BOUND
    assert label(replace(LARGE, device="cuda", input_size=1), busy, Counts(), CUDA) == MEMORY_BOUND


def test_a_device_that_starts_late_is_overhead_bound() -> None:
    """80 µs before the first kernel are Python's, not launching's."""
    assert label(replace(SMALL, device="cuda"), on_fake_device((80, 9), (90, 10)), Counts(), CUDA) == OVERHEAD_BOUND
