"""What `python -m bench list` shows."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.presets import PRESETS
from rnn_impls import registry


def show(console: Console) -> None:
    """Print the presets with their sources, then the implementations."""
    presets = Table(title="Presets", title_justify="left", show_lines=True)
    for heading in ("--preset", "cases", "what it is for, and where its numbers come from"):
        presets.add_column(heading, no_wrap=heading != "what it is for, and where its numbers come from")
    for preset in PRESETS.values():
        presets.add_row(preset.name, str(len(preset.cases("cpu"))), preset.about)
    console.print(presets)
    ways = Table(title="Implementations", title_justify="left")
    for heading in ("--impl", "what it is", "devices"):
        ways.add_column(heading, no_wrap=heading == "--impl")
    for name in registry.BUILTIN:
        devices = ", ".join(registry.load(name).devices) or "any"
        ways.add_row(name, registry.describe(name), devices)
    console.print(ways)
    console.print("Groups: default (what a plain run takes), all. One of your own: path/to/file.py:Name.")
