"""Which commit it was: by gates that are planted, and by git's own order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.gate.bisection import MOST_STEPS, Gate, bisect, candidates, settings_of
from bench.gate.worktree import Commit, GitError, resolve
from bench.table.outcome import (
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Incomparable,
    Outcome,
    Uncompared,
)
from tests.gate.repository import SOUND, Repository
from tests.history.planted import CASES, CELLS, commit

FIRST, *AFTER = (Commit(commit(k), commit(k)) for k in range(33))


def planted(bad: int, verdict: str = REGRESSED, untold: tuple[int, ...] = ()) -> tuple[Gate, list[int]]:
    """A gate for which commits from `bad` on have this verdict, those `untold` none; and the commits it was asked."""
    asked: list[int] = []

    def gate(base: Commit, head: Commit) -> Outcome:
        assert base == FIRST
        number = AFTER.index(head) + 1
        asked.append(number)
        outcome = Outcome(str(base), str(head), 0.03)
        if number in untold:
            outcome.uncompared = [Uncompared(CELLS[0], INCOMPARABLE, "it does not build")]
            return outcome
        said = verdict if number >= bad else UNCHANGED
        outcome.verdicts = [CellVerdict(CELLS[0], said, 0.1, 0.08, 0.12, 9)]
        return outcome

    return gate, asked


@pytest.mark.parametrize("bad", [1, 2, 17, 31, 32])
@pytest.mark.parametrize("verdict", [REGRESSED, IMPROVED])
def test_the_first_that_has_it_is_found(bad: int, verdict: str) -> None:
    """Wherever it is, in as many gates as halving takes."""
    gate, asked = planted(bad, verdict)
    found = bisect(FIRST, AFTER, gate)
    assert found.left == [AFTER[bad - 1]]
    assert asked[0] == 32 and len(asked) <= 7
    assert found.outcome.exit_code() == (1 if verdict == REGRESSED else 0)
    assert [said for _, said in found.steps].count(verdict) >= 1


def test_one_commit_needs_one_gate() -> None:
    """There is nothing to halve."""
    gate, asked = planted(1)
    assert bisect(FIRST, AFTER[:1], gate).left == AFTER[:1]
    assert asked == [1]


@pytest.mark.parametrize("verdict", [UNCHANGED, INCONCLUSIVE])
def test_a_change_that_the_gate_does_not_see_is_not_looked_for(verdict: str) -> None:
    """One gate, and no commit."""
    gate, asked = planted(1, verdict)
    found = bisect(FIRST, AFTER, gate)
    assert (found.left, asked, found.outcome.verdicts[0].verdict) == ([], [32], verdict)


def test_commits_that_cannot_be_measured_are_gone_around() -> None:
    """What is left holds the one, and those that could not be told from it."""
    gate, _ = planted(17, untold=(15, 16, 17))
    found = bisect(FIRST, AFTER, gate)
    assert found.left == AFTER[14:18]
    assert "incomparable: it does not build" in [said for _, said in found.steps]


def test_ends_that_cannot_be_measured_are_said() -> None:
    """Nothing can be said then."""
    gate, _ = planted(1, untold=(32,))
    with pytest.raises(Incomparable, match="it does not build"):
        bisect(FIRST, AFTER, gate)
    with pytest.raises(ValueError, match="there is no commit after"):
        bisect(FIRST, [], gate)


def test_it_ends_after_so_many_gates() -> None:
    """However many commits there are; what is left holds the one."""
    gate, asked = planted(20, untold=tuple(range(2, 32)))
    found = bisect(FIRST, AFTER, gate)
    assert len(asked) == MOST_STEPS + 1
    assert AFTER[19] in found.left


def test_settings_are_of_one_cell() -> None:
    """Every axis of its case, and its implementation."""
    for case in (*CASES, Case(mode="training", network="gru", batch_size=4, dtype="float64", loss="last")):
        assert settings_of((case.id, "looped"), 60).cells() == [(case, "looped")]


def test_commits_are_gits(tmp_path: Path) -> None:
    """The oldest first, without the first; none where the last does not come after it."""
    repository = Repository(tmp_path / "theirs").write(SOUND)
    ids = [repository.commit().git("rev-parse", "HEAD").strip() for _ in range(4)]
    first, last = (resolve(repository.folder, ids[k]) for k in (0, 3))
    assert [each.id for each in candidates(repository.folder, first, last)] == ids[1:]
    with pytest.raises(GitError, match="does not come after"):
        candidates(repository.folder, last, first)
    with pytest.raises(GitError, match=r"^--bisect abc: 123: git knows no such commit|--bisect"):
        resolve(repository.folder, "123", "--bisect abc:")
