"""What padding costs, by planted truths: where packing turns faster, what to use, and what page and summary say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.cases import lengths
from bench.cases.case import Case
from bench.report.build import build
from bench.report.pictures.scene import Scene
from bench.report.topics.ragged import MEANT, REPORTED, TITLE, topic
from bench.report.topics.topic import Topic
from bench.report.use import use
from bench.store.manifest import Manifest
from bench.table.cells import cells
from bench.table.raggedness import Choice, choices, ragged, turns
from bench.table.reading import Run, read_run
from tests.report.conftest import Table
from tests.synthetic import write_run

ASKED = ("uniform:0.9", "uniform:0.5", "uniform:0.1", "zipf:1.2")
NAMES = ("manual", "whole", "packed", "packed-sorted", "bucketed")
CASE = Case(hidden_size=128, batch_size=32, seq_len=128)
CASES = [replace(CASE, network=network, lengths=each) for network in ("rnn-tanh", "lstm") for each in ASKED]
QUIET = {"noise": 0.0, "moods": 0.0, "spread": 1e-3, "passes": 3, "implementations": NAMES}
STEP = {"rnn-tanh": 1.25, "lstm": 3.0}
"""What a useful step costs packed, in those of `whole`."""


def padding(case: Case) -> float:
    """The share of a case's steps that belong to no sequence."""
    return 1 - sum(lengths.of(case)) / (case.batch_size * case.seq_len)


def truth(case: Case, name: str) -> float:
    """`whole` pays for the padding, packing for useful steps alone, each 1.25 times as much, of an LSTM 3 times;
    sorting costs a tenth more; buckets cost half more and remove all padding."""
    steps = case.batch_size * case.seq_len
    useful = 1e-6 * steps * (1 - padding(case))
    packed = STEP[case.network] * useful
    every = {"manual": 2e-6 * steps, "whole": 1e-6 * steps, "packed": 1.1 * packed, "packed-sorted": packed}
    return every.get(name, 1.5 * useful)


@pytest.fixture
def table(planted: Callable[..., Table]) -> Table:
    """A run of every network and amount of padding."""
    return planted(truth, cases=CASES, **QUIET)


def of(table: pd.DataFrame, manifest: Manifest) -> Topic | None:
    """The section of a run with this table."""
    return topic(Run(Path(), manifest, pd.DataFrame()), Scene(table, manifest))


def test_padding_and_the_time_of_a_useful_step_are_known(table: Table) -> None:
    """By hand: of 4 steps of 2 sequences, one of which has 2, a quarter is padding; `whole` pays 1 / (1 - padding)."""
    found = ragged(table[0])
    assert len(found) == len(CASES) * len(NAMES)
    for _, row in found.iterrows():
        case = Case.parse(row["case"])
        assert row["padding"] == pytest.approx(padding(case))
        if row["implementation"] == "whole":
            assert row["useful_seconds"] == pytest.approx(1e-6 / (1 - padding(case)), rel=0.01)
            assert row["useful_seconds_low"] < row["useful_seconds"] < row["useful_seconds_high"]
    whole = table[0][table[0]["implementation"] == "whole"].head(1).assign(useful_steps=6, batch_size=2, seq_len=4)
    assert ragged(whole)["padding"].tolist() == [0.25]


def test_the_turn_lies_between_two_measured_paddings(table: Table) -> None:
    """Packing pays from 1 - 1 / 1.25 = 20 % on, of an LSTM from 67 % on, buckets from 33 % on."""
    found = {(turn.group.network, turn.family): turn for turn in turns(table[0])}
    paddings = [padding(replace(CASE, lengths=each)) for each in ASKED]
    assert paddings == sorted(paddings)
    assert paddings[0] < 0.2 < paddings[1] < 0.33 < paddings[2] < 0.66 < paddings[3]
    for key, first in {("rnn-tanh", "packed"): 1, ("lstm", "packed"): 3, ("lstm", "bucketed"): 2}.items():
        turn = found[key]
        assert [point.padding for point in turn.points] == pytest.approx(paddings)
        assert [point.padding for point in turn.faster] == pytest.approx(paddings[first:])
        assert turn.below is not None and turn.below.padding == pytest.approx(paddings[first - 1])
        assert turn.names == (["packed-sorted"] if key[1] == "packed" else ["bucketed"])
        assert turn.group.lengths == "fixed"


@pytest.mark.parametrize(("cost", "faster"), [(0.5, 4), (20.0, 0)])
def test_always_and_never_are_answers(planted: Callable[..., Table], cost: float, faster: int) -> None:
    """Where packing is faster at the least padding, and where it isn't at the largest."""

    def own(case: Case, name: str) -> float:
        return truth(case, "whole") * (cost if name.startswith("packed") else 1)

    table, manifest = planted(own, cases=CASES[:4], **QUIET)
    (turn,) = (turn for turn in turns(table) if turn.family == "packed")
    assert len(turn.faster) == faster
    assert (turn.below is None) == (faster == 4)
    found = of(table, manifest)
    assert found is not None
    least, most = (f"{100 * padding(replace(CASE, lengths=each)):.2g} %" for each in (ASKED[0], ASKED[-1]))
    where = "hidden 128, 128 steps, batch 32, inference"
    if faster:
        assert found.said[0] in (
            f"Ragged batches: `{names}`, from {least} padding, the least measured."
            for names in ("packed", "packed-sorted", "packed` or `packed-sorted")
        )
    else:
        assert found.said[1] == f"`packed` is never faster than `whole` for certain, up to {most} padding: {where}."


def test_a_turn_is_not_before_one_that_is_open(planted: Callable[..., Table]) -> None:
    """Faster at 27 %, and not at 48 %: from 87 % on."""

    def own(case: Case, name: str) -> float:
        late = name.startswith("packed") and case.lengths == ASKED[2]
        return truth(case, "whole" if late else name)

    table, _ = planted(own, cases=CASES[:4], **QUIET)
    (turn,) = (turn for turn in turns(table) if turn.family == "packed")
    assert len(turn.faster) == 1


def test_what_to_use_by_padding(table: Table) -> None:
    """`whole` up to a padding, then the fastest of those that beat it; where several do in turn, all of them."""
    a, b, c, d = (padding(replace(CASE, lengths=each)) for each in ASKED)
    rnn, lstm = (replace(CASE, network=network) for network in ("rnn-tanh", "lstm"))
    assert a < b < c < d
    assert sorted(choices(table[0]), key=lambda choice: choice.names) == [
        Choice(lstm, b, c, ("bucketed",)),
        Choice(rnn, a, b, ("packed-sorted",)),
    ]
    notes = use(table[0], Scene(*table)).notes
    assert [note for note in notes if note.startswith("Ragged")] == [
        "Ragged batches, lstm: pad and run `whole` up to 27 % padding; from 48 % on `bucketed`.",
        "Ragged batches, rnn-tanh: pad and run `whole` up to 5.3 % padding; from 27 % on `packed-sorted`.",
    ]


def test_nothing_is_chosen_where_one_was_not_measured(planted: Callable[..., Table]) -> None:
    """Buckets might be faster still."""
    table, manifest = planted(truth, cases=CASES, **{**QUIET, "implementations": ("whole", "packed")})
    assert choices(table) == []
    found = of(table, manifest)
    assert found is not None and not [text for text in found.said if text.startswith("Ragged")]


def test_nothing_is_chosen_where_another_is_faster(planted: Callable[..., Table]) -> None:
    """A kernel that runs over the padding in half of the time."""

    def own(case: Case, name: str) -> float:
        return truth(case, "whole") / 2 if name == "fused-cpu" else truth(case, name)

    table, _ = planted(own, cases=CASES, **{**QUIET, "implementations": (*NAMES, "fused-cpu")})
    assert choices(table) == []
    assert len(turns(table)) == 4


def test_the_section_answers_first(table: Table) -> None:
    """From which padding on, where packing loses most, what users report, in sentences of 25 words at most."""
    found = of(*table)
    assert found is not None
    assert found.said == [
        "Ragged batches, lstm: pad and run `whole` up to 27 % padding; from 48 % on `bucketed`.",
        "Ragged batches, rnn-tanh: pad and run `whole` up to 5.3 % padding; from 27 % on `packed-sorted`.",
        found.said[2],
        REPORTED,
        MEANT,
    ]
    assert found.said[2].startswith("Packing loses most at 5.3 % padding, where `packed-sorted` takes 2.8")
    assert found.said[2].endswith("as long as `whole`: lstm.")
    sentences = [part for text in found.said for part in text.split(". ")]
    assert max(len(part.split()) for part in sentences) <= 25
    assert [row[2].text for row in found.rows] == ["5.3 %", "27 %", "48 %", "87 %"] * 2
    assert [column.title for column in found.columns] == ["Case", "Lengths", "Padding", *NAMES]
    by_title = dict(zip([column.title for column in found.columns], found.rows[-1], strict=True))
    assert "×" not in by_title["whole"].text and "×" in by_title["packed"].text


def test_why_an_lstm_is_never_faster_packed_is_said(planted: Callable[..., Table]) -> None:
    """By the kernels that were seen."""

    def own(case: Case, name: str) -> float:
        return truth(case, "whole") * (3 if name.startswith("packed") else 1)

    table, manifest = planted(own, cases=CASES[4:], **QUIET)
    seen = ["oneDNN (inference)" if name == "whole" else "ATen's loop" for name in table["implementation"]]
    for frame, told in ((table, False), (table.assign(kernel=seen), True)):
        found = of(frame, manifest)
        assert found is not None
        assert ("oneDNN runs the LSTM of `whole` and takes no packed batch." in found.said) == told


@pytest.mark.usefixtures("no_png")
def test_page_and_summary_have_it(tmp_path: Path) -> None:
    """With its picture, a panel for each network, and one more legend entry for nobody."""
    folder = write_run(tmp_path / "run", cases=CASES, truth=truth, **QUIET)  # type: ignore[arg-type] # options of several types
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    section = html.partition('<section id="ragged">')[2].partition("</section>")[0]
    assert f"<h2>{TITLE}</h2>" in section and '<a href="#ragged">Ragged batches</a>' in html
    assert section.count("<svg") == 2 and "rnn-tanh, inference" in section and "lstm, inference" in section
    assert (folder / "figures" / "ragged.svg").exists()
    assert text.partition(f"## {TITLE}\n")[2].lstrip().startswith("- Ragged batches, lstm: pad and run `whole`")


def test_other_runs_have_no_such_section(planted: Callable[..., Table]) -> None:
    """Cases of one length, and a ragged one without `whole` to hold others against."""
    assert of(*planted(presets=("smoke",), implementations=("manual", "whole"), passes=2)) is None


def test_without_whole_nothing_is_said(tmp_path: Path) -> None:
    """There is nothing to hold them against."""
    options = {**QUIET, "implementations": ("packed", "bucketed")}
    run = read_run(write_run(tmp_path / "run", cases=CASES, truth=truth, **options))  # type: ignore[arg-type] # options of several types
    assert of(cells(run), run.manifest) is None
