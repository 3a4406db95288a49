"""The command that looks back over many runs: history."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cases.settings import parse_seconds
from bench.commands.console import INTERRUPTED, REPORTS, clear_errors, console, fail, me, point, show, tell
from bench.commands.options import RunsFolder, grouped
from bench.store import folder as run_folders
from bench.table.outcome import INCOMPARABLE_CODE, Incomparable

if TYPE_CHECKING:
    from bench.history.changes import Change, Found
    from bench.history.series import History

LEAST_EFFECT, MOST_EFFECT = 0.01, 0.03
"""What a gate that looks for a commit calls a change: half of the one it looks for, within these."""


@dataclass(frozen=True)
class Adding:
    """How a run becomes part of a history."""

    add: Annotated[str, typer.Option(help="Only put the summary of this run, or `latest`, into a history.")] = ""
    into: Annotated[Path | None, typer.Option(help="The folder of that history, such as of a git branch.")] = None


@dataclass(frozen=True)
class Bisecting:
    """How the commit of a change is looked for."""

    bisect: Annotated[str, typer.Option(help="Look for the commit of this change, by the gate.")] = ""
    budget: Annotated[str, typer.Option(help="Most time for each gate of --bisect.")] = "3m"


@grouped
def history(
    *,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of runs or of their summaries, one history; default: reports/runs."),
    ] = None,
    by: Annotated[str, typer.Option(help="Put runs in order by `commit` or by `date`.")] = "commit",
    adding: Adding,
    bisecting: Bisecting,
    output: Annotated[Path | None, typer.Option(help="Folder for the page; default: reports/history.")] = None,
    reports: RunsFolder = REPORTS,
) -> None:
    """What changed over many commits, and when: a page, a table, and which commit it was."""
    with clear_errors():
        if adding.add or adding.into:
            _add(adding, reports)
            return
        found, told = _found(folders or [reports / "runs"], by)
        if bisecting.bisect:
            raise typer.Exit(_bisect(found, told, bisecting))
        from bench.report.over_time.chronicle import write
        from bench.report.over_time.told import ending

        again = " ".join([me(), "history", *map(str, folders or []), *(["--by", by] if by != "commit" else [])])
        for line, style in ending(found, told, again, console.width):
            show([line], style)
        console.print()
        point("Page", write(found, told, output or reports / "history"))


def _add(adding: Adding, reports: Path) -> None:
    from bench.history.summary import add

    if not adding.add or adding.into is None:
        raise ValueError("--add RUN and --into FOLDER go together")
    given = Path(adding.add)
    point("Added", add(given if given.is_file() else run_folders.find(adding.add, reports), adding.into))


def _found(folders: list[Path], by: str) -> tuple[History, Found]:
    """The history in these folders, and what changed in it. Raises ValueError, BrokenFile."""
    from bench.history.changes import changes
    from bench.history.series import COMMIT, DATE, history
    from bench.history.shifts import missing
    from bench.history.summary import read_all

    if by not in (COMMIT, DATE):
        raise ValueError(f"--by {by}: known are {COMMIT} and {DATE}")
    if text := missing():
        raise ValueError(text)
    summaries, left_out = read_all(folders)
    found = history(summaries, by)
    for line in left_out:
        tell(line, "dim")
    return found, changes(found)


def _bisect(found: History, told: Found, how: Bisecting) -> int:
    """Look for the commit of a change; the gate's exit code."""
    from bench.gate.bisection import bisect, candidates, gate_of, settings_of
    from bench.gate.worktree import resolve, top
    from bench.report.over_time.searched import lines, opening
    from bench.report.verdicts import ending, news

    change = _change(told, how.bisect)
    root, option = top(Path.cwd()), f"--bisect {how.bisect}:"
    ends = [found.runs[number].commit_id for number in (change.place.first, change.place.last)]
    if not all(ends):
        raise ValueError(f"{option} the runs around it have no commit")
    first, last = (resolve(root, each, option) for each in ends)
    after = candidates(root, first, last)
    least = min(MOST_EFFECT, max(LEAST_EFFECT, abs(change.ratio.value - 1) / 2))
    settings = settings_of(change.cell, parse_seconds(how.budget))
    tell(opening(found, change, len(after)))
    try:
        with tempfile.TemporaryDirectory() as logs:
            gate = gate_of(root, settings, least, Path(logs, "worker.log"), lambda event: tell(f"  {news(event)}"))
            searched = bisect(first, after, gate)
    except Incomparable as error:
        fail(f"incomparable: {error}", INCOMPARABLE_CODE)
    except KeyboardInterrupt:
        fail("interrupted; nothing is left behind", INTERRUPTED)
    for line, style in ending(searched.outcome, console.width):
        show([line], style)
    console.print()
    steps = [(str(commit), verdict) for commit, verdict in searched.steps[1:]]
    for text in lines(steps, [str(commit) for commit in searched.left]):
        tell(text)
    return searched.outcome.exit_code()


def _change(told: Found, wanted: str) -> Change:
    """The change of an id, if gates can tell of it. Raises ValueError."""
    from bench.history.changes import TIME

    found = next((change for change in told.changes if change.id == wanted), None)
    if found is None:
        known = ", ".join(change.id for change in told.changes[:12]) or "none"
        raise ValueError(f"--bisect {wanted}: no change has this id; there are {known}")
    if found.causes:
        names = ", ".join(found.causes)
        raise ValueError(f"--bisect {wanted}: machine or software changed there ({names}), which no commit did")
    if found.what != TIME:
        raise ValueError(f"--bisect {wanted}: the gate's time says nothing of {found.what}, which is exact")
    return found
