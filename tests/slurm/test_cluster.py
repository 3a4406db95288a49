"""The Slurm that other tests rely on: it comes up, runs, loses a node, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.slurm.cluster import NODES, Cluster, Unavailable, kept, main, missing

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent.parent
REQUIRES = "tests.slurm.test_cluster"


def until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for what Slurm does when its own timers say so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def submit(cluster: Cluster, script: str, *options: str) -> str:
    """The number of a job that writes `out.<array task>` in the cluster's folder."""
    output = f"--output={cluster.folder}/out.%j.%a"
    return cluster.call("sbatch", "--parsable", output, "--open-mode=append", *options, f"--wrap={script}")


def state(cluster: Cluster, job: str) -> str:
    """As `squeue` has it: `RUNNING None node1`."""
    return cluster.call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T %r %N").strip()


def output(cluster: Cluster, job: str) -> list[str]:
    """All that tasks of this job wrote, a line each."""
    return [line for path in cluster.folder.glob(f"out.{job}.*") for line in path.read_text().splitlines()]


def test_two_idle_nodes(cluster: Cluster) -> None:
    """Once it is started, both nodes take jobs, and nothing of it is outside its folder's configuration."""
    assert cluster.states() == dict.fromkeys(NODES, "idle")
    shown = cluster.call("scontrol", "show", "config")
    assert f"SLURM_CONF              = {cluster.conf}" in shown


def test_an_array_runs_on_both(cluster: Cluster) -> None:
    """Two tasks of an array run at a time, one a node, and know where they are."""
    here = "rm -f go; touch $SLURMD_NODENAME; for i in $(seq 100); do [ -e node1 ] && [ -e node2 ] && break; sleep .1; done"
    job = submit(cluster, f"cd {cluster.folder}/state && {here}; ls node1 node2 && echo on $SLURMD_NODENAME", "--array=0-1")
    until(lambda: state(cluster, job).split("\n") != [] and "COMPLETED" in state(cluster, job), "an array ends")
    assert sorted(line for line in output(cluster, "*") if line.startswith("on ")) == ["on node1", "on node2"]
