"""Run folders for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.store.manifest import Manifest
from bench.table.cells import cells
from bench.table.reading import read_run
from tests import synthetic

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
