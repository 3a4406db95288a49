"""The commands that explain: limits, profile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import folder as run_folders
from bench.commands.console import REPORTS, clear_errors, console
from bench.commands.measuring import Explaining, measure
from bench.options import AXES, Axis, axis_overrides
from bench.settings import Settings, parse_devices


def limits(
    again: Annotated[
        bool, typer.Option("--again", help="Measure once more; what is kept stays, and the best counts.")
    ] = False,
    reports: Annotated[Path, typer.Option(help="Where limits/ lies.")] = REPORTS,
) -> None:
    """Measure what this machine allows, from which the floors follow; kept until the machine changes."""
    with clear_errors():
        from rich.markdown import Markdown

        from bench.limits import command, show

        found, path = command.this_machine(reports, again, lambda text: console.print(text, soft_wrap=True))
        console.print(Markdown(show.markdown(found)))
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
    from bench.report.units import duration, gap
    from bench.report.why.reasons import with_reasons
    from bench.results import read_run
    from bench.summary import cells

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
    from bench.explanation import TRACES

    count = len(list((folder / TRACES).glob("*.trace.json"))) if (folder / TRACES).is_dir() else 0
    console.print(
        f"Traces: {count} in {folder / TRACES}. Open a .trace.json at https://ui.perfetto.dev, a .folded at "
        "https://www.speedscope.app (both stay in the browser), or draw the latter with flamegraph.pl.",
        soft_wrap=True,
    )
