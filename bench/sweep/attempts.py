"""attempts/shard-001.json: what became of each start of a shard, told by the shard itself.

Slurm's word counts for whether a job waits, runs or has gone; this file's for whether the shard is done. A shard that
has begun a second time belongs to the second: the first, should it still be alive, finds that here and stops.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from bench.store.files import BrokenFile, read_json, take, write_json
from bench.sweep.sweepfile import ATTEMPTS

RUNNING, DONE, FAILED, REFUSED = "running", "done", "failed", "refused"
ENDED, REQUEUED, INTERRUPTED, BROKEN = "ended", "requeued", "interrupted", "broken"
"""How a start went: under way, or lost without a word; all passes are there; it failed, with a reason; the node will
not do; ended by SIGTERM, as by scancel; at the end of its time or preempted, and in the queue again; interrupted by
whoever sat before it; a file is broken, which no other start mends."""


@dataclass
class Attempt:
    """A start of a shard. `submission` counts from 0; `folder` is the run folder under shards/; `cells` of `of` are
    done of the pass under way; `offset` is how far the node's clock is ahead of the folder's, in seconds."""

    submission: int
    job: str
    node: str
    begun: float
    outcome: str = RUNNING
    reason: str = ""
    folder: str = ""
    cells: int = 0
    of: int = 0
    offset: float = 0.0


def attempts_path(sweep: Path, shard: str) -> Path:
    """Where a shard's file lies."""
    return sweep / ATTEMPTS / f"{shard}.json"


def read_attempts(path: Path) -> list[Attempt]:
    """The starts of a shard, none where there was none. Raises BrokenFile."""
    if not path.exists():
        return []
    try:
        return [Attempt(**each) for each in take(read_json(path), path, "attempts", list)]
    except TypeError as error:
        raise BrokenFile(f"{path}: the field attempts is not as expected: {error}") from None


def write_attempts(path: Path, attempts: list[Attempt]) -> None:
    """Write them, whole or not at all. Raises OSError."""
    write_json(path, {"attempts": [dataclasses.asdict(attempt) for attempt in attempts]})


def used(attempts: list[Attempt], submissions: int) -> int:
    """How many of a shard's attempts are used up: its starts, less those that a person interrupted, and submissions
    that went without a start."""
    begun = {attempt.submission for attempt in attempts}
    starts = sum(attempt.outcome != INTERRUPTED for attempt in attempts)
    return starts + sum(number not in begun for number in range(submissions))
