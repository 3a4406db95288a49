"""The two sides of a comparison: what tree they come from, and which interpreter runs them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.gate.worktree import Commit, is_dirty, resolve, top, worktree
from bench.host.process import Worker
from bench.run.crew import Crew, file_name
from bench.table.outcome import Incomparable

OURS = "rnn_impls"
"""Folder of this suite's implementations, in a checkout of it."""


@dataclass(frozen=True)
class Side:
    """A tree and an interpreter, under the name by which people are told of it.

    `tree` is the folder whose `rnn_impls` is measured, or None for this suite's own, with files of one's own found
    from the current folder. `delay` slows implementations by a fraction, so that the gate itself can be measured.
    """

    name: str
    tree: Path | None = None
    python: str = sys.executable
    delay: Mapping[str, float] = field(default_factory=dict)

    def job(self, kind: str, **more: object) -> dict[str, object]:
        """A worker's job for this side."""
        return {"kind": kind, "tree": str(self.tree) if self.tree else None, **more}

    def start(self, log: Path, threads: int, kind: str = "blocks") -> Worker:
        """A fresh process that takes turns with those of the other side, timing `blocks` or the `first` results; until
        then it keeps off as many cores as there are threads, on which another pair may be measured; 0 is none."""
        return Worker(self.job(kind, delay=dict(self.delay), threads=threads), log, self.python)

    def crew(self, names: Iterable[str], log: Path, timeout: float, threads: int) -> Crew:
        """Fresh processes that measure these implementations; `log` is what their logs' names begin with."""

        def start(place: str) -> Worker:
            return self.start(log.with_name(f"{log.name}-{file_name(place)}.log"), threads)

        return Crew(names, start, timeout)


@contextmanager
def prepared(
    base: str, base_python: str, selection: str, networks: Sequence[str] = ()
) -> Iterator[tuple[tuple[Side, Side], str, tuple[str, ...]]]:
    """(base, head) as the command line asks for them; the selection of implementations, and the networks, as both trees
    know them.

    A commit's tree lies in a worktree for as long as this lasts, and the current folder is the root of the repository.
    Raises ValueError for a base that is not there, GitError among them.
    """
    python = _interpreter(base_python) if base_python else sys.executable
    if base and not selection and not (top(Path.cwd()) / OURS).is_dir():
        raise ValueError("--impl: say what of this repository to compare, such as --impl path/to/file.py:Name")
    selection = selection or "three"
    if not base:
        if not base_python:
            raise ValueError("say what to compare with: --base COMMIT, --base-python PATH or --against RUN")
        here = Path.cwd()
        yield (Side(base_python, here, python), Side("this interpreter", here)), selection, tuple(networks)
        return
    root = top(Path.cwd())
    commit = resolve(root, base)
    selection, known = relative(selection, root), tuple(relative(name, root) for name in networks)
    files = [part.rpartition(":")[0] for part in (*selection.split(","), *known)]
    head = f"the working tree ({_state(root, commit, files)})"
    os.chdir(root)
    with worktree(root, commit) as tree:
        _both_or_neither(tree, root, str(commit), head)
        name = f"{commit} under {base_python}" if base_python else str(commit)
        yield (Side(name, tree, python), Side(head, root)), selection, known


def _both_or_neither(base: Path, head: Path, base_name: str, head_name: str) -> None:
    """A side without `rnn_impls` would be measured with what is installed. Raises Incomparable where one has it."""
    has = {base_name: (base / OURS).is_dir(), head_name: (head / OURS).is_dir()}
    if len(set(has.values())) > 1:
        with_it, without = sorted(has, key=lambda name: not has[name])
        raise Incomparable(f"{without} has no {OURS}/, which {with_it} has")


def _state(root: Path, base: Commit, files: list[str]) -> str:
    """What the working tree is, so that nobody takes one thing for another."""
    commit = resolve(root, "HEAD")
    if is_dirty(root, files):
        return f"{commit.id[:9]} and uncommitted changes"
    return f"{commit.id[:9]}{', the base itself' if commit.id == base.id else ''}"


def relative(selection: str, root: Path) -> str:
    """The selection with its files named from the root, so that each tree has its own; others stay as they are."""
    parts = []
    for part in selection.split(","):
        path, colon, name = part.strip().rpartition(":")
        if path.endswith(".py"):
            absolute = Path(path).resolve()
            path = str(absolute.relative_to(root) if absolute.is_relative_to(root) else absolute)
        parts.append(f"{path}{colon}{name}")
    return ",".join(parts)


def _interpreter(text: str) -> str:
    """The path of an interpreter, as it is: a link into a virtual environment must not be followed."""
    found = shutil.which(text)
    if found is None:
        raise ValueError(f"--base-python {text}: there is no such program")
    return os.path.abspath(found)
