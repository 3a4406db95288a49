"""Running a worker and listening to it: its findings one by one, its death as an error with a reason."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

END = object()


class WorkerDied(Exception):
    """The worker ended before its job did, or fell silent; the text says how."""


class WorkerRefused(Exception):
    """The worker will not do the job as asked; the text says why."""


def findings(job: dict[str, Any], timeout: float, log: Path, python: str = sys.executable) -> Iterator[dict[str, Any]]:
    """Start a fresh process on a job and yield what it tells, its `end` last.

    Raises WorkerRefused for a job it refuses, WorkerDied when it ends early or tells nothing for `timeout` seconds.
    Its standard error goes to `log`. The process is gone when this ends, also when the caller stops listening.
    """
    with log.open("ab") as stream:
        worker = subprocess.Popen(
            [python, "-m", "bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stream,
            env=environment(),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the worker in order
        )
        assert worker.stdin is not None and worker.stdout is not None  # both are pipes
        lines: queue.Queue[Any] = queue.Queue()
        pump = threading.Thread(target=_pump, args=(worker.stdout, lines), daemon=True)
        pump.start()
        try:
            try:
                worker.stdin.write(json.dumps(job | {"started": time.time()}).encode())
                worker.stdin.close()
            except BrokenPipeError:
                pass  # it is dead already; listening says how it died
            yield from _listen(worker, lines, timeout, log)
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            pump.join()
            worker.stdout.close()


def _listen(
    worker: subprocess.Popen[bytes], lines: queue.Queue[Any], timeout: float, log: Path
) -> Iterator[dict[str, Any]]:
    """Turn lines into findings until `end`."""
    while True:
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty:
            raise WorkerDied(f"no answer for {timeout:.0f} s") from None
        if line is END:
            raise WorkerDied(_how_it_died(worker.wait(), log))
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            raise WorkerDied(_how_it_died(worker.wait(), log)) from None
        if found["event"] == "refused":
            raise WorkerRefused(found["reason"])
        yield found
        if found["event"] == "end":
            return


def _pump(stdout: IO[bytes], lines: queue.Queue[Any]) -> None:
    """Read lines in a thread of its own, so that listening can time out."""
    for line in stdout:
        lines.put(line)
    lines.put(END)


def _how_it_died(code: int, log: Path) -> str:
    """The exit code in words, and the last line the worker wrote to its log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    last = f"; last words: {lines[-1].strip()[:200]}" if lines else ""
    if code < 0:
        name = signal.Signals(-code).name
        hint = ", perhaps for want of memory" if -code == signal.SIGKILL else ""
        return f"the process was killed by {name}{hint}"
    return f"the process ended with exit code {code}{last}"


def environment() -> dict[str, str]:
    """For a fresh process: the caller's environment, with the suite importable from where it lies."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path}
