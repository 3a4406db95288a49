"""The time of a call in categories: planted traces whose truth is known, on the CPU and on a fake device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.why.profile.breakdown import (
    CATEGORIES,
    COPIES,
    DISPATCH,
    ELEMENTS,
    GAPS,
    GRADIENTS,
    OVERHEAD,
    PRODUCTS,
    UNSEEN,
    WAITING,
    OwnTimes,
    busy_seconds,
    cpu_breakdown,
    cuda_breakdown,
    own_times,
    settled,
    working,
)
from bench.why.profile.trace import AUTOGRAD, COPY, ELEMENTWISE, OUTSIDE, PRODUCT, Window
from tests.profile.planted import Trace

MICRO = 1e-6
CALL = ("aten::t", "aten::cat", "aten::addmm", "aten::tanh", "aten::empty", "AddmmBackward0")
"""What a call of the planted network calls, one after the other: each takes 2 µs to call, and Python 12 µs beside."""


def call(work: dict[str, float], profiler: float = 0.0, python: float = 12.0, calls: int = 1) -> Window:
    """A traced window: µs of work by operator, and what the profiler adds to each event."""
    trace, at = Trace(), 0.0
    for _ in range(calls):
        for name in CALL:
            length = 2 + profiler + work.get(name, 0.0)
            trace.operator(name, at, length)
            at += length
        at += python
    return trace.window("call", 0, at).one()


def broken_down(work: dict[str, float], profiler: float, python: float = 12.0, seen: bool = True) -> dict[str, float]:
    """µs by category of a call and its twin; without the profiler the twin takes 6 x 2 + 12 µs."""
    found = cpu_breakdown(
        own_times(call(work, profiler, python), 1), own_times(call({}, profiler), 1), 24 * MICRO, seen=seen
    )
    return {name: seconds / MICRO for name, seconds in found.items() if seconds > 1e-12}


WORK = {"aten::cat": 3.0, "aten::addmm": 40.0, "aten::tanh": 5.0, "aten::empty": 1.0}


@pytest.mark.parametrize("profiler", [0.0, 0.5, 7.0])
def test_what_the_profiler_adds_cancels(profiler: float) -> None:
    """However slow it makes each event, each category gets the time that was planted."""
    assert broken_down(WORK, profiler) == pytest.approx(
        {DISPATCH: 22, GRADIENTS: 2, COPIES: 4, ELEMENTS: 5, PRODUCTS: 40}
    )


def test_work_of_a_node_is_autograds() -> None:
    """What the engine itself does more of in the call than in the twin."""
    assert broken_down({"AddmmBackward0": 9.0}, 0.5) == pytest.approx({DISPATCH: 22, GRADIENTS: 11})


def test_time_outside_of_operators_is_pythons_unless_the_products_are_not_seen() -> None:
    """A kernel of one's own leaves no operator in the trace: what it takes is inside one call."""
    assert broken_down({}, 0.5, python=112.0) == pytest.approx({DISPATCH: 122, GRADIENTS: 2})
    assert broken_down({}, 0.5, python=112.0, seen=False) == pytest.approx({DISPATCH: 22, GRADIENTS: 2, UNSEEN: 100})


def test_a_view_that_takes_longer_is_dispatch() -> None:
    """It computes nothing."""
    assert broken_down({"aten::t": 6.0}, 0.0) == pytest.approx({DISPATCH: 28, GRADIENTS: 2})


def test_no_category_is_below_nothing() -> None:
    """A twin that was slower than the call, by luck, leaves zeros."""
    slow = OwnTimes({PRODUCT: 9.0, ELEMENTWISE: 9.0, COPY: 9.0, AUTOGRAD: 9.0, OUTSIDE: 9.0}, 1, 5, 45.0)
    quick = OwnTimes({PRODUCT: 1.0, OUTSIDE: 1.0}, 0, 1, 2.0)
    found = cpu_breakdown(quick, slow, 3.0)
    assert set(found) == set(CATEGORIES)
    assert all(seconds >= 0 for seconds in found.values())


def test_own_times_are_those_of_one_call() -> None:
    """A window of four calls, with what one does; the window itself is no event."""
    found = own_times(call(WORK, calls=4), 4)
    assert found.by_kind[PRODUCT] == pytest.approx(42 * MICRO)
    assert found.by_kind[OUTSIDE] == pytest.approx(12 * MICRO)
    assert (found.nodes, found.events) == (1, 6)
    assert found.seconds == pytest.approx((24 + 49) * MICRO)


AMOUNT = st.one_of(st.just(0.0), st.floats(1e-9, 1e3))


@given(st.lists(AMOUNT, min_size=len(CATEGORIES), max_size=len(CATEGORIES)), st.floats(1e-9, 1e3))
def test_settled_categories_add_up_to_the_time(amounts: list[float], seconds: float) -> None:
    """Always, also where nothing was found, or more overhead than time; and none is below nothing."""
    found = settled(dict(zip(CATEGORIES, amounts, strict=True)), seconds)
    assert list(found) == list(CATEGORIES)
    assert sum(found.values()) == pytest.approx(seconds)
    assert all(part >= 0 for part in found.values())


def test_it_is_the_work_that_is_scaled() -> None:
    """The overhead was measured without the profiler; 40 of work become the 30 that are left."""
    found = settled({DISPATCH: 60.0, GRADIENTS: 10.0, PRODUCTS: 30.0, ELEMENTS: 10.0}, 100.0)
    assert found == pytest.approx({DISPATCH: 60, GRADIENTS: 10, PRODUCTS: 22.5, ELEMENTS: 7.5})
    assert working(found) == pytest.approx(30)


def test_more_overhead_than_time_is_scaled_and_leaves_no_work() -> None:
    """A call that was quicker than its twin."""
    assert settled({DISPATCH: 60.0, GRADIENTS: 20.0, PRODUCTS: 5.0}, 40.0) == {DISPATCH: 30, GRADIENTS: 10, PRODUCTS: 0}


def gpu(*kernels: tuple[str, float, float], length: float = 100) -> Window:
    """A fake device: kernels by name, start and length, in a window of so many µs."""
    trace = Trace().window("call", 0, length)
    for kernel in kernels:
        trace.kernel(*kernel)
    return trace.one()


def shares(window: Window, calls: int = 1, seconds: float = 100.0) -> dict[str, float]:
    """µs by category of one call, those that are nothing left away."""
    found = cuda_breakdown(window, calls, seconds * MICRO)
    return {name: part / MICRO for name, part in found.items() if part > 1e-12}


def test_head_gaps_and_tail_of_a_fake_device_are_exact() -> None:
    """Idle 10 before the first kernel, 20 between, 40 after the last; busy 30."""
    window = gpu(("sgemm", 10, 20), ("tanh_kernel", 35, 5), ("Memcpy DtoD", 55, 5))
    assert shares(window) == pytest.approx({DISPATCH: 10, GAPS: 20, WAITING: 40, PRODUCTS: 20, ELEMENTS: 5, COPIES: 5})
    assert busy_seconds(window.device) == pytest.approx(30 * MICRO)


def test_without_the_profiler_there_is_less_idle_time() -> None:
    """The profiler slows the host: of 70 µs measured 40 are idle, shared out as the trace shows its 70."""
    window = gpu(("sgemm", 10, 20), ("tanh_kernel", 35, 5), ("Memcpy DtoD", 55, 5))
    found = shares(window, seconds=70.0)
    assert sum(found.values()) == pytest.approx(70)
    assert {name: found[name] for name in (DISPATCH, GAPS, WAITING)} == pytest.approx(
        {DISPATCH: 40 * 10 / 70, GAPS: 40 * 20 / 70, WAITING: 40 * 40 / 70}
    )
    assert found[PRODUCTS] == pytest.approx(20)


def test_a_window_of_several_calls_is_divided_among_them() -> None:
    """Two calls of 50 µs: each is busy for half as long as the window."""
    found = shares(gpu(("sgemm", 10, 20), ("sgemm", 60, 20)), calls=2, seconds=50.0)
    assert found == pytest.approx({PRODUCTS: 20, DISPATCH: 5, GAPS: 15, WAITING: 10})


def test_overlapping_kernels_are_counted_once() -> None:
    """Two streams at once, [10, 40] and [20, 60]: busy for 50, of which each has its share."""
    window = gpu(("sgemm", 10, 30), ("tanh_kernel", 20, 40))
    assert busy_seconds(window.device) == pytest.approx(50 * MICRO)
    assert shares(window) == pytest.approx({PRODUCTS: 50 * 3 / 7, ELEMENTS: 50 * 4 / 7, DISPATCH: 10, WAITING: 40})


def test_a_kernel_inside_another_adds_nothing() -> None:
    """And one that begins with the end of the other leaves no gap."""
    assert busy_seconds(gpu(("a", 10, 40), ("b", 20, 5), ("c", 50, 10)).device) == pytest.approx(50 * MICRO)
    assert busy_seconds([]) == 0


@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20)), max_size=12), st.integers(1, 200))
def test_categories_of_a_fake_device_add_up(kernels: list[tuple[int, int]], seconds: int) -> None:
    """Wherever its kernels lie: to the time measured, once settled; and busy is the union, counted by microseconds."""
    window = gpu(*(("k", start, length) for start, length in kernels))
    busy = len({micro for start, length in kernels for micro in range(start, start + length)})
    assert busy_seconds(window.device) == pytest.approx(busy * MICRO, abs=1e-15)
    found = settled(cuda_breakdown(window, 1, seconds * MICRO), seconds * MICRO)
    assert sum(found.values()) == pytest.approx(seconds * MICRO)
    assert all(part >= 0 for part in found.values())


def test_a_device_that_did_nothing_leaves_all_to_the_host() -> None:
    """All of it is dispatch."""
    assert shares(gpu()) == pytest.approx({DISPATCH: 100})


def test_an_operator_names_its_kernels_kind_better_than_the_kernel() -> None:
    """A kernel of any name that `mm` launched is a product's; what a sum's launches is told by its name."""
    trace = Trace().window("call", 0, 40).operator("aten::mm", 0, 1, id=1).operator("aten::linear", 1, 1, id=2)
    trace.kernel("some_kernel", 0, 10, by=1).kernel("sgemm", 10, 20, by=2).kernel("some_kernel", 30, 10)
    assert shares(trace.one(), seconds=40.0) == pytest.approx({PRODUCTS: 30, ELEMENTS: 10})


def test_a_kernel_for_all_steps_is_inside_one_call() -> None:
    """Products and all else in one: neither the one nor the other, and no overhead."""
    found = shares(gpu(("recurrence", 10, 80)))
    assert found == pytest.approx({UNSEEN: 80, DISPATCH: 10, WAITING: 10})
    assert UNSEEN not in OVERHEAD


def test_overhead_and_work_are_all_there_is() -> None:
    """Each category is the one or the other."""
    assert working(dict.fromkeys(CATEGORIES, 1.0)) == len(CATEGORIES) - len(OVERHEAD)
