"""sweep.json: what was asked for, which shards there are, and what was submitted of each.

reports/sweeps/<id>/
    sweep.json             this; written by the one process that attends the sweep (`attended`)
    attempts/shard-001.json    what became of each start of a shard; written by its jobs
    shards/shard-001/      an ordinary run folder; shard-001-2 where it went on on another kind of machine
    jobs/                  what submitit submitted, and the logs of the jobs
    probe.json             what the probe job found
    cancelled              there once somebody has cancelled it
"""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.settings import Settings
from bench.store.files import BrokenFile, read_json, take, write_json

SCHEMA = 1
FILE, PROBE, CANCELLED, SHARDS, JOBS, ATTEMPTS = "sweep.json", "probe.json", "cancelled", "shards", "jobs", "attempts"
RUNNING, FINISHED, FAILED, REFUSED, STOPPED = "running", "finished", "failed", "refused", "cancelled"
"""Of a sweep: shards are left; all are done; all are done, some without success; a probe forbade it; cancelled."""


@dataclass
class Submission:
    """A job that was submitted: its id, and when, in seconds since the epoch."""

    job: str
    at: float


@dataclass
class Shard:
    """A part of a sweep: whole Cases, by their ids, and the seconds that they are estimated to take."""

    number: int
    cases: list[str]
    seconds: float
    submissions: list[Submission] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"shard-{self.number:03}"


@dataclass
class Sweep:
    """A sweep as its file has it. `directory` is where its jobs run, from which files of one's own are named; `nonce`
    what a node must find in the file to have seen this very one; `offset` how far the submitting machine's clock is
    ahead of the folder's (`bench.sweep.probing.clock_offset`), in seconds; `attempts` how often a shard may begin."""

    id: str
    started: str
    settings: dict[str, Any]
    executor: str
    options: dict[str, Any]
    attempts: int
    explain: bool
    directory: str
    nonce: str
    versions: dict[str, str]
    offset: float
    shards: list[Shard]
    probe: Submission | None = None
    status: str = RUNNING
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    schema: int = SCHEMA

    def shard_settings(self, number: int) -> Settings:
        """What a shard is asked to do. Raises ValueError for settings of another version."""
        return dataclasses.replace(Settings.from_dict(self.settings), cases=tuple(self.shards[number - 1].cases))


def create(reports: Path, name: str) -> Path:
    """Make an empty folder of a sweep, called by the time in UTC and a name. Raises OSError."""
    stem = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H%M%S}-{name}"
    for suffix in ("", *(f"-{k}" for k in range(2, 100))):
        folder = reports / "sweeps" / (stem + suffix)
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            for part in (SHARDS, JOBS, ATTEMPTS):
                (folder / part).mkdir()
            return folder
    raise OSError(f"{reports / 'sweeps'}: a hundred sweeps within a second")


def new_nonce() -> str:
    """Digits that no other sweep has."""
    return secrets.token_hex(8)


def find(name: str, reports: Path) -> Path:
    """The folder behind a path, an id or `latest`, absolute. Raises BrokenFile naming the known ones."""
    known = sorted(path.parent for path in (reports / "sweeps").glob(f"*/{FILE}"))
    if name == "latest" and known:
        return known[-1].resolve()
    for place in (Path(name), reports / "sweeps" / name):
        if (place / FILE).is_file():
            return place.resolve()
    there = f"known are {', '.join(path.name for path in known[-5:])}" if known else "there is none"
    raise BrokenFile(f"{name}: no sweep, neither as a path nor under {reports / 'sweeps'}; {there}")


def write_sweep(folder: Path, sweep: Sweep) -> None:
    """Write sweep.json, whole or not at all. Raises OSError."""
    write_json(folder / FILE, dataclasses.asdict(sweep))


def read_sweep(folder: Path) -> Sweep:
    """Read sweep.json. Raises BrokenFile naming file and field."""
    path = folder / FILE
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    try:
        shards = [
            Shard(**shard | {"submissions": [Submission(**each) for each in shard["submissions"]]})
            for shard in take(content, path, "shards", list)
        ]
        probe = Submission(**content["probe"]) if content["probe"] else None
        return Sweep(**content | {"shards": shards, "probe": probe})
    except (TypeError, KeyError) as error:
        raise BrokenFile(f"{path}: the field shards or one beside it is not as expected: {error}") from None


@contextmanager
def attended(folder: Path) -> Iterator[None]:
    """Be the one that attends a sweep, and may write its file. Raises ValueError where another process does."""
    with (folder / ".attended").open("a") as lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder.name} is attended by another process; --status {folder.name} shows it") from None
        except (OSError, ModuleNotFoundError):
            pass  # a file system or a system without locks: a shard that was submitted twice still measures once
        yield
