"""The page of a history, in a browser; and what its words and charts are made of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.history.changes import Found, changes
from bench.history.series import History, history
from bench.history.summary import read_all
from bench.report.over_time import told
from bench.report.over_time.chronicle import write
from bench.report.over_time.searched import lines
from tests.history import planted
from tests.history.planted import CELLS, FORTY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Forty = tuple[History, Found, Path]


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Forty:
    """Forty commits with planted changes, and the folder of their page."""
    folder = tmp_path_factory.mktemp("history")
    own = history(read_all([planted.write(folder / "runs", **FORTY)])[0])
    found = changes(own)
    write(own, found, folder / "page")
    return own, found, folder / "page" / "index.html"


def opened(browser: Browser, path: Path, width: int) -> Page:
    """The page in a window of this width; what goes wrong in its scripts is an error."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_the_page_fits(browser: Browser, forty: Forty, width: int) -> None:
    """Nothing sticks out at the side; what is wide scrolls by itself."""
    page = opened(browser, forty[2], width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_cells_are_overlaid_by_choice(browser: Browser, forty: Forty) -> None:
    """Those that a commit changed at first; a click on a name shows or hides its line."""
    page = opened(browser, forty[2], 1440)
    there = "[...document.querySelectorAll('#every [data-band]:not(.off)')].map((line) => Number(line.dataset.band))"
    changed = sorted({CELLS.index(each.cell) for each in told.in_commits(forty[1])})
    cells = [CELLS.index(cell) for cell in forty[0].cells]
    assert sorted(cells[number] for number in page.evaluate(there)) == changed
    hidden = page.locator("#chosen button[aria-pressed=false]").first
    number = int(hidden.get_attribute("data-number") or "")
    hidden.click()
    assert number in page.evaluate(there)
    page.locator(f"#chosen button[data-number='{number}']").click()
    assert number not in page.evaluate(there)
    page.close()


def test_a_point_says_which_run_it_is(browser: Browser, forty: Forty) -> None:
    """Its commit and day, its cell, its ratio with its interval."""
    page = opened(browser, forty[2], 1440)
    page.locator("#each .panels svg").first.locator("[data-marks] use").first.hover()
    tip = page.locator(".tip").inner_text()
    assert planted.commit(0)[:9] in tip and "2026-09-01" in tip
    assert re.search(r"whole, hidden 128, 64 steps\s+2\.\d+× \[2\.\d+, 2\.\d+\] the control's time", tip)
    page.close()


def test_the_page_shows_every_change(forty: Forty) -> None:
    """By its id; the commits of those that have some; the differences of software; and a picture for each cell."""
    own, found, path = forty
    text = path.read_text(encoding="utf-8")
    assert all(f">{change.id}<" in text for change in found.changes)
    assert all(told.commit(own.runs[change.place.last]) in text for change in found.changes)
    assert "torch 2.13.0 → 2.14.0" in text
    assert text.count("<figure") == len(CELLS) + 1 + 1, "a cell each, one meter, and all of them"
    assert "http" not in re.sub(r"http://www\.w3\.org\S*", "", text), "it needs no network"


def test_rows_fit_a_narrow_terminal(forty: Forty) -> None:
    """Of 80 columns; each change is there by its id, and worse ones are red."""
    own, found, _ = forty
    shown = list(told.ending(own, found, "rnn-bench history runs", 80))
    assert max(len(line) for line, _ in shown if not line.startswith("    ")) <= 80
    text = "\n".join(line for line, _ in shown)
    assert all(change.id in text for change in found.changes)
    assert {style for line, style in shown if "130 → 195" in line} == {"red"}


def test_a_history_without_commits_counts_its_runs(tmp_path: Path) -> None:
    """Nothing is called a commit that is none."""
    own = history(read_all([planted.write(tmp_path, commits=14, seed=3)])[0])
    assert told.answer(own, changes(own)) == "No change in 8 cells over 14 commits."
    bare = history([type(run)(run.run, run.started, {}, run.machine, run.cells) for run in own.runs])
    assert told.answer(bare, changes(bare)) == "No change in 8 cells over 14 runs."


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ([], "The gate does not see the change"),
        (["a"], "The first commit that has it is a."),
        (["a", "b"], "It is one of 2 commits, between which the gate could not tell: a, b."),
        (list("abcdefg"), "It is one of 7 commits, between which the gate could not tell: a, b, c, d, e, ..."),
    ],
)
def test_what_a_search_found_stands_last(left: list[str], said: str) -> None:
    """After each commit that was looked at."""
    shown = list(lines([("b", "regressed")], left))
    assert shown[0] == "b: regressed"
    assert shown[-1].startswith(said)
