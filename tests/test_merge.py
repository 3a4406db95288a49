"""Runs put together: the compact form, what is pooled, what counts once, what contradicts itself, and the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.cases.case import Case
from bench.host.identity import fingerprint
from bench.report.build import build
from bench.store.compact import SAMPLES, Source, read_stored, write_stored
from bench.store.files import BrokenFile
from bench.store.manifest import FAILED, MEASURED
from bench.store.merged import read_merged, run_folders_in
from bench.store.pooled import pool, sharing
from bench.table.cells import cells
from bench.table.comparison import SHARED_CORE
from bench.table.reading import Run, read_run
from tests.command import bench
from tests.synthetic import MACHINE, write_run

CASES = [Case(seq_len=steps, mode=mode) for steps in (1, 8, 64) for mode in ("inference", "training")]
OTHER = MACHINE | {"cpu": "Imaginary CPU 9001"}


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def run_at(folder: Path, *, name: str = "one", seed: int = 1, cases: Any = CASES, **options: Any) -> Path:
    """A run of three passes, called `name`."""
    write_run(folder, cases=cases, passes=options.pop("passes", 3), seed=seed, **options)
    edit(folder / "run.json", lambda run: run.update(id=name))
    return folder


def on(folder: Path, machine: dict[str, Any]) -> Path:
    """The run as one of another machine."""
    edit(folder / "run.json", lambda run: run.update(machine=machine))
    return folder


def placed(folder: Path, boot: str, core: int, begun: float, seconds: float = 10.0) -> Path:
    """The run with its passes one after the other on a core from a time on."""
    for k, path in enumerate(sorted((folder / "passes").iterdir())):
        where: dict[str, Any] = {"node": "", "boot": boot, "cores": [core], "begun": begun + k * seconds}
        where["ended"] = where["begun"] + seconds
        edit(path, lambda content, where=where: content["rnn_bench"].update(place=where))  # type: ignore[misc] # each its own
    return folder


def merged(*names: Path, into: Path) -> dict[str, Run]:
    """What `merge` makes of some folders, by fingerprint."""
    code, _, told = bench("merge", *map(str, names), "--into", str(into))
    assert code == 0, told
    return {each.fingerprint: read_run(each.folder) for each in read_merged(into)}


def only(found: dict[str, Run]) -> Run:
    """The run of the only machine."""
    (run,) = found.values()
    return run


def files_below(folder: Path) -> list[str]:
    """All that lies there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_both_forms_of_a_run_are_equal(tmp_path: Path) -> None:
    """Samples, cells and every byte of the report; failures and latencies as well."""
    plain = run_at(tmp_path / "plain", cases=[*CASES, Case(mode="streaming")], explained=["limits", "profile"])
    failure = {"case": CASES[0].id, "implementation": "looped", "reason": "it crashed"}
    edit(plain / "passes" / "pass-002.json", lambda content: content["rnn_bench"]["failures"].append(failure))
    compact = tmp_path / "compact"
    shutil.copytree(plain, compact)
    write_stored(compact, read_stored(plain))
    shutil.rmtree(compact / "passes")
    one, other = read_run(plain), read_run(compact)
    pd.testing.assert_frame_equal(one.samples, other.samples)
    pd.testing.assert_frame_equal(one.latencies, other.latencies)
    assert one.manifest == other.manifest
    assert one.manifest.by_cell()[CASES[0].id, "looped"].reason == "in pass-002: it crashed"
    build(plain), build(compact)
    made = ["cells.json", "summary.md", *files_below(plain / "figures")]
    for name in (name if "." not in name or name in made[:2] else f"figures/{name}" for name in made):
        assert (plain / name).read_bytes() == (compact / name).read_bytes(), name
    page = (plain / "index.html").read_text().replace('<a href="samples.csv">samples.csv</a>, ', "")
    assert page == (compact / "index.html").read_text(), "but for the file that a compact run needs no more"


def test_files_of_passes_win(tmp_path: Path) -> None:
    """A folder that has both is read by the passes; what lies beside them may be a report's."""
    folder = run_at(tmp_path / "run")
    wanted = read_run(folder).samples
    build(folder)
    (folder / SAMPLES).write_bytes(b"nonsense")
    pd.testing.assert_frame_equal(read_run(folder).samples, wanted)


@pytest.fixture
def compact_run(tmp_path: Path) -> Path:
    """A run in its compact form."""
    folder = run_at(tmp_path / "run")
    write_stored(folder, read_stored(folder))
    shutil.rmtree(folder / "passes")
    return folder


def without(name: str) -> Callable[[pa.Table], pa.Table]:
    """A table less a column."""
    return lambda table: table.drop_columns([name])


def with_values(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """A table whose first row has another value."""

    def changed(table: pa.Table) -> pa.Table:
        values = [value, *table[name].to_pylist()[1:]]
        return table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("control_seconds"), "the column control_seconds is missing"),
        (with_values("seconds", -1.0), "the column seconds holds what is no time, in 1 rows"),
        (with_values("seconds", float("nan")), "the column seconds holds what is no time, in 1 rows"),
        (with_values("seconds", None), "the column seconds has a row without a value"),
        (with_values("waited_seconds", float("inf")), "the column waited_seconds holds what is no time"),
        (with_values("source", 99), "the column source names passes that passes.json does not have"),
        (with_values("case", "no-case"), "the column case: 'no-case' is not the id of a case"),
    ],
)
def test_a_foreign_table_is_refused(compact_run: Path, change: Callable[[pa.Table], pa.Table], told: str) -> None:
    """By the name of the file, and of the column."""
    path = compact_run / SAMPLES
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(BrokenFile) as error:
        read_run(compact_run)
    assert str(path) in str(error.value) and told in str(error.value)


@pytest.mark.parametrize("keep", [0, 100, -10])
def test_a_table_cut_off_is_refused(compact_run: Path, keep: int) -> None:
    """Wherever it was cut."""
    path = compact_run / SAMPLES
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BrokenFile, match="not Parquet, or cut off") as error:
        read_run(compact_run)
    assert str(path) in str(error.value)


def test_a_merged_run_of_one_says_the_same(tmp_path: Path) -> None:
    """Every figure of the table, and what explains the run."""
    folder = run_at(tmp_path / "run", explained=["limits", "profile"])
    one, run = cells(read_run(folder)), only(merged(folder, into=tmp_path / "merged"))
    other = cells(run)
    keys = ["case", "implementation"]
    one, other = (table.sort_values(keys, ignore_index=True) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)
    table = pd.read_parquet(tmp_path / "merged" / "cells.parquet")
    assert set(table["machine"]) == {fingerprint(MACHINE)} and len(table) == len(other)
    assert np.allclose(table["speedup"], cells(run)["speedup"], rtol=1e-15)


def test_shards_and_repeats_are_pooled(tmp_path: Path) -> None:
    """Cases of two shards stand side by side; passes of a case that two runs have are counted together, and ratios are
    of the rounds of one pass."""
    runs = tmp_path / "shards"
    run_at(runs / "1", name="1", cases=CASES[:4], seed=1)
    run_at(runs / "2", name="2", cases=CASES[2:], seed=2, passes=4)
    run = only(merged(runs, into=tmp_path / "merged"))
    counts = cells(run).drop_duplicates("case").set_index("case")["passes"]
    assert [counts[case.id] for case in CASES] == [3, 3, 7, 7, 4, 4]
    both = run.samples[run.samples["case"] == CASES[2].id]
    assert both.groupby("pass", observed=True)["run"].nunique().eq(1).all(), "a pass is of one process"
    alone = read_run(runs / "1").samples
    own = both[both["run"] == "1"].drop(columns=["run", "pass"]).reset_index(drop=True)
    wanted = alone[alone["case"] == CASES[2].id].drop(columns=["run", "pass"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(own, wanted, check_categorical=False)


def test_the_same_pass_counts_once(tmp_path: Path) -> None:
    """Given twice, as a copy, and by way of an earlier merged run, which may be the target as well."""
    folder, copy, into = run_at(tmp_path / "a"), tmp_path / "copy", tmp_path / "merged"
    shutil.copytree(folder, copy)
    first = only(merged(folder, copy, folder, into=into)).samples
    assert len(first) == len(read_run(folder).samples)
    later = run_at(tmp_path / "b", name="later", seed=2)
    again = only(merged(into, later, folder, into=into)).samples
    assert len(again) == 2 * len(first)
    assert len(run_folders_in(into)) == 1


def test_two_contents_of_a_pass_are_an_error(tmp_path: Path) -> None:
    """It names both files, ends with 2, and writes nothing."""
    folder, copy = run_at(tmp_path / "a"), tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "passes" / "pass-002.json"
    edit(path, lambda content: content["benchmarks"][0]["extra_info"]["seconds"].reverse())
    code, _, told = bench("merge", str(folder), str(copy), "--into", str(tmp_path / "merged"))
    assert code == 2 and told.count("\n") == 1
    assert str(path) in told and str(folder / "passes" / "pass-002.json") in told
    assert not (tmp_path / "merged").exists() and not list(tmp_path.glob(".merged*"))


def test_machines_are_kept_apart(tmp_path: Path) -> None:
    """Each has its own cells, of its own passes; and so do two versions of torch."""
    here, there = run_at(tmp_path / "a"), on(run_at(tmp_path / "b", name="b", seed=2), OTHER)
    upgraded = on(run_at(tmp_path / "c", name="c", seed=3), MACHINE | {"torch": "2.14.0"})
    found = merged(here, there, upgraded, into=tmp_path / "merged")
    assert set(found) == {fingerprint(each) for each in (MACHINE, OTHER, MACHINE | {"torch": "2.14.0"})}
    for digits, folder in ((fingerprint(MACHINE), here), (fingerprint(OTHER), there)):
        wanted = cells(read_run(folder)).set_index(["case", "implementation"])["speedup"]
        own = cells(found[digits]).set_index(["case", "implementation"])["speedup"]
        assert own.sort_index().tolist() == pytest.approx(wanted.sort_index().tolist(), rel=1e-12)


def test_a_cell_that_failed_in_another_run_says_so(tmp_path: Path) -> None:
    """It counts as measured, by the samples of the run in which it did not fail; one that failed wherever it ran is
    failed."""
    sound, broken = run_at(tmp_path / "a"), run_at(tmp_path / "b", name="b", seed=2)
    failures = [{"case": CASES[0].id, "implementation": "whole", "reason": "it crashed"}]
    edit(broken / "passes" / "pass-003.json", lambda content: content["rnn_bench"].update(failures=failures))
    run = only(merged(sound, broken, into=tmp_path / "merged"))
    record = run.manifest.by_cell()[CASES[0].id, "whole"]
    assert (record.status, record.reason) == (MEASURED, "failed in run b: in pass-003: it crashed")
    passes = cells(run).set_index(["case", "implementation"])["passes"]
    assert passes[CASES[0].id, "whole"] == 3 and passes[CASES[0].id, "manual"] == 6
    (machine,) = read_merged(tmp_path / "merged")
    assert machine.notes == ["1 cell that was measured failed in another run, of which nothing counts."]
    again = only(merged(tmp_path / "merged", broken, into=tmp_path / "again"))
    assert cells(again)["passes"].tolist() == cells(run)["passes"].tolist(), "what was left out is no other content"
    alone = only(merged(broken, into=tmp_path / "alone"))
    assert alone.manifest.by_cell()[CASES[0].id, "whole"].status == FAILED


def test_passes_added_later_say_nothing_of_the_spread(tmp_path: Path) -> None:
    """Those of a precision come after all that were planned, in whichever run."""
    first, second = (run_at(tmp_path / name, name=name, seed=seed, passes=4) for seed, name in ((1, "a"), (2, "b")))
    edit(first / "run.json", lambda run: run["settings"].update(passes=2))
    found = only(merged(first, second, into=tmp_path / "merged"))
    assert found.manifest.first_passes == 6
    numbers = found.samples.groupby("run", observed=True)["pass"].unique()
    assert sorted(numbers["a"]) == [1, 2, 7, 8] and sorted(numbers["b"]) == [3, 4, 5, 6]


def test_runs_that_shared_a_core_carry_a_warning(tmp_path: Path) -> None:
    """In the table, in words, and only for the cases that were measured meanwhile."""
    one = placed(run_at(tmp_path / "1", name="1", cases=CASES[:2]), "boot", 3, 0.0)
    two = placed(run_at(tmp_path / "2", name="2", cases=CASES[2:4], seed=2), "boot", 3, 15.0)
    apart = placed(run_at(tmp_path / "3", name="3", cases=CASES[4:], seed=3), "boot", 4, 0.0)
    run = only(merged(one, two, apart, into=tmp_path / "merged"))
    table = cells(run).drop_duplicates("case").set_index("case")["warnings"]
    kinds = {case: {each.kind: each.value for each in warnings} for case, warnings in table.items()}
    assert [kinds[case.id].get(SHARED_CORE, 0) for case in CASES] == [2, 2, 2, 2, 0, 0]
    code, _, told = bench("report", str(tmp_path / "merged"))
    assert code == 0, told
    (machine,) = read_merged(tmp_path / "merged")
    said = (machine.folder / "summary.md").read_text()
    assert "In 12 of 18 cells: disturbed: another run measured on the same core at the same time" in said


def test_what_shares_a_core() -> None:
    """One that lies within another, does so with two, or with none that only follows; another boot or core is another
    place, and without a boot nothing is known."""

    def source(name: str, begun: float, ended: float, boot: str = "b", cores: tuple[int, ...] = (1,)) -> Source:
        place = {"node": "", "boot": boot, "cores": list(cores), "begun": begun, "ended": ended}
        return Source(name, "now", 1, place)

    long = [source("long", 0, 10), source("in", 2, 3), source("late", 9, 12), source("next", 12, 13)]
    elsewhere = [source("core", 0, 10, cores=(2,)), source("boot", 0, 10, "c")]
    unknown = [source("x", 0, 10, ""), source("y", 0, 10, ""), Source("z", "now", 1)]
    assert {run for run, _, _ in sharing([*long, *elsewhere, *unknown])} == {"long", "in", "late"}
    assert {run for run, _, _ in sharing([source("two", 0, 5, cores=(1, 2)), elsewhere[0]])} == {"two", "core"}


def test_bad_input_writes_nothing(tmp_path: Path) -> None:
    """A folder without a run, a pass cut off, a run that says nothing of its machine, a target that is something else:
    one line that says what and where, and 2."""
    (tmp_path / "empty").mkdir()
    cut = run_at(tmp_path / "cut")
    path = cut / "passes" / "pass-001.json"
    path.write_text(path.read_text()[:-100])
    nameless = on(run_at(tmp_path / "nameless"), {})
    sound = run_at(tmp_path / "sound")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    into = tmp_path / "merged"
    for given, target, wanted in (
        (tmp_path / "empty", into, f"{tmp_path / 'empty'}: no run folder (no run.json in it, or below it)"),
        (tmp_path / "nowhere", into, "nowhere"),
        (cut, into, f"{path}: not JSON, or cut off"),
        (nameless, into, f"{nameless / 'run.json'}: the field machine is empty"),
        (sound, tmp_path / "taken", f"{tmp_path / 'taken'}: is there, and is no merged run"),
    ):
        code, _, told = bench("merge", str(sound), str(given), "--into", str(target))
        assert code == 2 and wanted in told and told.count("\n") == 1, told
        assert not into.exists()
    assert files_below(tmp_path / "taken") == ["thesis.tex"]


def test_what_fails_while_merging_leaves_the_old(tmp_path: Path) -> None:
    """An earlier merged run stays whole when a later one can't be made."""
    into = tmp_path / "merged"
    merged(run_at(tmp_path / "a"), into=into)
    before = {name: (into / name).read_bytes() for name in files_below(into) if (into / name).is_file()}
    cut = run_at(tmp_path / "b", name="b")
    (cut / "run.json").write_text("{")
    assert bench("merge", str(into), str(cut), "--into", str(into))[0] == 2
    assert {name: (into / name).read_bytes() for name in files_below(into) if (into / name).is_file()} == before


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    """In whichever order they are given."""
    runs = [run_at(tmp_path / "a"), run_at(tmp_path / "b", name="b", seed=2), on(run_at(tmp_path / "c"), OTHER)]
    merged(*runs, into=tmp_path / "x" / "merged")
    merged(*reversed(runs), into=tmp_path / "y" / "merged")
    names = files_below(tmp_path / "x")
    assert names == files_below(tmp_path / "y")
    for name in names:
        if (tmp_path / "x" / name).is_file():
            assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes(), name


def test_pooling_needs_no_order(tmp_path: Path) -> None:
    """The machine with the most samples comes first."""
    few = on(run_at(tmp_path / "a", cases=CASES[:1]), OTHER)
    many = run_at(tmp_path / "b")
    for order in ((few, many), (many, few)):
        digits = [each.fingerprint for each in pool([read_stored(folder) for folder in order], "m")]
        assert digits == [fingerprint(MACHINE), fingerprint(OTHER)]
