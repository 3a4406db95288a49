"""A package that is not installed, as a line that says what to do, where a traceback would not.

It imports nothing that is not Python's own, so that it can be asked when anything is missing.
"""

from __future__ import annotations

import sys

OURS = ("bench", "rnn_impls", "tests", "conftest")


def told(error: ModuleNotFoundError) -> str:
    """What to do about it; nothing where what is missing is this suite's or Python's own, which is a mistake of ours or
    of a user's file."""
    package = (error.name or "").partition(".")[0]
    return "" if not package or package in OURS or package in sys.stdlib_module_names else without(package)


def without(package: str) -> str:
    """The line for one package."""
    return f"the package {package} is missing: run `make setup`, then `. .venv/bin/activate`, or use .venv/bin/python"
