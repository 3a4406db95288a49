"""A commit's tree in a folder of its own, for as long as a with statement lasts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PREFIX = "rnn-bench-base-"


class GitError(ValueError):
    """git is not there, this is no repository, or there is no such commit; the text says which."""


@dataclass(frozen=True)
class Commit:
    """A commit as people are told of it."""

    ref: str
    id: str

    def __str__(self) -> str:
        return self.id[:9] if self.id.startswith(self.ref) else f"{self.ref} ({self.id[:9]})"


def top(folder: Path) -> Path:
    """The root of the working tree that holds a folder. Raises GitError."""
    return Path(_git(folder, "rev-parse", "--show-toplevel"))


def resolve(root: Path, ref: str, option: str = "--base") -> Commit:
    """The commit behind a ref, which an option names. Raises GitError."""
    try:
        return Commit(ref, _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"))
    except GitError:
        shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
        hint = "; this clone is shallow, fetch more of it (actions/checkout: fetch-depth: 0)" if shallow else ""
        raise GitError(f"{option} {ref}: git knows no such commit{hint}") from None


def commits_between(root: Path, first: Commit, last: Commit) -> list[Commit]:
    """The commits after one up to another, the oldest first, along first parents. Raises GitError."""
    told = _git(root, "rev-list", "--reverse", "--first-parent", f"{first.id}..{last.id}")
    return [Commit(line, line) for line in told.splitlines()]


def is_dirty(root: Path, asked_for: Iterable[str] = ()) -> bool:
    """Whether the working tree differs from its commit. Of the files that git does not know of those count that are
    asked for, by their path from the root, and Python files beside them, which they may import."""
    files = [Path(path) for path in asked_for]
    for line in _git(root, "status", "--porcelain", "--untracked-files=all").splitlines():
        path = Path(line[3:].strip('"'))
        if not line.startswith("??") or path in files:
            return True
        if path.suffix == ".py" and path.parent in {file.parent for file in files} and _imports(root, files, path.stem):
            return True
    return False


def _imports(root: Path, files: Iterable[Path], name: str) -> bool:
    """Whether one of these files speaks of a module of this name."""
    return any(
        re.search(rf"\bimport\b.*\b{re.escape(name)}\b|\bfrom\s+\.*{re.escape(name)}\b", line)
        for file in files
        if (root / file).is_file()
        for line in (root / file).read_text(encoding="utf-8", errors="replace").splitlines()
    )


@contextmanager
def worktree(root: Path, commit: Commit) -> Iterator[Path]:
    """A worktree of the commit, removed at the end whatever happens; those that a killed process left go as well."""
    _remove_orphans(root)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        _git(root, "worktree", "add", "--detach", "--force", str(folder), commit.id)
        yield folder
    finally:
        with _undisturbed():
            _remove(root, folder)


def _remove(root: Path, folder: Path) -> None:
    with suppress(GitError):  # it may not have been added yet
        _git(root, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    _git(root, "worktree", "prune")


def _remove_orphans(root: Path) -> None:
    """Worktrees of gates that were killed outright: their name tells the process, which is no more."""
    for line in _git(root, "worktree", "list", "--porcelain").splitlines():
        folder = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and folder.name.startswith(PREFIX):
            pid = folder.name.removeprefix(PREFIX).partition("-")[0]
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                _remove(root, folder)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not keep what the first began from ending."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _git(folder: Path, *arguments: str) -> str:
    """What git answers, stripped. Raises GitError with its last line.

    In a process group of its own: Ctrl-C would otherwise reach git as well, half-way through adding or removing.
    """
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, start_new_session=True
        )
    except FileNotFoundError:
        raise GitError("git is not installed, and --base needs it") from None
    except subprocess.CalledProcessError as error:
        told = (error.stderr.strip().splitlines() or [f"git {arguments[0]} failed"])[-1]
        raise GitError(f"{folder}: {told.removeprefix('fatal: ')}") from None
    return answer.stdout.strip()
