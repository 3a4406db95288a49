"""Series, handovers and changes of planted histories."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bench.history.changes import TIME, Found, changes
from bench.history.series import DATE, History, history
from bench.history.summary import read_all
from bench.store.files import read_json, write_json
from tests.history import planted
from tests.history.planted import CELLS, FORTY
from tests.synthetic import MACHINE


def found(folder: Path, **options: Any) -> tuple[History, Found]:
    """A planted history and its changes."""
    own = history(read_all([planted.write(folder, **options)])[0])
    return own, changes(own)


def moved(folder: Path, number: int, **fields: Any) -> None:
    """Other facts in the summary of this number."""
    path = sorted(folder.iterdir())[number]
    write_json(path, read_json(path) | fields)


def test_forty_commits(tmp_path: Path) -> None:
    """Every planted change is found at its commit by as much as was planted, and nothing else is."""
    _, told = found(tmp_path, **FORTY)
    times = [(each.cell, each.place.at, each.ratio.value) for each in told.changes if each.what == TIME]
    by_commit = [each for each in told.changes if each.what == TIME and not each.causes]
    assert [(each.cell, each.place.at) for each in by_commit] == [
        (CELLS[6], 34), (CELLS[5], 24), (CELLS[5], 20), (CELLS[0], 12),
    ]  # fmt: skip
    for each, truth in zip(by_commit, (0.9, 1 / 1.15, 1.15, 1.06), strict=True):
        assert each.ratio.value == pytest.approx(truth, rel=0.015)
        assert each.ratio.low < each.ratio.value < each.ratio.high
        assert each.place.first <= each.place.earlier < each.place.at <= each.place.last
    upgraded = [each for each in told.changes if each.causes]
    assert {each.cell for each in upgraded} == set(CELLS)
    assert {(each.place.earlier, each.place.at) for each in upgraded} == {(27, 28)}
    assert all(each.causes == {"torch": ("2.13.0", "2.14.0")} for each in upgraded)
    assert all(each.ratio.value == pytest.approx(1.2, rel=0.02) for each in upgraded)
    (meter,) = [each for each in told.changes if each.what != TIME]
    assert (meter.cell, meter.what, meter.before, meter.after) == (CELLS[1], "operators", 130.0, 195.0)
    assert (meter.place.earlier, meter.place.at, meter.ratio.low, meter.ratio.high) == (30, 31, 1.5, 1.5)
    assert len(times) + 1 == len(told.changes)


def test_an_unchanged_history_is_left_alone(tmp_path: Path) -> None:
    """No change, no handover; one level each."""
    own, told = found(tmp_path, seed=3)
    assert (told.changes, told.short, own.handovers, own.notes) == ((), 0, (), ())
    assert all(len(levels) == 1 for levels in told.levels.values())


def test_ids_stay_while_runs_are_added(tmp_path: Path) -> None:
    """What was noted down of a change finds it again."""
    before = {each.id for each in found(tmp_path / "a", **FORTY)[1].changes}
    after = {each.id for each in found(tmp_path / "b", **FORTY | {"commits": 44})[1].changes}
    assert len(before) == 13
    assert before == after


def test_runs_are_in_the_order_of_their_commits(tmp_path: Path) -> None:
    """One that was measured late stands where its commit does; by date it stands last."""
    folder = planted.write(tmp_path, commits=5)
    moved(folder, 1, started="2026-12-01T00:00:00+00:00")
    summaries, _ = read_all([folder])
    commits = [run.commit_id for run in history(summaries).runs]
    assert commits == [planted.commit(k) for k in range(5)]
    assert [run.commit_id for run in history(summaries, DATE).runs] == [planted.commit(k) for k in (0, 2, 3, 4, 1)]
    moved(folder, 3, commit={})
    summaries, _ = read_all([folder])
    assert history(summaries).runs[-1].commit_id == planted.commit(1), "without a time of each commit, by date"


def test_two_machines_that_take_turns_are_two_series(tmp_path: Path) -> None:
    """No change between them is told, and a line says so; a change on each of them is."""
    folder = planted.write(tmp_path, commits=40, steps={CELLS[2]: [(20, 1.2)]})
    for number in range(0, 40, 2):
        moved(folder, number, machine=MACHINE | {"cpu": "Another CPU"})
    own = history(read_all([folder])[0])
    told = changes(own)
    assert own.handovers == ()
    (note,) = own.notes
    assert "2 machines or software take turns" in note and "Another CPU" in note
    assert [(each.cell, each.place.at) for each in told.changes] == [(CELLS[2], 21), (CELLS[2], 20)]
    assert all(len(each.runs) == 20 for each in own.series)


def test_a_handover_that_changes_nothing_is_no_change(tmp_path: Path) -> None:
    """It is there, and is the cause of nothing."""
    own, told = found(tmp_path, upgrade=(20, 1.0))
    assert [(each.last, each.first) for each in own.handovers] == [(19, 20)]
    assert told.changes == ()


def test_a_meter_that_changes_with_the_software_has_that_cause(tmp_path: Path) -> None:
    """Before any commit is named."""
    _, told = found(tmp_path, upgrade=(20, 1.0), meters={CELLS[0]: [(20, 2.0)]})
    (change,) = told.changes
    assert (change.what, change.place.earlier, change.place.at) == ("operators", 19, 20)
    assert dict(change.causes) == {"torch": ("2.13.0", "2.14.0")}


def test_short_series_are_counted_and_meters_told_all_the_same(tmp_path: Path) -> None:
    """Six runs tell nothing of a time."""
    _, told = found(tmp_path, commits=6, steps={CELLS[0]: [(3, 2.0)]}, meters={CELLS[1]: [(3, 2.0)]})
    assert told.short == len(CELLS)
    assert [each.what for each in told.changes] == ["operators"]


def test_one_run_is_no_history(tmp_path: Path) -> None:
    """In a line that names it."""
    with pytest.raises(ValueError, match="at least two runs, and here is one alone: 2026-09-01T100000-gate"):
        history(read_all([planted.write(tmp_path, commits=1)])[0])


def test_a_meter_that_rises_from_nothing_has_no_ratio(tmp_path: Path) -> None:
    """It is told by its values."""
    folder = planted.write(tmp_path, commits=2, cells=CELLS[:1])
    rows = [planted.row(CELLS[0], 0.2, 0.01, {"nodes": 7.0})]
    moved(folder, 1, cells=rows)
    (change,) = changes(history(read_all([folder])[0])).changes
    assert (change.what, change.before, change.after) == ("nodes", 0.0, 7.0)
    assert math.isnan(change.ratio.value) and change.is_worse
