"""The job of a fresh process that times functions which were sent to it: `bench.functions` sends them.

They come pickled, in a file, and pickle keeps functions by name: where to import them from. What is in a script that
was run, rather than imported, is found by running the script again, as far as its own call of `compare`: that is what
`loading` is for.
"""

from __future__ import annotations

import io
import pickle
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.host import machine
from bench.measure.fault import reason_of

MAIN = "__mp_main__"
"""What a script is called when it is run again; multiprocessing calls it so, too, and `if __name__ == "__main__"` holds
in neither."""

_loading = False


class Reached(BaseException):
    """A script that is run again has come to its call of `compare`: what it compares is defined by now. Not an
    Exception, so that no script takes it for its own."""


def loading() -> bool:
    """Whether this process is running a script for the sake of what it defines."""
    return _loading


def time_functions(job: Mapping[str, Any], tell: Callable[..., None]) -> None:
    """Load what the job's `sent` file holds, functions by name and arguments by size, and tell of each size, in a
    random order, its `timed`: samples, the control's, and reasons of what failed. `unsendable` says why they can't be
    had here, and nothing more follows.

    `script` is the file of the script that they are from, null for none, and `package` what it is part of; `path` and
    `argv` are what the script had of them; `device`, `threads`, and the `seconds` of a size.
    """
    machine.pin(job["threads"])
    machine.keep_heap()
    sys.path[:0] = [entry for entry in job["path"] if entry not in sys.path]
    try:
        with _script_is_run_again(job["argv"]):
            main = _run_again(job["script"], job["package"]) if job["script"] else None
        sent = _Received(io.BytesIO(Path(job["sent"]).read_bytes()), main).load()
    except Exception as error:  # a script may raise anything, and its functions may be gone
        tell("unsendable", reason=reason_of(error))
        return
    from bench.measure.turns import take_turns, told

    order = random.Random()
    sizes = list(enumerate(sent["arguments"]))
    for number, arguments in order.sample(sizes, len(sizes)):
        found = take_turns(sent["functions"], arguments, job["device"], job["seconds"], order)
        tell("timed", size=number, **told(found))


class _Received(pickle.Unpickler):
    """Finds what belonged to the script that was run in the module that stands for it here."""

    def __init__(self, stream: io.BytesIO, main: ModuleType | None) -> None:
        super().__init__(stream)
        self._main = main

    def find_class(self, module: str, name: str) -> Any:
        if module != "__main__" or self._main is None:
            return super().find_class(module, name)
        found: Any = self._main
        for part in name.split("."):
            found = getattr(found, part)
        return found


@contextmanager
def _script_is_run_again(argv: list[str]) -> Iterator[None]:
    global _loading  # noqa: PLW0603 # a property of the process, as what is asked by `compare` is
    _loading, sys.argv = True, argv
    try:
        yield
    finally:
        _loading = False


def _run_again(script: str, package: str | None) -> ModuleType:
    """The module that stands for what was `__main__`."""
    found = ModuleType(MAIN)
    found.__file__, found.__package__ = script, package
    sys.modules[MAIN] = found
    with suppress(Reached, SystemExit):
        exec(compile(Path(script).read_bytes(), script, "exec"), found.__dict__)  # it is the user's own script
    return found
