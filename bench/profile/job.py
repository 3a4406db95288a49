"""What a worker does to profile cells, each told as it is done."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bench.alternate import no_garbage_collection
from bench.cases import Case
from bench.machine import keep_heap, pin
from bench.profile.profiler import Profiler
from bench.profile.session import traced

_POOL = (24, 2**22)
"""Blocks and items of each that are touched once: 384 MiB."""


def profile_cells(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Profile the cells of a job: tells `start`, then `profile` with the record, for each."""
    keep_memory()
    folder = Path(job["folder"]) if job.get("folder") else None
    profiler = Profiler(job["steps"], folder)
    with no_garbage_collection():
        traced({"start": (lambda calls: None, 1)})  # the first session takes a second to begin, and imports much:
        gc.collect()
        gc.freeze()  # looking through all that at each cell would take as long as profiling it
        for case_id, name in job["cells"]:
            case = Case.parse(case_id)
            tell("start", case=case_id, implementation=name)
            pin(case.threads)
            tell("profile", record=dataclasses.asdict(profiler.profile(case, name)))


def keep_memory() -> None:
    """Let the heap keep what it has (see `bench.machine.keep_heap`), and have enough: the profiler's own records push
    it from one state into another."""
    if keep_heap():
        blocks = [torch.ones(_POOL[1]) for _ in range(_POOL[0])]
        del blocks
