"""What the commands print fits 80 columns: no line is broken inside a word, none is cut off."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.commands.console import point, tell
from bench.proof.accounts import accuracy_account, trust_account
from bench.report.limits_table import text as limits_text
from bench.report.profiled import lines as profiled_lines
from bench.report.terminal import columns, described, wrapped
from bench.report.verdicts import text
from bench.store.manifest import FAILED, UNAVAILABLE
from bench.table.outcome import INCOMPARABLE, INCONCLUSIVE, NEW, REGRESSED, CellVerdict, Look, Lost, Outcome, Uncompared
from bench.table.reading import read_run
from bench.why.limits.limits import Limits
from tests.command import bench
from tests.synthetic import LIMITS, write_run

REFERENCE = Path(__file__).parent.parent / "reports" / "reference"
LONG = "path/to/my_own_recurrent_networks.py:TheOneWithAVeryLongName"
REASON = "it differs from the reference by 3e-2 at step 17 of sequence 3, and so does the gradient of weight_hh_l0"


def assert_fits(printed: str) -> None:
    """Every line has at most 80 columns, but for a path or a command that stands alone, and nothing is cut off."""
    assert printed.strip()
    assert "…" not in printed
    for line in printed.splitlines():
        alone = " " not in line.strip() or line.startswith("    ")
        assert len(line) <= 80 or alone, line


# The helpers


def test_prose_breaks_between_words_alone() -> None:
    """Not in a word, a piece of code, a number with its unit or interval; an indent is kept."""
    sentence = "`whole one` takes 12.0 ms [11.5, 12.5], 4.1× [4.0, 4.2] less, or +12.0 % [+11.0, +13.0] at hidden 128"
    kept = ("`whole one`", "12.0 ms", "[11.5, 12.5]", "4.1× [4.0, 4.2]", "+12.0 % [+11.0, +13.0]", "hidden 128")
    for width in range(30, 80):
        lines = wrapped(f"  {sentence}", width)
        assert max(map(len, lines)) <= width
        assert all(line.startswith("  ") for line in lines)
        assert " ".join(map(str.strip, lines)) == sentence
        assert all(any(part in line for line in lines) for part in kept)


def test_what_is_to_be_copied_stays_whole() -> None:
    """A line behind four spaces, a word that is longer than the width; each line of a text is one of its own."""
    command = "    python -m bench run --impl default,path/to/my_rnn.py:MyRNN --hidden-size 64 --seq-len 16"
    assert wrapped(f"Type this:\n{command}\n\n{'x' * 50} y", 40) == ["Type this:", command, "", "x" * 50, "y"]


def test_columns_that_do_not_fit_go_in_their_order() -> None:
    """First those that are spared; then the first column has a line of its own; numbers end below each other."""
    rows = [("one", "1", "20"), ("three", "300", "4")]
    assert columns(("", "a", "b"), rows) == ["         a   b", "one      1  20", "three  300   4"]
    assert columns(("", "a", "b"), rows, spare=(1,), width=12) == ["        b", "one    20", "three   4"]
    assert columns((), rows, width=12) == ["one\n    1  20", "three\n  300   4"]
    assert columns((), []) == []


def test_descriptions_stand_beside_names() -> None:
    """And below one that is too long."""
    told = described([("one", "a word or two"), ("x" * 30, "more")], width=14)
    assert told == ["one  a word or", "     two", "x" * 30, "     more"]


def test_a_path_has_a_line_of_its_own_where_it_must(capsys: pytest.CaptureFixture[str]) -> None:
    """Paths with spaces among them are never broken."""
    point("Report", "short")
    point("Report", long := "a folder/" * 12)
    tell(f"{'word ' * 30}end")
    first, second, third, *others = capsys.readouterr().out.splitlines()
    assert (first, second, third) == ("Report: short", "Report:", long)
    assert len(others) == 2


# What is printed of planted data


def cell(name: str, steps: int = 64) -> tuple[str, str]:
    """A cell that needs many words."""
    case = Case(input_size=768, hidden_size=2048, seq_len=steps, batch_size=128, num_layers=2, dtype="float16")
    return (case if steps == 64 else Case(seq_len=steps, mode="training")).id, name


def test_a_gate() -> None:
    """With long names, cases that differ in everything, long reasons, notes and lost pairs."""
    verdicts = [
        CellVerdict(cell(name, steps), said, 0.12, 0.11, 0.13, 9, "about 9 more pairs would decide it")
        for name, steps, said in ((LONG, 64, REGRESSED), ("stacked-grad", 8, REGRESSED), (LONG, 8, INCONCLUSIVE))
    ]
    left = [Uncompared(cell(LONG, 16), status, REASON) for status in (INCOMPARABLE, NEW)]
    outcome = Outcome("main (0123abcde)", "the working tree (3210edcba and uncommitted changes)", 0.03, verdicts, left)
    outcome.asked, outcome.looks, outcome.notes = 300, [Look(94, 1234.5, 250, 100, 50, 25)], [REASON]
    outcome.lost = [Lost(cell(LONG), "the working tree: the process was killed by SIGKILL, while it was run")]
    assert_fits(text(outcome))


def test_proofs() -> None:
    """Of the sittings that are committed."""
    for path in REFERENCE.glob("*/*/*.json"):
        content = json.loads(path.read_text())
        if path.name in ("trust.json", "accuracy.json"):
            account = trust_account if path.name == "trust.json" else accuracy_account
            printed = "\n".join(wrapped(account(content)))
            assert_fits(printed)
            assert max(len(line.split()) for line in account(content).split("\n\n")[0].splitlines()) <= 25


def test_limits() -> None:
    """Of a CPU with two numbers of threads, and of a GPU, whose names are long."""
    values = {"cuda.call.launch": [4e-6], "cuda.call.synchronize": [2e-6, 3e-6], "cuda.peak.float16": [2e14]}
    values |= {f"cpu.peak.float32.t{count}": [2.4e11, 2.5e11] for count in (1, 2)}
    printed = limits_text(Limits(LIMITS.values | values, "now"))
    assert printed.startswith("What this machine allows")
    assert_fits(printed)


def test_a_profile(tmp_path: Path) -> None:
    """Reasons are below their rows."""
    folder = write_run(tmp_path / "run", presets=("smoke",), explained=("limits", "profile"), passes=2)
    printed = "\n".join(line for line, _ in profiled_lines(read_run(folder)))
    assert "Hidden 16, 2 steps" in printed or "hidden" in printed.lower()
    assert_fits(printed)


NAMES = ("manual", "whole", "stacked-grad", LONG)


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("report", "run"),
        ("compare", "run", "run"),
        ("advise", "--run", "run", "--hidden-size", "128", "--seq-len", "64"),
        ("advise", "--run", "run", "--hidden-size", "100", "--seq-len", "200", "--mode", "training"),
        ("advise", "--run", "run", "--hidden-size", "4096", "--seq-len", "2000"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("no_png")
def test_a_command(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """In a pipe."""
    broken = {"whole": (FAILED, REASON), "manual": (UNAVAILABLE, REASON)} if "64" in arguments else {}
    write_run(tmp_path / "run", implementations=NAMES, passes=3, rounds=3, broken=broken)
    _, out, err = bench(*arguments, folder=tmp_path, COLUMNS="80")
    assert not err
    assert_fits(out)


def test_a_terminal_gets_errors_wrapped(tmp_path: Path) -> None:
    """In one that is 80 columns wide; a pipe gets an error in one line."""
    arguments = ("advise", "--run", "nowhere/" * 5, "--hidden-size", "1", "--seq-len", "1")
    _, _, err = bench(*arguments, folder=tmp_path, COLUMNS="80")
    assert len(err.splitlines()) == 1
    told = in_a_terminal(*arguments, folder=tmp_path)
    assert told.startswith("error: ") and " ".join(told.split()) == " ".join(err.split())
    assert_fits(told)


def in_a_terminal(*arguments: str, folder: Path) -> str:
    """What `python -m bench ...` shows in a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment = inherited | {"TERM": "xterm", "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-P", "-m", "bench", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError):  # the other end was closed
            while part := os.read(ours, 4096):
                told += part
    os.close(ours)
    return told.decode().replace("\r\n", "\n")
