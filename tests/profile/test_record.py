"""What is kept of a profile: written, read back, and refused when broken; and the reference run's."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.report.readme import reference
from bench.run.explanation import Explaining, profiled_cells
from bench.store.files import BrokenFile
from bench.table.reading import read_run
from bench.why.profile.breakdown import CATEGORIES
from bench.why.profile.counts import Counts, Product
from bench.why.profile.record import FAILED, PROFILED, Profile, ProfileRecord, read_profile, write_profile

LONG, SHORT = (Case(seq_len=steps).id for steps in (512, 32))


def planted() -> ProfileRecord:
    """A record with something in every field."""
    counts = Counts(26, 60, 4, 3, 2, 800, 1632, 288, 96, {"addmm": 6, "cat": 8}, [Product(6, 256.0, 608)])
    categories = {name: 1e-7 * (k + 1 / 3) for k, name in enumerate(CATEGORIES)}
    times = {"seconds": 2.123456789e-6, "traced_seconds": 2.2e-6, "hollow_seconds": 1e-6, "event_seconds": 1.9e-6}
    found = {"busy": 0.25, "categories": categories, "counts": counts, "trace": "a.trace.json", "flame": "a.folded"}
    return ProfileRecord(LONG, "manual", PROFILED, "", SHORT, **times, **found)  # type: ignore[arg-type]  # of all kinds


def test_a_profile_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Unrounded, failed records and all."""
    failed = ProfileRecord(LONG, "mine.py:Mine", FAILED, "divided by the weather", SHORT)
    profile = Profile([planted(), failed])
    write_profile(tmp_path / "profile.json", profile)
    assert read_profile(tmp_path / "profile.json") == profile


def test_a_profile_that_could_not_be_had_says_why(tmp_path: Path) -> None:
    """The reason is kept beside the records there are."""
    write_profile(tmp_path / "profile.json", Profile([], "no worker can be had"))
    assert read_profile(tmp_path / "profile.json").missing == "no worker can be had"


def test_what_a_record_says_of_itself() -> None:
    """Agreement is the sum of the categories over the time; steps are those of the call that was profiled."""
    record = planted()
    assert record.agreement == pytest.approx(2.2 / 2.123456789)
    assert record.steps == 32
    assert ProfileRecord(LONG, "manual").agreement == 0


def test_only_profiled_cells_are_looked_up() -> None:
    """A failed one has nothing to say but its reason."""
    failed = ProfileRecord(LONG, "whole", FAILED, "no")
    assert Profile([planted(), failed]).by_cell() == {(LONG, "manual"): planted()}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"schema": 9}, "schema 9"),
        ({"schema": "1"}, "schema"),
        ({"records": {}}, "records"),
        ({"missing": None}, "missing"),
        ({"records": [{}]}, "records"),
        ({"records": ["manual"]}, "records"),
        ({"records": [{"seconds": 0.0}]}, "records .* no proper categories or time"),
        ({"records": [{"seconds": "fast"}]}, "records"),
        ({"records": [{"categories": {"matrix products": 1.0}}]}, "records .* no proper categories or time"),
        ({"records": [{"case": "cpu"}]}, "records .* not the id of a case"),
        ({"records": [{"colour": "red"}]}, "records .*colour"),
        ({"records": [{"counts": {"products": []} | {"colour": 1}}]}, "records .*colour"),
        ({"records": [{"counts": {}}]}, "records .*products"),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, change: dict[str, Any], names: str) -> None:
    """One line that says which file and what in it; changes of a record are laid over a sound one."""
    path = tmp_path / "profile.json"
    write_profile(path, Profile([planted()]))
    content = json.loads(path.read_text())
    if isinstance(records := change.get("records"), list) and records[0] and isinstance(records[0], dict):
        change = {"records": [content["records"][0] | records[0]]}
    path.write_text(json.dumps(content | change))
    with pytest.raises(BrokenFile, match=names) as raised:
        read_profile(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    """As every other file of a run."""
    path = tmp_path / "profile.json"
    write_profile(path, Profile([planted()]))
    path.write_text(path.read_text()[:200])
    with pytest.raises(BrokenFile, match=r"profile\.json: not JSON, or cut off"):
        read_profile(path)


def test_the_reference_runs_categories_agree_with_its_times() -> None:
    """Before they are settled they add up to the time measured: within 5 % in the median, 10 % in 90 of 100 cells, and
    no cell that a run profiles is left out."""
    profile = read_profile(reference() / "profile.json")
    cells = profiled_cells(read_run(reference()).manifest, Explaining())
    assert set(profile.by_cell()) == set(cells) and len(cells) > 20
    off = [abs(record.agreement - 1) for record in profile.records]
    assert statistics.median(off) < 0.05
    assert sum(each <= 0.10 for each in off) >= 0.9 * len(off)
    for record in profile.records:
        assert sum(record.categories.values()) == pytest.approx(record.seconds), record.case
