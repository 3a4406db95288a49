"""Trace files as events inside one another: planted ones, and those that torch writes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.store.files import BrokenFile
from bench.why.profile.trace import OUTSIDE, WINDOW, Event, counted, is_node, read_trace
from bench.why.profile.tracing import traced
from tests.profile.planted import Trace

MICRO = 1e-6


def own(event: Event) -> dict[str, Any]:
    """Own microseconds by name."""
    return {each.name: pytest.approx(each.own_seconds / MICRO) for each in event.walk()}


def test_own_times_of_nested_events_are_exact() -> None:
    """linear [10, 60] calls addmm [20, 50], which calls copy_ [25, 30]; 40 of 100 µs lie outside of all."""
    trace = Trace().window("call", 0, 100)
    trace.operator("aten::copy_", 25, 5).operator("aten::linear", 10, 50).operator("aten::addmm", 20, 30)
    trace.operator("aten::tanh", 70, 10)
    window = trace.one()
    assert own(window.root) == {
        "call": 40,
        "aten::linear": 20,
        "aten::addmm": 25,
        "aten::copy_": 5,
        "aten::tanh": 10,
    }
    assert [each.name for each in window.root.walk()] == [
        "call",
        "aten::linear",
        "aten::addmm",
        "aten::copy_",
        "aten::tanh",
    ]
    assert window.root.kind == OUTSIDE


def test_neighbours_are_not_inside_one_another() -> None:
    """One operator that begins where the other ends is its neighbour."""
    trace = Trace().window("call", 0, 10).operator("aten::mul", 0, 4).operator("aten::add", 4, 4)
    assert [child.name for child in trace.one().root.children] == ["aten::mul", "aten::add"]


@pytest.mark.parametrize("start", ["0", "81234567.123", "4593184821638.901", "4593184821666.592"])
def test_what_ends_together_is_still_inside(tmp_path: Path, start: str) -> None:
    """Times are microseconds since the machine was started, with nanoseconds behind the point: a float does not hold
    them. An operator that ends with the one it is called by, and with the call, is inside of both at any time."""
    moments = [str(Decimal(start) + Decimal(number) / 1000) for number in range(200)]
    for k, moment in enumerate(moments[:-2]):
        raw = [
            ("user_annotation", WINDOW + "call", start, "0.199"),
            ("cpu_op", "aten::linear", moment, f"{(199 - k) / 1000}"),
            ("cpu_op", "aten::addmm", moments[k + 1], f"{(198 - k) / 1000}"),
        ]
        events = ",".join(
            f'{{"ph":"X","cat":"{cat}","name":"{name}","tid":1,"ts":{ts},"dur":{dur},"args":{{}}}}'
            for cat, name, ts, dur in raw
        )
        (tmp_path / "t.json").write_text(f'{{"traceEvents":[{events}]}}')
        (window,) = read_trace(tmp_path / "t.json")
        assert [event.name for event in window.root.walk()] == ["call", "aten::linear", "aten::addmm"]
        (linear,) = window.root.children
        assert len(linear.children) == 1
        assert linear.own_seconds == pytest.approx(1e-9, rel=1e-6)


@st.composite
def trees(draw: st.DrawFn, start: int = 0, end: int = 4096, depth: int = 0) -> list[tuple[int, int]]:
    """Stretches that lie beside or inside one another."""
    found: list[tuple[int, int]] = []
    at = start
    while depth < 4 and end - at > 2 and draw(st.booleans()):
        first = draw(st.integers(at, end - 2))
        last = draw(st.integers(first + 1, end))
        if (first, last) != (start, end):
            found += [(first, last), *draw(trees(first, last, depth + 1))]
        at = last
    return found


@settings(max_examples=60, deadline=None)
@given(trees(), st.randoms())
def test_own_times_add_up_to_the_window(stretches: list[tuple[int, int]], order: Any) -> None:
    """However events are nested, and in whatever order the file has them."""
    order.shuffle(stretches)
    trace = Trace().window("call", 0, 4096)
    for number, (start, end) in enumerate(stretches):
        trace.operator(f"aten::op{number}", start, end - start)
    events = list(trace.one().root.walk())
    assert len(events) == 1 + len(stretches)
    assert sum(event.own_seconds for event in events) == pytest.approx(4096 * MICRO)
    assert all(event.own_seconds > -1e-12 for event in events)


def test_windows_come_in_order_of_time_with_what_lies_in_them() -> None:
    """An operator between two windows, or across the end of one, belongs to neither."""
    trace = Trace().window("second", 100, 50).window("first", 0, 50)
    for name, start in (("aten::mm", 10), ("aten::tanh", 110), ("aten::add", 60), ("aten::mul", 45)):
        trace.operator(name, start, 10)
    found = {window.label: [event.name for event in window.root.children] for window in trace.read()}
    assert list(found) == ["first", "second"]
    assert found == {"first": ["aten::mm"], "second": ["aten::tanh"]}


def test_other_threads_hang_on_the_root() -> None:
    """The engine's thread works while the first one waits: its events nest among themselves only."""
    trace = Trace().window("call", 0, 100).operator("aten::mm", 10, 80)
    trace.operator("AddmmBackward0", 20, 30, thread=2).operator("aten::t", 25, 5, thread=2)
    root = trace.one().root
    assert [child.name for child in root.children] == ["aten::mm", "AddmmBackward0"]
    assert [child.name for child in root.children[1].children] == ["aten::t"]


def test_device_events_know_who_launched_them() -> None:
    """By the external id; one without an id has no operator, even where an operator has none either."""
    trace = Trace().window("call", 0, 100).operator("aten::mm", 0, 5, id=3).operator("aten::odd", 6, 1)
    trace.kernel("tanh_kernel", 50, 5).kernel("sgemm", 20, 10, by=3).kernel(
        "Memcpy DtoH", 60, 2, by=9, cat="gpu_memcpy"
    )
    trace.kernel("Memset", 70, 1, cat="gpu_memset").kernel("late", 100, 1).kernel("sync", 30, 1, cat="cuda_runtime")
    device = trace.one().device
    assert [(each.name, each.operator) for each in device] == [
        ("sgemm", "aten::mm"),
        ("tanh_kernel", ""),
        ("Memcpy DtoH", ""),
        ("Memset", ""),
    ]
    assert (device[0].start, device[0].end) == pytest.approx((20 * MICRO, 30 * MICRO))


def test_changes_of_memory_are_those_of_the_host_in_the_window() -> None:
    """Not those of a device, and not those before or after."""
    trace = Trace().window("call", 10, 10).memory(5, 1).memory(11, 64).memory(12, -64).memory(13, 7, device=1)
    assert trace.memory(20, 1).one().allocations == [64, -64]
    trace.kernel("sgemm", 14, 1)
    assert trace.one().allocations == [7], "where a device is at work, it is its memory that counts"


def test_functions_of_python_are_there_when_asked_for() -> None:
    """They make a flame graph, and would only be in the way of counting."""
    trace = Trace().window("call", 0, 100).python("forward", 10, 80).operator("aten::mm", 20, 10)
    assert [event.name for event in trace.read()[0].root.walk()] == ["call", "aten::mm"]
    assert [event.name for event in trace.read(python=True)[0].root.walk()] == ["call", "forward", "aten::mm"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"traceEvents": [1]}',
        '{"traceEvents": []}',
        '{"traceEvents": [{"cat": "user_annotation"}]}',
    ],
)
def test_a_file_that_is_no_trace_of_this_suite_is_named(tmp_path: Path, text: str) -> None:
    """One line with the path, whatever is wrong with it."""
    path = tmp_path / "t.trace.json"
    path.write_text(text)
    with pytest.raises(BrokenFile, match="no trace of this suite") as raised:
        read_trace(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(BrokenFile, match="nowhere"):
        read_trace(tmp_path / "nowhere.json")


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """From the disk as from memory."""
    trace = Trace().window("call", 0, 10).operator("aten::mm", 1, 2, dims=[[2, 2], [2, 2]], types=["float", "float"])
    assert read_trace(trace.write(tmp_path / "t.json")) == trace.read()


def events_of(run: Callable[[], object], **options: Any) -> list[Event]:
    """What torch's own profiler sees of a call."""
    window = traced({"x": (lambda calls: run(), 1)}, details=True, **options)["x"][0]
    return list(window.root.walk())


def test_a_sum_counts_and_so_does_what_it_fills() -> None:
    """`sum` has a `fill_` inside; both move or compute something, `as_strided` does not."""
    events = events_of(lambda: torch.ones(3, 4).sum(0))
    names = [event.name for event in events if counted(event)]
    assert names.count("aten::sum") == 1 and names.count("aten::fill_") == 2  # one is that of `ones`
    assert "aten::as_strided" not in names and "aten::ones" not in names


def test_a_linear_is_what_it_calls() -> None:
    """`linear` counts as its `addmm`; the `copy_` of the bias that addmm makes on the CPU counts, too."""
    layer = torch.nn.Linear(3, 4)
    with torch.no_grad():
        names = [event.name for event in events_of(lambda: layer(torch.zeros(2, 3))) if counted(event)]
    assert sorted(set(names) - {"aten::fill_", "aten::zero_"}) == ["aten::addmm", "aten::copy_"]
    assert names.count("aten::addmm") == names.count("aten::copy_") == 1


def test_an_unknown_operator_counts_unless_another_computes_for_it() -> None:
    """By the planted tree: the outer one calls a product, the inner one nothing."""
    trace = Trace().window("call", 0, 100).operator("aten::fancy", 0, 50).operator("aten::mm", 10, 10)
    trace.operator("aten::fancy", 60, 10).operator("mine::kernel", 80, 10)
    assert [event.name for event in trace.one().root.walk() if counted(event)] == ["aten::mm", "aten::fancy"]


def test_a_node_is_counted_once() -> None:
    """The engine wraps each node; the wrapping is autograd's time and no node."""
    weight = torch.ones(2, 2, requires_grad=True)
    events = events_of(lambda: (weight * 2).sum().backward())
    nodes = [event.name for event in events if is_node(event)]
    assert sorted(nodes) == ["MulBackward0", "SumBackward0", "torch::autograd::AccumulateGrad"]
    assert any(event.name.startswith("autograd::engine") for event in events)


def test_runs_are_traced_in_turns_under_their_labels(tmp_path: Path) -> None:
    """A window for each round with the calls asked for, and the file where it was wanted; first calls are unmarked."""
    calls: list[tuple[str, int]] = []

    def run(name: str) -> Callable[[int], object]:
        def call(count: int) -> None:
            calls.append((name, count))
            for _ in range(count):
                torch.tanh(torch.zeros(1))

        return call

    found = traced({"a": (run("a"), 2), "b": (run("b"), 3)}, rounds=2, keep=tmp_path / "t.json")
    assert calls == [("a", 1), ("b", 1), ("a", 2), ("b", 3), ("a", 2), ("b", 3)]
    tanhs = {
        label: [sum(event.name == "aten::tanh" for event in window.root.walk()) for window in windows]
        for label, windows in found.items()
    }
    assert tanhs == {"a": [2, 2], "b": [3, 3]}
    assert len(read_trace(tmp_path / "t.json")) == 4
