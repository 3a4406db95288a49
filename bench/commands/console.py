"""What the commands have in common: where they write, how they end, and how errors become one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from bench.files import BrokenFile
from bench.process import WorkerDied, WorkerRefused
from bench.run import RunFailed

OK, SOMETHING_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
REPORTS = Path("reports")

console = Console(emoji=False)  # a file's `:x:` is no cross
errors = Console(stderr=True, emoji=False)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors that a user can do something about into one line and an exit code."""
    try:
        yield
    except (ValueError, BrokenFile, WorkerRefused) as error:
        fail(str(error), USAGE)
    except (RunFailed, WorkerDied, OSError) as error:
        fail(str(error), SOMETHING_FAILED)


def fail(text: str, code: int) -> NoReturn:
    """End the command with one line on standard error. Raises typer.Exit."""
    errors.print(f"error: {text}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
