"""Cases in words: what is said of one, and what sets some apart."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from bench.cases.case import Case
from bench.cases.words import apart, in_words

SMALL = Case(hidden_size=8, input_size=8, seq_len=7)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "hidden 8, 7 steps, inference"),
        ({"seq_len": 1, "mode": "training"}, "hidden 8, 1 step, training"),
        ({"batch_size": 3, "mode": "training"}, "hidden 8, 7 steps, batch 3, training"),
        ({"input_size": 13, "num_layers": 2}, "hidden 8, 7 steps, input 13, 2 layers, inference"),
        ({"output_size": 5, "network": "relu"}, "hidden 8, 7 steps, rnn-relu, output 5, inference"),
        ({"device": "cuda", "dtype": "float16"}, "hidden 8, 7 steps, GPU (CUDA), float16, inference"),
    ],
)
def test_a_case_in_words(change: dict[str, int | str], text: str) -> None:
    """Its sizes and its mode always, and of the rest what is unusual."""
    assert in_words(dataclasses.replace(SMALL, **change)) == text  # type: ignore[arg-type] # fields of a Case


GRID = [
    dataclasses.replace(SMALL, network=network, seq_len=steps, batch_size=batch)
    for network, steps, batch in itertools.product(("rnn-tanh", "rnn-relu"), (1, 7), (1, 3, 5))
]


def test_what_sets_some_apart() -> None:
    """Everything and nothing need no words; else the fewest fields that say it exactly, or the exception."""
    assert apart(GRID, GRID) == apart([], GRID) == ""
    assert apart([case for case in GRID if case.network == "rnn-relu"], GRID) == "rnn-relu"
    assert apart([case for case in GRID if case.batch_size > 1], GRID) == "batch 3 or 5"
    some = [case for case in GRID if (case.batch_size, case.seq_len) == (3, 7)]
    assert apart(some, GRID) == "batch 3, 7 steps"
    assert apart([case for case in GRID if case not in some], GRID) == "all but batch 3, 7 steps"
    scattered = [GRID[0], GRID[4], GRID[8]]
    assert apart(scattered, GRID) == ""
