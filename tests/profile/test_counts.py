"""Operators, bytes and operations: counted on planted traces, and on implementations whose cost is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.cases.case import Case
from bench.measure.parity import check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.workload import Workload
from bench.why.profile.counts import Counts, Product, copied, count, product, tensors
from bench.why.profile.tracing import traced
from bench.why.work import work
from rnn_impls import registry
from tests.profile.planted import HERE, SPARE_BYTES, Trace

CASE = Case(hidden_size=8, input_size=8, seq_len=6)


def counts_of(name: str, case: Case = CASE) -> Counts:
    """What one call of an implementation does, by torch's own profiler."""
    workload = Workload(case, registry.load(name), Problem.of(case))
    return count(traced({"x": (workload, 1)}, details=True)["x"][0])


@pytest.mark.parametrize(("name", "extra"), [("OneMore", 1), ("FiveMore", 5)])
@pytest.mark.parametrize("steps", [1, 6])
def test_operators_more_in_each_step_are_found_exactly(name: str, extra: int, steps: int) -> None:
    """N operators more a step are N more a step, of that name, and none of another."""
    case = replace(CASE, seq_len=steps)
    plain, more = counts_of("manual", case), counts_of(HERE + name, case)
    assert (more.operators - plain.operators) / steps == extra
    assert more.by_name == plain.by_name | {"minimum": extra * steps}
    assert more.copied_bytes == plain.copied_bytes
    assert more.products == plain.products


def test_an_operator_more_costs_nodes_in_training() -> None:
    """One more operator forward is one node more backward, at each step whose state is read again."""
    case = replace(CASE, mode="training")
    assert counts_of(HERE + "OneMore", case).nodes - counts_of("manual", case).nodes == case.seq_len - 1


def test_an_extra_copy_is_found_to_the_byte() -> None:
    """One clone of a tensor of known size a call: as many bytes copied, one operator and one allocation more."""
    plain, more = counts_of("manual"), counts_of(HERE + "CopiesMore")
    assert more.copied_bytes - plain.copied_bytes == SPARE_BYTES
    assert more.operators - plain.operators == 1
    assert more.allocated_bytes - plain.allocated_bytes == SPARE_BYTES
    assert more.touched_bytes - plain.touched_bytes == 2 * SPARE_BYTES


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_bytes_are_those_of_the_dtype(dtype: str) -> None:
    """Each step joins input and state, (1, 16); at the end outputs and state are stacked. addmm copies its bias."""
    item = {"float32": 4, "float64": 8, "bfloat16": 2}[dtype]
    joined, stacked, biases = 6 * 16, 6 * 8 + 8, 6 * 8
    assert counts_of("manual", replace(CASE, dtype=dtype)).copied_bytes == item * (joined + stacked + biases)


@pytest.mark.parametrize("name", ["manual", "looped", "whole"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_products_of_the_three_are_the_work_of_the_case(name: str, batch: int) -> None:
    """All make the operations of the Case, however they call them."""
    case = replace(CASE, batch_size=batch)
    assert counts_of(name, case).product_operations == work(case).operations


def test_by_name_adds_up_to_all_operators() -> None:
    """The commonest first, no namespace before the names."""
    found = counts_of("manual")
    assert sum(found.by_name.values()) == found.operators
    assert list(found.by_name.values()) == sorted(found.by_name.values(), reverse=True)
    assert not any(":" in name for name in found.by_name)


@pytest.mark.parametrize(
    ("name", "dims", "operations", "numbers"),
    [
        ("mm", [(2, 3), (3, 5)], 2 * 2 * 3 * 5, 6 + 15 + 10),
        ("addmm", [(5,), (2, 3), (3, 5)], 2 * 2 * 3 * 5, 6 + 15 + 10),
        ("_addmm_activation", [(5,), (2, 3), (3, 5)], 2 * 2 * 3 * 5, 6 + 15 + 10),
        ("bmm", [(4, 2, 3), (4, 3, 5)], 4 * 2 * 2 * 3 * 5, 24 + 60 + 40),
        ("baddbmm", [(4, 2, 5), (4, 2, 3), (4, 3, 5)], 4 * 2 * 2 * 3 * 5, 24 + 60 + 40),
        ("mv", [(7, 3), (3,)], 2 * 7 * 3, 21 + 3 + 7),
        ("addmv", [(7,), (7, 3), (3,)], 2 * 7 * 3, 21 + 3 + 7),
        ("dot", [(3,), (3,)], 2 * 3, 3 + 3 + 1),
        ("_cudnn_rnn", [(4, 2, 3), (5, 5)], 0, 0),
        ("mkldnn_rnn_layer", [(4, 2, 3), (5, 5)], 0, 0),
        ("mm", [(2, 3)], 0, 0),
        ("mm", [(), (3, 5)], 0, 0),
    ],
)
@pytest.mark.parametrize("item", [4, 8])
def test_products_by_their_shapes(
    name: str, dims: list[tuple[int, ...]], operations: float, numbers: int, item: int
) -> None:
    """A multiply-add is two operations; bytes are those of both operands and of the result."""
    kind = {4: "float", 8: "double"}[item]
    trace = (
        Trace()
        .window("x", 0, 10)
        .operator(f"aten::{name}", 1, 2, dims=[list(shape) for shape in dims], types=[kind] * len(dims))
    )
    event = trace.one().root.children[0]
    assert product(event.name, tensors(event)) == (operations, item * numbers)


def test_alike_products_are_one_entry() -> None:
    """With their number; another shape is another entry, and one whose shapes tell nothing none at all."""
    trace = Trace().window("x", 0, 100)
    for start, shape in enumerate([[2, 3], [2, 3], [4, 3]]):
        trace.operator("aten::mm", 10 * start, 5, dims=[shape, [3, 5]], types=["float", "float"])
    found = count(trace.operator("aten::_cudnn_rnn", 50, 5, dims=[], types=[]).one())
    assert found.products == [Product(2, 60.0, 4 * 31), Product(1, 120.0, 4 * 47)]
    assert found.product_operations == 240
    assert found.operators == 4


@pytest.mark.parametrize(
    ("dims", "types", "sizes"),
    [
        ([[2, 3], [], [4]], ["float", "Scalar", "double"], [24, 32]),
        ([[[2, 3], [2, 4]], []], ["TensorList", "Scalar"], [24, 32]),
        ([[2], [3]], ["c10::BFloat16", "c10::Half"], [4, 6]),
        ([[], []], ["float", "ScalarList"], [4]),
        ([[5], [5]], ["long int", "bool"], [40, 5]),
        ([[2, 3]], [""], []),
        ([], [], []),
    ],
)
def test_tensors_among_the_arguments(dims: list[Any], types: list[str], sizes: list[int]) -> None:
    """Lists count one by one, a tensor without dimensions holds one number, scalars and absent tensors none."""
    event = Trace().window("x", 0, 9).operator("aten::op", 1, 1, dims=dims, types=types).one().root.children[0]
    assert [size for _, size in tensors(event)] == sizes


def test_joining_copies_all_and_copying_copies_what_is_written() -> None:
    """`copy_` is given where to and from where: only the first is put somewhere."""
    shapes = [((2, 3), 24), ((2, 4), 32)]
    assert copied("aten::cat", shapes) == 56
    assert copied("aten::copy_", shapes) == 24
    assert copied("aten::copy_", []) == 0


def test_bytes_touched_are_read_and_written() -> None:
    """tanh reads and writes 24 bytes, add reads twice and writes; fill_ writes, copy_ reads and writes."""
    for name, tensor_count, touched in (("tanh", 1, 48), ("add", 2, 72), ("fill_", 1, 24), ("copy_", 2, 48)):
        dims, types = [[2, 3]] * tensor_count, ["float"] * tensor_count
        found = count(Trace().window("x", 0, 9).operator(f"aten::{name}", 1, 1, dims=dims, types=types).one())
        assert found.touched_bytes == touched, name


def test_memory_has_a_sum_and_a_peak() -> None:
    """64 and 32 at once, then 64 are given back and 16 taken: 112 in all, 96 at most."""
    trace = Trace().window("x", 0, 100)
    for at, change in enumerate((64, 32, -64, 16, -32, -16), start=1):
        trace.memory(at, change)
    found = count(trace.one())
    assert (found.allocated_bytes, found.peak_bytes) == (112, 96)


def test_views_allocations_nodes_and_kernels_are_counted_apart() -> None:
    """None of them is an operator."""
    trace = Trace().window("x", 0, 100).operator("aten::t", 1, 1).operator("aten::empty", 3, 1)
    trace.operator("autograd::engine::evaluate_function: TBackward0", 10, 9).operator("TBackward0", 12, 2)
    found = count(trace.kernel("a", 20, 1).kernel("b", 22, 1).one())
    assert (found.operators, found.views, found.allocations, found.nodes, found.kernels) == (0, 1, 1, 1, 2)


@pytest.mark.parametrize("name", ["OneMore", "FiveMore", "CopiesMore"])
def test_what_is_planted_still_computes_the_network(name: str) -> None:
    """One with more operators could be timed."""
    assert check(Reference.of(CASE), registry.load(HERE + name)) < 1e-5
