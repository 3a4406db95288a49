"""Worker processes: started, told things, listened to finding by finding; their death is an error with a reason.

What an implementation starts in one belongs to it: what that computes counts (`cpu_seconds`), and it ends with the
worker (`kill_left_behind`).
"""

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

MARK = "RNN_BENCH_WORKER"
"""Variable of a worker's environment, which whatever it starts inherits; its value is the worker's own."""

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def cpu_seconds() -> float:
    """CPU time so far of this process's children, theirs among it: of those that have ended, and on Linux of those
    that live."""
    times = os.times()
    ended, live = times.children_user + times.children_system, 0
    waiting = _children("self")
    while waiting:
        pid = waiting.pop()
        with suppress(OSError, IndexError, ValueError):  # it may have ended
            # proc(5): after the command in parentheses, fields 14 to 17 are its CPU time and its ended children's
            live += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
        waiting += _children(pid)
    return ended + live / _TICKS


def _children(pid: str) -> list[str]:
    """The live children of a process; none where the kernel does not list them."""
    found: list[str] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    return found


def kill_left_behind(mark: str, patience: float = 2.0) -> None:
    """End every process that has this MARK in its environment, also one in a session of its own; those of other users
    and those that hide it are left alone."""
    import psutil

    left = [process for process in psutil.process_iter() if _has(process, mark)]
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + patience
    for process in left:
        with suppress(psutil.Error):
            process.wait(max(0.0, deadline - time.monotonic()))


def _has(process: object, mark: str) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


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
        assert self._process.stdin is not None  # both are pipes
        assert self._process.stdout is not None
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
            with suppress(ProcessLookupError):  # it may end by itself in between
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
    """For a fresh process: the caller's environment, with the suite importable from where it lies.

    `TEARDOWN_CUPTI=0` keeps the library by which torch's profiler listens to CUDA between two profiles: where it is
    let go after the first, as torch may do by itself, the second may see nothing of the device
    (https://github.com/pytorch/kineto/pull/1554), and captured graphs may crash (torch/profiler/profiler.py). It is set
    before torch is imported.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "TEARDOWN_CUPTI": "0"}
