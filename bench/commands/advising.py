"""The command that says what to use."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from bench import folder as run_folders
from bench.cases import SIZES, Case
from bench.commands.console import REPORTS, SOMETHING_FAILED, clear_errors, console, fail
from bench.presets import HIDDEN, parse_axis

One = Annotated[str, typer.Option(help="One value.", rich_help_panel="Axes")]


def advise(
    hidden_size: One = "",
    seq_len: One = "",
    batch_size: One = "1",
    mode: One = "inference",
    device: One = "cpu",
    dtype: One = "float32",
    nonlinearity: One = "tanh",
    input_size: Annotated[
        str, typer.Option(help="One value; `hidden` is as wide as hidden.", rich_help_panel="Axes")
    ] = HIDDEN,
    num_layers: One = "1",
    output_size: One = "0",
    threads: One = "1",
    run: Annotated[str, typer.Option(help="A run folder, an id under reports/runs, or `latest`.")] = "latest",
    reports: Annotated[Path, typer.Option(help="Where runs/ and latest lie.")] = REPORTS,
) -> None:
    """Say which way to take for one case: measured if the run holds it, else predicted from its scaling laws."""
    given = {axis: value for axis, value in locals().items() if axis not in ("run", "reports")}
    with clear_errors():
        case = _case(given)
        folder = run_folders.find(run, reports)
        from bench import advice
        from bench.results import read_run

        found = read_run(folder)
        told = advice.advise(found, case)
    advice.show(console, told, found.manifest)
    if not told.ranking:
        fail(f"nothing can be said: {told.reason}", SOMETHING_FAILED)


def _case(given: dict[str, str]) -> Case:
    """The case asked for. Raises ValueError naming the option."""
    if lacking := [f"--{axis.replace('_', '-')}" for axis in ("hidden_size", "seq_len") if not given[axis]]:
        raise ValueError(f"say {' and '.join(lacking)}: an answer is for one case")
    tied = given["input_size"] == HIDDEN
    fields = {axis: _one(axis, text) for axis, text in given.items() if axis != "input_size" or not tied}
    case = Case.from_dict(Case().as_dict() | fields)
    return dataclasses.replace(case, input_size=case.hidden_size) if tied else case


def _one(axis: str, text: str) -> str | int:
    """The one value of an axis. Raises ValueError naming the option for none or several."""
    option = f"--{axis.replace('_', '-')}"
    values = parse_axis(axis, text)
    if len(values) != 1:
        raise ValueError(f"{option} {text}: one value is needed here, an answer is for one case")
    return int(values[0]) if axis in SIZES else str(values[0])
