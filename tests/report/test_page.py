"""The page in a real browser, from file://: nothing fails, is fetched or overflows; the table sorts and filters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The report, opened once at a desktop's width."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    opened.goto((report / "index.html").as_uri())
    yield opened
    opened.close()


def column(page: Page, title: str) -> list[str]:
    """The raw values of a column in the order in which its rows are shown."""
    found: list[str] = page.evaluate(
        """title => {
          const heads = [...document.querySelectorAll('#cells thead th')].map(head => head.textContent.trim());
          const k = heads.indexOf(title);
          return [...document.querySelectorAll('#cells tbody tr')].map(row => row.cells[k].dataset.order);
        }""",
        title,
    )
    return found


def sort_by(page: Page, title: str, direction: str) -> None:
    """Click a heading and wait until the table says that it is sorted by it, in this direction."""
    from playwright.sync_api import expect

    head = page.locator("#cells thead th").filter(has_text=title).first
    head.click()
    expect(head).to_have_attribute("aria-sort", direction)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
def test_it_opens_quietly_and_fits(browser: Browser, report: Path, width: int, scheme: Any) -> None:
    """No console message, no request beyond the file itself, no sideways scroll, and text that stands out."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (report / "index.html").as_uri()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(FAINT) == []
    ink, paper = page.evaluate("(style => [style.color, style.backgroundColor])(getComputedStyle(document.body))")
    assert contrast([ink, paper]) > 7
    assert (luminance(paper) < luminance(ink)) == (scheme == "dark")
    context.close()


CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(each => {
  if (each.closest('svg') || !each.checkVisibility()) return false;
  const style = getComputedStyle(each), hides = style.overflowX !== 'visible', own = each.getBoundingClientRect();
  const wider = own.width > each.parentElement.getBoundingClientRect().width + 1;
  const free = each.matches('.strip, .tip, col, colgroup') || style.display.startsWith('inline');
  return own.right > innerWidth + 1 || (wider && !free) || (hides && each.scrollWidth > each.clientWidth + 1);
}).map(each => `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 60)}`)"""
"""Elements that reach beyond the page, are wider than what they stand in, or cut off what they hold."""

FAINT = """() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [[r, .2126], [g, .7152], [b, .0722]].reduce((sum, [part, weight]) => {
    const share = part / 255;
    return sum + weight * (share <= .04045 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4);
  }, 0);
  const behind = each => {
    for (let at = each; at; at = at.parentElement) {
      const found = getComputedStyle(at).backgroundColor;
      if (!found.startsWith('rgba') && !found.startsWith('color') && found !== 'transparent') return parts(found);
      if (found.startsWith('rgb') && parts(found)[3] > .99) return parts(found);
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter(each => {
    const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || each.closest('svg, script') || !each.checkVisibility()) return false;
    const style = getComputedStyle(each);
    if (!style.color.startsWith('rgb(')) return false;
    const [dim, bright] = [light(parts(style.color)), light(behind(each))].sort((a, b) => a - b);
    return (bright + .05) / (dim + .05) < 4.5;
  }).map(each => `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 40)}`);
}"""
"""Text whose contrast is below WCAG's AA."""


def luminance(colour: str) -> float:
    """WCAG's relative luminance of an `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colours: list[str]) -> float:
    """WCAG's contrast ratio of two colours."""
    bright, dim = sorted(map(luminance, colours), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_text_in_drawings_is_readable_on_a_phone(browser: Browser, report: Path) -> None:
    """At 390 px no letter of a line plot or heatmap is smaller than 11 px."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((report / "index.html").as_uri())
    sizes: list[float] = page.evaluate(
        """[...document.querySelectorAll('.panels svg')].filter(svg => svg.clientWidth).flatMap(svg => {
          const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
          return [...svg.querySelectorAll('text')].map(text => parseFloat(getComputedStyle(text).fontSize) * scale);
        })"""
    )
    assert len(sizes) > 100
    assert min(sizes) >= 11
    page.close()


def test_a_click_sorts_by_value_and_another_reverses(page: Page) -> None:
    """Times sort as numbers, not as their texts, cells without one last either way."""
    page.click("#clear")
    for direction, reverse in (("ascending", False), ("descending", True)):
        sort_by(page, "Time per call", direction)
        values = [float(value) if value else math.nan for value in column(page, "Time per call")]
        measured = [value for value in values if not math.isnan(value)]
        assert len(values) == 64 and len(measured) == 48
        assert values[: len(measured)] == measured == sorted(measured, reverse=reverse)
    texts = page.locator("#cells tbody tr:first-child").inner_text()
    assert "ms" in texts or "µs" in texts


def test_words_sort_as_words(page: Page) -> None:
    """A column of text sorts by its text."""
    page.click("#clear")
    sort_by(page, "Mode", "ascending")
    values = column(page, "Mode")
    assert values == sorted(values) and len(set(values)) == 2


def test_selections_filter_and_combine(page: Page) -> None:
    """Each selection leaves the rows of its value alone, two leave those of both, and clearing brings all back."""
    page.click("#clear")
    page.locator("#filters").get_by_label("Implementation").select_option("whole")
    assert set(column(page, "Implementation")) == {"whole"} and len(column(page, "Mode")) == 16
    page.locator("#filters").get_by_label("Device").select_option("CPU")
    assert set(column(page, "Device")) == {"cpu"} and len(column(page, "Mode")) == 8
    page.locator("#filters").get_by_label("Mode").select_option("training")
    assert set(column(page, "Mode")) == {"training"} and len(column(page, "Mode")) == 4
    assert "4 of 64 cells" in page.locator(".dt-info").inner_text()
    page.click("#clear")
    assert len(column(page, "Mode")) == 64
    assert page.locator("#filters").get_by_label("Implementation").input_value() == ""


def test_the_search_finds_reasons(page: Page) -> None:
    """Words of a reason leave the cells that have it; words that nothing has leave none."""
    page.click("#clear")
    page.fill("#search", "differs at step 3")
    assert len(column(page, "Result")) == 16 and set(column(page, "Result")) == {"failed"}
    page.fill("#search", "no such thing")
    assert "No cell matches" in page.locator("#cells tbody").inner_text()
    page.click("#clear")
    assert len(column(page, "Result")) == 64


def test_a_selection_is_exact(page: Page) -> None:
    """Choosing hidden 8 shows hidden 8, not 8 wherever else it stands."""
    page.click("#clear")
    page.locator("#filters").get_by_label("Hidden").select_option("8")
    assert set(column(page, "Hidden")) == {"8.0"} and len(column(page, "Hidden")) == 32


def test_it_is_readable_without_script(browser: Browser, report: Path) -> None:
    """Without JavaScript the whole table is there and no control that would do nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((report / "index.html").as_uri())
    assert page.locator("#cells tbody tr").count() == 64
    assert not page.locator("#filters").is_visible()
    context.close()
