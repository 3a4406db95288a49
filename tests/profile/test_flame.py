"""A flame graph's file, line by line."""

from __future__ import annotations

from bench.why.profile.trace import folded
from tests.profile.planted import Trace


def test_stacks_are_folded_exactly() -> None:
    """Own nanoseconds, alike stacks together, in the order of the calls; what has no time of its own has no line."""
    trace = Trace().window("manual", 0, 100).python("rnn.py(61): forward", 10, 80)
    trace.operator("aten::linear", 20, 20).operator("aten::addmm", 20, 20)
    trace.operator("aten::linear", 50, 10).operator("aten::addmm", 52, 5).operator("aten::tanh", 70, 0.25)
    assert folded(trace.read(python=True)[0]) == (
        "manual 20000\n"
        "manual;rnn.py(61): forward 49750\n"
        "manual;rnn.py(61): forward;aten::linear 5000\n"
        "manual;rnn.py(61): forward;aten::linear;aten::addmm 25000\n"
        "manual;rnn.py(61): forward;aten::tanh 250\n"
    )


def test_a_frame_cannot_break_the_format() -> None:
    """Semicolons and line breaks in names would be frames and lines of their own."""
    trace = Trace().window("call", 0, 10).operator("mine;\nodd", 0, 10)
    assert folded(trace.one()) == "call;mine, odd 10000\n"


def test_counts_add_up_to_the_window() -> None:
    """Nothing is lost, nothing counted twice."""
    trace = Trace().window("call", 0, 1000)
    for k in range(10):
        trace.operator("aten::linear", 100 * k, 50 + k).operator("aten::addmm", 100 * k + 5, 20)
    assert sum(int(line.rpartition(" ")[2]) for line in folded(trace.one()).splitlines()) == 1_000_000
