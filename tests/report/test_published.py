"""What others published, in the page and the summary: where it applies, beside the run's own, and in no ratio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.report.markdown import MANY_FIGURES, summary
from bench.report.pictures.scene import Scene
from bench.report.topics.elsewhere import NOTE, TITLE, topic
from bench.report.topics.topic import Topic
from bench.report.use import Use
from bench.report.why import Why
from bench.store.manifest import Manifest
from bench.table.cells import cells
from bench.table.reading import Run, read_run
from tests.report.conftest import Table
from tests.report.test_page import CUT_OFF
from tests.synthetic import write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LSTM = Case(network="lstm", hidden_size=500, input_size=500, batch_size=64, seq_len=50)
SECONDS = {"manual": 1.6, "looped": 3.2, "whole": 0.64}


def truth(case: Case, name: str) -> float:
    """Seconds of a call: 100 samples/s of the LSTM by `whole`."""
    return SECONDS[name] * case.batch_size / LSTM.batch_size


def of(table: pd.DataFrame, manifest: Manifest) -> Topic:
    """The section of a run with this table."""
    found = topic(Run(Path(), manifest, pd.DataFrame()), Scene(table, manifest))
    assert found is not None
    return found


def of_folder(folder: Path) -> Topic:
    """The section of the run in a folder."""
    run = read_run(folder)
    return of(cells(run), run.manifest)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of a published case, in another dtype, and of one that nobody published, on a machine without moods."""
    cases = [Case(**LSTM.as_dict() | {"dtype": "bfloat16"}), Case(hidden_size=8, input_size=8, seq_len=2)]
    return write_run(tmp_path / "run", cases=cases, truth=truth, noise=0.0, moods=0.0, spread=1e-4)


def test_each_figure_is_a_row_beside_the_runs_own(folder: Path) -> None:
    """Whose, where, with what, in samples/s and time; the run's case, its `whole` and its fastest in their columns."""
    found = of_folder(folder)
    case = "lstm, hidden 500, 50 steps, batch 64, inference, bfloat16, 1 thread"
    assert [column.title for column in found.columns] == [
        "Case", "Published by", "Hardware", "Software", "Their samples/s", "whole here", "Fastest here",
    ]  # fmt: skip
    assert [entry.text for entry in found.rows[0]] == [
        case, "mxnet#12893, 2019", "CPU: Xeon 8180, 1 socket", "MXNet, Gluon's RNN API, float32", "8,842 (7.24 ms)",
        "100 (640 ms)", "`whole`: 100 (640 ms)",
    ]  # fmt: skip
    assert [row[0].text for row in found.rows] == [case] * 3
    assert found.rows[0][1].hint == "https://github.com/apache/mxnet/pull/12893"


def test_no_ratio_is_formed(folder: Path) -> None:
    """Not in a field, and no column is of both; the sentence says why."""
    found = of_folder(folder)
    assert "no ratio" in NOTE
    assert not [entry.text for row in found.rows for entry in row if "×" in entry.text or "%" in entry.text]


@pytest.mark.usefixtures("no_png")
def test_page_and_summary_have_it(folder: Path) -> None:
    """With a link to each source."""
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    section = html.partition('<section id="published">')[2].partition("</section>")[0]
    assert f"<h2>{TITLE}</h2>" in section and NOTE in section and '<a href="#published">' in html
    assert section.count("<tr>") == 1 + 3
    assert '<a href="https://github.com/apache/mxnet/pull/12893">mxnet#12893, 2019</a>' in section
    part = text.partition(f"## {TITLE}\n")[2].partition("\n## ")[0]
    assert NOTE in part and len([line for line in part.splitlines() if line.startswith("|")]) == 2 + 3
    assert "| [mxnet#12893, 2019](https://github.com/apache/mxnet/pull/12893) |" in part


def test_nothing_is_said_where_nobody_published_anything(report: Path) -> None:
    """Neither a section nor a link to one."""
    html, text = (report / "index.html").read_text(), (report / "summary.md").read_text()
    assert TITLE not in html and "#published" not in html and TITLE not in text


def test_columns_without_a_figure_are_left_out(planted: Callable[..., Table]) -> None:
    """`whole` was not measured, and nobody is the fastest of one."""
    table, manifest = planted(cases=[LSTM], implementations=("manual",), passes=1)
    assert [column.title for column in of(table, manifest).columns][-1] == "Their samples/s"


def test_an_undecided_case_names_those_in_the_running(planted: Callable[..., Table]) -> None:
    """Without a figure, since none of them is the fastest for certain."""
    table, manifest = planted(lambda *_: 0.64, cases=[LSTM], passes=2, spread=0.3)
    assert of(table, manifest).rows[0][-1].text.startswith("undecided: ")
    assert "(" not in of(table, manifest).rows[0][-1].text


def test_a_long_table_is_the_pages_alone(planted: Callable[..., Table]) -> None:
    """DeepBench has up to eleven figures of a case; the summary says where they are."""
    table, manifest = planted(presets=("deepbench-train",), implementations=("whole",), passes=1, rounds=2)
    found = of(table, manifest)
    assert len(found.rows) == 132 + 96 > MANY_FIGURES
    text = summary(table, manifest, [], Why(), Use(), [found])
    assert f"## {TITLE}\n\n- {NOTE}\n\nThe page has the table, of 228 lines.\n" in text


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_the_section_fits(browser: Browser, folder: Path, width: int) -> None:
    """Folded on a phone, as the prices are; nothing is cut off."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(build(folder).as_uri())
    assert page.locator("#published thead").is_visible() == (width > 704)
    page.evaluate("document.querySelectorAll('main > :not(#published)').forEach(each => each.remove())")
    assert page.evaluate(CUT_OFF) == []
    page.close()
