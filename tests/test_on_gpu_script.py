"""What is run on a GPU, run without one: bounds that hold, results that are there at once, and no typing error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.gpu import __main__ as script
from tests.gpu import bounded, parsing, parts
from tests.gpu.bounded import Step

ROOT = Path(__file__).resolve().parent.parent

SPINNING = """
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
print("begun", child.pid, flush=True)
while True: pass
"""


def rows(out: Path, name: str = "steps.jsonl") -> list[dict[str, Any]]:
    """Lines of JSON of a file among the results."""
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_what_spins_is_ended_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it listens to no signal, and its child has a session of its own; its words are there."""
    monkeypatch.setattr(bounded, "LEAST", 0.5)
    step = Step("spinning", (sys.executable, "-c", SPINNING), 3.0)
    assert bounded.run(step, tmp_path, 60.0, ROOT) == "ended after 3 s"
    word, child = (tmp_path / "spinning.txt").read_text().split()
    assert word == "begun"
    assert not psutil.pid_exists(int(child)) or psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE
    assert rows(tmp_path)[0]["became"] == "ended after 3 s"


def test_what_fails_is_told_and_the_next_goes_on(tmp_path: Path) -> None:
    """By its exit code."""
    steps = [Step("failing", (sys.executable, "-c", "print(1); raise SystemExit(3)"), 30.0)]
    steps += [Step("fine", (sys.executable, "-c", "print(2)"), 30.0)]
    assert [bounded.run(step, tmp_path, 60.0, ROOT) for step in steps] == ["exit code 3", "done"]
    assert [(tmp_path / f"{step.name}.txt").read_text() for step in steps] == ["1\n", "2\n"]


def test_what_no_time_is_left_for_is_left_out(tmp_path: Path) -> None:
    """And says so, instead of being begun and cut off."""
    step = Step("late", (sys.executable, "-c", "print(1)"), 30.0)
    assert bounded.run(step, tmp_path, 2.0, ROOT) == "left out"
    assert not (tmp_path / "late.txt").exists()
    assert rows(tmp_path)[0]["seconds"] < 1


def test_the_time_for_all_bounds_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """A step gets what is left, whatever its own limit; parts are run in the order asked for."""
    seen = []

    def run(step: Step, out: Path, left: float, *_: object) -> str:
        seen.append((step.name, left))
        return "done" if step.name != "limits" else "exit code 1"

    monkeypatch.setattr(bounded, "run", run)
    assert script.main(["3", "2", "--out", str(tmp_path), "--seconds", "100"]) == 1
    assert [name for name, _ in seen] == ["limits", *(f"variants-{group}" for group in parts.GROUPS)]
    assert all(0 < left <= 100 for _, left in seen)
    assert "part 3, limits: exit code 1\npart 2, variants-whole: done\n" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        script.main(["7", "--out", str(tmp_path)])


def test_the_script_ends_its_step_when_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's own limit leaves nothing running behind."""
    code = (
        "import sys; from pathlib import Path; from tests.gpu import __main__ as s, parts, bounded; "
        f"parts.steps = lambda *_: [bounded.Step('spinning', (sys.executable, '-c', {SPINNING!r}), 60)]; "
        f"s.main(['1', '--out', {str(tmp_path)!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    words = tmp_path / "spinning.txt"
    end = time.monotonic() + 60
    while not (words.exists() and words.read_text().endswith("\n")):
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.05)
    child = int(words.read_text().split()[1])
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 143
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("part", [3, 4, 5])
def test_commands_of_the_suite_are_well_formed(part: int, tmp_path: Path) -> None:
    """Every option, preset, name and size is taken as it would be on the device."""
    for step in parts.steps(part, tmp_path, dry=True):
        assert step.command[:3] == (sys.executable, "-m", "tests.gpu.parsing")
        code, words = parsing.look(step.command[3:])
        assert (code, words.partition(" measure")[0]) == (0, "would"), words
        meant = parts.steps(part, tmp_path, dry=False)
        assert (sys.executable, "-m", "bench", *step.command[3:]) in [each.command for each in meant]


def test_a_wrong_option_is_noticed() -> None:
    """Looking through a command finds what running it would."""
    assert parsing.look(["run", "--presett", "quick"])[0] == 2
    assert parsing.look(["run", "--preset", "quick", "--impl", "cuda-grph"])[0] == 2


def test_steps_have_names_and_limits_of_their_own(tmp_path: Path) -> None:
    """A name is a file's; what runs on the device runs the same modules as on the CPU."""
    every = [step for part in parts.PARTS for step in parts.steps(part, tmp_path, dry=False)]
    assert len({step.name for step in every}) == len(every)
    assert all(bounded.LEAST < step.seconds <= 570 for step in every)
    assert sum(step.seconds for step in parts.steps(2, tmp_path, dry=False)) <= 570
    assert not [step for step in every if "cpu" in step.command or "tests.gpu.parsing" in step.command]


@pytest.mark.long
@pytest.mark.parametrize(
    ("part", "files"),
    [
        (1, ["versions.json", "parity-small.jsonl", "parity-large.jsonl", "tests.txt"]),
        (2, ["variants.jsonl"]),
        (6, ["gate-0.json", "gate-0.05.json", "repeats.json"]),
    ],
)
def test_a_dry_run(part: int, files: list[str], tmp_path: Path) -> None:
    """All of a part on the CPU, in processes of their own, with the files that it leaves."""
    pytest.importorskip("triton", reason="Triton is not installed; pip install .[triton]")
    command = [sys.executable, "-m", "tests.gpu", str(part), "--dry", "--out", str(tmp_path), "--seconds", "560"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + "".join(path.read_text() for path in sorted(tmp_path.glob("*.txt")))
    assert all((tmp_path / name).stat().st_size for name in files)
    if part == 1:
        verdicts = {row["verdict"].partition(":")[0] for row in rows(tmp_path, "parity-small.jsonl")}
        assert verdicts == {"equal", "unavailable"}
    if part == 2:
        found = rows(tmp_path, "variants.jsonl")
        assert {row["group"] for row in found} == set(parts.GROUPS)
        assert not [row for row in found if "failed" in row]
        right = [row for row in found if "largest error" in row]
        assert {row["group"] for row in right} == set(parts.GROUPS)
        assert all(row["largest error"] < 1e-5 for row in right)
