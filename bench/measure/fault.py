"""What went wrong with an implementation, in one line for a reader."""

from __future__ import annotations

import traceback
from pathlib import Path


class Fault(Exception):
    """What this suite itself finds wrong with an implementation; the text speaks for itself."""


def reason_of(error: BaseException) -> str:
    """One line that says what was raised; running out of memory is called by its name, and what this suite finds wrong
    speaks for itself."""
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, Fault):
        return text
    of_memory = type(error).__name__ in ("MemoryError", "OutOfMemoryError")  # the latter is torch's
    out_of_memory = of_memory or "allocate memory" in text
    return f"out of memory: {text}" if out_of_memory else f"{type(error).__name__}: {text}"


def line_of(error: Exception, name: str) -> str:
    """` (my_rnn.py, line 12)`: the last line of an implementation's file on the way to what was raised, if any."""
    path = Path(name.rpartition(":")[0])
    frames = traceback.extract_tb(error.__traceback__) if path.is_file() else []
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return f" ({path.name}, line {lines[-1]})" if lines else ""
