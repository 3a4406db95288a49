"""What each shard of a sweep is at, and what is submitted again: one look after another, until all are done.

    look:
        what the scheduler knows of the last job of each shard; what the shards' own files tell
        a shard whose file says so is done
        one whose job waits or runs is left alone
        one whose job has gone goes on as a new job, unless it has begun as often as it may: then it has failed

The scheduler's silence is no news of any job. Nothing here is lost with this process: the next one that attends reads
the same files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.sweep import attempts as starts
from bench.sweep.attempts import Attempt, attempts_path, read_attempts, write_attempts
from bench.sweep.executor import GONE, PENDING, Executor, Job, NoAnswer, Task
from bench.sweep.probing import MOST_SKEW, Answer, differing, read_answer, skew, told_of_skew
from bench.sweep.standing import AT_WORK, DONE, GIVEN_UP, Row, last_jobs, rows_of
from bench.sweep.sweepfile import (
    CANCELLED,
    FAILED,
    FINISHED,
    REFUSED,
    RUNNING,
    STOPPED,
    Shard,
    Submission,
    read_sweep,
    write_sweep,
)

UNTRIED_SECONDS = 30.0
"""How long to wait before something is submitted again that was not taken."""


class Refused(ValueError):
    """The probe forbids the sweep; nothing was measured."""


class Attendant:
    """Attends a sweep: submits, looks, submits again. Only one at a time may (`bench.sweep.sweepfile.attended`)."""

    def __init__(
        self,
        folder: Path,
        executor: Executor,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self.executor, self.note, self.clock = folder, executor, note, clock
        self.sweep = read_sweep(folder)
        self.silence = ""
        self._gone_since: dict[str, float] = {}
        self._untried_until = 0.0
        self._answer: Answer | None = None

    def begin(self) -> None:
        """Submit the probe, and all shards behind it. Raises ValueError."""
        if self.sweep.probe is None and (job := self.executor.probe()):
            self.sweep.probe = Submission(job, self.clock())
            self._save()
        waits = self.sweep.probe is not None and read_answer(self.folder, self.sweep.nonce) is None
        self._submit(self.sweep.shards, after=self.sweep.probe.job if self.sweep.probe and waits else "")

    def come_back(self, attempts: int | None = None) -> None:
        """Attend a sweep again, with another bound of attempts where one is given. A shard that met a broken file may
        begin anew: a person will have taken it away. Raises ValueError, BrokenFile."""
        self.sweep.attempts = attempts or self.sweep.attempts
        for shard in self.sweep.shards:
            path = attempts_path(self.folder, shard.name)
            found = read_attempts(path)
            if found and found[-1].outcome == starts.BROKEN:
                found[-1].outcome = starts.INTERRUPTED
                write_attempts(path, found)
            if not self.executor.detachable:  # what only waited in a process that has ended was no attempt
                begun = {attempt.submission for attempt in found}
                while shard.submissions and len(shard.submissions) - 1 not in begun:
                    shard.submissions.pop()
        if self.sweep.status == FAILED:
            self.sweep.status = RUNNING
        self._save()
        if self.sweep.status == RUNNING and not any(shard.submissions for shard in self.sweep.shards):
            self.begin()

    def leave(self) -> None:
        """Attend no longer: jobs that can't go on alone end, and may be gone on with."""
        if not self.executor.detachable:
            self.executor.cancel(last_jobs(self.sweep))

    def look(self) -> list[Row]:
        """One look at everything, and what follows from it. Raises Refused, BrokenFile, OSError."""
        jobs = self._jobs()
        if (self.folder / CANCELLED).exists() and self.sweep.status == RUNNING:
            self.sweep.status = STOPPED
            self._save()
        if self.sweep.status == RUNNING and jobs is not None:
            self._check_probe(jobs)
        rows = rows_of(self.folder, self.sweep, jobs)
        if self.sweep.status != RUNNING or jobs is None:
            return rows
        again, avoid = [], []
        for index, shard in enumerate(self.sweep.shards):
            attempts = read_attempts(attempts_path(self.folder, shard.name))
            self._note_skew(attempts)
            if rows[index].state == DONE or (shard.submissions and not self._has_gone(shard, jobs, attempts)):
                if rows[index].state == GIVEN_UP:
                    rows[index] = replace(rows[index], state=AT_WORK, note="its job has ended")
            elif rows[index].state != GIVEN_UP:
                again.append(shard)
                avoid += [attempt.node for attempt in attempts if attempt.outcome == starts.REFUSED]
        if all(row.state in (DONE, GIVEN_UP) for row in rows):
            self.sweep.status = FAILED if any(row.state == GIVEN_UP for row in rows) else FINISHED
            self._save()
            # of a shard that was finished where Slurm had taken its node for lost
            self.executor.cancel([job for job, known in jobs.items() if known.phase == PENDING])
        elif again and self.clock() >= self._untried_until:
            self._submit_again(again, avoid)
        return rows

    def _jobs(self) -> dict[str, Job] | None:
        """What is known of the last job of each shard, and of the probe; None while the scheduler doesn't answer."""
        try:
            found = self.executor.jobs(last_jobs(self.sweep))
        except NoAnswer as error:
            self.silence = str(error)
            return None
        self.silence = ""
        return found

    def _has_gone(self, shard: Shard, jobs: dict[str, Job], attempts: list[Attempt]) -> bool:
        """Whether the last job of a shard has gone for good: its word may arrive later than the news of its end."""
        job = shard.submissions[-1].job
        if jobs[job].phase != GONE:
            self._gone_since.pop(job, None)
            return False
        told = attempts and attempts[-1].submission == len(shard.submissions) - 1
        if told and attempts[-1].outcome not in (starts.RUNNING, starts.REQUEUED):
            return True
        return self.clock() - self._gone_since.setdefault(job, self.clock()) >= self.executor.grace

    def _submit_again(self, shards: list[Shard], avoid: list[str]) -> None:
        """Submit shards that go on; what is not taken is tried again later."""
        self.executor.cancel([shard.submissions[-1].job for shard in shards if shard.submissions])
        try:
            self._submit(shards, avoid=list(dict.fromkeys(avoid)))
        except ValueError as error:
            self._untried_until = self.clock() + UNTRIED_SECONDS
            self.note(f"{', '.join(shard.name for shard in shards)}: not submitted again yet: {error}")
        else:
            for shard in shards:
                if len(shard.submissions) > 1:
                    self.note(f"{shard.name}: submitted again as job {shard.submissions[-1].job}")

    def _submit(self, shards: list[Shard], after: str = "", avoid: list[str] | None = None) -> None:
        tasks = [Task(shard.number, len(shard.submissions)) for shard in shards]
        for shard, job in zip(shards, self.executor.submit(tasks, after, avoid or []), strict=True):
            shard.submissions.append(Submission(job, self.clock()))
        self._save()

    def _check_probe(self, jobs: dict[str, Job]) -> None:
        """Look for the probe's answer once. Raises Refused, with all jobs cancelled, where it forbids the sweep."""
        probe = self.sweep.probe
        if probe is None or self._answer is not None:
            return
        self._answer = read_answer(self.folder, self.sweep.nonce)
        if self._answer is not None:
            self._judge(self._answer, probe)
        elif jobs[probe.job].phase == GONE and self._probe_is_lost(probe.job):
            node = jobs[probe.job].node
            said = self.executor.last_words(probe.job)
            if jobs[probe.job].said.startswith("CANCELLED"):
                self._refuse(f"the probe job {probe.job} was cancelled")
            if said:
                self._refuse(f"the probe job {probe.job} failed{f' on node {node}' if node else ''}: {said}")
            self._refuse(
                f"the folder {self.folder} is not shared with {f'node {node}' if node else 'the nodes'}: nothing that "
                f"the probe job {probe.job} wrote there has arrived; choose a shared one with --reports"
            )

    def _probe_is_lost(self, job: str) -> bool:
        return self.clock() - self._gone_since.setdefault(job, self.clock()) >= self.executor.grace

    def _judge(self, answer: Answer, probe: Submission) -> None:
        """Whether an answer allows the sweep; a skew of the clock is noted."""
        if answer.problem:
            self._refuse(answer.problem)
        if told := differing(self.sweep.versions, answer.versions):
            self._refuse(f"node {answer.node} has other software than the machine that submitted: {told}")
        seconds = skew(self.sweep.offset, answer.offset, answer.time, probe.at, self.clock())
        if told := told_of_skew(answer.node, seconds):
            if abs(seconds) > MOST_SKEW:
                self._refuse(f"{told}: no time in a file could be believed")
            self._note_once(told)

    def _note_skew(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            if told := told_of_skew(attempt.node, attempt.offset - self.sweep.offset):
                self._note_once(told)

    def _note_once(self, text: str) -> None:
        node = text.partition(" is ")[0]  # a clock that drifts is one fact, not one for each second
        if not any(note.startswith(node) for note in self.sweep.notes):
            self.sweep.notes.append(text)
            self._save()
            self.note(text)

    def _refuse(self, text: str) -> None:
        self.executor.cancel(last_jobs(self.sweep))
        self.sweep.status, self.sweep.reason = REFUSED, text
        self._save()
        raise Refused(text)

    def _save(self) -> None:
        write_sweep(self.folder, self.sweep)
