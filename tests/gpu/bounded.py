"""One command with a limit, in a process of its own; what became of it is written down at once."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LEAST = 5.0
"""Seconds below which beginning is not worth it."""

DYING = 10.0
"""Seconds that a killed process may take to be gone: the driver ends its kernels first."""


@dataclass(frozen=True)
class Step:
    """A command, by a name that is its file's, and the seconds it may take."""

    name: str
    command: tuple[str, ...]
    seconds: float


def run(step: Step, out: Path, left: float, folder: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run it for as long as it and what is `left` allow; its words go to `out/name.txt`, a line of JSON about it to
    `out/steps.jsonl`. Returns what became of it: `done`, `exit code N`, `ended after N s`, or `left out`."""
    allowed, begun = min(step.seconds, left), time.monotonic()
    became = "left out" if allowed < LEAST else _run(step, out, allowed, folder, variables or {})
    row = {"step": step.name, "became": became, "seconds": round(time.monotonic() - begun, 1), "allowed": allowed}
    with (out / "steps.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row | {"command": step.command}) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return became


def _run(step: Step, out: Path, allowed: float, folder: Path, variables: Mapping[str, str]) -> str:
    """The command itself; whatever happens here, none of its processes is left."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    with (out / f"{step.name}.txt").open("ab") as words:
        process = subprocess.Popen(
            step.command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd=folder, env=environment
        )
        try:
            code = process.wait(allowed)
        except subprocess.TimeoutExpired:
            return f"ended after {allowed:.0f} s"
        finally:
            _kill(process)
    return f"exit code {code}" if code else "done"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It and its children, those in sessions of their own, too."""
    if process.poll() is not None:
        return
    found: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        found = [parent, *parent.children(recursive=True)]
    for each in found:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    psutil.wait_procs(found, timeout=DYING)
