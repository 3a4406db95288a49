"""Fresh processes without the wait for torch: each is forked from a process that has imported what others wrote.

A worker, and a command that starts some, spends nearly all of a small test in importing torch and pandas. So the
first that is asked for starts a server, which imports these and nothing of this suite, and forks when it is asked to.
What is forked runs `python -m ...` as it would be run: with its own environment, folder, import path, streams and
session, and this suite's modules imported from where they lie. It dies, hangs and is killed like any other process.

Two things differ. Its environment can't be read from outside, as that of a started process can; so the mark of a test
is put down in a file, for `living`. And the core on which it measures is another for each of pytest's workers, so that
two measuring tests don't wait for one another.

Other systems than Linux can't fork such a process safely; there, and for other interpreters and scripts, usual ones are
started. Continuous integration also makes a run and a gate of usual processes.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import importlib
import inspect
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

PLACE = "RNN_TEST_WARM"
"""Variable that names the server's folder, also for what a command starts."""

MARK = "RNN_TEST_MARK"
"""Variable by which a test knows what it started."""

PRELOADED = (
    *("torch", "torch._inductor", "numpy", "pandas", "pyarrow.parquet", "scipy.stats", "psutil", "importlib.metadata"),
    *("matplotlib.backends.backend_svg", "matplotlib.figure", "jinja2", "typer", "rich.console", "rich.progress"),
    *("pytest", "hypothesis.internal.observability", "pydantic"),
)
"""Of what others wrote, what takes long to import, as far as it is there; `torch._inductor` is imported by torch's
profiler."""

OURS = ("bench", "bench.sweep.shard", "pytest")
"""Modules that start workers."""


class Process(subprocess.Popen[Any]):
    """A `Popen` whose process the server forks, where it is to run a module; all others are started as usual."""

    def __init__(self, args: Sequence[Any], **options: Any) -> None:
        command = [str(arg) for arg in args]
        ours = sys.platform == "linux" and command[0] == sys.executable
        self._forked = ours and (command[1] == "-m" or command[1:3] == ["-P", "-m"])
        super().__init__(command, **options)

    def _execute_child(self, *given: Any) -> None:
        if not self._forked:
            super()._execute_child(*given)  # type: ignore[misc] # Popen's own
            return
        own = inspect.signature(subprocess.Popen._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined] # as above
        ends = [
            own[name] if own[name] != -1 else number for number, name in enumerate(("p2cread", "c2pwrite", "errwrite"))
        ]
        job = {
            "command": own["args"][1:],
            "folder": os.path.abspath(own["cwd"] or "."),
            "environment": {**(os.environ if own["env"] is None else own["env"]), PLACE: str(place())},
            "session": own["start_new_session"],
        }
        self._line = _connected()
        socket.send_fds(self._line, [json.dumps(job).encode()], ends)
        self.pid = int(self._line.recv(64))
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(own[name] for name in names))  # type: ignore[attr-defined] # Popen's own

    def _internal_poll(self, *given: Any, **more: Any) -> int | None:
        if not self._forked:
            return super()._internal_poll(*given, **more)  # type: ignore[misc, no-any-return] # Popen's own
        with suppress(subprocess.TimeoutExpired):
            self._wait(0.0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if not self._forked:
            return super()._wait(timeout)  # type: ignore[misc, no-any-return] # Popen's own
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self.returncode = int(self._line.recv(64) or -signal.SIGKILL)
            self._line.close()
        return self.returncode


def run(
    command: Sequence[Any], timeout: float | None = None, check: bool = False, **options: Any
) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` of what may be forked, its text captured."""
    with Process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    if check and process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, out, err)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def install() -> None:
    """Have this process fork its workers."""
    from bench.host import process

    if sys.platform == "linux":
        process.subprocess = types.SimpleNamespace(Popen=Process, PIPE=subprocess.PIPE)  # type: ignore[attr-defined, assignment] # stands in for it


def living(mark: str) -> list[int]:
    """Those forked that have this MARK in their environment, and live."""
    import psutil

    found = [int(file.name) for file in place().glob("[0-9]*") if file.read_text() == mark]
    return [pid for pid in found if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@functools.cache
def place() -> Path:
    """The folder of the server's socket, and of what is known of those it forked; it is started where there is none."""
    if PLACE in os.environ:
        return Path(os.environ[PLACE])
    folder = tempfile.TemporaryDirectory(prefix="rnn-warm-")
    # It outlives whoever asks for it first, whose mark is not its own.
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", MARK)}
    command = [sys.executable, "-P", __file__, folder.name]
    server = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    atexit.register(_end, server, folder)
    os.environ[PLACE] = folder.name
    return Path(folder.name)


def _connected() -> socket.socket:
    """A line to the server, which may not have imported everything yet. Raises RuntimeError where there is none."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for _ in range(6000):
        with suppress(FileNotFoundError, ConnectionRefusedError):
            line.connect(str(place() / "socket"))
            return line
        time.sleep(0.01)
    raise RuntimeError("the server of fresh processes did not start")


def _end(server: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    server.kill()
    server.wait()
    folder.cleanup()


# The server


def main() -> None:
    """Fork whenever asked to; what is forked raises what its module does, and otherwise ends with it."""
    folder = Path(sys.argv[1])
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    if sys.dont_write_bytecode:  # where nothing may be put beside the sources: each is compiled once all the same
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder / "compiled")
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(folder / "socket"))
    listener.listen(64)
    _adopt()
    signal.signal(signal.SIGCHLD, _reap)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been started where that is ignored
    while sys.stdin.fileno() not in select.select([listener, sys.stdin], [], [])[0]:  # which closes as pytest ends
        line, _ = listener.accept()
        if _fork() == 0:
            listener.close()
            _become(_forked(line), folder)
        line.close()


def _adopt() -> None:
    """Become the parent of those whose own has ended: in a container there may be nobody else who waits for them, and
    whoever ends one looks for it until somebody has."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # prctl(2), PR_SET_CHILD_SUBREAPER


def _reap(*_: object) -> None:
    """Let those that have ended go, so that what they took is counted as the tests'."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork() -> int:
    """Python warns, from 3.12 on, where there are threads; numpy's are idle, and look after themselves in a fork."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _forked(line: socket.socket) -> dict[str, Any]:
    """The job that is asked for, in a process for it; this one waits for its end, and tells how it was."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, ends, _, _ = socket.recv_fds(line, 2**20, 3)
    job: dict[str, Any] = json.loads(message)
    if pid := _fork():
        for end in ends:
            os.close(end)
        _, status = os.waitpid(pid, 0)
        with suppress(ConnectionError):
            line.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    if job["session"]:
        os.setsid()
    for number, end in enumerate(ends):
        os.dup2(end, number)
        os.close(end)
    line.send(str(os.getpid()).encode())
    line.close()
    return job


def _become(job: dict[str, Any], folder: Path) -> NoReturn:
    """Run a module as `python -m` would, and end with it."""
    command, environment = job["command"], job["environment"]
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(environment)
    (folder / str(os.getpid())).write_text(environment.get(MARK, ""))
    places = list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))
    if command[0] == "-P":
        command = command[1:]
    else:
        places.insert(0, os.getcwd())
    sys.path[:0] = places
    importlib.invalidate_caches()
    sys.modules.pop("sitecustomize", None)
    with suppress(ImportError):
        importlib.import_module("sitecustomize")
    _, module, *arguments = command
    sys.argv = [module, *arguments]
    if module == "bench.worker":
        _take_a_core()
    elif module in OURS:
        install()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    else:
        code = 0
    # Whatever else was raised ends the interpreter as ever. This spares it what takes longer than most of these
    # processes: tearing down, object by object, modules that it shares with the server.
    threading._shutdown()  # type: ignore[attr-defined] # what the interpreter calls
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os._exit(code & 0xFF)


def _take_a_core() -> None:
    """Let another core be the last, on which it is measured, for each of pytest's workers."""
    from bench.host import machine

    if hasattr(os, "sched_getaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        turn = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % len(cores)
        machine._cores_at_start.extend(cores[turn:] + cores[:turn])


if __name__ == "__main__":
    main()
