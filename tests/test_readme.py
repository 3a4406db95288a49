"""What README and docs show of a run is what the reference run says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.report.readme import BLOCK, BLOCKS, PAGES, README, ROOT, reference, updated
from bench.store.manifest import MEASURED
from bench.store.passes import pass_files
from bench.table.reading import read_run

MOST_LINES, MOST_WORDS = 150, 25
"""Of the README, and of a sentence."""


def example(marker: str) -> str:
    """The example file between these markers, as written."""
    (content,) = (
        found["content"] for page in PAGES for found in BLOCK.finditer(page.read_text()) if found["name"] == marker
    )
    return content.removeprefix("```python\n").removesuffix("```\n")


def relative(page: Path) -> str:
    """What a test of a page is called."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_blocks_are_those_of_the_reference_run(page: Path) -> None:
    """`python -m bench.report.readme` would change nothing."""
    assert updated(page) == page.read_text(encoding="utf-8")


def test_every_block_has_one_place() -> None:
    """None is forgotten, and none is shown twice."""
    shown = [found["name"] for page in PAGES for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(each for each in shown if each in BLOCKS) == sorted(BLOCKS)
    assert len(set(shown)) == len(shown)


def test_the_reference_run_is_whole() -> None:
    """Finished, nothing failed, every pass there, its report beside it, and a small picture of it."""
    folder = reference()
    run = read_run(folder)
    assert run.manifest.status == "finished"
    assert {cell.status for cell in run.manifest.cells} == {MEASURED}
    assert len(pass_files(folder)) == run.manifest.first_passes
    assert (folder / "index.html").is_file()
    assert (folder / "figures" / "main.png").is_file()
    assert (folder / "page.png").stat().st_size < 200e3


def test_the_readme_is_read_to_the_end() -> None:
    """It has a length at which one does, and names every page of the docs."""
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert all(f"({relative(page)})" in text for page in PAGES if page != README)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=relative)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file of the project, every anchor a heading of it."""
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def sentences(text: str) -> list[str]:
    """What a person wrote: no block, no code, no table, no heading, no picture; links by their words."""
    text = BLOCK.sub("", text)
    text = re.sub(r"^```.*?^```$|^(\||#|!\[)[^\n]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|\*\*|\[", "", text)
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*- )", text)
    return [one for part in paragraphs for one in re.split(r"(?<=[.?])\s+", " ".join(part.split())) if one]


def test_sentences_are_taken_apart() -> None:
    """Each ends where it ends; what is no prose is none."""
    text = "# One\n\nTwo `three.four` five. Six [seven](eight)?\n- **Nine.** Ten: 1.5 s\n\n| a | b |\n"
    text += "```bash\nmake it. so\n```\n"
    assert sentences(text) == ["Two `three.four` five.", "Six seven?", "- Nine.", "Ten: 1.5 s"]


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_sentences_are_short(page: Path) -> None:
    """At most 25 words each."""
    found = sentences(page.read_text(encoding="utf-8"))
    assert found
    assert [each for each in found if len(re.findall(r"[^\s]*\w[^\s]*", each)) > MOST_WORDS] == []
