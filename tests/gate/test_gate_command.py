"""The gate as a command, with real processes: in another's repository, interrupted, between interpreters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import typer

from bench.cases.case import Case
from bench.commands.console import clear_errors
from bench.commands.gating import Telling, _end
from bench.host.process import WorkerDied
from bench.report.comment import markdown
from bench.report.export import read
from bench.report.verdicts import sentences, text
from bench.table.outcome import CellVerdict, Outcome
from tests import warm
from tests.gate.repository import ROOT, SMALLEST, SOUND, Ended, Repository, living
from tests.gate.test_faults import edited
from tests.synthetic import write_run

CASE = Case(hidden_size=8, input_size=8, seq_len=2).id

TWICE = (
    SOUND
    + """
    def forward(self, inputs, hidden):
        super().forward(inputs, hidden)
        super().forward(inputs, hidden)
        return super().forward(inputs, hidden)
"""
)


def test_a_slower_head_fails_from_a_folder_below_the_root(tmp_path: Path) -> None:
    """In a repository that is not this suite's: three times the work is called regressed, in all three forms."""
    repository = Repository(tmp_path / "theirs").write(SOUND).commit().write(TWICE)
    (repository.folder / "sub").mkdir()
    summary = tmp_path / "summary.md"
    ended = repository.process(
        *("gate", "--base", "main", "--impl", "mine.py:Mine", *SMALLEST, "--min-effect", "20%"),
        *("--json", "out.json", "--markdown", "out.md"),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert ended.code == 1, ended.text
    assert ended.verdict.startswith("Regressed: 1 of 1 cell (inference) is more than 20 % slower than main (")
    assert text(read(repository.folder / "out.json"), width=200) == ended.text, "the file has all that was shown"
    found = json.loads((repository.folder / "out.json").read_text())
    assert found["cells"][0]["verdict"] == "regressed"
    assert 1.0 < found["cells"][0]["change"] < 3.0
    assert summary.read_text() == (repository.folder / "out.md").read_text() + "\n"


@pytest.mark.long
def test_the_base_is_another_interpreter(tmp_path: Path) -> None:
    """The same tree under a second environment: what differs is told, and it is measured all the same."""
    link = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", link], check=True)
    site = next((link / "lib").glob("python*")) / "site-packages"
    (site / "outer.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    repository = Repository(tmp_path / "theirs", git=False).write(SOUND)
    ended = repository.bench(
        "gate",
        "--base-python",
        str(link / "bin" / "python"),
        "--impl",
        "mine.py:Mine",
        *SMALLEST,
        "--min-effect",
        "60%",
    )
    assert ended.code == 0, ended.text
    assert str(link) in ended.verdict


def test_an_interpreter_without_torch_is_said(tmp_path: Path) -> None:
    """With what it died of."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    ended = (
        Repository(tmp_path / "theirs", git=False)
        .write(SOUND)
        .process("gate", "--base-python", str(bare / "bin" / "python"), "--impl", "mine.py:Mine", *SMALLEST)
    )
    assert ended.code == 3
    assert "No module named 'torch'" in ended.last_line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 130, one line; no worktree and no process is left."""
    mark, started = uuid.uuid4().hex, tmp_path / "started"
    starts = f"import time\nopen({str(started)!r}, 'a').write('.')\ntime.sleep(3600)\n"
    repository = Repository(tmp_path / "theirs").write(SOUND + starts).commit()
    command = [sys.executable, "-m", "bench", "gate", "--base", "HEAD", "--impl", "mine.py:Mine", *SMALLEST]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RNN_TEST_MARK": mark}
    with warm.Process(
        command, cwd=repository.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not (started.exists() and len(started.read_text()) == 2) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(living(mark)) == 3, "the gate and a worker of each side"
        process.send_signal(number)
        _, text = process.communicate(timeout=60)
    assert process.returncode == 130
    assert text.strip() == "error: interrupted; nothing is left behind"
    repository.assert_clean(mark)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gate",), "say what to compare with"),
        (("gate", "--base", "HEAD", "--min-effect", "0"), "--min-effect must be more than 0"),
        (("gate", "--base", "HEAD", "--min-effect", "much"), "'much' is no fraction"),
        (("gate", "--base", "HEAD", "--impl", "mine.py:Mine", "--preset", "nosuch"), "unknown preset 'nosuch'"),
        (("gate", "--base", "HEAD", "--impl", "gone.py:Mine"), "there is no file gone.py"),
        (("gate", "--base", "HEAD"), "--impl: say what of this repository to compare"),
        (("gate", "--base", "HEAD", "--impl", "mine.py:Mine", "--json", "no/out.json"), "--json"),
        (("gate", "--base", "HEAD", "--impl", "mine.py:Mine", "--markdown", "."), "can't be written: Is a directory"),
        (("compare", "run", "run", "--json", "/dev/null/out.json"), "can't be written: Not a directory"),
        (("gate", "--against", "nosuch"), "nosuch: no run folder"),
        (("gate", "--against", "run", "--base", "HEAD"), "--against measures what the stored run measured"),
        (("compare", "nosuch", "nosuch"), "nosuch: no run folder"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line, exit code 2, nothing started."""
    repository = Repository(tmp_path / "theirs").write(SOUND).commit()
    if "run" in arguments:
        write_run(repository.folder / "run", presets=("smoke",))
    assert_refused(repository.bench(*arguments), said)


def test_a_process_is_refused_like_that(tmp_path: Path) -> None:
    """Its interpreter adds nothing, and it ends with the same code."""
    assert_refused(Repository(tmp_path / "theirs").process("gate"), "say what to compare with")


def assert_refused(ended: Ended, said: str) -> None:
    """Exit code 2, and one line that says why."""
    assert ended.code == 2, ended.text
    assert len(ended.text.strip().splitlines()) == 1
    assert said in ended.last_line


def test_against_a_stored_run(tmp_path: Path) -> None:
    """A run of this machine is measured anew and compared; one of another machine is refused before that."""
    repository = Repository(tmp_path / "theirs", git=False)
    ended = repository.bench(
        "run", *SMALLEST, "--impl", "whole", "--passes", "3", "--no-explain", "--reports", "reports"
    )
    assert ended.code == 0, ended.text
    ended = repository.process("gate", "--against", "latest", "--reports", "reports", "--min-effect", "80%")
    assert ended.code == 0, ended.text
    assert ended.verdict.startswith("Nothing regressed")
    (stored,) = (repository.folder / "reports" / "runs").iterdir()
    edited(stored / "run.json", lambda content: content["machine"].update(torch="1.0"))
    ended = repository.bench("gate", "--against", str(stored))
    assert ended.code == 3, ended.text
    assert "the two runs are of different machines or software" in ended.last_line


# The suite's own failure


def test_a_failure_of_the_suite_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 5, on whatever nobody foresaw, a lost worker and a full disk; the last line says what."""
    for error, told in (
        (KeyError("x"), "this suite is at fault: KeyError: 'x'"),
        (WorkerDied("the process ended with exit code 1"), "the process ended with exit code 1"),
        (OSError(28, "No space left on device", "run.json"), "No space left on device"),
    ):
        with pytest.raises(typer.Exit) as ended, clear_errors():
            raise error
        assert ended.value.exit_code == 5
        assert told in capsys.readouterr().err.strip().splitlines()[-1]


def test_the_sentence_comes_before_what_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that fills up while the files are written ends with 5, not with a verdict that was never told."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "out.json")

    monkeypatch.setattr("bench.report.export.write_json", full)
    outcome = Outcome("base", "head", 0.03, [CellVerdict((CASE, "whole"), "unchanged", 0.0, -0.01, 0.01, 9)])
    with pytest.raises(typer.Exit) as ended, clear_errors():
        _end(outcome, Telling(json=Path("out.json")))
    assert ended.value.exit_code == 5
    found = capsys.readouterr()
    assert found.out.strip().splitlines()[-1].startswith("Nothing regressed")
    assert "No space left on device" in found.err


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        (["unchanged", "inconclusive"], False, 0),
        (["unchanged", "inconclusive"], True, 4),
        (["inconclusive", "inconclusive"], False, 4),
        (["inconclusive", "regressed"], False, 1),
        ([], False, 3),
    ],
)
def test_exit_codes_of_verdicts(verdicts: list[str], strict: bool, code: int) -> None:
    """Where nothing is decided at all, that is no green."""
    cells = [
        CellVerdict((CASE, name), verdict, 0.0, -0.1, 0.1, 9) for name, verdict in zip("ab", verdicts, strict=False)
    ]
    outcome = Outcome("base", "head", 0.03, cells)
    assert outcome.exit_code(strict) == code
    if verdicts == ["inconclusive"] * 2:
        assert sentences(outcome)[0].startswith("Nothing decided: all 2 cells (inference) are inconclusive")
        assert markdown(outcome).startswith("### RNN gate: nothing decided")
