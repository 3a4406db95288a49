"""What starts jobs and knows their states: `bench.sweep.local` and `bench.sweep.slurm` are two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PENDING, RUNNING, GONE = "pending", "running", "gone"


@dataclass(frozen=True)
class Job:
    """What is known of a job. `phase` is one of the three above, GONE for one that has ended or is not known any more;
    `said` is what the scheduler calls its state, such as NODE_FAIL, and `reason` why it waits."""

    phase: str
    said: str = ""
    node: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Task:
    """A shard to be started: its number, and which submission of it this is, from 0."""

    shard: int
    submission: int


class NoAnswer(Exception):
    """The scheduler can't be asked now; nothing follows from that for any job."""


class Executor(Protocol):
    """Starts jobs and knows their states.

    `pause` is how many seconds to wait between two looks; `grace` how many the files of a job that has gone may take
    to arrive; `detachable` tells whether jobs go on without the process that started them.
    """

    pause: float
    grace: float
    detachable: bool

    def probe(self) -> str:
        """Start the probe; its job's id, none where there is nothing to probe. Raises ValueError."""

    def submit(self, tasks: Sequence[Task], after: str = "", avoid: Sequence[str] = ()) -> list[str]:
        """Start shards, once the job `after` has ended well, on none of the nodes to `avoid`; their jobs' ids, in
        order. Raises ValueError where they are not taken."""

    def jobs(self, ids: Sequence[str]) -> dict[str, Job]:
        """What is known of each of these jobs. Raises NoAnswer."""

    def cancel(self, ids: Sequence[str]) -> None:
        """End jobs, wherever they are."""

    def close(self) -> None:
        """Let go of jobs whose shards are done."""

    def last_words(self, job: str) -> str:
        """The last line that a job wrote to its log, and nothing where no log has arrived."""
