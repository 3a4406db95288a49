"""What the commands have in common: where they write, how they end, and how errors become one line."""

from __future__ import annotations

import shutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from bench.host import missing
from bench.host.process import WorkerDied, WorkerRefused
from bench.report.terminal import wrapped
from bench.run.runner import RunFailed
from bench.store.files import BrokenFile

OK, SOMETHING_FAILED, USAGE, BROKEN, INTERRUPTED = 0, 1, 2, 5, 130
"""Exit codes of all commands: all is well; something that was asked for failed, and is said; wrong usage or broken
input; the suite itself failed; interrupted. A gate has 1, 3 and 4 of its own, see `bench.table.outcome`."""

REPORTS = Path("reports")

console = Console(emoji=False)  # a file's `:x:` is no cross
errors = Console(stderr=True, emoji=False)


def me() -> str:
    """How this suite is called from the shell that it was called from: by its name where that is on the path, else by
    the interpreter that runs it."""
    name, python = (shutil.which(each) for each in ("rnn-bench", "python"))
    here = Path(sys.executable)
    if name and Path(name).parent == here.parent:
        return "rnn-bench"
    if python and Path(python).parent == here.parent:
        return "python -m bench"
    return f"{here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here} -m bench"


def tell(text: str, style: str | None = None) -> None:
    """Prose, wrapped at words. A line that begins with four spaces is to be copied, and stays whole."""
    show(wrapped(text, console.width), style)


def show(lines: Iterable[str], style: str | None = None) -> None:
    """Lines as they are, such as those of a table, or a path."""
    for line in lines:
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def point(what: str, path: Path | str) -> None:
    """Where something lies: the path is whole, on a line of its own where it has to be."""
    text = f"{what}: {path}"
    show([text] if len(text) <= console.width else [f"{what}:", str(path)])


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors into one line and an exit code: those that a user can do something about, and those of the suite,
    whose traceback comes before the line where it is not foreseen."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (ValueError, BrokenFile, WorkerRefused) as error:
        fail(str(error), USAGE)
    except (RunFailed, WorkerDied, OSError) as error:
        fail(str(error), BROKEN)
    except Exception as error:  # without this it would end with 1, which is a gate's verdict
        if isinstance(error, ModuleNotFoundError) and (text := missing.told(error)):
            fail(text, USAGE)
        traceback.print_exc()
        fail(f"this suite is at fault: {type(error).__name__}: {error}", BROKEN)


def fail(text: str, code: int) -> NoReturn:
    """End the command with one line on standard error, which a terminal gets wrapped at words. Raises typer.Exit."""
    told = f"error: {text}"
    for line in wrapped(told, errors.width) if errors.is_terminal else [told]:
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
