"""One shard: an ordinary run, measured or gone on with by a job, wherever that runs.

    python -m bench.sweep.shard FOLDER NUMBER SUBMISSION

A job may end at any moment: what is on disk can be gone on with. It tells what becomes of it in the shard's file
(`bench.sweep.attempts`), and gives way to one that began later.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from bench.host.identity import OtherMachine
from bench.run.explanation import Explaining, explain
from bench.run.progress import Listener
from bench.run.runner import Runner
from bench.store.files import BrokenFile, read_json
from bench.store.folder import begin, cache_folder
from bench.store.manifest import FAILED as CELL_FAILED
from bench.store.manifest import CellRecord, Manifest, read_manifest
from bench.store.passes import pass_files
from bench.sweep.attempts import (
    BROKEN,
    DONE,
    ENDED,
    FAILED,
    INTERRUPTED,
    REFUSED,
    REQUEUED,
    Attempt,
    attempts_path,
    read_attempts,
    used,
    write_attempts,
)
from bench.sweep.probing import NodeRefused, check_node, node_name
from bench.sweep.sweepfile import CANCELLED, SHARDS, read_sweep

TELL_SECONDS = 5.0
"""How often a shard tells at most how far its pass is: between two Cases, when nothing is timed."""


class Superseded(Exception):
    """A later start of the same shard is at work: this one stops before it writes another pass."""


class Ended(BaseException):
    """SIGTERM: the scheduler is about to end this job. No Exception, which would count as an implementation's."""


_OUTCOMES: dict[type[BaseException], str] = {
    NodeRefused: REFUSED,
    BrokenFile: BROKEN,
    KeyboardInterrupt: INTERRUPTED,
    Ended: ENDED,
}


class ShardJob:
    """The job, as it is submitted; submitit calls it, and `checkpoint` when its time is over or another needs it."""

    def __init__(self, folder: Path, number: int, submission: int) -> None:
        self.folder, self.number, self.submission = folder, number, submission

    def __call__(self) -> str:
        """Measure what is missing; how it went. Raises SystemExit where it didn't go well, so that Slurm, too, sees a
        failure."""
        signal.signal(signal.SIGTERM, _end)
        outcome = Start(self.folder, self.number, self.submission).run()
        if outcome != DONE:
            sys.exit(1)
        return outcome

    def checkpoint(self) -> Any:
        """What is to be submitted in its place: the same, which goes on from its last pass; None where it has begun
        often enough."""
        from submitit.helpers import DelayedSubmission

        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it follows once the job is in the queue again
        path = attempts_path(self.folder, read_sweep(self.folder).shards[self.number - 1].name)
        attempts = read_attempts(path)
        if not attempts or attempts[-1].job != job_id():
            return None
        allowed = read_sweep(self.folder).attempts
        again = used(attempts, self.submission) < allowed
        attempts[-1].outcome = REQUEUED if again else FAILED
        attempts[-1].reason = "its time was over, or another job needed the node"
        write_attempts(path, attempts)
        return DelayedSubmission(self) if again else None


class Start(Listener):
    """One start of a shard; listens to its run."""

    def __init__(self, folder: Path, number: int, submission: int) -> None:
        self.folder, self.number, self.submission = folder, number, submission
        self.sweep = read_sweep(folder)
        self.path = attempts_path(folder, self.sweep.shards[number - 1].name)
        self.attempts: list[Attempt] = []
        self._told = 0.0

    def run(self) -> str:
        """Measure what is missing, and tell how it went; the outcome."""
        self.attempts = read_attempts(self.path)
        if self.attempts and self.attempts[-1].outcome == DONE:
            return DONE
        if (self.folder / CANCELLED).exists() or any(each.submission > self.submission for each in self.attempts):
            return REFUSED
        if used(self.attempts, self.submission) >= self.sweep.attempts:  # the scheduler put it in the queue again
            return FAILED
        self.attempts.append(Attempt(self.submission, job_id(), node_name(), time.time()))
        write_attempts(self.path, self.attempts)
        outcome, reason = self._outcome()
        if outcome:
            self._tell(outcome=outcome, reason=reason)
        return outcome or REFUSED

    def _outcome(self) -> tuple[str, str]:
        """How the run went, and why; nothing where another start has taken its place."""
        try:
            self._tell(offset=check_node(self.folder, self.sweep))
            self._measure()
        except Superseded:
            return "", ""
        except tuple(_OUTCOMES) as error:
            return _OUTCOMES[type(error)], str(error)
        except Exception as error:  # whatever a shard fails with is its outcome, which others read
            traceback.print_exc()  # to the job's log
            return FAILED, str(error) or type(error).__name__
        return DONE, ""

    def _measure(self) -> None:
        """Go on in the run folder of this machine, or begin one: those of another kind of machine stay as they are."""
        name = self.sweep.shards[self.number - 1].name
        folders = run_folders(self.folder, name)
        for folder in folders:
            try:
                self._run(folder)
            except OtherMachine as error:
                self.note(str(error))
            else:
                return
        self._run(self.folder / SHARDS / (f"{name}-{len(folders) + 1}" if folders else name))

    def _run(self, folder: Path) -> None:
        self._tell(folder=folder.name, cells=0, of=0)
        (folder / "passes").mkdir(parents=True, exist_ok=True)
        if (folder / "run.json").exists():
            manifest = read_manifest(folder)
            for path in pass_files(folder):
                read_json(path)  # one that is cut off would be taken for measured
        else:
            manifest = begin(folder, self.sweep.shard_settings(self.number))
            manifest.id = f"{self.sweep.id}-{folder.name}"  # every sweep has a shard-001
        Runner(folder, manifest, self).run()
        if self.sweep.explain:
            explain(folder, manifest, cache_folder(), self, Explaining())

    def _tell(self, **fields: Any) -> None:
        """Write the shard's file, with these fields of its last start. Raises Superseded where that is another's."""
        there = read_attempts(self.path)
        if len(there) != len(self.attempts) or there[-1].job != self.attempts[-1].job:
            raise Superseded
        for name, value in fields.items():
            setattr(self.attempts[-1], name, value)
        write_attempts(self.path, self.attempts)
        self._told = time.monotonic()

    def surveyed(self, record: CellRecord) -> None:
        """Log what failed."""
        if record.status == CELL_FAILED:
            self.note(f"failed: `{record.implementation}` at {record.case}: {record.reason}")

    def planned(self, manifest: Manifest, passes: int, seconds: float) -> None:
        """Log how long it should take."""
        self.note(f"{len(manifest.cells)} cells, {passes} passes, about {seconds:.0f} s")

    def passing(self, number: int, cells: int, seconds: float) -> None:
        """A pass begins."""
        self.note(f"pass {number}: {cells} cells, about {seconds:.0f} s")
        self._tell(cells=0, of=cells)

    def measured(self, cells: int, seconds: float) -> None:
        """Count cells; those that are taken again are no more."""
        last = self.attempts[-1]
        last.cells = min(last.cells + cells, last.of)
        if time.monotonic() - self._told > TELL_SECONDS:
            self._tell()

    def note(self, text: str) -> None:
        """A line of the job's log."""
        print(text, flush=True)


def run_folders(sweep: Path, name: str) -> list[Path]:
    """The run folders of a shard, that with most passes first: another machine of its kind needs fewest more."""
    found = [path.parent for form in (name, f"{name}-*") for path in (sweep / SHARDS).glob(f"{form}/run.json")]
    return sorted(found, key=lambda folder: (-len(pass_files(folder)), folder.name))


def job_id() -> str:
    """What the scheduler calls this job; this process, where there is none."""
    array, job = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else job or f"process {os.getpid()}"


def _end(*_: object) -> NoReturn:
    raise Ended("the scheduler ended its job")


def main(arguments: list[str]) -> int:
    """Measure a shard; the exit code."""
    folder, number, submission = arguments
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits that it is ignored
    return 0 if Start(Path(folder), int(number), int(submission)).run() == DONE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
