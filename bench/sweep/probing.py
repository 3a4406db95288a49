"""Asked before anything is measured: is the folder shared, do the clocks agree, is it the same software?

One job of a sweep asks it for all (`Probe`), and each shard asks it again at its start, where it may meet another node.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import platform
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.store.files import BrokenFile, read_json, write_json
from bench.sweep.sweepfile import PROBE, Sweep, read_sweep

SKEW, MOST_SKEW = 2.0, 60.0
"""Seconds by which a node's clock may differ: beyond the first it is said and noted, beyond the second no time in a
file could be believed, and the sweep is refused."""

SOURCES = (".py", ".cpp", ".hpp")
"""Files of a checkout that decide what is measured."""
DIGITS = 10


class NodeRefused(Exception):
    """A node will not do; the text names it and says why."""


@dataclass(frozen=True)
class Answer:
    """What a probe job found: seconds since the epoch for `time`, what does not do in `problem`."""

    nonce: str
    node: str
    time: float
    offset: float
    versions: dict[str, str]
    problem: str = ""


class Probe:
    """The job: looks, answers in a file, and fails where the node will not do, so that no shard follows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> None:
        """Answer. Raises NodeRefused, OSError."""
        sweep = read_sweep(self.folder)
        try:
            offset = check_node(self.folder, sweep)
            problem = ""
        except NodeRefused as error:
            offset, problem = 0.0, str(error)
        answer = Answer(sweep.nonce, node_name(), time.time(), offset, versions(), problem)
        write_json(self.folder / PROBE, dataclasses.asdict(answer))
        if problem:
            raise NodeRefused(problem)


def check_node(folder: Path, sweep: Sweep) -> float:
    """How far this node's clock is ahead of the folder's, in seconds, where the software is the sweep's and the folder
    can be written to. Raises NodeRefused naming the node."""
    if told := differing(sweep.versions, versions()):
        raise NodeRefused(f"node {node_name()} has other software than the machine that submitted: {told}")
    try:
        offset = clock_offset(folder)
    except OSError as error:
        raise NodeRefused(f"node {node_name()} can't write to {folder}: {error.strerror}") from None
    if abs(offset - sweep.offset) > MOST_SKEW:
        raise NodeRefused(f"{told_of_skew(node_name(), offset - sweep.offset)}: no time in a file could be believed")
    return offset


def read_answer(folder: Path, nonce: str) -> Answer | None:
    """What the probe of this sweep found, None where nothing has arrived. Raises BrokenFile."""
    path = folder / PROBE
    os.listdir(folder)  # so that a network file system looks again
    if not path.exists():
        return None
    try:
        answer = Answer(**read_json(path))
    except TypeError as error:
        raise BrokenFile(f"{path}: not the answer of a probe: {error}") from None
    return answer if answer.nonce == nonce else None


def node_name() -> str:
    """This machine's name: in the cluster, or outside of one."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def versions() -> dict[str, str]:
    """Of Python, torch and this suite; no torch where it is not installed, as on a machine that only submits."""
    found = {"python": platform.python_version(), "suite": suite_version()}
    try:
        return found | {"torch": importlib.metadata.version("torch")}
    except importlib.metadata.PackageNotFoundError:
        return found


@functools.cache
def suite_version() -> str:
    """The package's version and a digest of its sources, so that a checkout that stayed behind is noticed."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in ("bench", "rnn_impls"):
        for path in sorted((root / package).rglob("*")):
            if path.suffix in SOURCES:
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    try:
        number = importlib.metadata.version("rnn-bench")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        number = "0"
    return f"{number}+{digest.hexdigest()[:DIGITS]}"


def differing(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What differs, in words; nothing where all that is known of both is equal."""
    pairs = {name: (wanted[name], found[name]) for name in wanted if name in found and wanted[name] != found[name]}
    return ", ".join(f"{name} {there} instead of {here}" for name, (here, there) in pairs.items())


def clock_offset(folder: Path) -> float:
    """Seconds by which this machine's clock is ahead of the one that stamps files of this folder. The difference of two
    machines' is that of their clocks, however long one waited for the other. Raises OSError."""
    path = folder / f".clock.{uuid.uuid4().hex}"
    try:
        path.write_bytes(b"now")
        now = time.time()
        return now - path.stat().st_mtime
    finally:
        path.unlink(missing_ok=True)


def skew(offset: float, node_offset: float, at: float, submitted: float, seen: float) -> float:
    """Seconds by which a node's clock is ahead: by the stamps of files, or, where each machine stamps its own, at
    least by what its time `at` lies outside of when the job was submitted and its answer `seen`, by the clock here."""
    by_files = node_offset - offset
    outside = max(at - seen, 0.0) + min(at - submitted, 0.0)
    return max(by_files, outside, key=abs)


def told_of_skew(node: str, seconds: float) -> str:
    """A skew that is worth a line, as one; nothing for one that is not."""
    if abs(seconds) <= SKEW:
        return ""
    return f"the clock of node {node} is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
