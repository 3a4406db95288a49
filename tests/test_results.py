"""Run folders: written and read back, broken files named, and planted truths recovered from them."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cases.case import FIELDS, Case
from bench.cases.presets import find
from bench.store.files import BrokenFile, read_json, take, write_atomically, write_json
from bench.store.manifest import FAILED, MEASURED, UNAVAILABLE, CellRecord, Manifest, read_manifest, write_manifest
from bench.store.passes import benchmark_entry, extra_info, pass_files, write_pass
from bench.table.cells import cells, reached
from bench.table.comparison import log_ratios
from bench.table.measured import measured_samples
from bench.table.reading import read_pytest_json, read_run
from bench.table.stats import interval_of_ratio
from tests import warm
from tests.synthetic import MACHINE, blocks, true_seconds, write_run

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a small run with planted truths."""
    return write_run(tmp_path / "run", presets=["smoke"], passes=3, rounds=4)


def edit(path: Path, change: Change) -> None:
    """Change the content of a JSON file, NaN allowed."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def info(content: dict[str, Any]) -> dict[str, Any]:
    """The extra_info of the second benchmark."""
    found: dict[str, Any] = content["benchmarks"][1]["extra_info"]
    return found


# Round trip


def test_a_baseline_that_failed_gives_no_speedups(tmp_path: Path) -> None:
    """Not even over the passes in which it had not failed yet."""
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=3)
    manifest = read_manifest(folder)
    for cell in manifest.cells:
        if cell.implementation == "manual":
            cell.status, cell.reason = FAILED, "in pass 3: tired"
    write_manifest(folder, manifest)
    table = cells(read_run(folder))
    assert table["speedup"].isna().all()
    assert table.loc[table["implementation"] == "whole", "seconds"].notna().all()


def test_every_sample_comes_back_as_it_was_written(folder: Path) -> None:
    """One row per pass, cell and round, unrounded, with its control and its Case."""
    samples = read_run(folder).samples
    assert len(samples) == 3 * 8 * 3 * 4, "passes, cases, implementations, rounds"
    assert not samples.duplicated(["pass", "case", "implementation", "round"]).any()
    keys = ["pass", "case", "implementation"]
    groups = dict(list(samples.groupby(keys)))
    for number, path in enumerate(pass_files(folder), start=1):
        for benchmark in read_json(path)["benchmarks"]:
            written = benchmark["extra_info"]
            group = groups[number, written["case"], written["implementation"]]
            assert group["seconds"].tolist() == written["seconds"]
            assert group["control_seconds"].tolist() == written["control_seconds"]
            assert group["round"].tolist() == [0, 1, 2, 3]
            assert group["calls"].tolist() == [3] * 4
            assert Case.from_dict(group.iloc[0][list(FIELDS)].to_dict()).id == written["case"]
    assert samples["event_seconds"].isna().all()


def test_choices_of_the_passes_are_told(tmp_path: Path) -> None:
    """Each process decides for itself: where they differ, the row says so; a run without choices says nothing."""
    folder = write_run(tmp_path, presets=["smoke"], passes=2)
    for path, own in zip(pass_files(folder), ("whole", "own kernel"), strict=True):
        content = json.loads(path.read_text())
        info(content)["chosen"] = own
        path.write_text(json.dumps(content))
    table = cells(read_run(folder))
    assert set(table["chosen"]) == {"", "own kernel or whole"}
    assert (table["chosen"] != "").sum() == 1


def test_event_times_come_back_on_cuda(tmp_path: Path) -> None:
    """Where the device has events, each sample has their time beside the host's."""
    run = read_run(write_run(tmp_path, presets=["smoke"], devices=["cuda"], passes=1))
    assert (run.samples["event_seconds"] / run.samples["seconds"]).tolist() == pytest.approx([0.97] * len(run.samples))


def test_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Every field of it and of its cells."""
    record = CellRecord(Case().id, "manual", FAILED, "why", "about", 1.5, 2.5, 3, 1e-7, 64)
    settings = {"baseline": "manual", "passes": 5}
    manifest = Manifest("id", "now", settings, "finished", MACHINE, {"id": "0"}, [record], {"measured": 1.0})
    write_manifest(tmp_path, manifest)
    found = read_manifest(tmp_path)
    assert found == manifest
    assert (found.baseline, found.first_passes) == ("manual", 5)


def test_a_written_pass_is_read(tmp_path: Path) -> None:
    """What `write_pass` leaves, `read_run` takes: samples, pass number and failures."""
    case = Case()
    records = [CellRecord(case.id, "manual"), CellRecord(case.id, "whole")]
    manifest = Manifest("id", "now", {"baseline": "manual", "passes": 1}, machine=MACHINE, cells=records)
    (tmp_path / "passes").mkdir()
    write_manifest(tmp_path, manifest)
    entry = benchmark_entry(
        extra_info(case, "manual", blocks([0.25, 0.5], 2, waited=[0.0, 0.125]), blocks([0.125, 0.125]), records[0])
    )
    write_pass(tmp_path, 7, manifest, [entry], [{"case": case.id, "implementation": "whole", "reason": "raised"}])
    run = read_run(tmp_path)
    wanted = [[7, 0.25, 0.0, 0, 0], [7, 0.5, 0.125, 1, 0]]
    assert (
        run.samples[["pass", "seconds", "waited_seconds", "switches", "control_switches"]].to_numpy().tolist() == wanted
    )
    assert [(cell.status, cell.reason) for cell in run.manifest.cells] == [
        (MEASURED, ""),
        (FAILED, "in pass-007: raised"),
    ]


def test_pass_files_are_in_order_and_nothing_else_is_one(folder: Path) -> None:
    """Temporary files and strangers in the folder are no passes."""
    for name in (".pass-004.json.1.tmp", "notes.json", "pass-009.txt"):
        (folder / "passes" / name).write_text("{")
    assert [path.name for path in pass_files(folder)] == ["pass-001.json", "pass-002.json", "pass-003.json"]


@pytest.mark.parametrize("missing", [["pass-002.json"], ["pass-001.json", "pass-002.json", "pass-003.json"]])
def test_a_run_cut_short_reads(folder: Path, missing: list[str]) -> None:
    """The passes that are there count; without any the cells are still listed."""
    for name in missing:
        (folder / "passes" / name).unlink()
    run = read_run(folder)
    assert set(run.samples["pass"]) == ({1, 3} if len(missing) == 1 else set())
    frame = cells(run)
    assert len(frame) == 24
    assert frame["seconds"].notna().all() if len(missing) == 1 else frame["seconds"].isna().all()


# Broken files


def in_second(field: str, value: Any) -> Change:
    """Give the second benchmark's field this value."""
    return lambda content: info(content).update({field: value})


PASS_FAULTS: dict[str, tuple[Change, str]] = {
    "no benchmarks": (lambda c: c.pop("benchmarks"), "the field benchmarks is missing"),
    "benchmarks no list": (lambda c: c.update(benchmarks={}), "the field benchmarks is dict"),
    "benchmark no object": (lambda c: c.update(benchmarks=[1]), "the field extra_info is missing"),
    "no header": (lambda c: c.pop("rnn_bench"), r"the field rnn_bench\.pass is missing"),
    "pass no number": (lambda c: c["rnn_bench"].update({"pass": "2"}), r"the field rnn_bench\.pass is str"),
    "pass of another file": (lambda c: c["rnn_bench"].update({"pass": 1}), r"the field rnn_bench\.pass is 1, as in"),
    "no failures": (lambda c: c["rnn_bench"].pop("failures"), r"the field rnn_bench\.failures is missing"),
    "failure no object": (lambda c: c["rnn_bench"].update(failures=["x"]), "the field case is missing"),
    "failure without reason": (
        lambda c: c["rnn_bench"].update(failures=[{"case": "a", "implementation": "b"}]),
        "the field reason is missing",
    ),
    "foreign": (lambda c: info(c).pop("schema"), r"benchmarks\[1\]\.extra_info\.schema is missing; .* not a file of"),
    "later schema": (in_second("schema", 2), r"benchmarks\[1\]\.extra_info\.schema is 2; this version reads 1"),
    "no case field": (lambda c: info(c).pop("dtype"), r"benchmarks\[1\]\.extra_info has no proper case: .*wrong: d"),
    "bad case field": (in_second("hidden_size", -1), r"benchmarks\[1\]\.extra_info has no proper case: hidden_size"),
    "no case": (lambda c: info(c).pop("case"), "the field case is missing"),
    "another case": (in_second("case", Case().id), r"benchmarks\[1\]\.extra_info\.case is .* sizes are those of"),
    "no implementation": (lambda c: info(c).pop("implementation"), "the field implementation is missing"),
    "calls no number": (in_second("calls", "3"), "the field calls is str"),
    "calls true": (in_second("calls", True), "the field calls is bool"),
    "no seconds": (lambda c: info(c).pop("seconds"), "the field seconds is missing"),
    "seconds no list": (in_second("seconds", 1.0), "the field seconds is float"),
    "seconds empty": (in_second("seconds", []), r"benchmarks\[1\]\.extra_info\.seconds is empty"),
    "no control": (lambda c: info(c).pop("control_seconds"), "the field control_seconds is missing"),
    "nan": (in_second("seconds", [1.0, math.nan, 1, 1]), r"extra_info\.seconds\[1\] is nan, which is no time"),
    "infinite": (in_second("seconds", [math.inf] * 4), r"extra_info\.seconds\[0\] is inf, which is no time"),
    "zero": (in_second("control_seconds", [1, 1, 1, 0.0]), r"extra_info\.control_seconds\[3\] is 0\.0, which"),
    "negative": (in_second("seconds", [1, 1, -1e-9, 1]), r"extra_info\.seconds\[2\] is -1e-09, which is no time"),
    "text": (in_second("seconds", ["1", 1, 1, 1]), r"extra_info\.seconds\[0\] is '1', which is no time"),
    "true": (in_second("seconds", [True, 1, 1, 1]), r"extra_info\.seconds\[0\] is True, which is no time"),
    "null": (in_second("seconds", [1, None, 1, 1]), r"extra_info\.seconds\[1\] is None, which is no time"),
    "event zero": (in_second("event_seconds", [1, 0, 1, 1]), r"extra_info\.event_seconds\[1\] is 0, which is no time"),
    "control shorter": (in_second("control_seconds", [1.0]), r"extra_info\.control_seconds has another length"),
    "waiting shorter": (in_second("waited_seconds", [0.0]), r"extra_info\.waited_seconds has another length"),
    "waiting negative": (
        in_second("waited_seconds", [0, 0, -1e-9, 0]),
        r"extra_info\.waited_seconds\[2\] is -1e-09, which is no time",
    ),
    "switches no list": (in_second("switches", 1), "the field switches is int"),
    "events longer": (in_second("event_seconds", [1.0] * 5), r"extra_info\.event_seconds has another length"),
}


@pytest.mark.parametrize("fault", PASS_FAULTS)
def test_a_broken_pass_file_is_named_with_its_field(folder: Path, fault: str) -> None:
    """Whatever is wrong, the reason starts with the file and says which field."""
    change, message = PASS_FAULTS[fault]
    path = folder / "passes" / "pass-002.json"
    edit(path, change)
    with pytest.raises(BrokenFile, match=message) as caught:
        read_run(folder)
    assert str(caught.value).startswith(f"{path}: ")


MANIFEST_FAULTS: dict[str, tuple[Change, str]] = {
    "later schema": (lambda c: c.update(schema=2), "schema 2; this version reads 1"),
    "no schema": (lambda c: c.pop("schema"), "the field schema is missing"),
    "no id": (lambda c: c.pop("id"), "the field id is missing"),
    "cells no list": (lambda c: c.update(cells={}), "the field cells is dict"),
    "machine no object": (lambda c: c.update(machine="fast"), "the field machine is str"),
    "passes no number": (lambda c: c["settings"].update(passes="many"), r"the field settings\.passes is str"),
    "cell with a stranger": (lambda c: c["cells"][0].update(colour="red"), "the field cells .* 'colour'"),
    "cell without an implementation": (
        lambda c: c["cells"][0].pop("implementation"),
        "the field cells .* 'implementation'",
    ),
    "cell no object": (lambda c: c.update(cells=[3]), "the field cells"),
    "cell of a bad case": (lambda c: c["cells"][0].update(case="big"), "the field cells .* 'big' is not the id"),
    "stranger": (lambda c: c.update(colour="red"), "the field cells or one beside it .* 'colour'"),
}


@pytest.mark.parametrize("fault", MANIFEST_FAULTS)
def test_a_broken_manifest_is_named_with_its_field(folder: Path, fault: str) -> None:
    """The same for run.json."""
    change, message = MANIFEST_FAULTS[fault]
    edit(folder / "run.json", change)
    with pytest.raises(BrokenFile, match=message) as caught:
        read_run(folder)
    assert str(caught.value).startswith(f"{folder / 'run.json'}: ")


@pytest.mark.parametrize("name", ["run.json", "passes/pass-002.json"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], b"not JSON, or cut off: .* at line [0-9]+"),
        (lambda text: b"", b"not JSON, or cut off"),
        (lambda text: b"<html>", b"not JSON, or cut off"),
        (lambda text: b"[" + text + b"]", b"holds list, not an object"),
        (lambda text: b"3", b"holds int, not an object"),
        (lambda text: b"\xff\xfe" + text, b"cannot be read"),
        (lambda text: b"{}", b"the field .* is missing"),
    ],
    ids=["cut off", "empty", "html", "list", "number", "binary", "no field"],
)
def test_a_damaged_file_is_named(folder: Path, name: str, damage: Callable[[bytes], bytes], message: bytes) -> None:
    """Half a file, another file, no object."""
    path = folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BrokenFile, match=message.decode()) as caught:
        read_run(folder)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    """A folder that is no run says which file it lacks."""
    with pytest.raises(BrokenFile, match=r"run\.json: there is no such file"):
        read_run(tmp_path)


def test_take_tells_true_from_one(tmp_path: Path) -> None:
    """A bool is no number, a number is no bool, and a dotted field goes down."""
    content = {"a": {"b": 1, "c": True}}
    assert take(content, tmp_path, "a.b", int) == 1
    assert take(content, tmp_path, "a.c", bool) is True
    with pytest.raises(BrokenFile, match=r"the field a\.c is bool"):
        take(content, tmp_path, "a.c", int)
    with pytest.raises(BrokenFile, match=r"the field a\.b\.d is missing"):
        take(content, tmp_path, "a.b.d", int)


# Writing


def full_disk(*_: object, **__: object) -> None:
    """Say what a full disk says."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("existed", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, existed: bool
) -> None:
    """Whichever step fails, the error names the file, the old content stays, no temporary file does."""
    path = tmp_path / "pass-001.json"
    if existed:
        path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        if step == "write":
            opened = Path.open

            def open_full(self: Path, *args: Any) -> Any:
                stream = opened(self, *args)
                stream.raw.truncate(1)  # half of it got there
                return _FullStream(stream)

            patch.setattr(Path, "open", open_full)
        elif step == "fsync":
            patch.setattr(os, "fsync", full_disk)
        else:
            patch.setattr(Path, "replace", full_disk)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_atomically(path, b"new")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, b"old")] * existed
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


class _FullStream:
    """A file on a full disk."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> _FullStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    write = staticmethod(full_disk)


def test_nan_is_never_written(tmp_path: Path) -> None:
    """JSON has no NaN; the file that was there stays."""
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert read_json(tmp_path / "a.json") == {"x": 1}


# Summaries


def row_of(frame: pd.DataFrame, case: Case, implementation: str) -> Any:
    """The one row of a cell."""
    found = frame[(frame["case"] == case.id) & (frame["implementation"] == implementation)]
    assert len(found) == 1
    return found.iloc[0]


def test_planted_speedups_are_recovered(tmp_path: Path) -> None:
    """Within 3 % of the truth though the machine's speed wanders by 30 % between rounds, and so do the intervals."""
    run = read_run(write_run(tmp_path, presets=["seed"], passes=20, rounds=30, spread=0.02))
    frame = cells(run)
    held = 0
    for case in find("seed").cases("cpu"):
        for name in ("looped", "whole"):
            truth = true_seconds(case, "manual") / true_seconds(case, name)
            row = row_of(frame, case, name)
            assert row["speedup"] == pytest.approx(truth, rel=0.03)
            assert row["speedup_high"] / row["speedup_low"] < 1.05
            held += row["speedup_low"] <= truth <= row["speedup_high"]
    assert held >= 0.8 * 44
    assert (frame["passes"] == 20).all()
    assert (frame["rounds"] == 600).all()


def test_the_baselines_speedup_is_one(folder: Path) -> None:
    """Exactly, with an interval that is a point."""
    frame = cells(read_run(folder))
    manual = frame[frame["implementation"] == "manual"]
    assert (manual[["speedup", "speedup_low", "speedup_high"]] == 1.0).all(axis=None)


def test_ratios_need_no_machine_in_the_same_mood() -> None:
    """Rounds that only one side has are left out, and each pass gives one ratio."""
    own = pd.DataFrame({"pass": [1, 1, 2, 3], "round": [0, 1, 0, 0], "counted": [1.0, 5.0, 2.0, 9.0], "evidence": True})
    base = pd.DataFrame({"pass": [1, 2, 2], "round": [0, 0, 1], "counted": [3.0, 2.0, 77.0], "evidence": True})
    assert log_ratios(own, base)["log"].to_dict() == pytest.approx({1: math.log(3), 2: 0.0})


def test_estimates_of_a_tiny_run_by_hand(tmp_path: Path) -> None:
    """Seconds, step seconds, control ratio and speed-up of two passes of one round."""
    case = Case(seq_len=10)
    records = [CellRecord(case.id, name, peak_bytes=5, build_seconds=0.5) for name in ("manual", "whole")]
    manifest = Manifest("id", "now", {"baseline": "manual", "passes": 2}, machine=MACHINE, cells=records)
    (tmp_path / "passes").mkdir()
    write_manifest(tmp_path, manifest)
    for number, times in enumerate([(4.0, 1.0), (9.0, 1.0)], start=1):
        entries = []
        for record, own in zip(records, times, strict=True):
            info = extra_info(case, record.implementation, blocks([own]), blocks([0.5]), record)
            entries.append(benchmark_entry(info))
        write_pass(tmp_path, number, manifest, entries, [])
    row = row_of(cells(read_run(tmp_path)), case, "manual")
    assert (row["seconds"], row["step_seconds"], row["control_ratio"]) == pytest.approx((6.0, 0.6, 12.0))
    row = row_of(cells(read_run(tmp_path)), case, "whole")
    assert row["speedup"] == pytest.approx(6.0)
    half = 12.706204736 * math.log(9 / 4) / 2
    assert (row["speedup_low"], row["speedup_high"]) == pytest.approx((6 * math.exp(-half), 6 * math.exp(half)))
    assert (row["peak_bytes"], row["build_seconds"], row["passes"]) == (5, 0.5, 2)
    assert math.isnan(row["event_seconds"])


def test_the_interval_knows_how_many_passes_were_planned(folder: Path) -> None:
    """Three passes of which two were planned: the spread is that of the first two."""
    edit(folder / "run.json", lambda c: c["settings"].update(passes=2))
    run, case = read_run(folder), find("smoke").cases("cpu")[0]
    measured = measured_samples(run)
    found = log_ratios(measured[case.id, "whole"], measured[case.id, "manual"])
    wanted = interval_of_ratio(found["log"].tolist(), first=2, errors=found["error"].tolist())
    row = row_of(cells(run), case, "whole")
    assert (row["speedup"], row["speedup_low"], row["speedup_high"]) == (wanted.value, wanted.low, wanted.high)
    assert row["passes"] == 3


def test_statuses_and_reasons_are_carried(tmp_path: Path) -> None:
    """What was not measured is a row with its reason and no figures."""
    broken = {"looped": (FAILED, "differs at step 3"), "whole": (UNAVAILABLE, "no compiler")}
    frame = cells(read_run(write_run(tmp_path, presets=["smoke"], passes=2, broken=broken)))
    assert len(frame) == 24
    for name, (status, reason) in broken.items():
        rows = frame[frame["implementation"] == name]
        assert set(zip(rows["status"], rows["reason"], strict=True)) == {(status, reason)}
        assert rows[["seconds", "speedup", "control_ratio", "rounds"]].isna().all(axis=None)
    assert frame[frame["implementation"] == "manual"]["seconds"].notna().all()


def test_a_cell_that_failed_in_a_pass_has_no_figures(folder: Path) -> None:
    """A failure in any pass makes the cell a failed one, with the pass that saw it."""
    case = find("smoke").cases("cpu")[0]
    failure = {"case": case.id, "implementation": "whole", "reason": "RuntimeError: tired"}
    edit(folder / "passes" / "pass-002.json", lambda c: c["rnn_bench"].update(failures=[failure]))
    frame = cells(read_run(folder))
    row = row_of(frame, case, "whole")
    assert (row["status"], row["reason"]) == (FAILED, "in pass-002: RuntimeError: tired")
    assert math.isnan(row["seconds"])
    assert (frame["status"] == FAILED).sum() == 1


def test_reached_compares_half_widths() -> None:
    """Narrow enough, too wide, no interval yet, nothing to ask."""
    frame = pd.DataFrame(
        {
            "speedup": [1.0, 2.0, 2.0, 2.0, math.nan],
            "speedup_low": [1.0, 2.0 * math.exp(-0.02), 2.0 * math.exp(-0.05), math.nan, math.nan],
            "speedup_high": [1.0, 2.0 * math.exp(0.02), 2.0 * math.exp(0.05), math.nan, math.nan],
        }
    )
    assert reached(frame, 0.03).tolist() == [True, True, False, False, True]


# pytest-benchmark


def test_pytest_benchmark_compares_a_pass_file(folder: Path, tmp_path: Path) -> None:
    """Its own command takes the file and shows a row for every cell, grouped by case."""
    options = ["--group-by=group", "--columns=median,rounds", str(folder / "passes" / "pass-001.json")]
    done = warm.run([sys.executable, "-m", "pytest_benchmark", "compare", *options], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    for case in find("smoke").cases("cpu"):
        assert shown.count(f"benchmark '{case.id}': 3 tests") == 1
        for name in ("manual", "looped", "whole"):
            assert f"{case.short}-{name}" in shown


def test_statistics_of_an_entry_are_those_of_its_samples() -> None:
    """The median, least and number of rounds that pytest-benchmark shows."""
    record = CellRecord(Case().id, "manual")
    entry = benchmark_entry(extra_info(Case(), "manual", blocks([3.0, 1.0, 2.0], 2), blocks([2.0, 2.0, 2.0]), record))
    assert (entry["stats"]["median"], entry["stats"]["min"], entry["stats"]["rounds"]) == (2.0, 1.0, 3)
    assert entry["extra_info"]["control_ratio"] == 1.0
    assert entry["extra_info"]["event_seconds"] is None


def as_pytest_wrote_it(path: Path, content: dict[str, Any]) -> Path:
    """Write what `pytest bench --benchmark-json` leaves: no header of this suite's own."""
    content = {name: value for name, value in content.items() if name != "rnn_bench"}
    path.write_text(json.dumps(content | {"machine_info": content["machine_info"] | {"node": path.stem}}))
    return path


def test_files_of_pytest_read_as_passes(folder: Path, tmp_path: Path) -> None:
    """Each file is a pass; the samples, machine and cells are those of the run they came from."""
    paths = [as_pytest_wrote_it(tmp_path / f"{path.stem}.json", read_json(path)) for path in pass_files(folder)]
    run, original = read_pytest_json(paths), read_run(folder)
    assert (run.manifest.baseline, run.manifest.first_passes) == ("manual", 3)
    assert run.manifest.machine == MACHINE
    pd.testing.assert_frame_equal(run.samples.drop(columns="run"), original.samples.drop(columns="run"))
    frame, wanted = cells(run), cells(original)
    key = ["case", "implementation"]
    columns = ["speedup", "speedup_low", "speedup_high", "seconds", "control_ratio", "peak_bytes"]
    pd.testing.assert_frame_equal(
        frame.set_index(key).sort_index()[columns], wanted.set_index(key).sort_index()[columns], check_dtype=False
    )


def test_without_the_cell_by_hand_the_first_is_the_baseline(folder: Path, tmp_path: Path) -> None:
    """A selection of others still has a ratio to show."""
    content = read_json(pass_files(folder)[0])
    content["benchmarks"] = [b for b in content["benchmarks"] if b["extra_info"]["implementation"] != "manual"]
    run = read_pytest_json([as_pytest_wrote_it(tmp_path / "a.json", content)])
    assert run.manifest.baseline == "looped"


def test_files_of_different_machines_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    """The second file is named, with the field that differs."""
    first, second = (read_json(path) for path in pass_files(folder)[:2])
    second["machine_info"]["rnn_bench"]["torch"] = "9.9"
    paths = [as_pytest_wrote_it(tmp_path / "a.json", first), as_pytest_wrote_it(tmp_path / "b.json", second)]
    with pytest.raises(BrokenFile, match=r"b\.json: the field machine_info\.rnn_bench differs"):
        read_pytest_json(paths)


def test_another_suites_benchmarks_are_refused(folder: Path, tmp_path: Path) -> None:
    """A file of pytest-benchmark that this suite didn't write is called foreign."""
    content = read_json(pass_files(folder)[0])
    for benchmark in content["benchmarks"]:
        benchmark["extra_info"] = {}
    with pytest.raises(BrokenFile, match=r"foreign\.json: .*not a file of this suite"):
        read_pytest_json([as_pytest_wrote_it(tmp_path / "foreign.json", content)])
