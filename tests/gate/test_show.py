"""What people and programs are told of an outcome."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import pytest

from bench.cases.case import Case, Cell
from bench.report.comment import MOST_ROWS, markdown
from bench.report.export import as_json, read, write
from bench.report.verdicts import MOST_ROWS as SHOWN
from bench.report.verdicts import sentence, sentences, text
from bench.store.files import BrokenFile
from bench.table.comparison import DISTURBED, DRIFT, EstimateWarning
from bench.table.outcome import (
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    NEW,
    NOT_RUN,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Look,
    Lost,
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


def test_the_sentence_says_which_mode_was_compared() -> None:
    """A verdict on inference alone says nothing of training."""
    training = dataclasses.replace(verdict(2, UNCHANGED, 0.0), cell=(Case(mode="training").id, "whole"))
    both = outcome(training, verdict(2, UNCHANGED, 0.0))
    assert sentence(both) == "Nothing regressed: all 2 cells are within ±3 % of main (0123abcde)."


FIRST = "First gate: nothing to compare yet, since main (0123abcde) does not have `whole`."
OUTCOMES = [
    (
        outcome(verdict(2, UNCHANGED, 0.0)),
        ["Nothing regressed: the one cell compared (inference) is within ±3 % of main (0123abcde)."],
        0,
    ),
    (
        outcome(verdict(2, REGRESSED, 0.05), verdict(4, REGRESSED, 0.12), verdict(8, UNCHANGED, 0.0)),
        [
            "Regressed: 2 of 3 cells (inference) are more than 3 % slower than main (0123abcde).",
            "Most of all `whole` at hidden 64, 4 steps: +12.0 % [+11.0, +13.0].",
        ],
        1,
    ),
    (
        outcome(verdict(2, IMPROVED, -0.2), verdict(4, UNCHANGED, 0.0)),
        [
            "Nothing regressed: 1 of 2 cells (inference) is within ±3 % of main (0123abcde), 1 faster.",
            "It is `whole` at hidden 64, 2 steps: -20.0 % [-21.0, -19.0].",
        ],
        0,
    ),
    (
        outcome(verdict(2, INCONCLUSIVE, 0.025), verdict(4, UNCHANGED, 0.0)),
        ["Nothing regressed for certain: 1 of 2 cells (inference) is within ±3 % of main (0123abcde), 1 inconclusive."],
        0,
    ),
    (
        outcome(verdict(2, INCONCLUSIVE, 0.025), verdict(4, INCONCLUSIVE, 0.0)),
        ["Nothing decided: all 2 cells (inference) are inconclusive at ±3 % of main (0123abcde)."],
        4,
    ),
    (
        outcome(verdict(2, UNCHANGED, 0.0), uncompared=(FAULT,)),
        [
            "Incomparable: 1 cell could not be compared.",
            "First of all `whole` at hidden 64, 8 steps: main (0123abcde): failed: not equal to the reference.",
        ],
        3,
    ),
    (
        outcome(verdict(2, REGRESSED, 0.05), uncompared=(FAULT,)),
        [
            "Regressed: 1 of 1 cell (inference) is more than 3 % slower than main (0123abcde).",
            "It is `whole` at hidden 64, 2 steps: +5.0 % [+4.0, +6.0].",
            "1 cell could not be compared.",
        ],
        1,
    ),
    (outcome(verdict(2, INCONCLUSIVE, 0.0), too_few="2 pairs"), ["Incomparable: 2 pairs."], 3),
    (
        outcome(uncompared=(Uncompared(cell(2), NEW, "main does not have it"),)),
        [FIRST, "Merge it; the next change is the first that can be compared."],
        3,
    ),
]


@pytest.mark.parametrize(("found", "said", "code"), OUTCOMES)
def test_the_sentences(found: Outcome, said: list[str], code: int) -> None:
    """They say what the exit code means, of what, by how much, in at most 25 words each."""
    assert sentences(found) == said
    assert sentence(found) == " ".join(said)
    assert found.exit_code() == code
    assert max(len(each.split()) for each in said) <= 25


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
    """Changes, what is open, what could not be compared; not what is unchanged; the verdict last."""
    found = outcome(verdict(2, UNCHANGED, 0.0), verdict(4, REGRESSED, 0.1), uncompared=(FAULT,))
    assert text(found) == (
        """
regressed
  whole  hidden 64, 4 steps  +10.0 % [+9.0, +11.0]
incomparable  whole, hidden 64, 8 steps
  main (0123abcde): failed: not equal to the reference

Regressed: 1 of 2 cells (inference) is more than 3 % slower than main
(0123abcde).
It is `whole` at hidden 64, 4 steps: +10.0 % [+9.0, +11.0].
1 cell could not be compared.
"""
    )


def test_a_gate_from_its_first_line_to_the_verdict() -> None:
    """What is told meanwhile is part of it: how many cells are settled, open and in all, and a pair that was lost."""
    found = outcome(verdict(2, REGRESSED, 0.1), verdict(4, INCONCLUSIVE, 0.02, "about 9 more pairs would decide it"))
    runs = "`whole` at hidden 64, 2 steps runs what it has in main (0123abcde), own kernel"
    found.asked, found.notes = 2, ["the budget of 60 s was spent", runs]
    found.looks = [Look(6, 14.2, 0, 0, 2, 1), Look(9, 20.4, 1, 1, 1, 0)]
    found.lost = [Lost(cell(4), "head: no answer\nfor 60 s")]
    assert text(found) == (
        """The working tree, against main (0123abcde)
Checking on both sides that every implementation computes the same network ...
2 cells to compare.
 6 pairs, 14 s: 0 settled, 2 open of 2 (1 looks slower)
 9 pairs, 20 s: 1 settled (1 regressed), 1 open of 2
A pair was lost over `whole` at hidden 64, 4 steps: head: no answer for 60 s.

regressed
  whole  hidden 64, 2 steps  +10.0 % [+9.0, +11.0]
inconclusive
  whole  hidden 64, 4 steps  +2.0 % [+1.0, +3.0]
    about 9 more pairs would decide it

Note: the budget of 60 s was spent
Note: `whole` at hidden 64, 2 steps runs what it has in main (0123abcde), own
kernel

Regressed: 1 of 2 cells (inference) is more than 3 % slower than main
(0123abcde).
It is `whole` at hidden 64, 2 steps: +10.0 % [+9.0, +11.0].
"""
    )


def test_what_all_cells_are_warned_of_is_said_once() -> None:
    """What only some are stands below their rows."""
    drift, disturbed = EstimateWarning(DRIFT, 1.5), EstimateWarning(DISTURBED, 0.14)
    first, second = verdict(2, REGRESSED, 0.1), verdict(4, REGRESSED, 0.2)
    found = outcome(
        dataclasses.replace(first, warnings=(disturbed,)), dataclasses.replace(second, warnings=(disturbed, drift))
    )
    lines = text(found).splitlines()
    assert lines.count("    drift 1.5×") == 1
    assert "    disturbed 14 %" not in lines
    assert sum(line.startswith("Warning: In all cells: ") for line in lines) == 1


def test_many_rows_are_cut_and_reasons_are_told_once() -> None:
    """A saved run has hundreds of cells: a terminal shows a few of each verdict, and how many more there are."""
    found = outcome(
        *(verdict(steps, INCONCLUSIVE, 0.02) for steps in range(1, 101)),
        uncompared=tuple(Uncompared(cell(steps, "mine"), NOT_RUN, "made for\nCUDA") for steps in range(1, 19)),
    )
    lines = text(found).splitlines()
    assert f"  and {100 - SHOWN} more; --json FILE has them all" in lines
    assert lines.count("  made for CUDA") == 1
    assert "not run  mine, 18 cells" in lines
    assert len(lines) < 25


@pytest.mark.parametrize(("found", "said", "code"), OUTCOMES)
def test_json_is_read_back(found: Outcome, said: list[str], code: int, tmp_path: Path) -> None:
    """All that the terminal shows of an outcome can be had from its file again."""
    found.looks, found.lost = [Look(6, 14.2, 0, 0, 2, 1)], [Lost(cell(4), "head: it died")]
    found.asked, found.notes = 2, ["a note"]
    write(found, False, tmp_path / "out.json", None)
    again = read(tmp_path / "out.json")
    assert again == found
    assert text(again) == text(found)


def test_the_outcome_that_is_committed() -> None:
    """A gate of another repository, with a copy too many planted: what documentation quotes can be had of it."""
    path = Path(__file__).parents[2] / "reports" / "reference" / "amd-epyc-2-cores" / "gate" / "outcome.json"
    shown = text(read(path))
    (base,) = re.findall(
        r"^The working tree \((\w{9}) and uncommitted changes\), against main \(\1\)$", shown, re.MULTILINE
    )
    assert f"\nRegressed: 4 of 4 cells are more than 3 % slower than main ({base}).\n" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert not any(place in path.read_text() for place in ("/home", "/work", "/tmp", "/root"))


def test_json_of_something_else_is_named(tmp_path: Path) -> None:
    """Another schema, another file."""
    for content in ('{"schema": 1}', "{}", "[]", "nothing"):
        (tmp_path / "out.json").write_text(content)
        with pytest.raises(BrokenFile, match=r"out\.json"):
            read(tmp_path / "out.json")


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
