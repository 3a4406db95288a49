"""What `python -m bench list` shows."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.presets import PRESETS
from rnn_impls import registry


def show(console: Console) -> None:
    """Print the presets with their sources, then the implementations and where they come from."""
    presets = Table(title="Presets", title_justify="left", show_lines=True)
    for heading in ("--preset", "cases", "what it is for, and where its numbers come from"):
        presets.add_column(heading, no_wrap=heading != "what it is for, and where its numbers come from")
    for preset in PRESETS.values():
        presets.add_row(preset.name, str(len(preset.cases("cpu"))), preset.about)
    console.print(presets)
    ways = Table(title="Implementations", title_justify="left")
    for heading in ("--impl", "what it is", "devices", "from"):
        ways.add_column(heading, no_wrap=heading == "--impl")
    for name in registry.known():
        ways.add_row(*map(escape, (name, *_about(name), registry.origin(name))))
    console.print(ways)
    console.print("Groups: three (manual, looped, whole), default (what a plain run takes), all.")
    console.print("One of your own: path/to/file.py:Name.")


def _about(name: str) -> tuple[str, str]:
    """What an implementation is, and the devices it runs on; or why there is nothing to say."""
    try:
        return registry.describe(name), ", ".join(registry.load(name).devices) or "any"
    except ValueError as error:  # a package may offer anything
        return f"error: {error}", ""
