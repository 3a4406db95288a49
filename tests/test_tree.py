"""Whose code is measured: that of the tree, not what happens to be installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.host.process import environment
from rnn_impls import registry
from tests import warm
from tests.command import process
from tests.gate.repository import SMALLEST, Repository
from tests.test_checkup import ONE

LIBRARY = """
from torch import Tensor
from rnn_impls.whole import Whole


class Elman(Whole):
    '''one `nn.RNN` call, {times} times'''

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        for _ in range({times}):
            results = super().forward(inputs, hidden)
        return results
"""
ADAPTER = "from tinyrnn import Elman\n"


def library(folder: Path, times: int = 1) -> Path:
    """A package `tinyrnn` in a folder."""
    (folder / "tinyrnn").mkdir(parents=True, exist_ok=True)
    (folder / "tinyrnn" / "__init__.py").write_text(LIBRARY.format(times=times))
    return folder


def test_each_side_imports_its_own_source(tmp_path: Path) -> None:
    """From its root and its `src/`, before anything that is installed, and whatever the file that imports it says."""
    installed, side = library(tmp_path / "installed"), tmp_path / "side"
    library(side / "src")
    (side / "beside.py").write_text("")
    (tmp_path / "shows.py").write_text(
        "import sys; from pathlib import Path; from bench.worker import tree; tree.enter(Path(sys.argv[1]))\n"
        "import beside, tinyrnn; print(beside.__file__, tinyrnn.__file__, tree.outside(Path('.')), sep='\\n')"
    )
    path = f"{environment()['PYTHONPATH']}:{installed}:{tmp_path}"
    command = [sys.executable, "-P", "-m", "shows", str(side)]
    done = warm.run(command, env=environment() | {"PYTHONPATH": path}, check=True)
    assert done.stdout.splitlines() == [str(side / "beside.py"), str(side / "src" / "tinyrnn" / "__init__.py"), ""]


def test_the_first_gate_of_an_implementation_says_so(tmp_path: Path) -> None:
    """The pull request that adds it has nothing to be compared with, and is told what to do."""
    repository = Repository(tmp_path / "theirs").write("", "other.py").commit()
    library(repository.folder / "src")
    repository.write(ADAPTER)
    ended = repository.bench("gate", "--base", "HEAD", "--impl", "mine.py:Elman", *SMALLEST)
    assert ended.code == 3
    assert ended.verdict.startswith("First gate: nothing to compare yet, since HEAD (")
    assert ended.verdict.endswith("does not have `Elman`. Merge it; the next change is the first that can be compared.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scratch.py": "", "notes.txt": ""}, False),
        ({"helper.py": "", "mine.py": "import helper\n"}, True),
        ({"mine.py": "import os\n"}, True),
    ],
)
def test_only_what_counts_is_an_uncommitted_change(tmp_path: Path, change: dict[str, str], said: bool) -> None:
    """Files that git does not know of count when they are imported."""
    from bench.gate.worktree import is_dirty

    repository = Repository(tmp_path / "theirs").write(ADAPTER).commit()
    for name, text in change.items():
        repository.write(text, name)
    assert is_dirty(repository.folder, ["mine.py"]) is said


def test_an_untracked_helper_that_is_imported_counts(tmp_path: Path) -> None:
    """The file that imports it is committed; the helper is not."""
    from bench.gate.worktree import is_dirty

    repository = Repository(tmp_path / "theirs").write("from helper import x\n").commit().write("x = 1\n", "helper.py")
    assert is_dirty(repository.folder, ["mine.py"])
    assert not is_dirty(repository.folder, ["other.py"])


RELATIVE = "from .base import Base\n\n\nclass Elman(Base):\n    '''a relative import'''\n"


def real_package(folder: Path) -> Path:
    """A package whose module imports another of it by a relative name."""
    library(folder)
    (folder / "tinyrnn" / "base.py").write_text("from rnn_impls.whole import Whole as Base\n")
    (folder / "tinyrnn" / "elman.py").write_text(RELATIVE)
    return folder


@pytest.mark.parametrize("name", ["tinyrnn/elman.py:Elman", "tinyrnn.elman:Elman"])
def test_a_module_of_a_package_is_found(tmp_path: Path, name: str) -> None:
    """By its file or by its name, from the folder that holds the package."""
    real_package(tmp_path)
    code, out, err = process("check", name, *ONE, "--hidden-size", "4", folder=tmp_path)
    assert code == 0, out + err
    assert "`Elman` computes the network" in out


def test_a_file_of_a_package_that_is_another_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its name leads to another file, that one would be measured in its place."""
    installed, mine = real_package(tmp_path / "installed"), real_package(tmp_path / "mine")
    for place in (mine, installed):
        monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, "tinyrnn", raising=False)
    try:
        with pytest.raises(
            ValueError, match=r"elman\.py does not import: ImportError: tinyrnn\.elman is imported from"
        ):
            registry.load(f"{mine}/tinyrnn/elman.py:Elman")
    finally:
        for name in [name for name in sys.modules if name.startswith("tinyrnn")]:
            del sys.modules[name]


def test_names_of_modules_are_not_looked_for_among_files() -> None:
    """A name with a colon is a module's, one with `.py:` a file's."""
    assert registry.select("tinyrnn.elman:Elman", "cpu") == ["tinyrnn.elman:Elman"]
    with pytest.raises(ValueError, match="unknown implementation '1bad:Elman'"):
        registry.select("1bad:Elman", "cpu")
