"""A sweep planned: on which devices, in which shards, and what is to be known of it later."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.cases.settings import Settings
from bench.host.process import environment
from bench.run.plan import STARTING_SECONDS
from bench.sweep.balance import balanced, case_costs
from bench.sweep.probing import clock_offset, versions
from bench.sweep.sweepfile import Shard, Sweep, new_nonce

LOCAL, SLURM = "local", "slurm"
"""Executors."""


def plan(settings: Settings, shards: int) -> list[Shard]:
    """All Cases in so many shards, or in fewer where there are fewer Cases. Raises ValueError for no Case at all."""
    costs = case_costs(settings)
    if not costs:
        raise ValueError("there is no case to measure")
    starting = (1 + settings.passes) * STARTING_SECONDS
    parts = enumerate(balanced(costs, shards), 1)
    return [Shard(number, cases, starting + sum(costs[case] for case in cases)) for number, cases in parts]


def begin(
    folder: Path,
    settings: Settings,
    shards: list[Shard],
    executor: str,
    options: Mapping[str, Any],
    attempts: int,
    explain: bool,
) -> Sweep:
    """The sweep that is about to begin in this folder, of which jobs run in the current one. Raises OSError."""
    return Sweep(
        id=folder.name,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        settings=settings.as_dict(),
        executor=executor,
        options=dict(options) if executor == SLURM else {},
        attempts=attempts,
        explain=explain,
        directory=str(Path.cwd()),
        nonce=new_nonce(),
        versions=versions(),
        offset=clock_offset(folder),
        shards=shards,
    )


def devices_of(executor: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The devices to measure on where none is asked for: those present here; on a cluster the CPU, and the GPU where
    one is asked for, since those of its nodes can't be seen from here. Raises ValueError where torch can't tell."""
    if executor == SLURM:
        return ("cpu", "cuda") if options.get("gpus_per_node") or options.get("gres") else ("cpu",)
    code = "from bench.host.machine import devices; print(*devices())"
    asked = [sys.executable, "-P", "-c", code]
    done = subprocess.run(asked, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"the devices of this machine can't be told: {lines[-1]}")
    return tuple(done.stdout.split())
