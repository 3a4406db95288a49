"""A command of `python -m bench` looked through, not run: its options, names and sizes are checked as they would be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from bench import cli


def look(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and words of the command, with nothing measured."""

    def measure(_: Path, manifest: Any, *__: object) -> int:
        print("would measure on", *manifest.settings["devices"])
        return 0

    def this_machine(*_: object) -> None:
        print("would measure limits")
        sys.exit(0)

    with (
        mock.patch("bench.commands.measuring.measure", measure),
        mock.patch("bench.run.kept.this_machine", this_machine),
    ):
        done = CliRunner().invoke(cli.app, [*arguments], catch_exceptions=False)
    return done.exit_code, done.output


if __name__ == "__main__":
    code, words = look(sys.argv[1:])
    print(words)
    sys.exit(code)
