"""Worker processes: started, told things, listened to finding by finding; their death is an error with a reason."""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from bench.children import MARK, kill_left_behind

END = object()

_PROFILER = "USDT:"
"""What torch's profiler writes at every start and stop, in the survey of memory; nobody's last words."""


class WorkerDied(Exception):
    """The worker ended before its job did, or fell silent; the text says how."""


class WorkerRefused(Exception):
    """The worker will not do the job as asked; the text says why."""


class Worker:
    """A fresh process on a job; use it in a with statement, after which it is gone.

    Its standard error goes to a log of its own, called `log` or, where that is there already, by a number more; one
    that stays empty is taken away. `python` is the interpreter; this suite is importable in it from where it lies,
    whatever the current folder holds. Raises OSError naming a log that can't be written.
    """

    def __init__(self, job: dict[str, Any], log: Path, python: str = sys.executable) -> None:
        self._mark = uuid.uuid4().hex
        self._log, stream = _new_log(log)
        with stream:
            self._process = subprocess.Popen(
                [python, "-P", "-m", "bench.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=environment() | {MARK: self._mark},
                start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends the worker in order
            )
        assert self._process.stdin is not None and self._process.stdout is not None  # both are pipes
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pump = threading.Thread(target=_pump, args=(self._stdout, self._lines), daemon=True)
        self._pump.start()
        self.tell(job | {"started": time.time()})

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.end()

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line. A worker that is dead already says so when it is listened to."""
        with suppress(BrokenPipeError):
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()

    def hear(self, timeout: float) -> dict[str, Any]:
        """Its next finding.

        Raises WorkerRefused for a job it refuses, WorkerDied when it has ended or tells nothing for `timeout` seconds.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise WorkerDied(f"no answer for {timeout:.0f} s") from None
        try:
            found: dict[str, Any] = {} if line is END else json.loads(line)
        except json.JSONDecodeError:
            found = {}
        if not found:
            raise WorkerDied(_how_it_died(self._process.wait(), self._log))
        if found["event"] == "refused":
            raise WorkerRefused(found["reason"])
        return found

    def end(self) -> None:
        """Kill it, and whatever it started, where they still run."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        kill_left_behind(self._mark)
        self._pump.join()
        self._stdout.close()
        with suppress(BrokenPipeError):  # what it never read
            self._stdin.close()
        with suppress(FileNotFoundError):  # its folder may be gone by now
            if self._log.stat().st_size == 0:
                self._log.unlink()


def findings(job: dict[str, Any], timeout: float, log: Path, python: str = sys.executable) -> Iterator[dict[str, Any]]:
    """Start a worker on a job and yield what it tells, its `end` last; raises what `Worker.hear` raises.

    The process is gone when this ends, also when the caller stops listening.
    """
    with Worker(job, log, python) as worker:
        while True:
            found = worker.hear(timeout)
            yield found
            if found["event"] == "end":
                return


def _new_log(path: Path) -> tuple[Path, IO[bytes]]:
    """A file that was not there before, open for writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for k in itertools.count(1):
        name = path if k == 1 else path.with_stem(f"{path.stem}-{k}")
        with suppress(FileExistsError):
            return name, name.open("xb")
    raise AssertionError("there is always a number more")


def _pump(stdout: IO[bytes], lines: queue.SimpleQueue[Any]) -> None:
    """Read lines in a thread of its own, so that listening can time out."""
    for line in stdout:
        lines.put(line)
    lines.put(END)


def _how_it_died(code: int, log: Path) -> str:
    """The exit code in words, and the last line the worker wrote to its log."""
    written = log.read_text(errors="replace").splitlines()
    lines = [line for line in written if line.strip() and not line.startswith(_PROFILER)]
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
