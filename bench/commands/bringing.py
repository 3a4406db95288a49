"""The commands for who brings an implementation or a network: check and new."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

import rnn_impls
from bench.cases.presets import Grid
from bench.cases.settings import parse_devices, parse_seconds
from bench.commands.console import INTERRUPTED, OK, SOMETHING_FAILED, USAGE, clear_errors, console, fail, me, tell
from bench.commands.options import Devices, Overrides, grouped
from bench.report.checked import checked
from bench.run.checkup import checkup
from rnn_impls import networks

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
        tell(f"    {me()} {command}")


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
