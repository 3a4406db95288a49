"""The command that shows what there is: list."""

from __future__ import annotations

from bench.cases.presets import PRESETS
from bench.commands.console import console, show, tell
from bench.report.terminal import described
from rnn_impls import networks, registry


def list_() -> None:
    """Show the presets, where their numbers come from, the networks and the implementations."""
    _section(
        "--preset (cases): what it is for, and where its numbers come from",
        [(f"{preset.name} ({len(preset.cases('cpu'))})", preset.about) for preset in PRESETS.values()],
    )
    _section(
        "--network: what it computes",
        [(name, (networks.load(name).__doc__ or "").splitlines()[0]) for name in networks.BUILTIN],
    )
    _section("--impl: what it is (where it runs; its source)", [(name, _about(name)) for name in registry.known()])
    tell("Groups: three (manual, looped, whole), default (what a plain run takes), all.")
    tell("One of your own, implementation or network: path/to/file.py:Name.")


def _section(heading: str, entries: list[tuple[str, str]]) -> None:
    tell(heading, "bold")
    show(described([(f"  {name}", what) for name, what in entries], console.width))
    console.print()


def _about(name: str) -> str:
    """What an implementation is, the devices it runs on and its source; or why there is nothing to say."""
    try:
        runs_on = ", ".join(registry.load(name).devices) or "anywhere"
        return f"{registry.describe(name)} ({runs_on}; {registry.origin(name)})"
    except ValueError as error:  # a package may offer anything
        return f"error: {error} ({registry.origin(name)})"
