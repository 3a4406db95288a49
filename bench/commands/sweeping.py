"""The command that measures in many jobs: sweep."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from time import sleep, time
from typing import Annotated, Any

import typer

from bench.cases.settings import Settings
from bench.commands.cluster import ATTEMPTS, Begun, Cluster, Parts
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
from bench.commands.measuring import Effort
from bench.commands.merging import put_together
from bench.commands.options import Overrides, RunsFolder, Selection, grouped
from bench.store.files import BrokenFile
from bench.store.manifest import FAILED as CELL_FAILED
from bench.store.manifest import read_manifest
from bench.sweep import slurm
from bench.sweep.attempts import BROKEN, attempts_path, read_attempts
from bench.sweep.attend import Attendant
from bench.sweep.executor import Executor, Job, NoAnswer
from bench.sweep.local import Local
from bench.sweep.planning import LOCAL, SLURM, begin, devices_of, plan
from bench.sweep.slurm import Slurm
from bench.sweep.standing import GIVEN_UP, Row, last_jobs, rows_of
from bench.sweep.sweepfile import (
    CANCELLED,
    REFUSED,
    RUNNING,
    SHARDS,
    STOPPED,
    Sweep,
    attended,
    create,
    find,
    read_sweep,
    write_sweep,
)
from bench.sweep.watch import Watch, duration, line, table


@grouped
def sweep(
    *,
    selection: Selection,
    baseline: Annotated[str, typer.Option(help="What speed-ups are relative to; default: manual.")] = "",
    axes: Overrides,
    effort: Effort,
    explain: Annotated[bool, typer.Option(help="Say why, in each shard: floors, and where the time goes.")] = False,
    parts: Parts,
    cluster: Cluster,
    begun: Begun,
    reports: RunsFolder = REPORTS,
) -> None:
    """Measure in many jobs: here one after the other, or on a Slurm cluster."""
    with clear_errors():
        if begun.status:
            code = _status(find(begun.status, reports))
        elif begun.cancel:
            code = _cancel(find(begun.cancel, reports))
        elif begun.attach:
            folder = find(begun.attach, reports)
            code = _attend(folder, _executor(folder, read_sweep(folder)), parts.attempts, again=True)
        else:
            settings = selection.settings(axes, baseline=baseline, **effort.settings(selection.preset))
            folder = _create(settings, parts, cluster.options(), explain, reports)
            code = _attend(folder, _executor(folder, read_sweep(folder)), parts.attempts, again=False)
    raise typer.Exit(code)


def _create(settings: Settings, asked: Parts, options: dict[str, Any], explain: bool, reports: Path) -> Path:
    """Plan a sweep and write its folder; nothing is written where anything is wrong. Raises ValueError."""
    executor, attempts = asked.executor, asked.attempts or ATTEMPTS
    if executor not in (LOCAL, SLURM):
        raise ValueError(f"unknown executor {executor!r}; known are {LOCAL}, {SLURM}")
    if executor == SLURM:
        Slurm(reports, options, str(Path.cwd()), attempts).check()
    settings = dataclasses.replace(settings, devices=settings.devices or devices_of(executor, options))
    parts = plan(settings, asked.shards)
    if len(parts) < asked.shards:
        tell(f"There are only {len(parts)} cases, so {len(parts)} shards instead of {asked.shards}.")
    folder = create(reports, settings.preset).resolve()
    write_sweep(folder, begin(folder, settings, parts, executor, options, attempts, explain))
    count, longest = sum(len(part.cases) for part in parts), duration(max(part.seconds for part in parts))
    tell(f"Sweep {folder.name}: {count} cases in {len(parts)} shards, the longest estimated at {longest}.")
    return folder


def _executor(folder: Path, there: Sweep) -> Executor:
    """What starts the jobs of a sweep. Raises ValueError where it can't."""
    if there.executor == LOCAL:
        return Local(folder, there.directory)
    found = Slurm(folder, there.options, there.directory, there.attempts)
    found.check()
    return found


def _attend(folder: Path, executor: Executor, attempts: int | None, again: bool) -> int:
    """Look until all is done, or until Ctrl-C; the exit code."""
    with attended(folder), Watch(console) as watch:
        attendant = Attendant(folder, executor, watch.note)
        try:
            if again:
                attendant.come_back(attempts)
            else:
                _begin(attendant)
            while True:
                rows = attendant.look()
                watch.show(rows, attendant.silence)
                if attendant.sweep.status != RUNNING:
                    break
                sleep(executor.pause)
        except KeyboardInterrupt:
            attendant.leave()
            watch.__exit__(None, None, None)
            return _left(attendant.sweep, executor)
        except BaseException:
            attendant.leave()
            raise
        executor.close()
    return _ended(folder, attendant.sweep, rows)


def _begin(attendant: Attendant) -> None:
    """Submit. A sweep of which nothing was taken leaves nothing. Raises ValueError."""
    try:
        attendant.begin()
    except ValueError as error:
        attendant.executor.cancel(last_jobs(attendant.sweep))
        attendant.sweep.status, attendant.sweep.reason = REFUSED, str(error)
        write_sweep(attendant.folder, attendant.sweep)
        raise


def _left(there: Sweep, executor: Executor) -> int:
    goes_on = "its jobs go on" if executor.detachable else "what is measured is kept"
    show([f"Detached from sweep {there.id}; {goes_on}. Come back with:", f"    {me()} sweep --attach {there.id}"])
    return INTERRUPTED


def _ended(folder: Path, there: Sweep, rows: list[Row]) -> int:
    """Say what became of a sweep, and what to do with it; the exit code. Raises BrokenFile, ValueError."""
    if console.is_terminal:
        console.print(table(rows, time()))
    if there.status == REFUSED:
        raise ValueError(there.reason)
    failed = [row for row in rows if row.state == GIVEN_UP]
    for row in failed:
        tell(f"{row.name} failed: {row.note}", "red")
    for note in there.notes:
        tell(f"Warning: {note}", "yellow")
    _merge(folder)
    for shard in there.shards:
        attempts = read_attempts(attempts_path(folder, shard.name))
        if attempts and attempts[-1].outcome == BROKEN:
            raise BrokenFile(f"{attempts[-1].reason}; take it away, then --attach {there.id} goes on")
    if there.status == STOPPED:
        tell("The sweep was cancelled.")
        return SOMETHING_FAILED
    return SOMETHING_FAILED if failed or _cells_failed(folder) else OK


def _merge(folder: Path) -> None:
    """Put what was measured together, and write its report. Raises BrokenFile, OSError."""
    measured = sorted({path.parents[1] for path in (folder / SHARDS).glob("*/passes/pass-*.json")})
    if not measured:
        return
    from bench.report.build import build

    merged = folder / "merged"
    put_together(measured, merged)
    point("Report", build(merged))


def _cells_failed(folder: Path) -> bool:
    """Whether any cell failed while it was measured. Raises BrokenFile."""
    manifests = (read_manifest(path.parent) for path in sorted((folder / SHARDS).glob("*/run.json")))
    return any(record.status == CELL_FAILED for manifest in manifests for record in manifest.cells)


def _status(folder: Path) -> int:
    """Show a sweep once, by its files and, for Slurm, by what squeue knows."""
    there = read_sweep(folder)
    jobs: dict[str, Job] | None = None
    if there.executor == SLURM and there.status == RUNNING:
        try:
            jobs = slurm.known_jobs(last_jobs(there))
        except NoAnswer as error:
            tell(f"{error}; this is what the files say.", "yellow")
    elif there.status != RUNNING:
        jobs = {}
    rows = rows_of(folder, there, jobs)
    if console.is_terminal:
        console.print(table(rows, time()))
    else:
        show([line(row) for row in rows])
    show([f"{there.id}: {there.status}{f': {there.reason}' if there.reason else ''}", *there.notes])
    return OK


def _cancel(folder: Path) -> int:
    """Cancel what is left; whoever attends the sweep sees it."""
    there = read_sweep(folder)
    if there.status != RUNNING:
        raise ValueError(f"{there.id} is {there.status} already")
    (folder / CANCELLED).touch()
    if there.executor == SLURM:
        slurm.need_slurm()
        slurm.cancel(last_jobs(there))
    try:
        with attended(folder):
            there = read_sweep(folder)
            there.status = STOPPED
            write_sweep(folder, there)
    except ValueError:
        pass  # whoever attends it writes that
    tell(f"{there.id} is cancelled; what is measured is kept.")
    return OK
