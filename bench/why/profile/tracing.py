"""Calls under torch's profiler."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from bench.host.clock import Run
from bench.why.profile.trace import WINDOW, Window, read_trace


def traced(
    runs: Mapping[str, tuple[Run, int]],
    rounds: int = 1,
    *,
    cuda: bool = False,
    details: bool = False,
    stack: bool = False,
    keep: Path | None = None,
) -> dict[str, list[Window]]:
    """Make the calls of each run under the profiler, alternating -> label -> a window for each round.

    One call of each comes first, unmarked: what starting the profiler did to the heap is not the run's doing. `details`
    adds shapes and memory, `stack` Python's own functions; `keep` is where the trace file is to stay. Raises
    RuntimeError where this torch has no profiler, and whatever a run raises.
    """
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if cuda else [])
    with profile(activities=activities, record_shapes=details, profile_memory=details, with_stack=stack) as profiler:
        for run, _ in runs.values():
            run(1)
        for _ in range(rounds):
            for label, (run, calls) in runs.items():
                with record_function(WINDOW + label):
                    run(calls)
                    if cuda:
                        torch.cuda.synchronize()
    if keep is not None:
        profiler.export_chrome_trace(str(keep))
        return _by_label(read_trace(keep))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        return _by_label(read_trace(path))


def _by_label(windows: Sequence[Window]) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = {}
    for window in windows:
        found.setdefault(window.label, []).append(window)
    return found
