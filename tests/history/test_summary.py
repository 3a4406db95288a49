"""Runs as small files, and what is said of those that can't be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.history.summary import Summary, add, read, read_all
from bench.report.build import build
from bench.store.files import BrokenFile, read_json, write_json
from bench.table.cells import cells
from bench.table.reading import read_run
from tests.history import planted
from tests.synthetic import write_run

RUN = "2026-11-23T120000-quick"
"""The id of a synthetic run."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder, without a report."""
    return write_run(tmp_path / "runs" / RUN, presets=("smoke",))


def changed(path: Path, **fields: Any) -> Path:
    """A file with other fields."""
    write_json(path, read_json(path) | fields)
    return path


def test_a_summary_says_what_the_run_says(run: Path, tmp_path: Path) -> None:
    """Each measured cell, by the table of the report, to the last digit; nothing else is left in the folder."""
    path = add(run, tmp_path / "history")
    found, whole = read(path), read(run)
    assert found == whole
    assert [each.name for each in path.parent.iterdir()] == [f"{RUN}.json"]
    table = cells(read_run(run)).set_index(["case", "implementation"])
    assert len(found.cells) == len(table)
    assert all(each.ratio == table.loc[each.cell, "control_ratio"] for each in found.cells)
    assert path.stat().st_size < 15_000


def test_cells_that_were_not_measured_are_left_out(tmp_path: Path) -> None:
    """Whether they failed or were never reached."""
    broken = {"looped": ("failed", "it does")}
    folder = write_run(tmp_path / "runs" / "one", presets=("smoke",), broken=broken)
    found = read(folder)
    assert {cell for _, cell in (each.cell for each in found.cells)} == {"manual", "whole"}
    for path in (folder / "passes").iterdir():
        path.unlink()
    assert read(folder).cells == ()
    with pytest.raises(BrokenFile, match="no cell was measured"):
        add(folder, tmp_path / "history")


@pytest.mark.usefixtures("no_png")
def test_the_report_of_a_run_is_read_where_there_is_one(run: Path) -> None:
    """Its cells.json gives the same as the samples do; meters are taken over from there."""
    before = read(run)
    build(run)
    assert read(run) == before
    rows = read_json(run / "cells.json")["cells"]
    rows[0]["meters"] = {"operators": 12.0, "launches": None}
    changed(run / "cells.json", cells=rows)
    assert read(run).cells[0].meters == {"operators": 12.0}


def test_a_run_in_two_places_counts_once(run: Path, tmp_path: Path) -> None:
    """Its folder, and its summary."""
    add(run, tmp_path / "history")
    found, told = read_all([run.parent, tmp_path / "history", run])
    assert [each.run for each in found] == [RUN]
    assert told == []


def test_an_unfinished_run_is_left_out_and_said(run: Path, tmp_path: Path) -> None:
    """And never added."""
    changed(write_run(tmp_path / "runs" / "cut", presets=("smoke",)) / "run.json", status="measuring")
    found, told = read_all([run.parent])
    assert [each.run for each in found] == [RUN]
    assert told == ["1 run left out, not finished: cut."]
    with pytest.raises(BrokenFile, match=r"run\.json: the run is not finished"):
        add(tmp_path / "runs" / "cut", tmp_path / "history")
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"summary": 2}, "the field summary is 2; this version reads 1"),
        ({"started": "yesterday"}, "the field started or commit.time is no time"),
        ({"machine": []}, "the field machine is list"),
        ({"cells": [3]}, r"the field cells\[0\] is int"),
        ({"cells": [{"control_ratio": 1.0, "case": "x", "implementation": "y"}]}, r"cells\[0\] has no proper cell"),
        ({"cells": [planted.row(planted.CELLS[0], -1.0, 0.01, {}) | {"control_ratio": -1.0}]}, "which is no ratio"),
        (
            {"cells": [planted.row(planted.CELLS[0], 1.0, 0.01, {"smell": 3.0})]},
            "meters has 'smell'; known are operators",
        ),
        ({"cells": [planted.row(planted.CELLS[0], 1.0, 0.01, {"nodes": "x"})]}, "nodes is 'x', which is no number"),
    ],
)
def test_a_broken_summary_is_named(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    """File and field, in a line."""
    path = next(planted.write(tmp_path / "history", commits=1).iterdir())
    with pytest.raises(BrokenFile, match=said) as error:
        read(changed(path, **fields))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    """And the others stay as they were."""
    folder = planted.write(tmp_path / "history", commits=3)
    path = sorted(folder.iterdir())[1]
    path.write_text(path.read_text()[:300])
    with pytest.raises(BrokenFile, match="not JSON, or cut off") as error:
        read_all([folder])
    assert str(path) in str(error.value)
    assert len(list(folder.iterdir())) == 3


def test_another_file_in_the_folder_is_named(tmp_path: Path) -> None:
    """Rather than passed over in silence."""
    folder = planted.write(tmp_path / "history", commits=2)
    (folder / "package.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(BrokenFile, match=r"package\.json: the field summary is missing"):
        read_all([folder])


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_no_run_at_all_is_said(tmp_path: Path, name: str) -> None:
    """A folder that is not there, and one that is empty."""
    with pytest.raises(ValueError, match=r"no such folder|no finished run"):
        read_all([tmp_path / name])


def test_a_run_outside_of_a_repository_has_no_commit(run: Path) -> None:
    """pytest-benchmark calls it unversioned, which is no id."""
    changed(run / "run.json", commit={"id": "unversioned", "branch": "(unknown)", "dirty": False, "time": None})
    found: Summary = read(run)
    assert (found.commit, found.commit_id) == ({}, "")
