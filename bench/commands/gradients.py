"""The command that measures how gradients flow through a recurrent network."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.console import REPORTS, clear_errors, console


def gradients(
    hidden_size: Annotated[int, typer.Option(help="Hidden units, and as many inputs.")] = 128,
    seeds: Annotated[int, typer.Option(help="Networks drawn for each setup.")] = 16,
    seq_len: Annotated[int, typer.Option(help="Steps of the longest sequence.")] = 1024,
    reports: Annotated[Path, typer.Option(help="Where gradients/ lies.")] = REPORTS,
) -> None:
    """Measure whether gradients vanish or explode, and how far back they reach; takes seconds."""
    with clear_errors():
        from bench.files import write_json
        from bench.gradients.command import measure
        from bench.report.gradients import sentences, write

        found = measure(hidden_size, seeds, seq_len)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M%S")
        folder = reports / "gradients" / stamp
        folder.mkdir(parents=True)
        write_json(folder / "gradients.json", found)
        write(found, folder)
        for text in sentences(found):
            console.print(f"• {text}", highlight=False, markup=False)
        console.print(f"\nTable and picture: {folder}", soft_wrap=True)
