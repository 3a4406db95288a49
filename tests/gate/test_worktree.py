"""A commit's tree for a while: there, then gone, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gate.sides import prepared, relative
from bench.gate.worktree import PREFIX, GitError, is_dirty, resolve, top, worktree
from tests.gate.repository import SOUND, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """With one commit."""
    return Repository(tmp_path / "theirs").write(SOUND).commit()


def test_the_tree_is_the_commits(repository: Repository) -> None:
    """Not the working tree's; and afterwards neither folder nor entry is left."""
    repository.write("changed")
    with worktree(repository.folder, resolve(repository.folder, "HEAD")) as tree:
        assert (tree / "mine.py").read_text() == SOUND
        assert len(repository.git("worktree", "list").splitlines()) == 2
        (tree / "left-by-a-run.txt").write_text("")
    assert not tree.exists()
    assert len(repository.git("worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_it_goes_also_after_an_error(repository: Repository, error: type[BaseException]) -> None:
    """Ctrl-C among them."""
    with pytest.raises(error), worktree(repository.folder, resolve(repository.folder, "main")) as tree:
        raise error
    assert not tree.exists()
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_what_a_killed_gate_left_is_swept_up(repository: Repository, tmp_path: Path) -> None:
    """A worktree whose process is no more goes with the next gate; one of a living process stays."""
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    orphan = tmp_path / f"{PREFIX}{dead.stdout.strip()}-x"
    living = tmp_path / f"{PREFIX}{os.getpid()}-x"
    for folder in (orphan, living):
        repository.git("worktree", "add", "--detach", str(folder), "HEAD")
    with worktree(repository.folder, resolve(repository.folder, "HEAD")):
        assert not orphan.exists()
        assert living.exists()


def test_commits_by_any_name(repository: Repository) -> None:
    """Branches, tags, HEAD and parts of an id; what people are told holds both."""
    full = repository.git("rev-parse", "HEAD").strip()
    assert str(resolve(repository.folder, "main")) == f"main ({full[:9]})"
    assert str(resolve(repository.folder, full[:12])) == full[:9]
    assert not is_dirty(repository.folder)
    repository.write("", "untracked.py")
    assert not is_dirty(repository.folder), "nobody asks for it"
    assert is_dirty(repository.folder, ["untracked.py"])


@pytest.mark.parametrize("ref", ["nosuch", "--all", "HEAD:mine.py", ""])
def test_what_is_no_commit_is_said(repository: Repository, ref: str) -> None:
    """In one line that names it."""
    with pytest.raises(GitError, match="git knows no such commit"):
        resolve(repository.folder, ref)


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told apart."""
    with pytest.raises(GitError, match="not a git repository"):
        top(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed"):
        top(tmp_path)


def test_files_are_named_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that each tree has its own; a file outside of it is one file for both."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert relative("default,my.py:Mine", tmp_path) == "default,sub/my.py:Mine"
    assert relative(f"{tmp_path}/my.py:Mine", tmp_path) == "my.py:Mine"
    assert relative("/elsewhere/my.py:Mine", tmp_path) == "/elsewhere/my.py:Mine"


def test_a_base_must_be_named() -> None:
    """Else there is nothing to compare with."""
    with pytest.raises(ValueError, match="say what to compare with"), prepared("", "", "default"):
        pass
    with pytest.raises(ValueError, match="there is no such program"), prepared("", "/no/python", "default"):
        pass


def test_interrupted_while_it_lasts(repository: Repository) -> None:
    """A process that gets SIGINT twice still takes its worktree away."""
    code = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom bench.gate.worktree import resolve, worktree\n"
        "root = Path(sys.argv[1])\n"
        "with worktree(root, resolve(root, 'HEAD')) as tree:\n    print(tree, flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(repository.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    tree = Path(process.stdout.readline().strip())
    assert tree.exists()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    process.stdout.close()
    assert not tree.exists()
    assert len(repository.git("worktree", "list").splitlines()) == 1
