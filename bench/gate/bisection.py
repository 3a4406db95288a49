"""Which commit it was: gates of one cell between a commit before a change and those after it.

    the gate of the last against the first: did it change at all?
    while more than one commit could be it:
        the gate of the middle one against the first: the same verdict -> it or one before it; unchanged -> one after it

Every gate is held against the same first commit, so that small changes that lie between do not add up unseen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases.case import FIELDS, Case, Cell
from bench.cases.settings import Settings
from bench.gate.pairs import measure_pairs
from bench.gate.pursuit import Tell
from bench.gate.sides import Side
from bench.gate.worktree import Commit, GitError, commits_between, worktree
from bench.table.outcome import IMPROVED, REGRESSED, UNCHANGED, Incomparable, Outcome

MOST_STEPS = 10
"""Gates beside the first: enough for a thousand commits."""

Gate = Callable[[Commit, Commit], Outcome]
"""(base, head) -> what the gate finds."""


@dataclass
class Bisected:
    """What came of it. `outcome` is of the last commit against the first; `left` are the commits that could be it: one
    where it was found, none where the gate sees no change; `steps` are the commits looked at, each with its verdict,
    or why there is none."""

    outcome: Outcome
    left: list[Commit] = field(default_factory=list)
    steps: list[tuple[Commit, str]] = field(default_factory=list)


def bisect(first: Commit, after: Sequence[Commit], gate: Gate, most: int = MOST_STEPS) -> Bisected:
    """Look for the commit among those `after` the first, the oldest first, whose gate is the first to say what that of
    the last says. Raises Incomparable for a first or last that can't be measured, ValueError for no commit."""
    if not after:
        raise ValueError(f"there is no commit after {first}")
    outcome = gate(first, after[-1])
    wanted = _verdict(outcome)
    found = Bisected(outcome, steps=[(after[-1], wanted)])
    if wanted not in (REGRESSED, IMPROVED):
        return found
    found.left = list(after)
    untold: set[str] = set()
    while len(found.steps) <= most:
        tried = [commit for commit in found.left[:-1] if commit.id not in untold]
        if not tried:
            break
        middle = tried[(len(tried) - 1) // 2]
        verdict = _tried(gate, first, middle)
        found.steps.append((middle, verdict))
        at = found.left.index(middle) + 1
        if verdict == wanted:
            found.left = found.left[:at]
        elif verdict == UNCHANGED:
            found.left = found.left[at:]
        else:
            untold.add(middle.id)
    return found


def _verdict(outcome: Outcome) -> str:
    """Of the one cell."""
    if outcome.verdicts:
        return outcome.verdicts[0].verdict
    reason = outcome.too_few or next((left.reason for left in outcome.uncompared), "nothing could be compared")
    raise Incomparable(reason)


def _tried(gate: Gate, first: Commit, commit: Commit) -> str:
    """The verdict on a commit between; why there is none, where it can't be measured."""
    try:
        return _verdict(gate(first, commit))
    except Incomparable as error:
        return f"incomparable: {error}"


def settings_of(cell: Cell, budget: float, timeout: float = 60.0) -> Settings:
    """A gate's settings for one cell; seconds. Raises ValueError for a cell that this version does not know."""
    case = Case.parse(cell[0])
    axes = {name: (getattr(case, name),) for name in FIELDS if name != "device"}
    return Settings("gate", (case.device,), cell[1], overrides=axes, budget=budget, timeout=timeout, cases=(case.id,))


def gate_of(root: Path, settings: Settings, min_effect: float, log: Path, tell: Tell) -> Gate:
    """A gate between any two commits of a repository; the current folder becomes its root."""
    os.chdir(root)

    def gate(base: Commit, head: Commit) -> Outcome:
        with worktree(root, base) as before, worktree(root, head) as after:
            sides = Side(str(base), before), Side(str(head), after)
            return measure_pairs(sides, settings, min_effect, log, tell)

    return gate


def candidates(root: Path, first: Commit, last: Commit) -> list[Commit]:
    """The commits after the first up to the last, the oldest first, along the last's first parents. Raises GitError
    where the last does not come after the first."""
    found = commits_between(root, first, last)
    if not found:
        raise GitError(f"{last} does not come after {first}")
    return found
