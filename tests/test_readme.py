"""What the README shows is what the project does."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.host.process import environment
from bench.measure.parity import check
from bench.measure.reference import Reference
from bench.report.readme import README, ROOT, reference, updated
from bench.store.manifest import MEASURED
from bench.store.passes import pass_files
from bench.table.cells import cells
from bench.table.reading import read_run
from rnn_impls import registry
from tests import warm

TEXT = README.read_text()


def example(marker: str = "example") -> str:
    """The README's example implementation, as written."""
    found = re.search(rf"<!-- {marker}:begin -->\n```python\n(.*?)```\n<!-- {marker}:end -->", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize(("marker", "name"), [("example", "MyRNN"), ("bare", "Bare")])
def test_the_examples_are_equal(tmp_path: Path, mode: str, marker: str, name: str) -> None:
    """They pass parity, and are shorter than 30 lines."""
    path = tmp_path / "my_rnn.py"
    path.write_text(example(marker))
    assert len(example(marker).splitlines()) < 30
    case = Case(mode=mode, hidden_size=8, input_size=5, seq_len=6, batch_size=2)
    assert check(Reference.of(case), registry.load(f"{path}:{name}")) < 1e-5


def test_the_example_is_measured(tmp_path: Path) -> None:
    """The command below it runs as written, here on the smallest of cases."""
    (tmp_path / "my_rnn.py").write_text(example())
    (command,) = re.findall(r"^python -m bench run --impl default,my_rnn.py:MyRNN$", TEXT, re.MULTILINE)
    small = "--preset smoke --hidden-size 8 --seq-len 2 --mode inference --passes 2 --device cpu --no-explain"
    done = warm.run([sys.executable, *command.split()[1:], *small.split()], cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    table = cells(read_run(tmp_path / "reports" / "latest"))
    assert table["status"].eq(MEASURED).all()
    assert table["implementation"].tolist() == [*registry.DEFAULT["cpu"], "my_rnn.py:MyRNN"]


def test_the_example_is_checked(tmp_path: Path) -> None:
    """The other command below it, as written: equal in every case it does not decline."""
    (tmp_path / "my_rnn.py").write_text(example())
    (command,) = re.findall(r"^python -m bench check my_rnn.py:MyRNN$", TEXT, re.MULTILINE)
    done = warm.run([sys.executable, *command.split()[1:]], cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("`MyRNN` computes the network: equal in all 14 cases; it declines 4.\n")


def test_picture_and_tables_are_those_of_the_reference_run() -> None:
    """`python -m bench.report.readme` would change nothing."""
    assert updated(TEXT, reference()) == TEXT


def test_the_reference_run_is_whole() -> None:
    """Finished, nothing failed, every pass there, its report beside it."""
    folder = reference()
    run = read_run(folder)
    assert run.manifest.status == "finished"
    assert {cell.status for cell in run.manifest.cells} == {MEASURED}
    assert len(pass_files(folder)) == run.manifest.first_passes
    assert (folder / "index.html").is_file()
    assert (folder / "figures" / "main.png").is_file()


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and of CONTRIBUTING is a file of the project."""
    for page in (README, ROOT / "CONTRIBUTING.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", page.read_text())
        missing = [link for link in links if not (ROOT / link).exists()]
        assert not missing, page


def test_options_are_those_of_the_command() -> None:
    """Every option in the README's tables is one of `python -m bench run`."""
    command = [sys.executable, "-m", "bench", "run", "--help"]
    done = warm.run(command, check=True, cwd=ROOT, env=os.environ | {"COLUMNS": "200"})
    known = set(re.findall(r"--[a-z][a-z-]*", done.stdout))
    shown = set(re.findall(r"--[a-z][a-z-]*", TEXT[TEXT.index("## Commands") : TEXT.index("Exit codes of `run`:")]))
    assert shown
    assert shown <= known
