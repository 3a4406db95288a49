"""What people and programs are told of an outcome."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from bench.cases.case import Case, Cell
from bench.report.export import as_json, write
from bench.report.verdicts import MOST_ROWS, lines, markdown, sentence
from bench.table.outcome import (
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    NEW,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Outcome,
    Uncompared,
)


def cell(steps: int, name: str = "whole", hidden: int = 64) -> Cell:
    """A cell by what sets it apart."""
    return Case(hidden_size=hidden, input_size=hidden, seq_len=steps).id, name


def verdict(steps: int, said: str, effect: float, note: str = "", name: str = "whole") -> CellVerdict:
    """A verdict with an interval of a percent around the effect."""
    return CellVerdict(cell(steps, name), said, effect, effect - 0.01, effect + 0.01, 12, note)


def outcome(*verdicts: CellVerdict, uncompared: tuple[Uncompared, ...] = (), too_few: str = "") -> Outcome:
    """An outcome against main."""
    return Outcome("main (0123abcde)", "the working tree", 0.03, list(verdicts), list(uncompared), too_few=too_few)


FAULT = Uncompared(cell(8), INCOMPARABLE, "main (0123abcde): failed: not equal\nto the reference")


def test_the_sentence_says_which_modes_were_compared() -> None:
    """A verdict on inference alone says nothing of training."""
    training = dataclasses.replace(verdict(2, UNCHANGED, 0.0), cell=(Case(mode="training").id, "whole"))
    both = outcome(training, verdict(2, UNCHANGED, 0.0))
    assert sentence(both) == "Nothing regressed: all 2 cells (inference, training) within ±3 % of main (0123abcde)."


@pytest.mark.parametrize(
    ("found", "said", "code"),
    [
        (
            outcome(verdict(2, UNCHANGED, 0.0)),
            "Nothing regressed: all 1 cell (inference) within ±3 % of main (0123abcde).",
            0,
        ),
        (
            outcome(verdict(2, REGRESSED, 0.05), verdict(4, REGRESSED, 0.12), verdict(8, UNCHANGED, 0.0)),
            "Regressed: 2 of 3 cells (inference) slower than main (0123abcde) by more than 3 %, most of all whole at "
            "hidden 64, "
            "4 steps: +12.0 % [+11.0, +13.0].",
            1,
        ),
        (
            outcome(verdict(2, IMPROVED, -0.2), verdict(4, UNCHANGED, 0.0)),
            "Nothing regressed: 1 of 2 cells (inference) within ±3 % of main (0123abcde); 1 cell faster, most of all "
            "whole at hidden 64, 2 steps: -20.0 % [-21.0, -19.0].",
            0,
        ),
        (
            outcome(verdict(2, INCONCLUSIVE, 0.025), verdict(4, UNCHANGED, 0.0)),
            "Nothing regressed for certain: 1 of 2 cells (inference) within ±3 % of main (0123abcde), 1 inconclusive.",
            0,
        ),
        (
            outcome(verdict(2, UNCHANGED, 0.0), uncompared=(FAULT,)),
            "Incomparable: 1 cell could not be compared; first of all whole at hidden 64, 8 steps: main (0123abcde): "
            "failed: not equal to the reference.",
            3,
        ),
        (
            outcome(verdict(2, REGRESSED, 0.05), uncompared=(FAULT,)),
            "Regressed: 1 of 1 cell (inference) slower than main (0123abcde) by more than 3 %, most of all whole at "
            "hidden 64, "
            "2 steps: +5.0 % [+4.0, +6.0]; 1 cell could not be compared.",
            1,
        ),
        (outcome(verdict(2, INCONCLUSIVE, 0.0), too_few="2 pairs"), "Incomparable: 2 pairs.", 3),
        (
            outcome(uncompared=(Uncompared(cell(2), NEW, "main does not have it"),)),
            "First gate: nothing to compare yet, since main (0123abcde) does not have whole. Merge it; the next change "
            "is the first that can be compared.",
            3,
        ),
    ],
)
def test_the_sentence(found: Outcome, said: str, code: int) -> None:
    """Says what the exit code means, of what, by how much."""
    assert sentence(found) == said
    assert found.exit_code() == code


def test_markdown_puts_changes_first_and_folds_the_rest() -> None:
    """A pull request's comment shows regressions, then improvements; the others are there when they are looked for."""
    found = outcome(
        verdict(2, UNCHANGED, 0.001),
        verdict(4, IMPROVED, -0.1),
        verdict(8, REGRESSED, 0.1),
        verdict(16, INCONCLUSIVE, 0.025, "about 9 more pairs would decide it"),
        uncompared=(Uncompared(cell(32, "new|one"), NEW, "main does not have it"),),
    )
    text = markdown(found)
    head, _, folded = text.partition("<details>")
    assert head.startswith("### RNN gate: regressed\n")
    assert head.index("🔴 regressed") < head.index("🟢 improved")
    assert "unchanged" not in head
    assert "about 9 more pairs" in folded
    assert folded.count("<details>") + 1 == folded.count("</details>") == 4
    assert "new\\|one" in folded


def test_markdown_fits_a_comment() -> None:
    """GitHub takes 65,536 characters, however many cells there are."""
    many = [verdict(steps, UNCHANGED, 0.0) for steps in range(1, 3000)]
    many += [verdict(steps, REGRESSED, 0.1, name="manual") for steps in range(1, 3000)]
    text = markdown(outcome(*many))
    assert len(text.encode()) < 65_536
    assert f"and {2999 - MOST_ROWS} more" in text


def test_the_terminal_shows_what_is_worth_a_line() -> None:
    """Changes, what is open, what could not be compared; not what is unchanged."""
    found = outcome(verdict(2, UNCHANGED, 0.0), verdict(4, REGRESSED, 0.1), uncompared=(FAULT,))
    text = "\n".join(line.plain for line in lines(found))
    assert "regressed" in text
    assert "+10.0 % [+9.0, +11.0]" in text
    assert "not equal to the reference" in text
    assert "unchanged" not in text


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON, Markdown, and the summary of a job on GitHub, to which it is added."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    endless = CellVerdict(cell(2), INCONCLUSIVE, math.nan, -1.0, math.inf, 1)
    found = outcome(endless, verdict(4, REGRESSED, 0.1))
    write(found, True, tmp_path / "out.json", tmp_path / "out.md")
    content = json.loads((tmp_path / "out.json").read_text())
    assert content == json.loads(json.dumps(as_json(found, True)))
    assert content["exit_code"] == 1
    assert content["sentence"] == sentence(found)
    assert [row["change"] for row in content["cells"]] == [None, 0.1]
    assert content["cells"][0]["high"] is None
    assert (tmp_path / "out.md").read_text() == markdown(found)
    assert summary.read_text() == "before\n" + markdown(found) + "\n"
