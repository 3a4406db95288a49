"""The command line, run in this process or in one of its own; and pytest's.

What a process adds, its death by a signal and what its interpreter prints, is tested on processes, with at least one
test for each exit code. The same arguments, words and exit codes are to be had without the start of one.
"""

from __future__ import annotations

import sys
from contextlib import chdir
from pathlib import Path

from typer.testing import CliRunner

from bench import cli
from bench.host.process import environment
from tests import warm

ROOT = Path(__file__).resolve().parent.parent

SAVED = ("--preset=smoke", "--mode=inference", "--hidden-size=8", "--seq-len=2", "--impl=three")
"""Options of the pytest run that is saved for the tests of comparisons."""

Ended = tuple[int, str, str]
"""Exit code, standard output and standard error."""


def bench(*arguments: str, folder: Path | None = None, **variables: str | None) -> Ended:
    """`python -m bench ...` in a folder, here; a variable that is None is taken away. Raises what the command lets
    through."""
    with chdir(folder or Path.cwd()):
        done = CliRunner().invoke(cli.app, list(arguments), env=variables, catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def process(*arguments: str, folder: Path | None = None, **variables: str) -> Ended:
    """The same in a process of its own."""
    done = warm.run([sys.executable, "-m", "bench", *arguments], cwd=folder, env=environment() | variables)
    return done.returncode, done.stdout, done.stderr


def pytest(*arguments: str, storage: Path, folder: Path = ROOT) -> tuple[int, str]:
    """Exit code and everything printed by a pytest process of its own."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", f"--benchmark-storage={storage}"]
    # Where these tests themselves run under xdist, the process must not take itself for one of its workers.
    variables = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
    done = warm.run([*command, *arguments], cwd=folder, env=variables)
    return done.returncode, done.stdout + done.stderr
