"""Functions and inputs on their way into a fresh process: pickled, since pickle keeps a function by where it can be
imported from. What can't go there says why."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.functions.trial import Function


class NotSendable(Exception):
    """These functions or inputs can't be had in another process; the text says why, for a reader."""


@dataclass(frozen=True)
class Sent:
    """What a fresh process needs of this one; see `bench.worker.caller`."""

    content: bytes
    script: str | None
    package: str | None

    def job(self, file: Path, **more: Any) -> dict[str, Any]:
        """A worker's job, whose `file` holds the content."""
        found = {"kind": "functions", "sent": str(file), "script": self.script, "package": self.package}
        return found | {"path": [entry or "." for entry in sys.path], "argv": sys.argv} | more


def send(functions: Mapping[str, Function], arguments: Sequence[tuple[Any, ...]]) -> Sent:
    """Pack them. Raises NotSendable."""
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    runs_again = script is not None and Path(script).is_file() and not hasattr(main, "get_ipython")
    for name, function in functions.items():
        reason = _unpicklable(function)
        if reason is None and not runs_again and _of_main(function):
            reason = "it was defined at a prompt or in a notebook"
        if reason is not None:
            raise NotSendable(f"`{name}` can't be imported elsewhere: {reason}")
    try:
        content = pickle.dumps({"functions": dict(functions), "arguments": list(arguments)})
    except Exception as error:  # a __reduce__ may raise anything
        raise NotSendable(f"the inputs can't be sent: {_told(error)}") from None
    if not (runs_again and b"__main__" in content):
        return Sent(content, None, None)
    return Sent(content, str(Path(str(script)).resolve()), getattr(main, "__package__", None))


def device_of(values: Iterable[Any]) -> str:
    """The device type that these are on, the first that is not the CPU; looks into sequences, mappings and modules."""
    for value in values:
        if isinstance(value, (list, tuple)):
            found = device_of(value)
        elif isinstance(value, Mapping):
            found = device_of(value.values())
        elif callable(getattr(value, "parameters", None)) and hasattr(value, "buffers"):  # an nn.Module
            found = device_of([*value.parameters(), *value.buffers()])
        else:
            found = str(getattr(getattr(value, "device", None), "type", "cpu"))
        if found != "cpu":
            return found
    return "cpu"


def _unpicklable(function: Function) -> str | None:
    try:
        pickle.dumps(function)
    except Exception as error:  # a __reduce__ may raise anything
        return "it is a lambda" if getattr(function, "__name__", "") == "<lambda>" else _told(error)
    return None


def _of_main(function: Function) -> bool:
    return b"__main__" in pickle.dumps(function)


def _told(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
