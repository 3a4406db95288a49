"""Memory of a call on CUDA, by a fake allocator: what the pools of captured graphs keep counts, too."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from bench.cases.case import Case
from bench.host import process
from bench.measure.memory import footprint, pooled_bytes
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from rnn_impls.whole import Whole

CASE = Case(hidden_size=8, input_size=8, seq_len=4)


class Allocator:
    """Bytes that torch's allocator of the device would tell: 1000 are there before, a call takes 600 and gives them
    back. `pools` are the segments of captured graphs, some of which only wait to be emptied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pools: dict[tuple[int, int], list[int]]) -> None:
        self.pools, self.dead = pools, {(0, 9): [2**21]}
        self.peak = 0
        fakes: dict[str, Any] = {
            "synchronize": lambda: None,
            "memory_allocated": lambda: 1000,
            "max_memory_allocated": lambda: self.peak,
            "reset_peak_memory_stats": lambda: setattr(self, "peak", 1000),
            "empty_cache": lambda: setattr(self, "dead", {}),
            "memory_snapshot": self.snapshot,
        }
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)

    def snapshot(self) -> list[dict[str, Any]]:
        """Segments as torch lists them: those of everybody, and those of pools."""
        everybody: list[dict[str, Any]] = [{"total_size": 2**21, "segment_pool_id": (0, 0)}, {"total_size": 20 * 2**20}]
        pools = {**self.pools, **self.dead}
        return everybody + [{"total_size": size, "segment_pool_id": pool} for pool in pools for size in pools[pool]]

    def call(self, calls: int) -> None:
        """A call."""
        self.peak = 1600


@pytest.mark.parametrize(("pools", "pooled"), [({}, 0), ({(0, 1): [2**21, 20 * 2**20], (0, 2): [2**21]}, 24 * 2**20)])
def test_what_graphs_keep_is_part_of_a_call(
    pools: dict[tuple[int, int], list[int]], pooled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its blocks count as free between two replays; graphs that are no more are emptied first, and nothing is left."""
    allocator = Allocator(monkeypatch, pools)
    workload = Workload(CASE, Whole, Problem.of(CASE))
    workload.case = dataclasses.replace(CASE, device="cuda")
    monkeypatch.setattr(Workload, "__call__", staticmethod(allocator.call))
    found = footprint(workload)
    assert found is not None
    assert (found.peak, found.left) == (600 + pooled, 0)
    assert pooled_bytes() == pooled


def test_a_worker_keeps_what_listens_to_the_device() -> None:
    """From before torch is there: a second profile would see nothing otherwise."""
    assert process.environment()["TEARDOWN_CUPTI"] == "0"
