"""Three faults that no time shows, planted in another's repository: each is found by its meter, by real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.table.outcome import INCONCLUSIVE, UNCHANGED
from tests.gate.repository import Ended, Repository
from tests.synthetic import write_run

PLAIN = '''
import time

import torch
from torch import nn


class Mine(nn.Module):
    """a cell, step by step"""

    warm = False

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)

    def forward(self, inputs, hidden):
        states, state = [], hidden[0]
        # once
        for step in inputs:
            state = self.cell(step, state)
            # each
            states.append(state)
        outputs = torch.stack(states)
        # last
        return outputs, state.unsqueeze(0)
'''
OPERATOR = ("# each", "state = state.clone()")
MEMORY = ("# last", "self.second = outputs.clone()")
FIRST = ("# once", "None if Mine.warm else time.sleep(0.05); Mine.warm = True")

STEPS, HIDDEN = 16, 64


def gate(
    folder: Path, meter: str, *planted: tuple[str, str], hidden: int = HIDDEN, options: tuple[str, ...] = ()
) -> Ended:
    """The gate by a meter of a repository whose working tree has these faults."""
    repository = Repository(folder / "theirs").write(PLAIN).commit()
    source = PLAIN
    for place, fault in planted:
        source = source.replace(place, fault)
    repository.write(source)
    case = ("--hidden-size", str(hidden), "--seq-len", str(STEPS), "--mode", "inference", "--device", "cpu")
    given = ("--base", "HEAD", "--impl", "mine.py:Mine", "--preset", "smoke", *case, "--json", str(folder / "out.json"))
    return repository.bench("gate", *given, "--meter", meter, *options)


def test_an_operator_a_step_is_found_and_named(tmp_path: Path) -> None:
    """By what is counted alone: no pair is measured."""
    ended = gate(tmp_path, "operators", OPERATOR, MEMORY)
    assert ended.code == 1, ended.text
    assert "Regressed by operators: 1 of 1 cell (inference) calls more operators than HEAD" in ended.verdict
    assert ended.verdict.endswith(f"It is `Mine` at hidden {HIDDEN}, {STEPS} steps: +17 `aten::copy_` a call."), (
        "one a step, and that of the copy of all"
    )
    found = json.loads((tmp_path / "out.json").read_text())
    assert (found["pairs"], found["cells"], found["firsts"]) == (0, [], [])


def test_a_second_copy_of_the_states_is_found(tmp_path: Path) -> None:
    """By the bytes that it takes: those of all states, of the call before until this one's are there, too."""
    ended = gate(tmp_path, "memory", MEMORY)
    assert ended.code == 1, ended.text
    (found,) = json.loads((tmp_path / "out.json").read_text())["counts"]
    grown = {each["figure"]: each["after"] - each["before"] for each in found["differences"]}
    assert grown == {"peak_bytes": 2 * STEPS * HIDDEN * 4, "allocations": 1}
    assert "+8.00 KiB at its peak" in ended.verdict


def test_the_same_tree_counts_the_same(tmp_path: Path) -> None:
    """By every exact meter; both are said."""
    ended = gate(tmp_path, "memory,operators")
    assert ended.code == 0, ended.text
    assert "Nothing regressed by memory: the one cell compared (inference) takes what HEAD" in ended.verdict
    assert "Nothing regressed by operators: the one cell compared (inference) calls what HEAD" in ended.verdict


@pytest.mark.long
def test_a_first_call_50_ms_slower_is_found(tmp_path: Path) -> None:
    """Though a class pays it once a process; in milliseconds of both sides."""
    ended = gate(tmp_path, "first", FIRST)
    assert ended.code == 1, ended.text
    assert "Regressed by first result: 1 of 1 cell (inference) is more than 10 % slower than HEAD" in ended.verdict
    (found,) = json.loads((tmp_path / "out.json").read_text())["firsts"]
    assert found["change"] > 1, "a first result of some milliseconds took 50 more"
    assert found["note"].count(" ms in ") == 2


@pytest.mark.long
def test_times_alone_see_none_of_the_three(tmp_path: Path) -> None:
    """Where a step takes long enough that a copy is little of it."""
    faults = (OPERATOR, MEMORY, FIRST)
    gate(tmp_path, "time", *faults, hidden=1024, options=("--budget", "60s"))
    (found,) = json.loads((tmp_path / "out.json").read_text())["cells"]
    assert found["verdict"] in (UNCHANGED, INCONCLUSIVE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--meter", "tiem"), "error: --meter tiem: there is no such meter; there are time, memory, operators, first"),
        (
            ("--meter", "time,flops"),
            "error: --meter flops: there is no such meter; there are time, memory, operators, first",
        ),
        (("--meter", ","), "error: --meter: name one of time, memory, operators, first, or several"),
    ],
)
def test_an_unknown_meter_is_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line that names it and those there are; nothing is started."""
    ended = Repository(tmp_path / "theirs").write(PLAIN).commit().bench("gate", "--base", "HEAD", *arguments)
    assert (ended.code, ended.text.strip()) == (2, said)


def test_a_stored_run_has_times_alone(tmp_path: Path) -> None:
    """One line says so, and nothing is measured."""
    run = write_run(tmp_path / "run", presets=("smoke",))
    ended = Repository(tmp_path, git=False).bench("gate", "--against", str(run), "--meter", "memory")
    assert ended.code == 2
    assert ended.last_line == "error: --meter: a stored run is compared by its times alone; --base reads the others"
