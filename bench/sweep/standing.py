"""What each shard is at, from its own files and from what the scheduler knows of its last job. Reads, and no more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench.store.passes import pass_files
from bench.sweep import attempts as starts
from bench.sweep.attempts import Attempt, attempts_path, read_attempts, used
from bench.sweep.executor import GONE, PENDING, Job
from bench.sweep.sweepfile import CANCELLED, SHARDS, STOPPED, Shard, Sweep

WAITING, AT_WORK, DONE, GIVEN_UP, ENDED = "waiting", "running", "done", "failed", "cancelled"
"""Of a shard: in the queue, or about to be; at work; all its passes are there; begun as often as it may; cancelled."""


@dataclass(frozen=True)
class Row:
    """A shard as a person sees it. `passes` of `of_passes` are on disk, `cells` of `of_cells` done of the next; `since`
    is when its last job was submitted; `note` says why it waits, why it failed, how often it began."""

    name: str
    state: str
    node: str = ""
    passes: int = 0
    of_passes: int = 0
    cells: int = 0
    of_cells: int = 0
    job: str = ""
    since: float = 0.0
    note: str = ""


def last_jobs(sweep: Sweep) -> list[str]:
    """The probe's, and the last of each shard."""
    probe = [sweep.probe.job] if sweep.probe else []
    return probe + [shard.submissions[-1].job for shard in sweep.shards if shard.submissions]


def rows_of(folder: Path, sweep: Sweep, jobs: dict[str, Job] | None) -> list[Row]:
    """Every shard as it is now; `jobs` None where the scheduler can't be asked. Raises BrokenFile."""
    stopped = sweep.status == STOPPED or (folder / CANCELLED).exists()
    return [_row(folder, sweep, shard, jobs, stopped) for shard in sweep.shards]


def _row(folder: Path, sweep: Sweep, shard: Shard, jobs: dict[str, Job] | None, stopped: bool) -> Row:
    attempts = read_attempts(attempts_path(folder, shard.name))
    last = attempts[-1] if attempts else None
    submitted = shard.submissions[-1] if shard.submissions else None
    job = (jobs or {}).get(submitted.job, Job(GONE)) if submitted else Job(GONE)
    if job.reason.startswith("Dependency"):
        probe = (jobs or {}).get(sweep.probe.job, Job(GONE)) if sweep.probe else Job(GONE)
        why = f", which waits for {probe.reason}" if probe.phase == PENDING and probe.reason else ""
        job = replace(job, reason=f"the probe comes first{why}")
    state, note = _state(sweep, shard, attempts, None if jobs is None else job, stopped)
    busy = state == AT_WORK and last is not None and last.outcome == starts.RUNNING
    return Row(
        shard.name,
        state,
        node=job.node or (last.node if last else ""),
        passes=len(pass_files(folder / SHARDS / last.folder)) if last and last.folder else 0,
        of_passes=int(sweep.settings["passes"]),
        cells=last.cells if last and busy else 0,
        of_cells=last.of if last and busy else 0,
        job=submitted.job if submitted else "",
        since=submitted.at if submitted else 0.0,
        note=note,
    )


def _state(sweep: Sweep, shard: Shard, attempts: list[Attempt], job: Job | None, stopped: bool) -> tuple[str, str]:
    """What a shard is at, and what is worth a note; `job` None where the scheduler can't be asked."""
    outcome = attempts[-1].outcome if attempts else ""
    if outcome == starts.DONE:
        return DONE, ""
    if job is not None and job.phase != GONE:
        again = f"attempt {len(attempts) + (job.phase == PENDING)} of {sweep.attempts}" if attempts else ""
        said = ": ".join(filter(None, (job.said, job.reason))) if job.phase == PENDING else ""
        return (
            WAITING if job.phase == PENDING else AT_WORK,
            ", ".join(filter(None, (said, again if len(attempts) > 1 or job.phase == PENDING else ""))),
        )
    if stopped:
        return ENDED, ""
    return _without_job(sweep, shard, attempts, job)


def _without_job(sweep: Sweep, shard: Shard, attempts: list[Attempt], job: Job | None) -> tuple[str, str]:
    """The same of a shard that is not done, and of whose job nothing is heard."""
    last = attempts[-1] if attempts else None
    if job is None:
        return AT_WORK if last and last.outcome == starts.RUNNING else WAITING, ""
    if last and last.outcome == starts.BROKEN:
        return GIVEN_UP, f"{last.reason}; take it away, then --attach {sweep.id} goes on"
    if used(attempts, len(shard.submissions)) >= sweep.attempts:
        why = (last.reason if last else "") or job.said or "its jobs went without a word"
        return GIVEN_UP, f"{why} (begun {len(attempts)} of {sweep.attempts} times)"
    return WAITING, "to be submitted again" if shard.submissions else "to be submitted"
