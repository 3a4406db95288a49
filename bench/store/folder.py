"""Run folders as such: made, found, pointed to by `latest`, and taken away when nothing came of them; and the folder of
what is kept for all runs of a machine."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from bench.cases.settings import Settings
from bench.store.files import BrokenFile
from bench.store.manifest import Manifest
from bench.store.passes import pass_files

LOGS = "logs"
"""Folder of a run in which each worker process has a log of its own, of those that wrote anything."""


def cache_folder() -> Path:
    """Where what holds for the machine, whatever the folder, is kept: `$XDG_CACHE_HOME/rnn-bench`, by default
    `~/.cache/rnn-bench`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "rnn-bench"


def create(reports: Path, name: str) -> Path:
    """Make an empty run folder, called by the time in UTC and a name, such as the preset's. Raises OSError."""
    stem = f"{_now()}-{name}"
    for suffix in ("", *(f"-{k}" for k in range(2, 100))):
        folder = reports / "runs" / (stem + suffix)
        if not folder.exists():
            (folder / "passes").mkdir(parents=True)
            return folder
    raise OSError(f"{reports / 'runs'}: a hundred runs within a second")


def dated(reports: Path, kind: str) -> Path:
    """Make an empty folder for what is no run, such as `gradients`, called by the time in UTC. Raises OSError."""
    folder = reports / kind / _now()
    folder.mkdir(parents=True)
    return folder


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M%S")


def begin(folder: Path, settings: Settings) -> Manifest:
    """The manifest of a run that is about to begin in this folder."""
    from pytest_benchmark.utils import get_commit_info

    commit = get_commit_info()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    kept = {name: commit.get(name) for name in ("id", "branch", "dirty", "time")}
    return Manifest(folder.name, started, settings.as_dict(), commit=kept)


def find(name: str, reports: Path) -> Path:
    """The run folder behind a path, an id, or `latest`. Raises BrokenFile."""
    for place in (Path(name), reports / "runs" / name, reports / name):
        if (place / "run.json").is_file():
            return place.resolve() if place.is_symlink() else place
    raise BrokenFile(f"{name}: no run folder, neither as a path nor under {reports / 'runs'} (no run.json in it)")


def newest(reports: Path) -> Path:
    """The run that was begun last, finished or not; their names begin with the time. Raises BrokenFile for none."""
    found = [path.parent for path in (reports / "runs").glob("*/run.json")]
    if not found:
        raise BrokenFile(f"there is no run under {reports / 'runs'} to go on with")
    return max(found, key=lambda folder: folder.name)


def point_latest(reports: Path, folder: Path) -> Path:
    """Let reports/latest point to a run of these reports; the path by which a person should be told of it."""
    if folder.parent.parent != reports:
        return folder
    temporary, latest = reports / ".latest", reports / "latest"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.relative_to(reports))
    temporary.replace(latest)
    return latest


def discard(folder: Path) -> None:
    """Take away the folder of a run that never began; one that holds a pass is left as it is."""
    if pass_files(folder):
        return
    for path in (*folder.glob("*.json"), *folder.glob(f"{LOGS}/*.log")):
        path.unlink()
    for name in ("passes", LOGS):
        if (folder / name).exists():
            (folder / name).rmdir()
    folder.rmdir()
