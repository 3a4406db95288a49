"""The commands that explain a machine, a run or one case: limits, profile, gradients, advise."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Annotated

import typer

from bench.cases.axes import Axes
from bench.commands.console import REPORTS, SOMETHING_FAILED, clear_errors, console, fail, point, show, tell
from bench.commands.measuring import measure
from bench.commands.options import RunsFolder, Selection, grouped, one_each, overriding
from bench.run.explanation import Explaining
from bench.store import folder as run_folders


def limits(
    again: Annotated[
        bool, typer.Option("--again", help="Measure once more; what is kept stays, and the best counts.")
    ] = False,
) -> None:
    """Measure what this machine allows, from which the floors follow; kept until the machine changes."""
    with clear_errors():
        from bench.report import limits_table
        from bench.run import kept
        from bench.run.progress import Bar

        with Bar(console) as bar:
            found, path = kept.this_machine(run_folders.cache_folder(), again, bar)
        tell(limits_table.text(found, console.width))
        console.print()
        point("Kept in", path)


@grouped
def profile(
    *,
    selection: Selection,
    axes: Annotated[Axes, overriding(seq_len="64")],
    steps: Annotated[int, typer.Option(min=1, help="Most steps of a profiled call.")] = 64,
    reports: RunsFolder = REPORTS,
) -> None:
    """Say where the time goes: a run of two passes, with a trace and a flame graph's file for every cell."""
    with clear_errors():
        settings = selection.settings(axes, passes=2)
        settings.cells()  # every name and size is checked before anything is written
        folder = run_folders.create(reports, "profile")
        manifest = run_folders.begin(folder, settings)
        code = measure(folder, manifest, reports, Explaining(steps, every=True, traces=True))
        _show_cells(folder)
        _tell_of_traces(folder)
    raise typer.Exit(code)


def _show_cells(folder: Path) -> None:
    """Each cell: its time, its floor, and why."""
    from bench.report.profiled import lines
    from bench.table.reading import read_run

    console.print()
    for line, style in lines(read_run(folder), console.width):
        show([line], style)


def _tell_of_traces(folder: Path) -> None:
    """How to open what lies in a run's traces/."""
    from bench.run.explanation import TRACES

    count = len(list((folder / TRACES).glob("*.trace.json"))) if (folder / TRACES).is_dir() else 0
    console.print()
    point(f"Traces ({count})", folder / TRACES)
    tell("Open a .trace.json at https://ui.perfetto.dev, a .folded at https://www.speedscope.app.")
    tell("Both stay in the browser; flamegraph.pl draws a .folded as well.")


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
        folder = run_folders.dated(reports, "gradients")
        write_json(folder / "gradients.json", found)
        write(found, folder)
        for text in sentences(found):
            tell(fill(text, min(console.width, 80), initial_indent="• ", subsequent_indent="  "))
        console.print(f"\nTable and picture: {folder}", soft_wrap=True)


@grouped
def advise(
    *,
    axes: Annotated[Axes, one_each()],
    run: Annotated[str, typer.Option(help="A run folder, an id under reports/runs, or `latest`.")] = "latest",
    reports: RunsFolder = REPORTS,
) -> None:
    """Say which implementation to take for one case: measured if the run holds it, else predicted from its
    scaling laws."""
    with clear_errors():
        case = axes.case()
        folder = run_folders.find(run, reports)
        from bench.report.advised import text, why_nothing
        from bench.table.advice import advise as advised
        from bench.table.reading import read_run

        found = read_run(folder)
        told = advised(found, case)
    tell(text(told, found.manifest, console.width))
    if not told.ranking:
        fail(f"nothing can be said: {why_nothing(told)}", SOMETHING_FAILED)
