"""The page of `compare` as its readers try it: scripts, a notebook, and the prompt; with the installed wheel, too, see
`tests/test_packages.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.host.process import environment
from bench.report.readme import ROOT

PAGE = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
SCRIPTS = {found[2]: found[1] for found in re.finditer(r"^```python\n(# (\w+\.py)\n.*?)^```$", PAGE, re.S | re.M)}
(LINES,) = re.findall(r"^```text\n(%load_ext.*?)^```$", PAGE, re.S | re.M)


def run(*command: str, folder: Path, typed: str = "") -> str:
    """What it prints, when nothing goes wrong."""
    done = subprocess.run(
        command, cwd=folder, env=environment(), input=typed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_of_the_page(name: str, tmp_path: Path) -> None:
    """As they are written; their functions are sent to fresh processes."""
    (tmp_path / name).write_text(SCRIPTS[name])
    told = run(sys.executable, name, folder=tmp_path)
    if name == "two_functions.py":
        assert re.match(r"At 64 `mine` is [\d.]+× \[.*\] faster than `theirs`\.\nAt 256 ", told)
        assert "one process" not in told
    else:
        assert (tmp_path / "sums.json").is_file()


@pytest.mark.long
def test_a_notebook(tmp_path: Path) -> None:
    """The magic of the page, and a comparison of functions that were defined in a cell, shown as HTML."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    load, magic = LINES.splitlines()
    cell = "def f():\n    return 1 + 1\n\nfrom bench import compare\n"
    cell += 'compare({"f": f, "g": lambda: 2}, passes=2, seconds=0.05)'
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in (load, magic, cell)])
    client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=environment())
    shown = [_html(each) for each in book.cells]
    assert shown[0] == ""
    for html, name in ((shown[1], "sum(range(100))"), (shown[2], "f")):
        assert f"<td>{name}</td>" in html and "measured within one process" in html
    assert "defined at a prompt or in a notebook" in shown[2]


def _html(cell: Any) -> str:
    """What a cell shows, as HTML; nothing for none."""
    assert all(each.output_type != "error" for each in cell.outputs)
    return "".join(each.data.get("text/html", "") for each in cell.outputs if "data" in each)


@pytest.mark.long
def test_the_prompt(tmp_path: Path) -> None:
    """What is defined there can't be imported elsewhere: measured all the same, and said."""
    typed = "from bench import compare\ndef f():\n    return 2\n\n"
    typed += "compare({'f': f, 'g': f}, passes=2, seconds=0.05)\n"
    told = run(sys.executable, "-i", "-q", folder=tmp_path, typed=typed)
    assert "times faster than g" in told
    assert "`f` can't be imported elsewhere: it was defined at a prompt or in a notebook." in " ".join(told.split())
