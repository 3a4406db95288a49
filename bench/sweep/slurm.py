"""Jobs of a Slurm cluster. submitit writes the batch scripts, pickles what they call, and puts a job whose time is over
back into the queue (it has a `checkpoint`, see `bench.sweep.shard`).

What submitit knows of jobs is left alone: it asks sacct, which small clusters don't have, takes what sacct doesn't
know for under way, and its `result()` raises for one job that ran out of time. squeue knows every job that waits or
runs, and for minutes those that have ended; whether a shard is done, its own files say.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.host.process import environment
from bench.sweep.executor import GONE, PENDING, RUNNING, Job, NoAnswer, Task
from bench.sweep.local import last_line
from bench.sweep.probing import Probe
from bench.sweep.shard import ShardJob
from bench.sweep.sweepfile import JOBS

if TYPE_CHECKING:
    from submitit import SlurmExecutor

INSTALL = "run `pip install submitit`, or `make cluster` in a checkout"
PROBE_SECONDS = 600.0
ANSWER_SECONDS = 60
WARNING_SECONDS = 90.0
"""How long before the end of its time a job is told: it needs no more than to end its workers."""

_PENDING = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_RUNNING = ("RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")


class Slurm:
    """Submits to the Slurm that sbatch of this machine talks to.

    `options` are those of sbatch, with underscores, and `array_parallelism`; `time` in seconds. Raises ValueError
    without submitit, without Slurm, and for a partition that there is not.
    """

    pause, grace, detachable = 5.0, 15.0, True

    def __init__(self, folder: Path, options: Mapping[str, Any], directory: str, attempts: int) -> None:
        self.folder, self.options, self.directory, self.attempts = folder, dict(options), directory, attempts

    def check(self) -> None:
        """Raise ValueError for what would fail later: submitit or Slurm missing, an unknown partition."""
        need_slurm()
        import_submitit()
        known = _asked("sinfo", "--noheader", "--format=%R").split()
        wanted = self.options.get("partition")
        if wanted and (wrong := [name for name in wanted.split(",") if name not in known]):
            raise ValueError(f"unknown partition {wrong[0]!r}; known are {', '.join(dict.fromkeys(known))}")

    def probe(self) -> str:
        """Start the probe where the shards will run, but sharing its node."""
        executor = self._executor({"time": min(PROBE_SECONDS, self.options["time"]), "exclusive": None})
        return _ids(executor, [Probe(self.folder)])[0]

    def submit(self, tasks: Sequence[Task], after: str = "", avoid: Sequence[str] = ()) -> list[str]:
        """Submit shards as one array."""
        more: dict[str, Any] = {"dependency": f"afterok:{after}"} if after else {}
        if avoid:
            more["exclude"] = ",".join(filter(None, (self.options.get("exclude"), *avoid)))
        shards = [ShardJob(self.folder, task.shard, task.submission) for task in tasks]
        return _ids(self._executor(more), shards)

    def _executor(self, more: dict[str, Any]) -> SlurmExecutor:
        submitit = import_submitit()
        options = {name: value for name, value in (self.options | more).items() if value not in (None, "", False)}
        known = submitit.SlurmExecutor._valid_parameters()
        others = {name: options.pop(name) for name in list(options) if name not in known}
        warning = int(min(WARNING_SECONDS, options["time"] / 4))
        options["time"] = math.ceil(options["time"] / 60)
        executor: SlurmExecutor = submitit.SlurmExecutor(self.folder / JOBS, max_num_timeout=self.attempts)
        executor.update_parameters(
            **{"job_name": self.folder.name, "signal_delay_s": warning} | options,
            additional_parameters={"chdir": self.directory} | others,
            # without the second a step gets one core of those that its job was given
            setup=[
                f"export PYTHONPATH={shlex.quote(environment()['PYTHONPATH'])}",
                "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_ON_NODE",
            ],
        )
        return executor

    def jobs(self, ids: Sequence[str]) -> dict[str, Job]:
        """As squeue has them. One by one they can't be asked for: squeue fails when one of them is too old."""
        return known_jobs(ids)

    def cancel(self, ids: Sequence[str]) -> None:
        """End them. One that has ended is none to complain of."""
        cancel(ids)

    def close(self) -> None:
        """Nothing: they end by themselves."""

    def last_words(self, job: str) -> str:
        """The last line of its log, of errors first; the folder is listed, so that a network file system looks again"""
        os.listdir(self.folder / JOBS)
        logs = [self.folder / JOBS / f"{job}_0_log.{end}" for end in ("err", "out")]
        return next(filter(None, map(last_line, logs)), "")


def known_jobs(ids: Sequence[str]) -> dict[str, Job]:
    """What squeue knows of each of these jobs. Raises NoAnswer."""
    if not ids:
        return {}
    try:
        told = _asked(
            "squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", "--format=%i|%T|%N|%r"
        )
    except ValueError as error:
        raise NoAnswer(str(error)) from None
    rows = [line.split("|", 3) for line in told.splitlines() if line.count("|") >= 3]
    there = {job: as_job(*fields) for job, *fields in rows}
    return {job: there.get(job, Job(GONE)) for job in ids}


def cancel(ids: Sequence[str]) -> None:
    """End jobs of Slurm; those that have ended already are none to complain of."""
    if ids:
        subprocess.run(["scancel", *ids], capture_output=True, check=False, timeout=ANSWER_SECONDS)


def as_job(said: str, node: str, reason: str) -> Job:
    """A job by what squeue says of it."""
    state = said.strip().upper()
    phase = PENDING if state in _PENDING else RUNNING if state in _RUNNING else GONE
    return Job(phase, state, node.strip(), "" if reason.strip() == "None" else reason.strip())


def import_submitit() -> Any:
    """The package. Raises ValueError with how to get it where it is not installed."""
    try:
        import submitit
    except ModuleNotFoundError as error:
        if error.name != "submitit":
            raise
        raise ValueError(f"--executor slurm needs the package submitit: {INSTALL}") from None
    return submitit


def need_slurm() -> None:
    """Raise ValueError where there is no Slurm."""
    if shutil.which("sbatch") is None:
        raise ValueError("no Slurm here: sbatch is not on the PATH; --executor local measures on this machine")


def _ids(executor: SlurmExecutor, calls: Sequence[Any]) -> list[str]:
    """Submit; the jobs' ids. Raises ValueError with sbatch's words where it refuses."""
    from submitit.core.utils import FailedJobError

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # where submitit writes what sbatch says, which is said below
            return [str(job.job_id) for job in executor.submit_array(calls)]
    except FailedJobError as error:
        lines = [line.strip() for line in str(error).splitlines() if "rror" in line] or [str(error).strip()]
        raise ValueError(f"sbatch refuses: {lines[-1].removeprefix('sbatch: ').removeprefix('error: ')}") from None


def _asked(*command: str) -> str:
    """What a command of Slurm prints. Raises ValueError in one line where it doesn't."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"Slurm doesn't answer: {error}") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"Slurm doesn't answer: {lines[-1]}")
    return done.stdout
