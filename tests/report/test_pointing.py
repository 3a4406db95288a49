"""The page's pictures answer, in a real browser: to the pointer, the keyboard, the legend, the baseline, the views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.report.build import build
from bench.report.units import short_times, times
from bench.table.comparison import compare
from bench.table.measured import measured_samples
from bench.table.ratios import ratios
from bench.table.reading import read_run
from tests.synthetic import write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("manual", "looped", "whole")


def test_ratios_turn_round(tmp_path: Path) -> None:
    """Each pair is what `compare` says of it, whichever of the two is the baseline, to the last digits."""
    run = read_run(write_run(tmp_path, presets=("smoke",), passes=3))
    found = ratios(run, NAMES)
    samples = measured_samples(run)
    cases = {case for case, _ in samples}
    assert set(found) == {((case, one), base) for case in cases for one in NAMES for base in NAMES if one != base}
    for ((case, one), base), known in found.items():
        there = {name: samples[case, name] for name in NAMES}
        truth = compare(case, one, base, there, run.manifest.first_passes)
        assert (known.one, known.other) == (one, base)
        ends = (known.ratio.value, known.ratio.low, known.ratio.high)
        assert ends == pytest.approx((truth.ratio.value, truth.ratio.low, truth.ratio.high), rel=1e-9)
        assert known.relation == truth.relation


@pytest.mark.long
def test_a_page_of_the_default_run_is_small(tmp_path: Path) -> None:
    """At most 1.5 MB, explained, with the five implementations of a plain run."""
    names = (*NAMES, "hoisted", "stacked-grad")
    parts = ("limits", "profile", "gradients")
    index = build(write_run(tmp_path, implementations=names, explained=parts))
    assert index.stat().st_size < 1.5e6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with curves, of three implementations, two lengths and two sizes."""
    found = write_run(tmp_path_factory.mktemp("pointing") / "run", presets=("smoke",), passes=3)
    build(found)
    return found


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    """The report, opened anew."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.goto((folder / "index.html").as_uri())
    yield opened
    opened.close()


def asked(page: Page) -> Any:
    """The data that the page's script shows."""
    return json.loads(page.locator("#asked").inner_text() or page.evaluate("asked.textContent"))


@pytest.mark.long
def test_a_mark_tells_what_it_is(page: Page) -> None:
    """Implementation, case, time with its interval, and the ratio over the baseline; the pointer gone, it is gone."""
    mark = page.locator("#time [data-marks] use").first
    mark.scroll_into_view_if_needed()
    mark.hover()
    cell = int((page.locator("#time [data-marks]").first.get_attribute("data-marks") or "").split()[0])
    name, place, time, *_ = asked(page)["cells"][cell]
    told = page.locator(".tip").inner_text()
    assert name in told and place in told and time in told
    page.locator("h1").hover()
    assert not page.locator(".tip").is_visible()


@pytest.mark.long
def test_arrow_keys_go_from_figure_to_figure(page: Page) -> None:
    """A picture can be reached by the keyboard, every mark of it is told once, Escape ends it."""
    svg = page.locator("#time .panels svg").first
    svg.focus()
    marks = svg.locator("[data-marks] use").count()
    told = []
    for _ in range(marks):
        page.keyboard.press("ArrowRight")
        told.append(page.locator(".tip").inner_text())
    assert len(set(told)) == marks == 6
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()


@pytest.mark.long
def test_the_legend_hides_a_series(page: Page) -> None:
    """A click hides one implementation's lines and its heatmaps everywhere, another brings them back."""
    cells = asked(page)["cells"]

    def seen() -> set[str]:
        shown = page.evaluate(
            "[...document.querySelectorAll('.pictures [data-marks]:not(.off)')].map(each => each.dataset.marks)"
        )
        return {cells[int(marks.split()[0])][0] for marks in shown}

    button = page.get_by_role("button", name="looped", exact=True)
    assert seen() == set(NAMES)
    button.click()
    assert seen() == {"manual", "whole"} and button.get_attribute("aria-pressed") == "false"
    assert page.locator("#speedup figure[data-of=looped]:not([hidden])").count() == 0
    button.click()
    assert seen() == set(NAMES)


@pytest.mark.long
def test_another_baseline_changes_every_tile(page: Page, folder: Path) -> None:
    """The ratios are those of `bench.table`, with their intervals; the new baseline has no picture, the old one has."""
    page.get_by_role("button", name="Speed-up", exact=True).click()
    page.select_option("#baseline", "whole")
    run = read_run(folder)
    found = ratios(run, ["whole"])
    known = {(case, one): each.ratio for ((case, one), _), each in found.items()}
    wanted = sorted(short_times(ratio.value) for ratio in known.values())
    shown = page.locator("#speedup figure:not([hidden]) [data-text] text").all_text_contents()
    assert sorted(shown) == wanted
    assert page.locator("#speedup figure[data-of=whole]:not([hidden])").count() == 0
    assert page.locator("#speedup figure[data-of=manual]:not([hidden])").count() == 2
    assert page.locator("#speedup h2 .over").inner_text() == "whole"
    page.locator("#speedup figure:not([hidden]) [data-text] text").first.hover(force=True)
    told = page.locator(".tip").inner_text()
    assert any(f"{times(r.value, r.low, r.high)} over whole" in told.replace(", undecided", "") for r in known.values())


@pytest.mark.long
def test_one_view_at_a_time_and_links_find_theirs(page: Page) -> None:
    """Times first; a link to the costs per step shows them."""
    views = ("time", "speedup", "step")
    assert [page.locator(f"#{name}").is_visible() for name in views] == [True, False, False]
    page.get_by_role("link", name="Cost per step").click()
    page.wait_for_function("!document.getElementById('step').classList.contains('off')")
    assert [page.locator(f"#{name}").is_visible() for name in views] == [False, False, True]


@pytest.mark.long
def test_without_script_every_picture_stays(browser: Browser, folder: Path) -> None:
    """And no control that would do nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    assert all(page.locator(f"#{name}").is_visible() for name in ("time", "speedup", "step", "memory"))
    assert not page.locator(".controls").is_visible() and page.locator(".legend button").count() == 0
    context.close()


@pytest.mark.long
def test_printing_shows_all_views(page: Page) -> None:
    """On paper nothing can be chosen: the pictures of all views are there, the controls are not."""
    page.emulate_media(media="print")
    assert all(page.locator(f"#{name}").is_visible() for name in ("time", "speedup", "step"))
    assert not page.locator(".controls").is_visible() and not page.locator("nav").is_visible()
    assert page.pdf().count(b"/Type /Page\n") + page.pdf().count(b"/Type /Page ") < 40
