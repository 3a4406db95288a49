"""The Slurm that other tests rely on: it comes up, runs jobs, loses a node, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.cluster import NODES, Cluster, kept, main

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent.parent
WAIT = "trap '' TERM; echo on $SLURMD_NODENAME for the ${SLURM_RESTART_COUNT:-0}. time again; sleep 300"
"""A job that goes on until it is killed."""


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for what Slurm does when its own timers say so."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)


def submit(cluster: Cluster, folder: Path, script: str, *options: str) -> str:
    """The number of a job that works in this folder and writes to its file `out`."""
    where = (f"--chdir={folder}", "--output=out", "--open-mode=append")
    return cluster.call("sbatch", "--parsable", *where, *options, f"--wrap={script}")


def state(cluster: Cluster, job: str) -> str:
    """As squeue has it, with the reason: `PENDING PartitionDown`."""
    return cluster.call("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T %r")


def told(folder: Path) -> list[str]:
    """What jobs wrote, Slurm's own remarks left out."""
    path = folder / "out"
    return [line for line in path.read_text().splitlines() if line.startswith("on ")] if path.exists() else []


def test_both_nodes_are_idle(cluster: Cluster) -> None:
    """Once it is started, both nodes take jobs, and what talks to it reads the configuration in its folder."""
    assert cluster.states() == dict.fromkeys(NODES, "idle")
    assert str(cluster.conf) in cluster.call("scontrol", "show", "config")


def test_an_array_runs_on_both_nodes(cluster: Cluster, tmp_path: Path) -> None:
    """Two tasks of an array run at a time, one a node: each waits until it has seen the other."""
    meet = "touch $SLURMD_NODENAME; until [ -e node1 ] && [ -e node2 ]; do sleep 0.1; done; echo on $SLURMD_NODENAME"
    submit(cluster, tmp_path, meet, "--array=0-1")
    until(lambda: len(told(tmp_path)) == 2, "two tasks meet")
    assert sorted(told(tmp_path)) == ["on node1", "on node2"]


def test_a_cancelled_job_is_gone(cluster: Cluster, tmp_path: Path) -> None:
    """One that doesn't listen to SIGTERM, too; it is listed as cancelled, and its node is free again."""
    job = submit(cluster, tmp_path, WAIT)
    until(lambda: bool(told(tmp_path)), "a job runs")
    cluster.call("scancel", job)
    until(lambda: set(cluster.states().values()) == {"idle"}, "its node is free")
    assert state(cluster, job).startswith("CANCELLED")


def test_what_nothing_can_run_stays_pending(cluster: Cluster, tmp_path: Path) -> None:
    """A partition that is down takes a job and never starts it; the reason is told."""
    job = submit(cluster, tmp_path, WAIT, "--partition=closed")
    until(lambda: state(cluster, job) == "PENDING PartitionDown", "the reason why it waits")
    cluster.call("scancel", job)


def test_a_job_survives_its_node(cluster: Cluster, tmp_path: Path) -> None:
    """The other node takes it over, once the first is seen to be down; started again, that one takes jobs."""
    job = submit(cluster, tmp_path, WAIT, "--requeue")
    until(lambda: bool(told(tmp_path)), "a job runs")
    _, first, *_ = told(tmp_path)[0].split()
    cluster.fail_node(first)
    until(lambda: len(told(tmp_path)) == 2, "it runs again")
    cluster.start_node(first)
    until(lambda: cluster.states()[first] == "idle", "the node is back")
    cluster.call("scancel", job)
    (other,) = set(NODES) - {first}
    assert told(tmp_path) == [f"on {first} for the 0. time again", f"on {other} for the 1. time again"]


def test_nothing_outlives_it(tmp_path: Path) -> None:
    """When its block ends, so do its daemons, a job, and what a job left in a session of its own."""
    with kept(tmp_path / "slurm") as cluster:
        submit(cluster, tmp_path, f"setsid --fork sleep 300; {WAIT}")
        until(lambda: bool(told(tmp_path)), "a job runs")
        names = [each.name() for each in cluster.processes()]
        assert names.count("slurmd") == 2 and names.count("sleep") == 2
    assert cluster.processes() == []


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Tests that are killed leave nothing behind."""
    script = "import pathlib, sys, time; from tests.slurm.cluster import kept\n"
    script += "with kept(pathlib.Path(sys.argv[1])): print('up', flush=True); time.sleep(300)"
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None and tests.stdout.readline() == "up\n"
        assert len(Cluster(tmp_path).processes()) >= 4
        os.kill(tests.pid, signal.SIGKILL)
    until(lambda: Cluster(tmp_path).processes() == [], "all of it has ended")


def test_an_earlier_one_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second start in a folder ends what the first left there; stop ends the second."""
    cluster = Cluster(tmp_path)
    try:
        assert main(["start", str(tmp_path)]) == 0
        earlier = cluster.processes()
        submit(cluster, tmp_path, WAIT)
        until(lambda: bool(told(tmp_path)), "a job runs")
        assert main(["start", str(tmp_path)]) == 0
        assert capsys.readouterr().out == 2 * f"export SLURM_CONF={cluster.conf}\n"
        assert cluster.states() == dict.fromkeys(NODES, "idle")
        assert cluster.call("squeue", "--noheader") == "" and not set(earlier) & set(cluster.processes())
    finally:
        assert main(["stop", str(tmp_path)]) == 0
    assert cluster.processes() == []
