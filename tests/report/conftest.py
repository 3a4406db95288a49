"""Run folders for the tests of the report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.store.manifest import Manifest
from bench.table.cells import cells
from bench.table.reading import read_run
from tests import synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

HOSTILE = "path/to/<b>my_rnn.py:MyRNN"
REASON = "differs at step 3 in `outputs` <script>alert(1)</script>\n| by 0.1"

Truth = Callable[[Case, str], float]
Table = tuple[pd.DataFrame, Manifest]


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
    """Makes tables of cells whose true times are given; further options go to write_run."""

    def make(truth: Truth | None = None, **options: Any) -> Table:
        if truth is not None:
            monkeypatch.setattr(synthetic, "true_seconds", truth)
        run = read_run(synthetic.write_run(tmp_path / "planted", **{"spread": 0.01, **options}))
        return cells(run), run.manifest

    return make


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report that has a bit of everything: two devices, one that failed, one of a user's own."""
    folder = synthetic.write_run(
        tmp_path_factory.mktemp("report") / "run",
        presets=("smoke",),
        devices=("cpu", "cuda"),
        implementations=("manual", "looped", "whole", HOSTILE),
        broken={HOSTILE: (synthetic.FAILED, REASON)},
    )
    build(folder)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skips where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("the Python package playwright is not installed")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser found under any of the names {', '.join(NAMES)}")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()
