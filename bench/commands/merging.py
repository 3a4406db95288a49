"""The command that puts runs together: merge."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.console import clear_errors, me, point, show, tell
from bench.store import folder as run_folders


def merge(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, ids under reports/runs, or folders of several, such as a sweep's.")
    ],
    into: Annotated[Path, typer.Option(help="Folder of the merged run; one that is there is replaced.")],
    reports: Annotated[Path, typer.Option(help="Where runs/ lies.")] = Path("reports"),
) -> None:
    """Put runs together, machine by machine; ratios are never formed across machines."""
    with clear_errors():
        from bench.store.merged import run_folders_in

        put_together([path for name in runs for path in run_folders_in(_place(name, reports))], into)
        point("Merged run", into)
        show([f"    {me()} report {into}"])


def put_together(runs: Iterable[Path], into: Path) -> None:
    """Merge these run folders, each once, and tell what became of each machine's. Raises BrokenFile, OSError."""
    from bench.store.compact import read_stored
    from bench.store.merged import check_target, read_merged, write_merged
    from bench.store.pooled import pool
    from bench.table.cells import cells
    from bench.table.reading import run_of
    from bench.table.tidy import of_machines, write_cells

    check_target(into)
    folders = {path.resolve(): path for path in runs}
    pools = pool([read_stored(path) for path in folders.values()], into.name)

    def tables(merged: Path) -> None:
        found = {}
        for each, machine in zip(pools, read_merged(merged), strict=True):
            found[each.fingerprint] = cells(run_of(each.stored, machine.folder))
            each.stored.samples = each.stored.samples.slice(0, 0)  # they fill the memory, and are on disk now
        write_cells(merged / "cells.parquet", of_machines(found))

    write_merged(into, pools, tables)
    for each in pools:
        measured, passes = len(each.stored.manifest.cells), len(each.stored.sources)
        cpu = each.stored.manifest.machine.get("gpu") or each.stored.manifest.machine.get("cpu") or "unknown"
        show([f"{each.fingerprint}  {cpu}: {measured} cells, {passes} passes of {len(each.runs)} runs"])
        for note in each.notes:
            tell(note, "yellow")


def _place(name: str, reports: Path) -> Path:
    """The folder behind a path, or behind the id of a run."""
    return Path(name) if Path(name).exists() else run_folders.find(name, reports)
