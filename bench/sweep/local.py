"""Jobs one after the other, here: each a process of its own, ended with the one that started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bench.host.process import environment
from bench.sweep.executor import GONE, PENDING, RUNNING, Job, Task
from bench.sweep.sweepfile import JOBS

ENDING_SECONDS = 30.0
"""How long a shard may take to end its workers and to write its run.json."""


class Local:
    """Takes what is submitted, and starts it when what came before has ended."""

    pause, grace, detachable = 0.5, 0.0, False

    def __init__(self, folder: Path, directory: str) -> None:
        self.folder, self.directory = folder, directory
        self._waiting: list[tuple[str, Task]] = []
        self._running: tuple[str, subprocess.Popen[bytes]] | None = None

    def probe(self) -> str:
        """Nothing: where it is submitted is where it runs."""
        return ""

    def submit(self, tasks: Sequence[Task], after: str = "", avoid: Sequence[str] = ()) -> list[str]:
        """Line them up."""
        ids = [f"{task.shard}.{task.submission}" for task in tasks]
        self._waiting += zip(ids, tasks, strict=True)
        return ids

    def jobs(self, ids: Sequence[str]) -> dict[str, Job]:
        """Those of another process, which has ended, have gone."""
        self._go_on()
        waiting = {job for job, _ in self._waiting}
        running = self._running[0] if self._running else ""
        here = socket.gethostname()
        return {
            job: Job(RUNNING, node=here) if job == running else Job(PENDING if job in waiting else GONE) for job in ids
        }

    def _go_on(self) -> None:
        if self._running and self._running[1].poll() is not None:
            self._running = None
        if self._running is None and self._waiting:
            job, task = self._waiting.pop(0)
            command = [sys.executable, "-P", "-m", "bench.sweep.shard", str(self.folder), str(task.shard)]
            with self._log(job).open("ab") as log:
                process = subprocess.Popen(
                    [*command, str(task.submission)],
                    cwd=self.directory,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the shard in order
                )
            self._running = job, process

    def cancel(self, ids: Sequence[str]) -> None:
        """End the one that runs, in order, and forget those that wait."""
        self._waiting = [(job, task) for job, task in self._waiting if job not in ids]
        if self._running and self._running[0] in ids:
            process = self._running[1]
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(ENDING_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            self._running = None

    def close(self) -> None:
        """Wait for the process whose last word has come already."""
        if self._running:
            with suppress(subprocess.TimeoutExpired):
                self._running[1].wait(ENDING_SECONDS)

    def last_words(self, job: str) -> str:
        """The last line of its log."""
        return last_line(self._log(job))

    def _log(self, job: str) -> Path:
        return self.folder / JOBS / f"{job}.log"


def last_line(path: Path) -> str:
    """The last line of a log that says anything; nothing where there is none."""
    if not path.is_file():
        return ""
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
