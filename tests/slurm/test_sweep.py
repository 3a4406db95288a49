"""A sweep on a real Slurm: over two nodes, with a job that is cancelled, with a node that dies, with no node at all."""

from __future__ import annotations

import getpass
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.store.files import read_json
from bench.store.passes import pass_files
from bench.sweep.sweepfile import SHARDS, read_sweep
from bench.table.cells import cells as table_of
from bench.table.reading import read_run
from tests import command
from tests.slurm.cluster import NODES, Cluster
from tests.slurm.test_cluster import state, until

pytest.importorskip("submitit", reason="no submitit: pip install 'rnn-bench[cluster]'")
pytestmark = pytest.mark.long

PASSES = 2
MEASURED = ("--preset=smoke", "--mode=inference", "--hidden-size=8,16", "--seq-len=2", "--impl=manual,whole")
"""Two cases, so that there is one for each of two shards."""
ON_SLURM = ("--executor=slurm", "--shards=2", "--time=10m", f"--passes={PASSES}")
DETACHED = 130


class Sweeping:
    """`python -m bench sweep ...` in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], reports: Path, out: Path) -> None:
        self.process, self.reports, self.out = process, reports, out

    @property
    def folder(self) -> Path:
        """That of the sweep, once it has one."""
        (folder,) = (self.reports / "sweeps").glob("*-smoke")
        return folder

    def has_passes(self, shard: str, count: int) -> bool:
        """Whether so many passes of a shard are on disk."""
        return len(passes(self.reports, shard)) >= count

    def job(self, shard: int) -> str:
        """The last job of a shard."""
        return read_sweep(self.folder).shards[shard - 1].submissions[-1].job

    def ended(self, seconds: float = 480.0) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        code = self.process.wait(timeout=seconds)
        return code, self.out.read_text()


def passes(reports: Path, shard: str) -> dict[Path, bytes]:
    """The pass files of a shard, byte by byte."""
    folders = (reports / "sweeps").glob(f"*/{SHARDS}/{shard}*")
    return {path: path.read_bytes() for folder in folders for path in pass_files(folder)}


def cells(run: Path) -> set[str]:
    """Case and implementation of every cell, which each pass has measured."""
    names = [{each["name"] for each in read_json(path)["benchmarks"]} for path in pass_files(run)]
    assert all(each == names[0] for each in names)
    return names[0]


@contextmanager
def sweeping(cluster: Cluster, reports: Path, *options: str) -> Iterator[Sweeping]:
    """Begin a sweep; afterwards none of its processes and jobs is left."""
    out = reports / "out"
    reports.mkdir(exist_ok=True)
    arguments = (*MEASURED, *ON_SLURM, f"--reports={reports}", *options)
    with out.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", "sweep", *arguments],
            cwd=command.ROOT,
            env=cluster.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Sweeping(process, reports, out)
    finally:
        process.kill()
        process.wait()
        cluster.call("scancel", f"--user={getpass.getuser()}")
        until(lambda: cluster.call("squeue", "--noheader") == "", "no job is left")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The cells of one local run."""
    reports = tmp_path_factory.mktemp("local")
    code, _, told = command.bench("run", *MEASURED, "--passes=1", "--no-explain", f"--reports={reports}")
    assert code == 0, told
    (run,) = (reports / "runs").iterdir()
    return cells(run)


def all_cells(folder: Path) -> set[str]:
    """Those of all shards of a sweep."""
    return {cell for run in (folder / SHARDS).iterdir() for cell in cells(run)}


def test_two_nodes_measure_what_one_run_does(cluster: Cluster, tmp_path: Path, expected: set[str]) -> None:
    """Each node takes a shard; together they have the cells of one local run, in as many passes as were asked for."""
    with sweeping(cluster, tmp_path / "reports") as sweep:
        code, told = sweep.ended()
        assert code == 0, told
        assert all(f"done on {node}, {PASSES} of {PASSES} passes" in told for node in NODES)
        assert all_cells(sweep.folder) == expected and len(expected) == 4


def test_a_cancelled_shard_goes_on(cluster: Cluster, tmp_path: Path, expected: set[str]) -> None:
    """scancel between two passes: the shard is submitted again, and what was on disk stays as it was, byte by byte."""
    reports = tmp_path / "reports"
    with sweeping(cluster, reports) as sweep:
        until(lambda: sweep.has_passes("shard-001", 1), "a first pass", 120)
        job = sweep.job(1)
        cluster.call("scancel", job)
        until(lambda: state(cluster, job).startswith("CANCELLED"), "its end")
        before = passes(reports, "shard-001")
        code, told = sweep.ended()
        after = passes(reports, "shard-001")
        assert code == 0, told
        assert "shard-001: submitted again as job" in told and sweep.job(1) != job
        assert before.items() <= after.items() and 1 <= len(before) < len(after) == PASSES
        assert all_cells(sweep.folder) == expected


@pytest.mark.parametrize(("lost", "count"), [(Cluster.fail_node, PASSES), (Cluster.stop_node, 2 * PASSES)])
def test_a_shard_survives_its_node(
    cluster: Cluster, tmp_path: Path, expected: set[str], lost: Callable[[Cluster, str], None], count: int
) -> None:
    """A node that dies between two passes, or only can't be reached, while its job goes on: the other goes on with its
    shard, each pass is there once, and nothing measured is lost. The second takes more passes than Slurm takes to see
    it."""
    reports = tmp_path / "reports"
    with sweeping(cluster, reports, f"--passes={count}") as sweep:
        until(lambda: sweep.has_passes("shard-001", 1), "a first pass", 120)
        node = cluster.call("squeue", "--noheader", f"--jobs={sweep.job(1)}", "--format=%N")
        lost(cluster, node)
        before = passes(reports, "shard-001")
        try:
            code, told = sweep.ended()
        finally:
            cluster.start_node(node)
            until(lambda: cluster.states()[node] == "idle", "the node is back")
        after = passes(reports, "shard-001")
        assert code == 0, told
        assert before.items() <= after.items() and 1 <= len(before) < len(after) == count
        assert all_cells(sweep.folder) == expected


def test_one_that_waits_for_ever_is_shown_as_such(cluster: Cluster, tmp_path: Path) -> None:
    """The reason that Slurm gives stands in its line; Ctrl-C leaves it in the queue, and --cancel takes it out."""
    reports = tmp_path / "reports"
    with sweeping(cluster, reports, "--partition=closed") as sweep:
        until(lambda: "PENDING" in sweep.out.read_text(), "its line")
        sweep.process.send_signal(signal.SIGINT)
        code, told = sweep.ended()
        assert code == DETACHED, told
        assert "Detached" in told and cluster.call("squeue", "--noheader") != ""
        here = (f"--reports={reports}",)
        code, told, _ = command.bench("sweep", "--status=latest", *here, SLURM_CONF=str(cluster.conf))
        assert "PartitionDown" in told and "shard-001" in told
        command.bench("sweep", "--cancel=latest", *here, SLURM_CONF=str(cluster.conf))
        assert cluster.call("squeue", "--noheader") == ""


def test_shards_on_one_core_are_found(cluster: Cluster, tmp_path: Path) -> None:
    """Two nodes that are one machine measure on the same core at a time: merged, their cells carry a warning."""
    reports, merged = tmp_path / "reports", tmp_path / "merged"
    with cluster.one_core(), sweeping(cluster, reports) as sweep:
        code, told = sweep.ended()
        assert code == 0, told
        shards = sweep.folder / SHARDS
    places = [read_json(path)["rnn_bench"]["place"] for run in shards.iterdir() for path in pass_files(run)]
    assert {each["node"] for each in places} == set(NODES)
    ((core,),) = {tuple(each["cores"]) for each in places}
    code, told, said = command.bench("merge", str(shards), f"--into={merged}")
    assert code == 0, told + said
    (machine,) = (merged / "machines").iterdir()
    warnings = table_of(read_run(machine))["warnings"]
    assert len(warnings) == 4 and all("shared core" in {each.kind for each in found} for found in warnings), core
