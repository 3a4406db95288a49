"""`python -m bench sweep`: what it prints, its exit codes, and what it says of a cluster that is not as it should be.

Slurm's commands are played by scripts here, so that each can answer anything; a real one is in `tests/slurm`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cases.settings import Settings
from bench.commands import sweeping
from bench.store.manifest import FAILED, UNAVAILABLE, CellRecord, Manifest, read_manifest, write_manifest
from bench.store.merged import read_merged
from bench.store.passes import pass_files
from bench.sweep import local
from bench.sweep.attempts import DONE, Attempt, attempts_path, read_attempts, write_attempts
from bench.sweep.executor import GONE, PENDING, RUNNING, Job, NoAnswer, Task
from bench.sweep.local import Local, last_line
from bench.sweep.planning import begin, plan
from bench.sweep.shard import Start
from bench.sweep.slurm import Slurm, as_job, known_jobs
from bench.sweep.sweepfile import CANCELLED, SHARDS, Submission, create, read_sweep, write_sweep
from bench.table.reading import read_run
from tests import warm
from tests.command import bench

SMALL = ("--preset=smoke", "--mode=inference", "--hidden-size=8", "--seq-len=2,4", "--impl=manual,whole", "--passes=1")
OVERRIDES = {"hidden_size": (8,), "seq_len": (2, 4), "mode": ("inference",)}
SETTINGS = Settings("smoke", devices=("cpu",), implementations="manual,whole", passes=2, overrides=OVERRIDES)
ON_SLURM = ("--executor", "slurm")

Play = Callable[..., None]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Have a command of Slurm print something, or fail; the PATH holds those alone, and the usual."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/nowhere")

    def plays(name: str, out: str = "", err: str = "", code: int = 0) -> None:
        script = f"#!{sys.executable}\nimport pathlib, sys\n"
        script += f"with pathlib.Path({str(tmp_path / 'calls')!r}).open('a') as calls:\n"
        script += f"    print({name!r}, *sys.argv[1:], file=calls)\n"
        script += f"print({out!r}, end='')\nprint({err!r}, end='', file=sys.stderr)\nsys.exit({code})\n"
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)

    return plays


@pytest.fixture
def cluster(play: Play) -> Play:
    """A Slurm of one partition, `gpu`, that takes everything as job 7 and knows of no other."""
    play("sbatch", "Submitted batch job 7\n")
    play("srun")
    play("scancel")
    play("sinfo", "gpu\n")
    play("squeue")
    return play


def made(reports: Path, executor: str = "slurm", jobs: bool = True, options: dict[str, Any] | None = None) -> Path:
    """The folder of a sweep of two shards whose jobs, 7_0 and 7_1, were submitted ten minutes ago."""
    folder = create(reports, "smoke")
    there = begin(folder, SETTINGS, plan(SETTINGS, 2), executor, {"time": 600.0} | (options or {}), 3, False)
    for k, shard in enumerate(there.shards if jobs else ()):
        shard.submissions = [Submission(f"7_{k}", time.time() - 600)]
    write_sweep(folder, there)
    return folder


@pytest.fixture
def warmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards that are started here are forked, as workers are."""
    popen = {"Popen": warm.Process} if sys.platform == "linux" else {}
    monkeypatch.setattr(local, "subprocess", types.SimpleNamespace(**vars(subprocess) | popen))


def no_sweep(reports: Path) -> bool:
    """Whether nothing was left."""
    return not (reports / "sweeps").exists()


# Here


@pytest.mark.usefixtures("warmed")
def test_a_sweep_here_end_to_end(tmp_path: Path) -> None:
    """Shards one after the other, each an ordinary run that can be reported; exit code 0, and what to type next."""
    code, out, err = bench("sweep", *SMALL, "--shards=9", "--reports", str(tmp_path))
    assert code == 0, err
    told = " ".join(out.split())
    assert "There are only 2 cases, so 2 shards instead of 9." in told
    assert "2 cases in 2 shards, the longest estimated at" in told
    assert "shard-001: done on" in told and "shard-002: done on" in told
    (folder,) = (tmp_path / "sweeps").iterdir()
    (merged,) = read_merged(folder / "merged")
    assert (merged.folder / "index.html").is_file() and str(merged.folder.name) in told
    assert len(read_run(merged.folder).manifest.cells) == 4
    there = read_sweep(folder)
    assert (there.status, there.settings["devices"]) == ("finished", ["cpu"])
    for shard in there.shards:
        manifest = read_manifest(folder / SHARDS / shard.name)
        assert {record.case for record in manifest.cells} == set(shard.cases)
    code, out, _ = bench("sweep", "--status", "latest", "--reports", str(tmp_path))
    assert code == 0
    assert [line.partition(" on")[0] for line in out.splitlines()[:2]] == ["shard-001: done", "shard-002: done"]
    assert f"{folder.name}: finished" in out
    code, _, err = bench("sweep", "--cancel", "latest", "--reports", str(tmp_path))
    assert (code, err) == (2, f"error: {folder.name} is finished already\n")


def test_a_cell_that_fails_is_exit_1(tmp_path: Path) -> None:
    """As in an ordinary run: the shard is done, and its run says what failed."""
    folder = made(tmp_path, "local", jobs=False)
    for number in (1, 2):
        write_attempts(attempts_path(folder, f"shard-{number:03}"), [Attempt(0, "1.0", "n", 0.0, DONE)])
    case = read_sweep(folder).shards[0].cases[0]
    for status, code in ((UNAVAILABLE, 0), (FAILED, 1)):
        (folder / SHARDS / "shard-001").mkdir(exist_ok=True)
        record = CellRecord(case, "whole", status=status, reason="divided by the weather")
        write_manifest(folder / SHARDS / "shard-001", Manifest("shard-001", "", SETTINGS.as_dict(), cells=[record]))
        assert bench("sweep", "--attach", "latest", "--reports", str(tmp_path))[0] == code
        assert read_sweep(folder).status == "finished"


@pytest.mark.usefixtures("warmed")
def test_a_sweep_that_is_left_goes_on_when_one_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is exit code 130 and says how to come back; what is measured is kept, and no attempt is used up."""

    def sleep(_: float) -> None:
        time.sleep(0.05)
        if any(tmp_path.rglob("pass-001.json")):
            raise KeyboardInterrupt

    options = [option for option in SMALL if not option.startswith("--passes")]
    with monkeypatch.context() as patched:
        patched.setattr(sweeping, "sleep", sleep)
        code, out, err = bench(
            "sweep", *options, "--passes=3", "--shards=1", "--device=cpu", "--reports", str(tmp_path)
        )
    assert (code, err) == (130, "")
    (folder,) = (tmp_path / "sweeps").iterdir()
    assert f"Detached from sweep {folder.name}; what is measured is kept. Come back with:" in out
    assert f"sweep --attach {folder.name}" in out
    assert read_sweep(folder).status == "running"
    kept = {path: path.read_bytes() for path in pass_files(folder / SHARDS / "shard-001")}
    assert 1 <= len(kept) <= 2
    code, _, err = bench("sweep", "--attach", "latest", "--reports", str(tmp_path))
    assert (code, err) == (0, "")
    assert len(pass_files(folder / SHARDS / "shard-001")) == 3
    assert {path: path.read_bytes() for path in kept} == kept
    found = read_attempts(attempts_path(folder, "shard-001"))
    assert [attempt.outcome for attempt in found] == ["interrupted", "done"]


def test_a_shard_of_another_machine_is_no_shard_of_this_one(tmp_path: Path) -> None:
    """Jobs of a process that has ended have gone: whoever comes back starts them again."""
    executor = Local(tmp_path, str(tmp_path))
    assert executor.jobs(["1.0"]) == {"1.0": Job(GONE)}
    assert executor.submit([Task(2, 1)]) == ["2.1"]
    executor.cancel(["2.1"])
    assert executor.jobs(["2.1"]) == {"2.1": Job(GONE)}
    assert executor.last_words("2.1") == ""


@pytest.mark.usefixtures("warmed")
def test_a_broken_file_is_exit_2(tmp_path: Path) -> None:
    """The line names the file; once it is taken away, the sweep goes on where it was."""
    folder = made(tmp_path, "local", jobs=False)
    for number in (1, 2):
        Start(folder, number, 0).run()
    path = attempts_path(folder, "shard-001")
    write_attempts(path, [])
    first, second = pass_files(folder / SHARDS / "shard-001")
    whole = first.read_bytes()
    first.write_bytes(b"{")
    kept = second.read_bytes()
    code, out, err = bench("sweep", "--attach", folder.name, "--reports", str(tmp_path))
    assert code == 2
    assert err.startswith(f"error: {first}: not JSON, or cut off") and err.count("\n") == 1
    assert "shard-001 failed: " in " ".join(out.split())
    first.unlink()
    assert bench("sweep", "--attach", folder.name, "--reports", str(tmp_path))[0] == 0
    assert second.read_bytes() == kept
    assert json.loads(first.read_text())["rnn_bench"]["pass"] == json.loads(whole)["rnn_bench"]["pass"] == 1


# Wrong


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "nope"], "unknown preset 'nope'; known are quick, smoke"),
        (["--executor", "ssh"], "unknown executor 'ssh'; known are local, slurm"),
        (["--time", "soon"], "'soon' is no time; write 90s, 2m or 1h"),
        (["--attach", "nope"], "nope: no sweep, neither as a path nor under"),
        (["--status", "latest"], "latest: no sweep, neither as a path nor under"),
        (["--cancel", "nope"], "nope: no sweep, neither as a path nor under"),
        (ON_SLURM, "no Slurm here: sbatch is not on the PATH; --executor local measures on this machine"),
    ],
)
@pytest.mark.usefixtures("play")
def test_wrong_usage_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    """And exit code 2, with nothing written."""
    code, _, err = bench("sweep", *arguments, "--reports", str(tmp_path / "r"))
    assert code == 2
    assert err.startswith(f"error: {message}") and err.count("\n") == 1
    assert no_sweep(tmp_path / "r")


@pytest.mark.usefixtures("cluster")
def test_without_submitit_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra of its own."""
    monkeypatch.setitem(sys.modules, "submitit", None)
    code, _, err = bench("sweep", *ON_SLURM, "--reports", str(tmp_path / "r"))
    wanted = "--executor slurm needs the package submitit: run `pip install submitit`, or `make cluster`"
    assert (code, err) == (2, f"error: {wanted} in a checkout\n")
    assert no_sweep(tmp_path / "r")


def test_an_unknown_partition_is_told_with_the_known_ones(tmp_path: Path, cluster: Play) -> None:
    """Asked of sinfo, before anything is submitted."""
    cluster("sinfo", "cpu\ngpu\ngpu\n")
    code, _, err = bench("sweep", *ON_SLURM, "--partition", "tpu", "--reports", str(tmp_path / "r"))
    assert (code, err) == (2, "error: unknown partition 'tpu'; known are cpu, gpu\n")
    assert no_sweep(tmp_path / "r")
    assert "sbatch" not in (tmp_path / "calls").read_text()


def test_a_slurm_that_does_not_answer_is_told(tmp_path: Path, cluster: Play) -> None:
    """With its own last line."""
    cluster("sinfo", err="sinfo: error: one\nslurm_load_partitions: Unable to contact slurm controller\n", code=1)
    code, _, err = bench("sweep", *ON_SLURM, "--reports", str(tmp_path / "r"))
    assert code == 2
    assert err == "error: Slurm doesn't answer: slurm_load_partitions: Unable to contact slurm controller\n"


def test_what_sbatch_refuses_is_told(tmp_path: Path, cluster: Play) -> None:
    """In its own words; the sweep is refused, and has measured nothing."""
    cluster("sbatch", err="sbatch: error: Batch job submission failed: Invalid account\n", code=1)
    code, _, err = bench("sweep", *SMALL, *ON_SLURM, "--account", "x", "--reports", str(tmp_path / "r"))
    assert (code, err) == (2, "error: sbatch refuses: Batch job submission failed: Invalid account\n")
    (folder,) = (tmp_path / "r" / "sweeps").iterdir()
    assert read_sweep(folder).status == "refused"
    code, _, err = bench("sweep", "--attach", "latest", "--reports", str(tmp_path / "r"))
    assert (code, err.startswith("error: sbatch refuses")) == (2, True), "it stays so"


# Slurm


@pytest.mark.parametrize(
    ("said", "phase"),
    [
        ("PENDING", PENDING),
        ("REQUEUED", PENDING),
        ("RUNNING", RUNNING),
        ("COMPLETING", RUNNING),
        ("SUSPENDED", RUNNING),
        ("CANCELLED", GONE),
        ("NODE_FAIL", GONE),
        ("TIMEOUT", GONE),
        ("PREEMPTED", GONE),
        ("OUT_OF_MEMORY", GONE),
    ],
)
def test_states_of_slurm(said: str, phase: str) -> None:
    """Those from which a job comes back by itself are not its end."""
    assert as_job(said, "n1", "None") == Job(phase, said, "n1", "")


def test_jobs_are_those_that_squeue_knows(cluster: Play) -> None:
    """Each of an array by its own number; what it doesn't know has gone; its silence is none of both."""
    cluster("squeue", "7_0|RUNNING|n1|None\n7_1|PENDING||(Resources|x)\n8|PENDING||PartitionDown\n")
    assert known_jobs(["7_0", "7_1", "9"]) == {
        "7_0": Job(RUNNING, "RUNNING", "n1", ""),
        "7_1": Job(PENDING, "PENDING", "", "(Resources|x)"),
        "9": Job(GONE),
    }
    assert known_jobs([]) == {}
    cluster("squeue", err="slurm_load_jobs error: Unable to contact slurm controller\n", code=1)
    with pytest.raises(NoAnswer, match="Unable to contact slurm controller"):
        known_jobs(["7_0"])


def test_what_is_submitted(tmp_path: Path, cluster: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that shares its node, then one array that waits for it, with every option that was given, the suite on
    its path, and all cores of its job for the step."""
    monkeypatch.chdir(tmp_path)
    options = {"partition": "gpu", "gpus_per_node": 1, "exclusive": True, "array_parallelism": 2, "time": 5400.0}
    more = {"constraint": "a100", "reservation": "mine", "exclude": "n9"}
    folder = made(tmp_path, jobs=False, options=options | more)
    executor = Slurm(folder, read_sweep(folder).options, str(tmp_path), 3)
    assert executor.probe() == "7"
    probe = (folder / "jobs" / "7_submission.sh").read_text()
    assert "--exclusive" not in probe and "--time=10\n" in probe and "--partition=gpu\n" in probe
    cluster("sbatch", "Submitted batch job 8\n")
    assert executor.submit([Task(1, 0), Task(2, 0)], after="7") == ["8_0", "8_1"]
    lines = set((folder / "jobs" / "8_submission.sh").read_text().splitlines())
    wanted = ["array=0-1%2", "dependency=afterok:7", "exclusive", "gpus-per-node=1", "constraint=a100", "time=90"]
    wanted += ["reservation=mine", "exclude=n9", f"chdir={tmp_path}", "signal=USR2@90", f"job-name={folder.name}"]
    assert {f"#SBATCH --{option}" for option in wanted} <= lines
    assert "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_ON_NODE" in lines
    root = Path(sweeping.__file__).parents[2]
    assert any(line.startswith(f"export PYTHONPATH={root}") for line in lines)
    cluster("sbatch", "Submitted batch job 9\n")
    assert executor.submit([Task(1, 1)], avoid=["n3"]) == ["9"]
    again = (folder / "jobs" / "9_submission.sh").read_text()
    assert "--exclude=n9,n3\n" in again and "--array" not in again and "--dependency" not in again


def test_the_devices_of_a_cluster_follow_from_what_is_asked_of_it(tmp_path: Path, cluster: Play) -> None:
    """The CPU, and the GPU where one is asked for; nothing else of its nodes can be known before."""
    cluster("sbatch", err="sbatch: error: no\n", code=1)
    found = []
    for more in ([], ["--gpus-per-node=1"], ["--sbatch", "gres=gpu:2"], ["--device=cuda"]):
        bench("sweep", *SMALL, *ON_SLURM, *more, "--reports", str(tmp_path / "r"))
        found.append(tuple(read_sweep(max((tmp_path / "r" / "sweeps").iterdir())).settings["devices"]))
    assert found == [("cpu",), ("cpu", "cuda"), ("cpu", "cuda"), ("cuda",)]


def test_status_shows_what_waits_and_why(tmp_path: Path, cluster: Play) -> None:
    """Once, with the scheduler's reason; where Slurm doesn't answer, what the files say."""
    folder = made(tmp_path)
    write_attempts(attempts_path(folder, "shard-001"), [Attempt(0, "7_0", "n1", 0.0, cells=3, of=8)])
    cluster("squeue", "7_0|RUNNING|n1|None\n7_1|PENDING||PartitionNodeLimit\n")
    code, out, _ = bench("sweep", "--status", folder.name, "--reports", str(tmp_path))
    assert code == 0
    assert out.splitlines() == [
        "shard-001: running on n1, 0 of 2 passes, job 7_0",
        "shard-002: waiting, 0 of 2 passes, job 7_1 (PENDING: PartitionNodeLimit)",
        f"{folder.name}: running",
    ]
    there = read_sweep(folder)
    write_sweep(folder, dataclasses.replace(there, probe=Submission("6", 0.0)))
    cluster("squeue", "6|PENDING||PartitionDown\n7_0|PENDING||Dependency\n7_1|PENDING||Dependency\n")
    told = bench("sweep", "--status", folder.name, "--reports", str(tmp_path))[1]
    assert "7_1 (PENDING: the probe comes first, which waits for PartitionDown)" in told
    cluster("squeue", err="no controller\n", code=1)
    code, out, _ = bench("sweep", "--status", folder.name, "--reports", str(tmp_path))
    assert code == 0
    assert "Slurm doesn't answer: no controller; this is what the files say." in out
    assert "shard-001: running on n1" in out and "shard-002: waiting, 0 of 2 passes, job 7_1\n" in out


def test_cancel_ends_jobs_and_keeps_what_is_measured(tmp_path: Path, cluster: Play) -> None:
    """The mark is there for whoever attends it; a second time it is said that it is so already."""
    folder = made(tmp_path)
    code, out, _ = bench("sweep", "--cancel", folder.name, "--reports", str(tmp_path))
    assert (code, out) == (0, f"{folder.name} is cancelled; what is measured is kept.\n")
    assert "scancel 7_0 7_1\n" in (tmp_path / "calls").read_text()
    assert (folder / CANCELLED).exists() and read_sweep(folder).status == "cancelled"
    assert bench("sweep", "--cancel", folder.name, "--reports", str(tmp_path))[0] == 2
    code, out, _ = bench("sweep", "--attach", folder.name, "--reports", str(tmp_path))
    assert code == 1 and "The sweep was cancelled." in out
    cluster("squeue")
    assert "cancelled" in bench("sweep", "--status", folder.name, "--reports", str(tmp_path))[1]


def test_who_detaches_from_slurm_leaves_jobs_alone(
    tmp_path: Path, cluster: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go on; nothing is cancelled."""

    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    folder = made(tmp_path)
    cluster("squeue", "7_0|RUNNING|n1|None\n7_1|RUNNING|n2|None\n")
    monkeypatch.setattr(sweeping, "sleep", sleep)
    code, out, _ = bench("sweep", "--attach", folder.name, "--reports", str(tmp_path))
    assert code == 130
    assert f"Detached from sweep {folder.name}; its jobs go on. Come back with:" in out
    assert "scancel" not in (tmp_path / "calls").read_text()


def test_last_words(tmp_path: Path) -> None:
    """The last line of a log that says anything."""
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_text("one\ntwo \n\n")
    assert last_line(log) == "two"
    executor = Slurm(tmp_path, {}, "", 3)
    (tmp_path / "jobs").mkdir()
    assert executor.last_words("7_1") == ""
    (tmp_path / "jobs" / "7_1_0_log.out").write_text("out\n")
    assert executor.last_words("7_1") == "out"
    (tmp_path / "jobs" / "7_1_0_log.err").write_text("err\n")
    assert executor.last_words("7_1") == "err"
