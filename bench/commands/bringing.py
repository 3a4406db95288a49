"""The commands for who brings an implementation or a network: check, new; and what there is already: list."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

import rnn_impls
from bench.cases.presets import PRESETS, Grid
from bench.cases.settings import parse_devices, parse_seconds
from bench.commands.console import INTERRUPTED, OK, SOMETHING_FAILED, USAGE, clear_errors, console, fail, tell
from bench.commands.options import Devices, Overrides, grouped
from bench.report.checked import checked
from bench.run.checkup import checkup
from rnn_impls import networks, registry


def list_() -> None:
    """Show the presets, where their numbers come from, and the implementations."""
    presets = Table(title="Presets", title_justify="left", show_lines=True)
    for heading in ("--preset", "cases", "what it is for, and where its numbers come from"):
        presets.add_column(heading, no_wrap=heading != "what it is for, and where its numbers come from")
    for preset in PRESETS.values():
        presets.add_row(preset.name, str(len(preset.cases("cpu"))), preset.about)
    console.print(presets)
    computed = Table(title="Networks", title_justify="left")
    for heading in ("--network", "what it is"):
        computed.add_column(heading, no_wrap=heading == "--network")
    for name in networks.BUILTIN:
        computed.add_row(name, (networks.load(name).__doc__ or "").splitlines()[0])
    console.print(computed)
    implementations = Table(title="Implementations", title_justify="left")
    for heading in ("--impl", "what it is", "devices", "from"):
        implementations.add_column(heading, no_wrap=heading == "--impl")
    for name in registry.known():
        implementations.add_row(*map(escape, (name, *_about(name), registry.origin(name))))
    console.print(implementations)
    console.print("Groups: three (manual, looped, whole), default (what a plain run takes), all.")
    console.print("One of your own, implementation or network: path/to/file.py:Name.")


def _about(name: str) -> tuple[str, str]:
    """What an implementation is, and the devices it runs on; or why there is nothing to say."""
    try:
        return registry.describe(name), ", ".join(registry.load(name).devices) or "any"
    except ValueError as error:  # a package may offer anything
        return f"error: {error}", ""


STARTER = Path(rnn_impls.__file__).with_name("starter.py")
TEMPLATE = Path(networks.__file__).with_name("template.py")
"""What `new` writes: an implementation and a network as right as those of this suite, and tested with them."""


@grouped
def check(
    *,
    implementation: Annotated[str, typer.Argument(help="path/to/file.py:Name, or a name that the suite knows.")],
    device: Devices = "",
    axes: Overrides,
    timeout: Annotated[str, typer.Option(help="Silence after which its process is given up.")] = "120s",
) -> None:
    """Does an implementation compute the network? Parity alone; nothing is timed or written.

    Exit code 0: equal wherever it runs; 1: it differs, fails, or runs nowhere; 2: there is no such implementation, or
    it does not import.
    """
    with clear_errors():
        overrides, devices = axes.overrides(), parse_devices(device)
        name = _one(implementation)
        try:
            sound = _check(name, devices, overrides, parse_seconds(timeout))
        except KeyboardInterrupt:
            fail("interrupted", INTERRUPTED)
    raise typer.Exit(OK if sound else SOMETHING_FAILED)


def new(
    path: Annotated[Path, typer.Argument(help="The file to write, such as my_rnn.py.")],
    network: Annotated[bool, typer.Option("--network", help="A network of one's own: its weights and a step.")] = False,
) -> None:
    """Write a commented file to start an implementation of one's own from, or a network."""
    if path.suffix != ".py" or "," in str(path):
        fail(f"{path}: name a Python file, such as my_rnn.py", USAGE)
    if not path.parent.is_dir():
        fail(f"{path}: there is no folder {path.parent}", USAGE)
    source, named = (TEMPLATE, "my_cell.py") if network else (STARTER, "my_rnn.py")
    text = source.read_text(encoding="utf-8").replace(named, path.as_posix())
    with clear_errors():
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            fail(f"{path} is there already; it is left as it is", USAGE)
    tell(f"{path} is right as it is. Change it, then ask:")
    own = f"--network {path}:Leaky"
    commands = [f"run {own}", f"profile {own} --impl manual"] if network else []
    for command in commands or (f"check {path}:MyRNN", f"run --impl default,{path}:MyRNN"):
        tell(f"    python -m bench {command}")


def _one(text: str) -> str:
    """The one implementation that is meant. Raises ValueError for none and for several."""
    from rnn_impls import registry

    try:
        names = registry.select(text, "cpu")
    except ValueError as error:
        raise ValueError(str(error).removeprefix("--impl ")) from None
    if len(names) > 1:
        raise ValueError(f"{text}: check one at a time, such as {names[0]}")
    return names[0]


def _check(name: str, devices: tuple[str, ...], overrides: Grid, timeout: float) -> bool:
    """Show the verdict, what would mend it, and each distinct outcome once; whether all is well."""
    with tempfile.TemporaryDirectory() as folder, console.status("checking ...") as status:

        def getting_on(done: int, of: int) -> None:
            status.update(f"checking: {done} of {of} cases")

        found = checkup(name, devices, overrides, timeout, Path(folder, "worker.log"), getting_on)
    for line in checked(name, found, console.width):
        tell(line.text, line.style)
    return found.is_sound
