"""The page of a run too large for all of it, and that of several machines: bounded, and everything can be found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.proof.large import case_list, write_runs
from bench.report import several
from bench.report.build import build
from bench.report.excerpt import MANY_CELLS, MOST_SIZES, excerpt
from bench.store.merged import Machine, read_merged
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.table.shared import shared
from tests.command import bench
from tests.synthetic import MACHINE, true_seconds, write_run
from tests.test_merge import edit, files_below

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OTHER = MACHINE | {"cpu": "Imaginary CPU 9001"}
CASES = [
    Case(seq_len=steps, mode=mode, batch_size=batch)
    for batch in (1, 16)
    for steps in (8, 64)
    for mode in ("inference", "training")
]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged run of two machines with their pages; one of them is too large for a page of all."""
    folder = tmp_path_factory.mktemp("large")
    write_runs(folder / "runs", 400 * 18)
    for command in (("merge", str(folder / "runs"), "--into"), ("report",)):
        code, _, told = bench(*command, str(folder / "merged"))
        assert code == 0, told
    return folder / "merged"


def test_a_large_page_is_bounded(large: Path) -> None:
    """It says what it shows and where the rest is; pictures are of one setting, the data of every cell."""
    machine = read_merged(large)[0]
    text = (machine.folder / "index.html").read_text()
    run = read_run(machine.folder)
    table = cells(run)
    assert len(table) == 1200 > MANY_CELLS
    told = text.replace("\xa0", " ")
    assert "This run has 1,200 cells. Pictures, regions and explanations show 288 of them: " in told
    assert text.count("<figure") < 60 and len(text) < 2e6
    assert {"cells.parquet", "index.html", "summary.md"} <= set(files_below(machine.folder))
    assert not {"cells.json", "samples.csv"} & set(files_below(machine.folder))
    written = pd.read_parquet(machine.folder / "cells.parquet")
    assert written["speedup"].tolist() == pytest.approx(table["speedup"].tolist(), nan_ok=True)


def test_its_table_has_every_cell(large: Path) -> None:
    """Column by column, and the texts of one row are those of its cell."""
    machine = read_merged(large)[0]
    text = (machine.folder / "index.html").read_text()
    (source,) = re.findall(r'<script type="application/json" id="lookup">(.*?)</script>', text, re.DOTALL)
    columns = {column["title"]: column for column in json.loads(source)["columns"]}
    table = cells(read_run(machine.folder))

    def told(title: str, row: int) -> str:
        column = columns[title]
        return str(column["texts"][column["data"][row]] if "texts" in column else column["data"][row])

    assert {len(column["data"]) for column in columns.values()} == {len(table)}
    for row in (0, 517, 1199):
        assert told("Implementation", row) == table["implementation"][row]
        assert told("Hidden", row) == str(table["hidden_size"][row])
        assert columns["Time per call"]["order"][row] == pytest.approx(table["seconds"][row], rel=1e-4)
        speedup = told("Speed-up", row)
        assert speedup == "1×" if table["implementation"][row] == "manual" else float(speedup.split("×")[0]) > 0
    assert columns["Hidden"]["texts"] == ["16", "32", "64", "128", "256", "512"], "in the order of numbers"


def test_an_excerpt_has_a_bounded_number_of_sizes(tmp_path: Path) -> None:
    """Also where a single setting is huge; the usual case is among what is shown."""
    cases = [Case(hidden_size=128, seq_len=steps) for steps in range(1, 400)]
    run = read_run(write_run(tmp_path / "run", cases=cases, passes=2, rounds=1))
    part = excerpt(cells(run), None)
    assert part is not None
    assert part.cells["seq_len"].nunique() <= MOST_SIZES + 1 and 64 in set(part.cells["seq_len"])
    assert excerpt(cells(run).head(MANY_CELLS), None) is None, "what fits is shown as a whole"


def test_cases_are_of_every_axis() -> None:
    """The generated Cases are distinct, and there are enough of them."""
    assert len({case.id for case in case_list(10_000)}) == 10_000


def merged_pair(tmp_path: Path, slower: dict[str, float]) -> Path:
    """A merged run of two machines with the pages; on the second, implementations take so many times as long."""

    def truth(case: Case, name: str) -> float:
        return true_seconds(case, name) * slower.get(name, 1.0)

    write_run(tmp_path / "a", cases=CASES, spread=0.005, noise=0.01)
    write_run(tmp_path / "b", cases=CASES, spread=0.005, noise=0.01, truth=truth, seed=2)
    edit(tmp_path / "b" / "run.json", lambda run: run.update(machine=OTHER))
    for command in (("merge", str(tmp_path / "a"), str(tmp_path / "b"), "--into"), ("report",)):
        code, _, told = bench(*command, str(tmp_path / "merged"))
        assert code == 0, told
    return tmp_path / "merged"


def test_machines_stand_side_by_side(tmp_path: Path) -> None:
    """A panel and a link for each, their speed-ups in one table, and where their winners differ."""
    folder = merged_pair(tmp_path, {"whole": 30.0})
    text = (folder / "index.html").read_text()
    for machine in read_merged(folder):
        link = f"machines/{machine.fingerprint}/index.html"
        assert f'href="{link}"' in text and (folder / link).is_file()
    assert text.count("<h2>Imaginary CPU 900") == 2
    tables = {each.fingerprint: cells(read_run(each.folder)) for each in read_merged(folder)}
    found = shared(tables)
    assert found.cases == sorted(case.id for case in CASES)
    assert len(found.differing) > 5, "all but those that are undecided on one of the two"
    assert f"In {len(found.differing)} of 8 shared cases, two machines have different winners." in text
    said = several.said(found, several.labels(read_merged(folder)))
    winners = {"Imaginary CPU 9000": "`whole`", "Imaginary CPU 9001": "`manual`"}
    told = "; ".join(f"on {name} {winners[name]}" for name in several.labels(read_merged(folder)).values())
    assert said[1] == f"At hidden 128, 64 steps, inference, batch 1, the fastest is {told}."


def test_machines_that_agree(tmp_path: Path) -> None:
    """Where everything takes twice as long on one, the winners are the same, and no ratio says twice."""
    folder = merged_pair(tmp_path, dict.fromkeys(("manual", "looped", "whole"), 2.0))
    text = (folder / "index.html").read_text()
    assert "In 8 shared cases, no two machines have different winners for certain." in text
    tables = {each.fingerprint: cells(read_run(each.folder)) for each in read_merged(folder)}
    one, other = (table.set_index(["case", "implementation"])["speedup"].sort_index() for table in tables.values())
    assert one.to_numpy() == pytest.approx(other.to_numpy(), rel=0.03)


def test_one_machine_has_its_own_page_alone(tmp_path: Path) -> None:
    """Its run's page is the page."""
    write_run(tmp_path / "a", cases=CASES)
    assert bench("merge", str(tmp_path / "a"), "--into", str(tmp_path / "merged"))[0] == 0
    (machine,) = read_merged(tmp_path / "merged")
    assert build(tmp_path / "merged") == machine.folder / "index.html"
    assert not (tmp_path / "merged" / "index.html").exists()


def test_labels_tell_machines_apart() -> None:
    """By what sets one apart from another of that name, or else by its fingerprint."""

    def of(digits: str, **facts: Any) -> Machine:
        return Machine(digits, facts, Path(), [], [])

    found = several.labels([of("1", cpu="A", torch="2.13"), of("2", cpu="A", torch="2.14"), of("3", cpu="A", gpu="H")])
    assert found == {"1": "A, torch 2.13", "2": "A, torch 2.14", "3": "H"}
    assert several.labels([of("1", cpu="A"), of("2", cpu="A")]) == {"1": "A (1)", "2": "A (2)"}


@pytest.fixture
def page(browser: Browser, large: Path) -> Iterator[Page]:
    """The page of the large machine, at a desktop's width."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.goto((read_merged(large)[0].folder / "index.html").as_uri())
    yield opened
    opened.close()


@pytest.mark.long
def test_a_case_is_found_by_its_filters(page: Page) -> None:
    """Choosing a value on each axis leaves the implementations of one case; clearing brings all back."""
    info = page.locator(".dt-info")
    assert info.inner_text() == "1 to 50 of 1,200 cells"
    chosen = {"Mode": "training", "Hidden": "128", "Steps": "64", "Network": "gru", "Batch": "1"}
    for title, value in chosen.items():
        page.locator("#filters label", has_text=title).locator("select").select_option(value)
    rows = page.locator("#every tbody tr")
    assert rows.count() == 4 and all("training" in text for text in rows.all_inner_texts())
    page.locator("#clear").click()
    assert info.inner_text() == "1 to 50 of 1,200 cells"


@pytest.mark.long
def test_it_sorts_by_the_figure(page: Page) -> None:
    """The shortest time of all comes first after a click."""
    page.locator("#every thead th", has_text="Time per call").click()
    first = page.locator("#every tbody tr").first.inner_text()
    assert " µs" in first and "inference" in first


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_both_pages_fit(browser: Browser, large: Path, width: int, scheme: Any) -> None:
    """No console message and no sideways scroll, on a phone as on a desktop."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    for path in (large / "index.html", read_merged(large)[0].folder / "index.html"):
        opened = context.new_page()
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(path.as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        assert said == []
        opened.close()
    context.close()
