"""The commands that explain: limits, profile.

The command that measures how gradients flow through a recurrent network.

The command that says what to use.
"""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.cases.axes import AXES, Axis, axis_overrides
from bench.cases.case import SIZES, Case
from bench.cases.presets import HIDDEN, parse_axis
from bench.cases.settings import Settings, parse_devices
from bench.commands.console import REPORTS, SOMETHING_FAILED, clear_errors, console, fail
from bench.commands.measuring import Explaining, measure
from bench.store import folder as run_folders


def limits(
    again: Annotated[
        bool, typer.Option("--again", help="Measure once more; what is kept stays, and the best counts.")
    ] = False,
    reports: Annotated[Path, typer.Option(help="Where limits/ lies.")] = REPORTS,
) -> None:
    """Measure what this machine allows, from which the floors follow; kept until the machine changes."""
    with clear_errors():
        from rich.markdown import Markdown

        from bench.report import limits_table
        from bench.run import kept

        found, path = kept.this_machine(reports, again, lambda text: console.print(text, soft_wrap=True))
        console.print(Markdown(limits_table.markdown(found)))
        console.print(str(path), soft_wrap=True)


def profile(
    preset: Annotated[str, typer.Option(help="Named set of cases; `python -m bench list` shows them.")] = "quick",
    device: Annotated[str, typer.Option(help="cpu, cuda, mps, comma-separated; default: every one present.")] = "",
    impl: Annotated[
        str, typer.Option(help="Implementations: names, three, default, all, path/to/file.py:Name.")
    ] = "default",
    mode: Axis = "",
    dtype: Axis = "",
    nonlinearity: Axis = "",
    input_size: Axis = "",
    hidden_size: Axis = "",
    num_layers: Axis = "",
    batch_size: Axis = "",
    seq_len: Axis = "64",
    output_size: Axis = "",
    threads: Axis = "",
    steps: Annotated[int, typer.Option(min=1, help="Most steps of a profiled call.")] = 64,
    reports: Annotated[Path, typer.Option(help="Where runs/ and latest lie.")] = REPORTS,
) -> None:
    """Say where the time goes: a run of two passes, with a trace and a flame graph's file for every cell."""
    with clear_errors():
        given = {axis: value for axis, value in locals().items() if axis in AXES}
        settings = Settings(
            preset=preset,
            devices=parse_devices(device),
            implementations=impl,
            overrides=axis_overrides(given),
            passes=2,
        )
        settings.cells()  # every name and size is checked before anything is written
        folder = run_folders.create(reports, "profile")
        manifest = run_folders.begin(folder, settings)
        code = measure(folder, manifest, reports, Explaining(traces=True, steps=steps))
        _show_cells(folder)
        _tell_of_traces(folder)
    raise typer.Exit(code)


def _show_cells(folder: Path) -> None:
    """A line for each cell: its time, its floor, and why."""
    from rich.table import Table

    from bench.report.comparisons import place
    from bench.report.facets import varying_axes
    from bench.report.names import short_names
    from bench.report.operators import with_reasons
    from bench.report.units import duration, gap
    from bench.table.cells import cells
    from bench.table.reading import read_run

    run = read_run(folder)
    found = with_reasons(cells(run), run.profile)
    varying, short = varying_axes(found), short_names(found["implementation"])
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("Case", "way", "time per call", "floor", "gap", "why"):
        table.add_column(heading, justify="right" if heading in ("time per call", "floor", "gap") else "left")
    for _, row in found.iterrows():
        table.add_row(
            place(row, varying), short[row["implementation"]], duration(row["seconds"]), duration(row["floor_seconds"]),
            gap(row["gap"]), row["why"] or str(row["reason"]),
        )  # fmt: skip
    console.print(table)


def _tell_of_traces(folder: Path) -> None:
    """How to open what lies in a run's traces/."""
    from bench.run.explanation import TRACES

    count = len(list((folder / TRACES).glob("*.trace.json"))) if (folder / TRACES).is_dir() else 0
    console.print(
        f"Traces: {count} in {folder / TRACES}. Open a .trace.json at https://ui.perfetto.dev, a .folded at "
        "https://www.speedscope.app (both stay in the browser), or draw the latter with flamegraph.pl.",
        soft_wrap=True,
    )


def gradients(
    hidden_size: Annotated[int, typer.Option(help="Hidden units, and as many inputs.")] = 128,
    seeds: Annotated[int, typer.Option(help="Networks drawn for each setup.")] = 16,
    seq_len: Annotated[int, typer.Option(help="Steps of the longest sequence.")] = 1024,
    reports: Annotated[Path, typer.Option(help="Where gradients/ lies.")] = REPORTS,
) -> None:
    """Measure whether gradients vanish or explode, and how far back they reach; takes seconds."""
    with clear_errors():
        from bench.report.gradients import sentences, write
        from bench.store.files import write_json
        from bench.why.gradients.setups import measure

        found = measure(hidden_size, seeds, seq_len)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H%M%S")
        folder = reports / "gradients" / stamp
        folder.mkdir(parents=True)
        write_json(folder / "gradients.json", found)
        write(found, folder)
        for text in sentences(found):
            console.print(f"• {text}", highlight=False, markup=False)
        console.print(f"\nTable and picture: {folder}", soft_wrap=True)


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
        from bench.report.advised import show, why_nothing
        from bench.table.advice import advise as advised
        from bench.table.reading import read_run

        found = read_run(folder)
        told = advised(found, case)
    show(console, told, found.manifest)
    if not told.ranking:
        fail(f"nothing can be said: {why_nothing(told)}", SOMETHING_FAILED)


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
