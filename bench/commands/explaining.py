"""The commands that explain: limits, profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.console import REPORTS, clear_errors, console


def limits(
    again: Annotated[bool, typer.Option("--again", help="Measure anew, even if this machine's are kept.")] = False,
    reports: Annotated[Path, typer.Option(help="Where limits/ lies.")] = REPORTS,
) -> None:
    """Measure what this machine allows, from which the floors follow; kept until the machine changes."""
    with clear_errors():
        from rich.markdown import Markdown

        from bench.limits import command, show

        found, path = command.this_machine(reports, again, lambda text: console.print(text, soft_wrap=True))
        console.print(Markdown(show.markdown(found)))
        console.print(str(path), soft_wrap=True)
