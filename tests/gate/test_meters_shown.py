"""What people and programs are told of meters other than the time."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from bench.report.comment import markdown
from bench.report.export import as_json, read, write
from bench.report.metered import difference
from bench.report.verdicts import sentence, text
from bench.table.outcome import (
    FIRST,
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    MEMORY,
    METERS,
    OPERATORS,
    REGRESSED,
    TIME,
    UNCHANGED,
    CellVerdict,
    CountVerdict,
    Difference,
    Look,
    Outcome,
    Uncompared,
)
from tests.gate.test_show import cell, outcome, verdict

COPY = Difference("operators", 80, 96, {"aten::copy_": 16})
PEAK = Difference("peak_bytes", 65536, 69632)
LESS = Difference("allocations", 30, 14)


def count(said: str, *differences: Difference, meter: str = OPERATORS, steps: int = 16, note: str = "") -> CountVerdict:
    """A verdict by an exact meter."""
    return CountVerdict(cell(steps), meter, said, differences, note)


def metered(
    *counts: CountVerdict,
    meters: tuple[str, ...] = (OPERATORS,),
    verdicts: tuple[CellVerdict, ...] = (),
    firsts: tuple[CellVerdict, ...] = (),
) -> Outcome:
    """An outcome against main by these meters."""
    found = outcome(*verdicts)
    return dataclasses.replace(found, meters=meters, counts=list(counts), firsts=list(firsts), first_effect=0.1)


MAIN = "main (0123abcde)"
SLOW_FIRST = dataclasses.replace(verdict(16, REGRESSED, 2.5), note="20 ms in main, 70 ms in the working tree")
OUTCOMES = [
    (
        metered(count(UNCHANGED)),
        f"Nothing regressed by operators: the one cell compared (inference) calls what {MAIN} does.",
        0,
    ),
    (
        metered(count(UNCHANGED), count(UNCHANGED, steps=4)),
        f"Nothing regressed by operators: all 2 cells (inference) call what {MAIN} does.",
        0,
    ),
    (
        metered(count(REGRESSED, COPY), count(UNCHANGED, steps=4)),
        f"Regressed by operators: 1 of 2 cells (inference) calls more operators than {MAIN}. "
        "It is `whole` at hidden 64, 16 steps: +1 `aten::copy_` a step.",
        1,
    ),
    (
        metered(count(REGRESSED, PEAK, LESS, meter=MEMORY), meters=(MEMORY,)),
        f"Regressed by memory: 1 of 1 cell (inference) takes more memory than {MAIN}. "
        "It is `whole` at hidden 64, 16 steps: +4.00 KiB at its peak, from 64.0 KiB, -1 allocation a step.",
        1,
    ),
    (
        metered(count(IMPROVED, LESS, meter=MEMORY), count(UNCHANGED, meter=MEMORY, steps=4), meters=(MEMORY,)),
        f"Nothing regressed by memory: 1 of 2 cells (inference) takes what {MAIN} does, 1 less. "
        "It is `whole` at hidden 64, 16 steps: -1 allocation a step.",
        0,
    ),
    (
        metered(count(INCONCLUSIVE, note="its operators differ between two counts of main")),
        "Nothing decided by operators: the one cell compared can't be counted exactly: its operators differ between "
        "two counts of main.",
        4,
    ),
    (
        metered(count(INCONCLUSIVE, note="it differs"), count(UNCHANGED, steps=4)),
        f"Nothing regressed by operators for certain: 1 of 2 cells (inference) calls what {MAIN} does, 1 can't be "
        "counted exactly.",
        0,
    ),
    (
        metered(count(REGRESSED, COPY), meters=(TIME, OPERATORS), verdicts=(verdict(16, IMPROVED, -0.12),)),
        f"Regressed by operators: 1 of 1 cell (inference) calls more operators than {MAIN}. "
        "It is `whole` at hidden 64, 16 steps: +1 `aten::copy_` a step. "
        "That is a trade: a call became 12.0 % faster. "
        f"Nothing regressed by time: 0 of 1 cell (inference) are within ±3 % of {MAIN}, 1 faster. "
        "It is `whole` at hidden 64, 16 steps: -12.0 % [-13.0, -11.0].",
        1,
    ),
    (
        metered(meters=(FIRST,), firsts=(SLOW_FIRST,)),
        f"Regressed by first result: 1 of 1 cell (inference) is more than 10 % slower than {MAIN}. "
        "It is `whole` at hidden 64, 16 steps: +250.0 % [+249.0, +251.0].",
        1,
    ),
    (
        metered(
            count(UNCHANGED, meter=MEMORY),
            count(UNCHANGED),
            meters=METERS,
            verdicts=(verdict(16, UNCHANGED, 0.0),),
            firsts=(verdict(16, UNCHANGED, 0.0),),
        ),
        f"Nothing regressed by time: the one cell compared (inference) is within ±3 % of {MAIN}. "
        f"Nothing regressed by memory: the one cell compared (inference) takes what {MAIN} does. "
        f"Nothing regressed by operators: the one cell compared (inference) calls what {MAIN} does. "
        f"Nothing regressed by first result: the one cell compared (inference) is within ±10 % of {MAIN}.",
        0,
    ),
]


@pytest.mark.parametrize(("found", "said", "code"), OUTCOMES)
def test_the_sentence_says_by_what(found: Outcome, said: str, code: int) -> None:
    """The verdict of each meter, those that regressed first, and what changed by name."""
    assert sentence(found) == said
    assert found.exit_code() == code


@pytest.mark.parametrize(("found", "said", "code"), OUTCOMES)
def test_json_is_read_back(found: Outcome, said: str, code: int, tmp_path: Path) -> None:
    """All of it, and so all that the terminal shows."""
    found = dataclasses.replace(found, looks=[Look(6, 14.2, 0, 0, 1, 1, FIRST)], asked=1)
    write(found, False, tmp_path / "out.json", None)
    assert read(tmp_path / "out.json") == found
    assert text(read(tmp_path / "out.json")) == text(found)


def test_json_of_the_version_before_is_read(tmp_path: Path) -> None:
    """It knew the time alone."""
    found = outcome(verdict(2, REGRESSED, 0.05))
    content = as_json(found, strict=False)
    for name in ("meters", "firsts", "first_effect", "counts"):
        del content[name]
    (tmp_path / "old.json").write_text(json.dumps(content | {"schema": 2}))
    assert read(tmp_path / "old.json") == found


def test_json_says_what_changed_in_words_and_in_numbers() -> None:
    """For programs that pass it on."""
    (found,) = as_json(metered(count(REGRESSED, COPY)), strict=False)["counts"]
    assert found["told"] == "+1 `aten::copy_` a step"
    (differs,) = found["differences"]
    assert differs == {"figure": "operators", "before": 80, "after": 96, "names": {"aten::copy_": 16}}


def test_strict_minds_what_is_not_exact() -> None:
    """As it does what is inconclusive by time."""
    found = metered(count(INCONCLUSIVE, note="it differs"), count(UNCHANGED, steps=4))
    assert (found.exit_code(), found.exit_code(strict=True)) == (0, 4)


def test_a_cell_that_is_lost_beside_exact_ones_is_incomparable() -> None:
    """What the others count is told behind it."""
    found = metered(count(UNCHANGED), meters=(TIME, OPERATORS))
    found.uncompared.append(Uncompared(cell(8), INCOMPARABLE, "it died"))
    assert found.exit_code() == 3
    assert sentence(found).startswith("Incomparable: 1 cell could not be compared.")
    assert "Nothing regressed by operators" in sentence(found)


def test_the_terminal_lists_what_changed() -> None:
    """By meter, with what stands beside it; pairs say what they are pairs of."""
    found = metered(
        count(REGRESSED, COPY),
        count(INCONCLUSIVE, steps=4, note="its operators differ between two counts of main"),
        meters=(OPERATORS, FIRST),
        firsts=(SLOW_FIRST,),
    )
    found.asked, found.looks = 2, [Look(9, 14.2, 1, 1, 0, 0, FIRST)]
    assert text(found) == (
        """The working tree, against main (0123abcde)
Checking on both sides that every implementation computes the same network ...
2 cells to compare.
 9 pairs of first results, 14 s: 1 settled (1 regressed), 0 open of 1

regressed by operators
  whole  hidden 64, 16 steps  +1 `aten::copy_` a step
inconclusive by operators
  whole  hidden 64, 4 steps  not known
    its operators differ between two counts of main
regressed by first result
  whole  hidden 64, 16 steps  +250.0 % [+249.0, +251.0]
    20 ms in main, 70 ms in the working tree

Regressed by operators: 1 of 2 cells (inference) calls more operators than main
(0123abcde).
It is `whole` at hidden 64, 16 steps: +1 `aten::copy_` a step.
Regressed by first result: 1 of 2 cells (inference) is more than 10 % slower
than main (0123abcde).
It is `whole` at hidden 64, 16 steps: +250.0 % [+249.0, +251.0].
"""
    )


def test_markdown_has_a_table_of_what_changed() -> None:
    """Before the fold; what is unchanged is inside it."""
    found = metered(
        count(REGRESSED, COPY),
        count(UNCHANGED, steps=4),
        meters=(TIME, OPERATORS),
        verdicts=(verdict(16, IMPROVED, -0.12), verdict(4, UNCHANGED, 0.0)),
    )
    head, _, folded = markdown(found).partition("<details>")
    row = "| 🔴 regressed by operators | `whole` | hidden 64, 16 steps | +1 `aten::copy_` a step | a trade: "
    assert row in head
    assert "🟢 improved by time" in head
    assert "1 unchanged by operators" in folded and "1 unchanged by time" in folded


@pytest.mark.parametrize(
    ("found", "steps", "said"),
    [
        (COPY, 16, "+1 `aten::copy_` a step"),
        (COPY, 1, "+16 `aten::copy_` a call"),
        (COPY, 15, "+16 `aten::copy_` a call"),
        (
            Difference("operators", 10, 14, {"aten::mm": 4, "aten::add": 4, "aten::addmm": -4}),
            4,
            "+1 `aten::mm`, +1 `aten::add`, -1 `aten::addmm` a step",
        ),
        (
            Difference("operators", 0, 15, dict.fromkeys("abcde", 3)),
            2,
            "+3 `a`, +3 `b`, +3 `c`, +3 `d` a call, 1 other name",
        ),
        (Difference("nodes", 4, 8, {"CloneBackward0": 4}), 4, "+1 autograd node `CloneBackward0` a step"),
        (Difference("launches", 4, 6, {"cudaLaunchKernel": 2}), 4, "+2 `cudaLaunchKernel` a call"),
        (Difference("nodes", 4, 7, {"MmBackward0": 3}), 4, "+3 autograd nodes `MmBackward0` a call"),
        (Difference("allocations", 4, 9), 4, "+5 allocations a call"),
        (Difference("allocations", 4, 3), 4, "-1 allocation a call"),
        (Difference("peak_bytes", 2048, 1024), 4, "-1.00 KiB at its peak, from 2.00 KiB"),
    ],
)
def test_a_difference_in_words(found: Difference, steps: int, said: str) -> None:
    """By the step where it divides, else by the call; what rose first, the unit once."""
    assert difference(found, steps) == said
