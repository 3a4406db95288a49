"""What --benchmark-compare-fail would pass in silence: each as a clear error, also through pytest itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.run import guard
from tests import command
from tests.gate.repository import SOUND
from tests.gate.test_faults import NEVER

FAIL = "--benchmark-compare-fail=median:900%"


def test_options_that_would_be_forgotten() -> None:
    """A threshold needs a run, and only its last occurrence would count."""
    assert guard.wrong_options(["bench", FAIL], compares=True) == ""
    assert "nothing to compare with" in guard.wrong_options(["bench", FAIL], compares=False)
    assert "is given 2 times" in guard.wrong_options([FAIL, guard.OPTION, "min:5%"], compares=True)


def test_machines_that_differ() -> None:
    """Every key that does is named; a file of somebody else's is refused."""
    now = {"rnn_bench": {"torch": "2.13", "threads": "1", "gpu": None}}
    assert guard.different_machine(now, {"machine_info": now}, "it") == ""
    then = {"machine_info": {"rnn_bench": {"torch": "2.12", "threads": "1", "gpu": "H"}}}
    said = guard.different_machine(now, then, "it")
    assert "torch 2.12 then, 2.13 now" in said
    assert "gpu H then, None now" in said
    assert "threads" not in said
    assert "not a run of this suite" in guard.different_machine(now, {"machine_info": {}}, "it")


def test_selections_that_compare_nothing() -> None:
    """Nothing selected, something the baseline lacks, something not measured in the end."""
    saved = [{"benchmarks": [{"fullname": "a"}, {"fullname": "b"}]}]
    assert guard.not_in_baseline(["a", "b"], saved) == ""
    assert "no benchmark is selected" in guard.not_in_baseline([], saved)
    assert guard.not_in_baseline(["a", "c"], saved).startswith("c is not in the saved run")
    assert guard.not_in_baseline(["c", "d"], saved).startswith("2 benchmarks (the first: c) are not")
    assert guard.not_measured(["a"], ["a"]) == ""
    assert guard.not_measured(["a", "b"], ["a"]).startswith("b is not measured")


@pytest.fixture
def storage(saved: tuple[Path, dict[str, Any]]) -> Path:
    """Where a run of `manual`, `looped` and `whole` is saved."""
    return saved[0]


def compared(storage: Path, *arguments: str) -> tuple[int, str]:
    """A comparison with a threshold that no noise reaches."""
    return command.pytest("bench", *command.SAVED, "--benchmark-compare", FAIL, *arguments, storage=storage)


def test_a_sound_comparison_passes(storage: Path) -> None:
    """The guard is not in the way."""
    code, text = compared(storage, "--impl=whole")
    assert code == 0, text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--impl=whole,hoisted",), 4, "-hoisted] is not in the saved run"),
        (("--impl=whole", "-k", "nothing"), 4, "no benchmark is selected"),
        (("--impl=whole", "-n2"), 4, "run them without xdist"),
        (("--impl=whole", "--benchmark-compare=0099"), 4, "no saved run to compare with"),
        (("--impl=whole", "--benchmark-compare-fail=min:5%"), 4, "is given 2 times"),
    ],
)
def test_silent_greens_are_errors(storage: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """In one line, before anything is measured."""
    ended, text = compared(storage, *arguments)
    assert ended == code, text
    assert said in text
    assert "Traceback" not in text


def test_a_threshold_without_a_run(storage: Path) -> None:
    """Also when no path is given."""
    code, text = command.pytest(*command.SAVED, FAIL, storage=storage)
    assert code == 4
    assert "nothing to compare with; add --benchmark-compare" in text


@pytest.mark.parametrize(
    ("key", "value"), [("gpu", "Another"), ("torch", "1.0"), ("threads", "8"), ("tf32_cudnn", True)]
)
def test_a_run_of_another_machine_is_refused(storage: Path, tmp_path: Path, key: str, value: object) -> None:
    """GPU, torch, threads and TF32 are what a green would hide."""
    (saved,) = storage.glob("*/0001_*.json")
    content: dict[str, Any] = json.loads(saved.read_text())
    content["machine_info"]["rnn_bench"][key] = value
    other = tmp_path / saved.relative_to(storage)
    other.parent.mkdir(parents=True)
    other.write_text(json.dumps(content))
    code, text = compared(tmp_path, "--impl=whole")
    assert code == 4, text
    assert f"{key} {value} then" in text
    assert "Traceback" not in text


def test_a_cell_that_cannot_be_measured_any_more(tmp_path: Path) -> None:
    """Skipped, it would be green: the saved run has it, this one does not."""
    mine, storage = tmp_path / "mine.py", tmp_path / "storage"
    mine.write_text(SOUND)
    selection = f"--impl={mine}:Mine"
    code, text = command.pytest("bench", *command.SAVED, selection, "--benchmark-autosave", storage=storage)
    assert code == 0, text
    mine.write_text(NEVER)
    code, text = compared(storage, selection)
    assert code == 1, text
    assert "is not measured, and so not compared" in text
