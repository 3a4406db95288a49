"""One shard: it goes on where it was, whatever ended it; it tells how it went; and it gives way to a later one."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from submitit.helpers import DelayedSubmission

from bench.cases.settings import Settings
from bench.host.process import environment
from bench.store.files import read_json, write_json
from bench.store.manifest import read_manifest
from bench.store.passes import missing_passes, pass_files
from bench.sweep import attempts as starts
from bench.sweep import probing
from bench.sweep.attempts import Attempt, attempts_path, read_attempts, write_attempts
from bench.sweep.planning import begin, plan
from bench.sweep.probing import NodeRefused, Probe, check_node, clock_offset, read_answer, suite_version
from bench.sweep.shard import ShardJob, Start, run_folders
from bench.sweep.sweepfile import CANCELLED, SHARDS, create, read_sweep, write_sweep
from bench.table.reading import read_run

OVERRIDES = {"hidden_size": (8,), "seq_len": (2, 4), "mode": ("inference",)}
SETTINGS = Settings("smoke", devices=("cpu",), implementations="manual,whole", passes=2, overrides=OVERRIDES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sweep of two shards, one Case each, of which nothing is measured."""
    made = create(tmp_path, "smoke")
    write_sweep(made, begin(made, SETTINGS, plan(SETTINGS, 2), "local", {}, 3, False))
    return made


@pytest.fixture
def _handlers() -> Iterator[None]:
    """A job's handlers of signals end with its test."""
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def attempts(folder: Path, number: int = 1) -> list[Attempt]:
    """The starts of a shard."""
    return read_attempts(attempts_path(folder, f"shard-{number:03}"))


def outcomes(folder: Path) -> list[str]:
    """How those of the first shard went."""
    return [attempt.outcome for attempt in attempts(folder)]


def at_pass(
    monkeypatch: pytest.MonkeyPatch, number: int, what: Callable[[Start], None], where: str = "shard-001"
) -> None:
    """Have something happen when this pass begins in this run folder, for once."""
    passing = Start.passing

    def begins(start: Start, now: int, cells: int, seconds: float) -> None:
        passing(start, now, cells, seconds)
        if now == number and start.attempts[-1].folder == where:
            monkeypatch.setattr(Start, "passing", passing)
            what(start)

    monkeypatch.setattr(Start, "passing", begins)


def interrupt(_: Start) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def test_a_shard_is_an_ordinary_run_of_its_cases(folder: Path) -> None:
    """Its folder reads as any run's; the two shards have all Cases, each once, and all implementations of each."""
    assert Start(folder, 1, 0).run() == Start(folder, 2, 0).run() == starts.DONE
    found = []
    for name in ("shard-001", "shard-002"):
        run = read_run(folder / SHARDS / name)
        assert (run.manifest.status, run.manifest.id) == ("finished", f"{folder.name}-{name}")
        found += [record.cell for record in run.manifest.cells]
    assert sorted(found) == sorted((case.id, name) for case, name in SETTINGS.cells())
    (attempt,) = attempts(folder)
    assert (attempt.outcome, attempt.folder, attempt.cells, attempt.of) == (starts.DONE, "shard-001", 2, 2)
    before = {path: path.read_bytes() for path in (folder / SHARDS).rglob("*.json")}
    assert Start(folder, 1, 1).run() == starts.DONE
    assert {path: path.read_bytes() for path in (folder / SHARDS).rglob("*.json")} == before, "done is done"
    assert len(attempts(folder)) == 1


def test_a_shard_goes_on_from_its_last_pass(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured before it was interrupted stays as it is."""
    at_pass(monkeypatch, 2, interrupt)
    assert Start(folder, 1, 0).run() == starts.INTERRUPTED
    (first,) = pass_files(folder / SHARDS / "shard-001")
    before = first.read_bytes()
    assert Start(folder, 1, 1).run() == starts.DONE
    assert first.read_bytes() == before
    assert [path.name for path in pass_files(first.parent.parent)] == ["pass-001.json", "pass-002.json"]
    assert outcomes(folder) == ["interrupted", "done"]


def test_another_kind_of_machine_begins_in_a_folder_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first has measured is kept; back on it, the shard goes on there."""
    at_pass(monkeypatch, 2, interrupt)
    Start(folder, 1, 0).run()
    first, second = (folder / SHARDS / name for name in ("shard-001", "shard-001-2"))
    here = read_json(first / "run.json")
    write_json(first / "run.json", here | {"machine": here["machine"] | {"cpu": "Another CPU"}})
    at_pass(monkeypatch, 2, interrupt, second.name)
    Start(folder, 1, 1).run()
    assert [len(pass_files(each)) for each in (first, second)] == [1, 1]
    assert read_manifest(first).machine["cpu"] == "Another CPU"
    assert attempts(folder)[-1].folder == "shard-001-2"
    write_json(first / "run.json", read_json(first / "run.json") | {"machine": here["machine"]})
    write_json(second / "run.json", here | {"machine": here["machine"] | {"cpu": "Another CPU"}})
    assert Start(folder, 1, 2).run() == starts.DONE
    assert [len(pass_files(each)) for each in (first, second)] == [2, 1]
    assert attempts(folder)[-1].folder == "shard-001"


def test_folders_of_a_shard_are_its_own(folder: Path) -> None:
    """Not those of one whose number begins alike; that with most passes first."""
    for name, passes in (("shard-100", 1), ("shard-100-2", 3), ("shard-1000", 5)):
        (folder / SHARDS / name / "passes").mkdir(parents=True)
        (folder / SHARDS / name / "run.json").touch()
        for number in range(passes):
            (folder / SHARDS / name / "passes" / f"pass-{number:03}.json").touch()
    assert [path.name for path in run_folders(folder, "shard-100")] == ["shard-100-2", "shard-100"]


def test_a_truncated_pass_is_named_and_nothing_is_lost(folder: Path) -> None:
    """It is not taken for measured; once a person has taken it away, that pass alone is measured again."""
    Start(folder, 1, 0).run()
    first, second = pass_files(folder / SHARDS / "shard-001")
    path = attempts_path(folder, "shard-001")
    write_attempts(path, [dataclasses.replace(attempts(folder)[0], outcome=starts.ENDED)])
    kept = second.read_bytes()
    first.write_bytes(first.read_bytes()[:-50])
    assert Start(folder, 1, 1).run() == starts.BROKEN
    assert attempts(folder)[-1].reason.startswith(f"{first}: not JSON, or cut off")
    first.unlink()
    assert missing_passes(first.parent.parent, 2) == [1]
    assert Start(folder, 1, 2).run() == starts.DONE
    assert second.read_bytes() == kept
    assert read_json(first)["rnn_bench"]["pass"] == 1


def test_an_earlier_start_gives_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose node had only been lost for a while finds that another has begun: it stops before another pass, and
    leaves the file to that one."""
    other = Attempt(1, "other", "node2", 0.0)

    def another_begins(start: Start) -> None:
        write_attempts(start.path, [*start.attempts, other])

    at_pass(monkeypatch, 2, another_begins)
    monkeypatch.setattr("bench.sweep.shard.TELL_SECONDS", 0.0)
    assert Start(folder, 1, 0).run() == starts.REFUSED
    assert attempts(folder)[-1] == other
    assert len(pass_files(folder / SHARDS / "shard-001")) == 1


@pytest.mark.parametrize("begun", [0, 1])
def test_a_job_that_is_late_does_nothing(folder: Path, begun: int) -> None:
    """When its shard was submitted again and has begun, and when the sweep was cancelled."""
    if begun:
        write_attempts(attempts_path(folder, "shard-001"), [Attempt(1, "other", "node2", 0.0)])
    else:
        (folder / CANCELLED).touch()
    assert Start(folder, 1, 0).run() == starts.REFUSED
    assert len(attempts(folder)) == begun
    assert not any((folder / SHARDS).iterdir())


def test_a_job_begins_as_often_as_it_may(folder: Path) -> None:
    """Also where Slurm itself puts it in the queue again, and nobody counts there."""
    write_attempts(attempts_path(folder, "shard-001"), [Attempt(0, "7", "n", 0.0)] * 3)
    assert Start(folder, 1, 0).run() == starts.FAILED
    assert len(attempts(folder)) == 3


def test_other_software_is_refused_before_anything_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the shard, too: it may meet another node than the probe."""
    monkeypatch.setenv("SLURMD_NODENAME", "n7")
    there = read_sweep(folder)
    write_sweep(folder, dataclasses.replace(there, versions=there.versions | {"torch": "1.0"}))
    assert Start(folder, 1, 0).run() == starts.REFUSED
    (attempt,) = attempts(folder)
    assert attempt.node == "n7"
    assert attempt.reason.startswith("node n7 has other software than the machine that submitted: torch")
    assert not any((folder / SHARDS).iterdir())


def test_a_failure_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """In a line in the shard's file, with the traceback in the job's log."""

    def full(_: Start) -> None:
        raise OSError(28, "No space left on device", "pass-002.json")

    at_pass(monkeypatch, 2, full)
    assert Start(folder, 1, 0).run() == starts.FAILED
    assert attempts(folder)[-1].reason == "[Errno 28] No space left on device: 'pass-002.json'"
    assert "Traceback" in capfd.readouterr().err


TERMINATED = """
import signal, sys
from pathlib import Path
from bench.sweep.shard import ShardJob, Start

passing = Start.passing

def begins(start, now, cells, seconds):
    passing(start, now, cells, seconds)
    if now == 2:
        signal.raise_signal(signal.SIGTERM)

Start.passing = begins
ShardJob(Path(sys.argv[1]), 1, 0)()
"""


def test_sigterm_ends_a_job_at_once(folder: Path) -> None:
    """Its workers have had the same signal: what they would measure or fail at now counts for nothing. The job itself
    fails, so that Slurm sees it. A process of its own, since runtimes that other tests load have handlers of theirs."""
    command = [sys.executable, "-c", TERMINATED, str(folder)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert (attempts(folder)[-1].outcome, attempts(folder)[-1].reason) == ("ended", "the scheduler ended its job")
    run = read_manifest(folder / SHARDS / "shard-001")
    assert run.status == "interrupted"
    assert {record.status for record in run.cells} == {"measured"}
    assert ShardJob(folder, 1, 1)() == starts.DONE


@pytest.mark.usefixtures("_handlers")
def test_a_job_whose_time_is_over_asks_to_be_put_in_the_queue_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submitit calls `checkpoint` at the warning: the same job goes on, until it has begun as often as it may."""
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    path, job = attempts_path(folder, "shard-001"), ShardJob(folder, 1, 0)
    for begun in (1, 2):
        write_attempts(path, [Attempt(0, "7_0", "n", 0.0)] * begun)
        again = job.checkpoint()
        assert isinstance(again, DelayedSubmission) and again.function is job
        assert outcomes(folder)[-1] == starts.REQUEUED
    write_attempts(path, [Attempt(0, "7_0", "n", 0.0)] * 3)
    assert job.checkpoint() is None
    assert outcomes(folder)[-1] == starts.FAILED
    write_attempts(path, [Attempt(1, "8_0", "n", 0.0)])
    assert job.checkpoint() is None, "another start has taken its place"
    assert outcomes(folder) == [starts.RUNNING]


def test_the_probe_answers_what_it_finds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its node, its clock and its software; where these don't do it says so and fails, so that no shard begins."""
    monkeypatch.setenv("SLURMD_NODENAME", "n7")
    there = read_sweep(folder)
    assert read_answer(folder, there.nonce) is None
    Probe(folder)()
    answer = read_answer(folder, there.nonce)
    assert answer is not None
    assert (answer.node, answer.problem, answer.versions) == ("n7", "", there.versions)
    assert abs(answer.offset - there.offset) < 2
    write_sweep(folder, dataclasses.replace(there, versions=there.versions | {"suite": "0.0+old"}))
    with pytest.raises(NodeRefused, match="node n7 has other software"):
        Probe(folder)()
    answer = read_answer(folder, there.nonce)
    assert answer is not None and "0.0+old" in answer.problem


def test_a_node_whose_clock_is_far_off_is_refused(folder: Path) -> None:
    """By what it stamps files with, compared to the machine that submitted."""
    there = read_sweep(folder)
    assert abs(check_node(folder, there)) < 2
    with pytest.raises(NodeRefused, match="is 90 s ahead: no time in a file could be believed"):
        check_node(folder, dataclasses.replace(there, offset=clock_offset(folder) - 90.0))


def test_a_stale_checkout_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The suite's version changes with any of its sources, and with nothing else."""
    found = []
    (tmp_path / "bench" / "sweep").mkdir(parents=True)
    (tmp_path / "rnn_impls").mkdir()
    source = tmp_path / "rnn_impls" / "whole.py"
    monkeypatch.setattr(probing, "__file__", str(tmp_path / "bench" / "sweep" / "probing.py"))
    for name, text in (("whole.py", "a"), ("whole.py", "b"), ("notes.txt", "c"), ("kernel.cpp", "d")):
        (source.parent / name).write_text(text)
        found.append(suite_version.__wrapped__())
    assert found[0] != found[1] == found[2] != found[3]


def test_what_a_job_is_can_be_pickled(folder: Path) -> None:
    """By reference: a node unpickles it with its own copy of the suite."""
    import pickle

    job: Any = pickle.loads(pickle.dumps(ShardJob(folder, 2, 1)))
    assert (job.folder, job.number, job.submission) == (folder, 2, 1)
