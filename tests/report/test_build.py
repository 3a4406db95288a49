"""What a build writes: the same bytes each time, without torch, for whole runs and for all sorts of broken ones."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench.cases.case import Case
from bench.report.build import build, write
from bench.store.files import BrokenFile
from bench.store.manifest import FAILED, LEFT_OUT, UNAVAILABLE
from bench.table.reading import Run, read_run
from tests.report.conftest import HOSTILE
from tests.synthetic import write_run

ROOT = Path(bench.__file__).parents[1]


class Page(HTMLParser):
    """Ids, references to them, tags, and the text that a reader sees."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        self.tags.append(tag)
        self._open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "xlink:href") and value and value.startswith("#"):
                self.references.add(value[1:])
            if name == "clip-path" and value:
                self.references.add(value[5:-1])

    def handle_data(self, data: str) -> None:
        """Collect what is not code."""
        if self._open and self._open[-1] not in ("script", "style"):
            self.text += data


def build_elsewhere(folder: Path, hash_seed: str) -> set[str]:
    """Build in a fresh process -> the names of the modules that it imported."""
    build = "from bench.report.build import build; build(pathlib.Path(sys.argv[1]))"
    code = f"import sys, pathlib; {build}; print(*sys.modules)"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_builds_give_the_same_bytes_and_import_no_torch(tmp_path: Path) -> None:
    """In this process and in another of a hash seed of its own every file is the same; nothing heavy was imported."""
    cases = [Case(hidden_size=size, input_size=size, seq_len=steps) for size in (8, 16) for steps in (2, 8)]
    first = write_run(tmp_path / "first", cases=cases, passes=2)
    second = shutil.copytree(first, tmp_path / "elsewhere" / "second")
    imported = build_elsewhere(first, "1")
    build(second)
    assert contents(first) == contents(second)
    forbidden = {
        "torch",
        "pytest",
        "bench.measure.workload",
        "bench.worker",
        "bench.run.runner",
        "bench.cli",
        "matplotlib.pyplot",
    }
    assert not forbidden & imported


def test_a_rebuild_changes_nothing(tmp_path: Path) -> None:
    """Building over a report, or writing a Run elsewhere, gives the same; pictures that are no more are removed."""
    folder = write_run(tmp_path / "run", presets=("fastrnns",), passes=2)
    build(folder)
    before = contents(folder)
    (folder / "figures" / "gone.png").write_bytes(b"old")
    build(folder)
    assert contents(folder) == before
    run = read_run(folder)
    index = write(Run(Path(), run.manifest, run.samples), tmp_path / "new" / "report")
    assert index.read_bytes() == before["index.html"]


def test_everything_promised_is_there(report: Path) -> None:
    """The files of a report, each picture in both formats."""
    names = set(contents(report))
    assert {"index.html", "summary.md", "samples.csv", "samples.parquet", "figures/main.png"} <= names
    pictures = {name.rpartition(".")[0] for name in names if name.startswith("figures/")}
    drawn = {
        "main",
        "answer",
        "winners",
        "time-length",
        "time-hidden",
        "speedup",
        "step",
        "crossover",
        "memory",
        "laws",
    }
    assert pictures == {f"figures/{name}" for name in drawn}
    assert all(f"{name}.{ending}" in names for name in pictures for ending in ("png", "svg"))


def test_samples_are_kept_unrounded(report: Path) -> None:
    """Parquet and CSV hold every sample as it was measured."""
    samples = read_run(report).samples
    pd.testing.assert_frame_equal(pd.read_parquet(report / "samples.parquet"), samples)
    with (report / "samples.csv").open(newline="") as stream:
        read_back = [float(row["seconds"]) for row in csv.DictReader(stream)]
    assert read_back == samples["seconds"].tolist()


def test_sections_come_in_the_order_promised(report: Path) -> None:
    """The answer first, what was skipped last."""
    order = ["answer", "use", "time", "speedup", "step", "crossover", "memory"]
    order += ["table", "machine", "method", "skipped"]
    assert [name for name in Page(report / "index.html").ids if name in order] == order


def test_ids_are_unique_and_references_resolve(report: Path) -> None:
    """Inlined drawings don't share ids, and every reference within the page finds its target."""
    page = Page(report / "index.html")
    assert len(page.ids) == len(set(page.ids))
    assert page.references <= set(page.ids)


def test_hostile_names_and_reasons_are_text(report: Path) -> None:
    """Neither a class's path nor a reason becomes markup, in the page, its drawings or the summary."""
    page, summary = Page(report / "index.html"), (report / "summary.md").read_text()
    assert page.tags.count("script") == 3 and "b" not in page.tags
    assert "<script>alert(1)</script>" in page.text and "MyRNN" in page.text
    assert "<script" not in summary and "<b>" not in summary and "MyRNN" in summary
    assert HOSTILE not in (report / "index.html").read_text()


def test_the_page_reaches_for_nothing_outside(report: Path) -> None:
    """No address of another host is loaded; namespaces and comments aside there is none."""
    html = (report / "index.html").read_text()
    for attribute in ('src="', "@import", "url(http", 'rel="stylesheet"'):
        assert attribute not in html


CASES: dict[str, dict[str, Any]] = {
    "no pass": {"passes": 0},
    "one pass": {"passes": 1},
    "two passes": {"passes": 2},
    "one implementation": {"implementations": ("whole",)},
    "single cases": {"presets": ("fastrnns",)},
    "one length": {"presets": ("glample",)},
    "one length for each size": {"presets": ("deepbench-device",)},
    "one hidden size": {"presets": ("seed",), "passes": 2},
    "several settings": {"presets": ("deepbench-train", "fastrnns"), "devices": ("cpu", "cuda"), "passes": 2},
    "unavailable": {"broken": {"whole": (UNAVAILABLE, "runs only on cuda")}},
    "left out": {"broken": {"whole": (LEFT_OUT, "one call takes 9 s, longer than 5 s")}},
    "baseline failed": {"broken": {"manual": (FAILED, "RuntimeError: out of memory")}},
    "all failed": {"broken": dict.fromkeys(("manual", "looped", "whole"), (FAILED, "no"))},
}


SHORT = {"no pass", "one pass", "single cases", "unavailable", "baseline failed", "all failed"}
"""Those that differ most; the others are drawn where there is time for them."""


@pytest.mark.usefixtures("no_png")
@pytest.mark.parametrize(
    "options",
    [pytest.param(CASES[name], id=name, marks=[] if name in SHORT else pytest.mark.long) for name in CASES],
)
def test_odd_runs_have_a_readable_report(options: dict[str, Any], tmp_path: Path) -> None:
    """No run, however poor, breaks the report or shows a NaN, and every cell has its row in the page."""
    folder = write_run(tmp_path, **{"presets": ("smoke",), **options})
    page = Page(build(folder))
    run = read_run(folder)
    assert not any(word in page.text.split() for word in ("nan", "None", "nan×", "inf"))
    assert page.tags.count("td") > len(run.manifest.cells)
    assert f"Run {run.manifest.id}" in " ".join(page.text.split())
    for _, reason in options.get("broken", {}).values():
        assert reason in page.text.replace("\u00a0", " ") and reason in (folder / "summary.md").read_text()
    assert "nan" not in (folder / "summary.md").read_text().replace("nanosecond", "").split()


@pytest.mark.usefixtures("no_png")
def test_a_run_cut_short_says_so_at_the_top(tmp_path: Path) -> None:
    """The state of the manifest, the passes there are, and the marks of intervals that stayed too wide."""
    folder = write_run(tmp_path, presets=("smoke",), passes=2)
    manifest = json.loads((folder / "run.json").read_text())
    manifest["status"] = "measuring"
    manifest["settings"] |= {"passes": 5, "precision": 0.0001}
    (folder / "run.json").write_text(json.dumps(manifest))
    text = " ".join(Page(build(folder)).text.split())
    assert "This run did not finish: its last state is “measuring”" in text
    assert "rests on 2 of 5 planned passes" in text
    assert text.index("did not finish") < text.index("The answer")
    assert "◊ marks the 16 rows whose interval is wider than ±0.01 %" in text
    assert "◊" in (folder / "summary.md").read_text()


@pytest.mark.usefixtures("no_png")
def test_cells_that_no_pass_holds_are_listed(tmp_path: Path) -> None:
    """A cell that was to be measured and has no sample is no silent gap."""
    folder = write_run(tmp_path, presets=("smoke",), passes=1)
    path = folder / "passes" / "pass-001.json"
    content = json.loads(path.read_text())
    content["benchmarks"] = content["benchmarks"][:-3]
    path.write_text(json.dumps(content))
    text = " ".join(Page(build(folder)).text.split())
    assert "3 of 24 cells have no result (3 not reached)" in text


def test_a_broken_folder_names_its_file(tmp_path: Path) -> None:
    """Nothing is written for a folder that is no run."""
    with pytest.raises(BrokenFile, match=r"run\.json"):
        build(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_summary_has_a_table_to_quote(report: Path) -> None:
    """One row for each case between the two comments, times and speed-ups with intervals."""
    text = (report / "summary.md").read_text()
    table = text.partition("<!-- table -->")[2].partition("<!-- /table -->")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 16
    assert rows[0] == "| Case | `manual` | `looped` | `whole` | Fastest |"
    assert "× [" in rows[2] and " · " in rows[2]
