"""The commands that measure and report: run, report, accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cases.axes import asked
from bench.cases.case import Case
from bench.cases.presets import find
from bench.cases.settings import parse_fraction, parse_seconds
from bench.commands.console import (
    INTERRUPTED,
    OK,
    REPORTS,
    SOMETHING_FAILED,
    clear_errors,
    console,
    me,
    point,
    show,
    tell,
)
from bench.commands.options import MaxCall, Overrides, RunsFolder, Selection, Timeout, grouped
from bench.host.process import WorkerRefused
from bench.run.explanation import Explaining, expected_seconds, explain
from bench.run.runner import Runner
from bench.store import folder as run_folders
from bench.store.manifest import FAILED, Manifest, read_manifest


@dataclass(frozen=True)
class Effort:
    """How much a run measures, and when it gives up."""

    passes: Annotated[
        int | None, typer.Option(help="Fresh processes that measure every cell once; default: the preset's, mostly 5.")
    ] = None
    precision: Annotated[str, typer.Option(help="Add passes until intervals are ± this, such as 3%.")] = ""
    budget: Annotated[str, typer.Option(help="Most time for the passes, such as 60s or 5m.")] = ""
    max_call: MaxCall = "5s"
    timeout: Timeout = "120s"
    meters: Annotated[
        bool, typer.Option("--meters", help="Count operators, allocations and memory of a call, too, for a history.")
    ] = False

    def settings(self, preset: str) -> dict[str, Any]:
        """As fields of `Settings`. Raises ValueError for a preset, a fraction or a time that is none."""
        return {
            "passes": find(preset).passes if self.passes is None else self.passes,
            "precision": parse_fraction(self.precision) if self.precision else None,
            "budget": parse_seconds(self.budget) if self.budget else None,
            "max_call": parse_seconds(self.max_call),
            "timeout": parse_seconds(self.timeout),
            "meters": self.meters,
        }


@grouped
def run(
    *,
    selection: Selection,
    baseline: Annotated[str, typer.Option(help="What speed-ups are relative to; default: manual.")] = "",
    axes: Overrides,
    effort: Effort,
    explain: Annotated[bool, typer.Option(help="Say why: floors, and where the time goes; takes seconds.")] = True,
    resume: Annotated[str, typer.Option(help="Go on with this run folder, or with `latest`, the one begun last.")] = "",
    reports: RunsFolder = REPORTS,
) -> None:
    """Measure, and write the report."""
    with clear_errors():
        if resume:
            folder = run_folders.newest(reports) if resume == "latest" else run_folders.find(resume, reports)
            manifest = read_manifest(folder)
        else:
            settings = selection.settings(axes, baseline=baseline, **effort.settings(selection.preset))
            settings.cells()  # every name and size is checked before anything is written
            folder = run_folders.create(reports, selection.preset)
            manifest = run_folders.begin(folder, settings)
        code = measure(folder, manifest, reports, Explaining() if explain else None)
    raise typer.Exit(code)


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run folders, merged ones, ids under reports/runs, `latest`, or JSON files of `pytest bench`."
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="Folder for the report of JSON files.")] = None,
    reports: RunsFolder = REPORTS,
) -> None:
    """Rebuild reports from the raw files alone."""
    with clear_errors():
        from bench.report.build import build, write
        from bench.store.merged import is_merged
        from bench.table.reading import read_pytest_json

        files = [Path(name) for name in runs if name.endswith(".json")]
        for name in runs:
            if not name.endswith(".json"):
                place = Path(name) if is_merged(Path(name)) else run_folders.find(name, reports)
                point("Report", build(place))
        if files:
            target = output or reports / "runs" / files[0].stem
            target.mkdir(parents=True, exist_ok=True)
            point("Report", write(read_pytest_json(files), target))


def accuracy(
    repeats: Annotated[int, typer.Option(min=2, help="Fresh repeats by each method.")] = 20,
    simulations: Annotated[int, typer.Option(min=100, help="Simulated runs of each rule.")] = 2000,
    neighbour: Annotated[
        bool, typer.Option("--neighbour", help="Plant a noisy neighbour: two processes, busy half of the time.")
    ] = False,
    sittings: Annotated[int, typer.Option(min=1, help="How often to take all repeats.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the first sitting's neighbour.")] = 1,
    reports: Annotated[Path, typer.Option(help="Where accuracy/ lies.")] = REPORTS,
) -> None:
    """Prove that the numbers are right on this machine; takes twenty minutes a sitting."""
    with clear_errors():
        from bench.proof.accuracy import SEEDS_APART
        from bench.proof.accuracy import accuracy as prove

        folder = run_folders.dated(reports, "accuracy")
        seeds = [seed + SEEDS_APART * number if neighbour else None for number in range(sittings)]
        point("Table and picture", prove(repeats, simulations, folder, tell, seeds))


def measure(folder: Path, manifest: Manifest, reports: Path, how: Explaining | None) -> int:
    """Run the passes, tell the answer, explain it, and write the report of what there is; the exit code."""
    from bench.run.progress import Bar

    cache = run_folders.cache_folder()
    try:
        then = None if how is None else partial(expected_seconds, cache=cache, how=how)
        with Bar(console, then) as bar, _interrupted() as passes:
            Runner(folder, manifest, bar).run()
    except WorkerRefused:
        run_folders.discard(folder)
        raise
    next_ = _tell_answer(folder)
    with Bar(console) as bar, _interrupted() as explaining:
        if how is not None and not passes:
            explain(folder, manifest, cache, bar, how)
    failed = _report(folder, reports, next_)
    if passes or explaining:
        show(["Interrupted. Go on with:", f"    {me()} run --resume {folder}"])
        return INTERRUPTED
    return SOMETHING_FAILED if failed else OK


@contextmanager
def _interrupted() -> Iterator[list[bool]]:
    """A list that is empty until Ctrl-C ends what is inside, and nothing else."""
    found: list[bool] = []
    try:
        yield found
    except KeyboardInterrupt:
        found.append(True)


def _tell_answer(folder: Path) -> list[str]:
    """The usual case as a table, who wins where, and what is to be known of it; the lines that say how to use its
    fastest, and what to type next."""
    from bench.report.advised import use_it
    from bench.report.answer import text, trouble
    from bench.report.facets import usual_case
    from bench.report.findings import findings
    from bench.report.warned import sentences
    from bench.table.cells import cells
    from bench.table.reading import read_run
    from bench.table.winners import winners

    found = read_run(folder)
    table = cells(found)
    console.print()
    if told := text(table, found.manifest):
        show(told.splitlines())
    else:
        tell(findings(table, found.manifest.baseline)[0].text)
    for line in sentences(table):
        tell(f"Warning: {line}", "yellow")
    for line in trouble(table):
        tell(line, "red")
    console.print()
    measured = table[table["seconds"].notna()]
    if measured["implementation"].nunique() < 2:
        return []
    usual = usual_case(measured)
    best = winners(measured).get(usual)
    lines = use_it(best.names[0], Case.parse(usual).network) if best and best.decided else []
    return [*lines, "What to use at sizes of your own:", f"    {me()} advise {asked(Case.parse(usual))}"]


def _report(folder: Path, reports: Path, then: list[str]) -> bool:
    """Write the report, let `latest` point to it, and say where it is, and `then` these lines; whether any cell
    failed."""
    from bench.report.build import write
    from bench.table.reading import read_run

    found = read_run(folder)
    with console.status("writing the report ..."):
        index = write(found, folder)
    page = run_folders.point_latest(reports, folder) / index.name
    point("Report", page)
    show(then)
    return any(record.status == FAILED for record in found.manifest.cells)
