"""One step at a time, in the page and the summary: where a run has a streaming case, and what it says there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.report.pictures.scene import Scene
from bench.report.topics.streaming import NOTHING_COUNTS, TITLE, topic
from bench.report.topics.topic import Topic
from bench.table.cells import cells
from bench.table.latency import with_latency
from bench.table.reading import read_run
from tests.report.test_page import CUT_OFF
from tests.synthetic import latency, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZES: dict[str, Any] = {"hidden_size": 128, "input_size": 128, "seq_len": 64}
STEP = {"manual": 12e-6, "fused-cpu": 3e-6, "whole": 16e-6}
ONCE = 4e-6
MODES = ("inference", "streaming")


def truth(case: Case, name: str) -> float:
    """Seconds of a call: of a streaming one 3 to 16 µs a step, of one over the whole sequence 4 µs a step."""
    return case.seq_len * (STEP[name] if case.mode == "streaming" else ONCE)


def written(folder: Path, modes: tuple[str, ...] = MODES, **more: Any) -> Path:
    """A run of an RNN and an LSTM in these modes, on a machine without moods."""
    cases = [Case(mode=mode, network=network, **SIZES) for network in ("rnn-tanh", "lstm") for mode in modes]
    calm: dict[str, Any] = {"noise": 1e-3, "moods": 0.0, "spread": 1e-3, "truth": truth, "implementations": tuple(STEP)}
    return write_run(folder, cases=cases, **(calm | more))


def of(folder: Path) -> Topic | None:
    """The section of a run."""
    run = read_run(folder)
    return topic(run, Scene(with_latency(cells(run), run), run.manifest))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both modes, three implementations."""
    return written(tmp_path / "run")


def plant(folder: Path, how: Callable[[dict[str, Any]], object], *names: str) -> None:
    """Edit what the pass files have of some implementations, or of all."""
    for path in (folder / "passes").iterdir():
        content = json.loads(path.read_text())
        for benchmark in content["benchmarks"]:
            info = benchmark["extra_info"]
            if "latency" in info and (not names or info["implementation"] in names):
                how(info)
        path.write_text(json.dumps(content))


def test_the_answer_comes_first(folder: Path) -> None:
    """The winner's step of the usual case and its slow ones; then `whole`, step by step and at once."""
    found = of(folder)
    assert found is not None
    assert found.said == [
        "`fused-cpu` answers a step in 3.00 µs [3.00, 3.00], 99 of 100 within 6.00 µs, at hidden 128, rnn-tanh.",
        "`whole`, called step by step, takes 16.0 µs [16.0, 16.0].",
        "Given the whole sequence, one call of `whole` takes 4.00 µs a step.",
        "5 % of all steps ran in a disturbed block, and don't count. About 0.1 µs of a step is the loop and the clock.",
    ]


def test_each_cell_is_a_row(folder: Path) -> None:
    """By case, the shortest step first, with a step of one call over the sequence beside it."""
    found = of(folder)
    assert found is not None
    assert [column.title for column in found.columns] == [
        "Case", "Implementation", "Median", "95 of 100 within", "99 of 100 within", "Step of one call", "Steps",
        "Disturbed",
    ]  # fmt: skip
    texts = [[entry.text for entry in row] for row in found.rows]
    assert [row[1] for row in texts] == ["`fused-cpu`", "`manual`", "`whole`"] * 2
    assert texts[3][0] == "hidden 128, 64 steps, rnn-tanh"
    assert texts[3][2].startswith("3.00 µs [") and texts[3][3].startswith("4.50 µs [")
    assert texts[3][5:] == ["4.00 µs", "9,500", "500"]


def test_no_ratio_is_formed_of_two_cases(folder: Path) -> None:
    """Their rounds are not the same."""
    found = of(folder)
    assert found is not None
    texts = [*found.said, *(entry.text for row in found.rows for entry in row)]
    assert not [text for text in texts if "×" in text or "faster" in text]


def test_without_inference_there_is_no_step_of_one_call(tmp_path: Path) -> None:
    """Neither a sentence nor a column."""
    found = of(written(tmp_path / "run", ("streaming",)))
    assert found is not None
    assert "Step of one call" not in [column.title for column in found.columns]
    assert len(found.said) == 3


def test_another_length_is_another_case(tmp_path: Path) -> None:
    """A step of 32 is no step of 64."""
    cases = [Case(mode="streaming", **SIZES), Case(**SIZES | {"seq_len": 32})]
    found = of(write_run(tmp_path / "run", cases=cases, truth=truth, implementations=tuple(STEP)))
    assert found is not None
    assert "Step of one call" not in [column.title for column in found.columns]


def test_where_nobody_wins_the_shortest_step_is_told(tmp_path: Path) -> None:
    """One pass decides nothing, and gives no interval."""
    found = of(written(tmp_path / "run", passes=1, spread=0.0))
    assert found is not None
    assert found.said[0].startswith("`fused-cpu` answers a step in 3.00 µs, 99 of 100 within 6.00 µs,")


def test_where_all_was_disturbed_it_says_so(folder: Path) -> None:
    """Of one, its figures are missing and its steps are not; of all, there is no figure at all, and no picture."""

    def disturb(info: dict[str, Any]) -> None:
        info["latency"] = latency(1.0, steps=0, disturbed=2000)

    plant(folder, disturb, "fused-cpu")
    found = of(folder)
    assert found is not None
    assert [entry.text for entry in found.rows[2]][2:] == ["–", "–", "–", "4.00 µs", "0", "10,000"]
    assert found.said[0].startswith("`manual` answers a step in 12.0 µs")
    plant(folder, disturb)
    found = of(folder)
    assert found is not None
    assert found.said[0] == NOTHING_COUNTS
    assert found.said[-1].startswith("100 % of all steps ran in a disturbed block")
    assert found.picture is None
    assert "Median" not in [column.title for column in found.columns]


def test_where_nothing_was_disturbed_it_says_so(folder: Path) -> None:
    """Without a share."""
    plant(folder, lambda info: info["latency"].update(disturbed=0))
    found = of(folder)
    assert found is not None
    assert found.said[-1].startswith("No block was disturbed. ")


def test_the_picture_has_a_panel_for_each_case(folder: Path) -> None:
    """Its text tells the figures; a legend is not needed, since the rows have names."""
    found = of(folder)
    assert found is not None and found.picture is not None
    assert [panel.title for panel in found.picture.panels] == ["Hidden 128 · rnn-tanh", "Hidden 128 · lstm"]
    assert found.picture.panels[0].alt.startswith(
        "Time of one step, Hidden 128: fused-cpu 3.00 µs, 99 of 100 within 6.00 µs; manual"
    )
    assert found.picture.legend == []


@pytest.mark.usefixtures("no_png")
def test_page_summary_and_cells_have_it(folder: Path) -> None:
    """The same sentences in both; every figure unrounded in cells.json."""
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    section = html.partition('<section id="streaming">')[2].partition("</section>")[0]
    assert f"<h2>{TITLE}</h2>" in section and '<a href="#streaming">' in html
    assert "<svg" in section and section.count("<tr>") == 1 + 6
    part = text.partition(f"## {TITLE}\n")[2].partition("\n## ")[0]
    assert "- `fused-cpu` answers a step in 3.00 µs" in part
    assert len([line for line in part.splitlines() if line.startswith("|")]) == 2 + 6
    assert (folder / "figures" / "streaming.svg").exists()
    rows = json.loads((folder / "cells.json").read_text())["cells"]
    assert {row["latency_steps"] for row in rows if row["mode"] == "streaming"} == {9500}
    assert {row["latency_p99"] for row in rows if row["mode"] == "inference"} == {None}


def test_nothing_is_said_of_other_runs(report: Path) -> None:
    """Neither a section, a link, a picture, nor a column."""
    html, text = (report / "index.html").read_text(), (report / "summary.md").read_text()
    assert TITLE not in html and "#streaming" not in html and TITLE not in text
    assert not (report / "figures" / "streaming.svg").exists()
    assert "latency" not in (report / "cells.json").read_text()


def test_nothing_is_said_of_a_run_whose_files_know_no_latency(folder: Path) -> None:
    """Such as of an earlier version."""
    plant(folder, lambda info: info.pop("latency"))
    assert of(folder) is None


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_the_section_fits(browser: Browser, folder: Path, width: int) -> None:
    """Folded on a phone, as the prices are; nothing is cut off."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(build(folder).as_uri())
    page.evaluate("document.querySelectorAll('#streaming details').forEach(each => each.open = true)")
    assert page.locator("#streaming thead").is_visible() == (width > 704)
    page.evaluate("document.querySelectorAll('main > :not(#streaming)').forEach(each => each.remove())")
    assert page.evaluate(CUT_OFF) == []
    page.close()
