"""Seconds of some work on a GPU, from replays of a captured graph; on the CPU any number, for a dry run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

WARM = 0.2
"""Seconds of work before the first reading: clocks rise that long."""

REPLAYS = 15


def seconds(work: Callable[[], object], device: str) -> tuple[float, str]:
    """The median of REPLAYS, and how it was launched: `graph`, or `eager` and why no graph could be had."""
    if device == "cpu":
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun, "dry"
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        work()
    torch.cuda.synchronize()
    how, launch = "graph", work
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        launch = graph.replay
    except RuntimeError as error:  # such as a launch that can't be captured
        how = f"eager: {(str(error).splitlines() or [''])[0]}"
        torch.cuda.synchronize()
    end = time.perf_counter() + WARM
    while time.perf_counter() < end:
        launch()
        torch.cuda.synchronize()
    found = []
    for _ in range(REPLAYS):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        launch()
        last.record()
        torch.cuda.synchronize()
        found.append(first.elapsed_time(last) / 1e3)
    return statistics.median(found), how
