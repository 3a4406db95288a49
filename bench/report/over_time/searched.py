"""What a search for a commit found, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.history.changes import Change
from bench.history.series import History
from bench.report.labels import Labels
from bench.report.over_time.told import counted, effect, place

MOST_NAMED = 5
"""Commits that are named where it may be any of them."""


def opening(history: History, change: Change, commits: int) -> str:
    """What is looked for, and among how many commits."""
    named = Labels(history.cells).whole(change.cell)
    return f"{named}, {effect(change)} in time, {place(history, change)}: {counted(commits, 'commit')} to look at."


def lines(steps: Sequence[tuple[str, str]], left: Sequence[str]) -> Iterator[str]:
    """Each gate beside the first, a commit and its verdict; and what came of it, which stands last: `left` are the
    commits that it may be, none where the gate does not see the change."""
    for commit, verdict in steps:
        yield f"{commit}: {verdict}"
    if len(left) == 1:
        yield f"The first commit that has it is {left[0]}."
    elif left:
        some = ", ".join(left[:MOST_NAMED]) + (", ..." if len(left) > MOST_NAMED else "")
        yield f"It is one of {counted(len(left), 'commit')}, between which the gate could not tell: {some}."
    else:
        yield "The gate does not see the change between these commits, so there is no commit to look for."
