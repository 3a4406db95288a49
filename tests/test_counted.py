"""What counts of the blocks of a run, and what is said against it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.markdown import compact
from bench.report.warned import sentences, short, told
from bench.store.files import read_json, write_json
from bench.store.manifest import CellRecord, Manifest, write_manifest
from bench.store.passes import benchmark_entry, disturbed_share, extra_info, pass_files, write_pass
from bench.table import comparison
from bench.table.cells import cells
from bench.table.comparison import (
    DISTURBED,
    DRIFT,
    FEW_PASSES,
    FEW_ROUNDS,
    GAP,
    NO_EVIDENCE,
    NOT_PINNED,
    PARTS,
    TAKEN_AGAIN,
    EstimateWarning,
)
from bench.table.observation import by_pass
from bench.table.reading import read_run
from tests.synthetic import MACHINE, blocks, write_run

CASE = Case(seq_len=10)
Blocks = dict[str, Any]


def run_of(folder: Path, passes: Sequence[dict[str, Blocks]], **more: Any) -> Path:
    """A run of one case: in each pass blocks by implementation, `control` among them."""
    names = [name for name in passes[0] if name != "control"]
    records = [CellRecord(CASE.id, name) for name in names]
    settings = {"baseline": names[0], "passes": len(passes)}
    (folder / "passes").mkdir(parents=True)
    machine = MACHINE | more.pop("machine", {})
    write_manifest(folder, Manifest("id", "now", settings, "finished", machine, cells=records))
    for number, own in enumerate(passes, start=1):
        entries = [
            benchmark_entry(extra_info(CASE, record.implementation, own[record.implementation], own["control"], record))
            for record in records
        ]
        write_pass(folder, number, Manifest("id", "now", settings, machine=machine), entries, [], **more)
    return folder


def plain(seconds: float = 1.0, rounds: int = 8, **more: Any) -> Blocks:
    """Blocks that last alike."""
    return blocks([seconds] * rounds, **more)


def speedup(folder: Path) -> float:
    """Of the second implementation."""
    return float(cells(read_run(folder))["speedup"].iloc[1])


def without(samples: Blocks, *names: str) -> Blocks:
    """Blocks of which these are not known."""
    return samples | {name: [] for name in names}


def test_what_was_waited_is_taken_off(tmp_path: Path) -> None:
    """Half of the blocks are three times as long, and waited for just that."""
    disturbed = blocks([1.0, 3.0] * 4, waited=[0.0, 2.0] * 4)
    assert speedup(run_of(tmp_path, [{"a": plain(2.0), "b": disturbed, "control": plain(0.1)}] * 3)) == 2.0


def test_what_was_not_waited_stays(tmp_path: Path) -> None:
    """The same blocks, all their own doing: the mean counts."""
    own = blocks([1.0, 3.0] * 4)
    assert speedup(run_of(tmp_path, [{"a": plain(2.0), "b": own, "control": plain(0.1)}] * 3)) == pytest.approx(1.0)


def test_a_run_without_evidence_reads_as_it_did(tmp_path: Path) -> None:
    """By the median of the log ratios, with a warning; the fields are absent, as in files of earlier versions."""
    own = blocks([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0])
    folder = run_of(tmp_path, [{"a": plain(2.0), "b": own, "control": plain(0.1)}] * 3)
    for path in pass_files(folder):
        content = read_json(path)
        content["rnn_bench"].pop("set_aside")
        for benchmark in content["benchmarks"]:
            for name in ("waited_seconds", "control_waited_seconds", "switches", "control_switches"):
                benchmark["extra_info"].pop(name)
        write_json(path, content)
    table = cells(read_run(folder))
    assert table["speedup"].iloc[1] == 2.0
    assert table["warnings"].tolist() == [(EstimateWarning(NO_EVIDENCE, 3),)] * 2
    assert sentences(table) == [
        "In all cells: nothing is known of what disturbed the blocks: medians over rounds are shown."
    ]


def test_where_only_switches_are_known_stopped_rounds_do_not_count(tmp_path: Path) -> None:
    """Two of eight blocks were stopped and are left out; of how long they waited nothing is known."""
    own = without(blocks([1.0, 9.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0]), "waited_seconds")
    own["switches"] = [0, 1, 0, 0, 2, 0, 0, 0]
    others = {name: without(plain(s), "waited_seconds") for name, s in (("a", 2.0), ("control", 0.1))}
    folder = run_of(tmp_path, [{"a": others["a"], "b": own, "control": others["control"]}] * 3)
    table = cells(read_run(folder))
    assert table["speedup"].iloc[1] == 2.0
    assert table["warnings"].iloc[1] == (EstimateWarning(DISTURBED, 0.25),)


def test_switches_in_most_rounds_are_no_reason_to_drop_them(tmp_path: Path) -> None:
    """A pass that was stopped all the time counts as a whole."""
    own = without(blocks([1.0, 3.0] * 4), "waited_seconds")
    own["switches"] = [0, 1] * 4
    others = {name: without(plain(s), "waited_seconds") for name, s in (("a", 2.0), ("control", 0.1))}
    folder = run_of(tmp_path, [{"a": others["a"], "b": own, "control": others["control"]}] * 3)
    assert speedup(folder) == pytest.approx(1.0)


def test_spikes_of_the_control_limit_those_of_all(tmp_path: Path) -> None:
    """One of 40 control blocks is a spike, and so is one of a cell's; without the first the second would stay."""
    spiked = blocks([1.0] * 39 + [4.0])
    calm = run_of(tmp_path / "calm", [{"a": plain(1.0, 40), "b": spiked, "control": plain(0.1, 40)}] * 3)
    assert speedup(calm) == pytest.approx(40 / 43)
    control = blocks([0.1] * 39 + [0.4])
    stormy = run_of(tmp_path / "stormy", [{"a": plain(1.0, 40), "b": spiked, "control": control}] * 3)
    assert speedup(stormy) == 1.0


def test_a_pass_with_disagreeing_rounds_weighs_little(tmp_path: Path) -> None:
    """Four passes say 2; the rounds of the fifth, unseen by any counter, say anything between."""
    quiet = {"a": blocks([2.0, 2.02] * 20), "b": blocks([1.0, 1.0] * 20), "control": plain(0.1, 40)}
    storm = quiet | {"b": blocks([1.0, 9.0, 1.0, 1.0] * 10)}
    assert speedup(run_of(tmp_path, [quiet] * 4 + [storm])) == pytest.approx(2.01, rel=0.01)


def test_by_pass_skips_what_does_not_count() -> None:
    """NaN on either side."""
    frame = pd.DataFrame(
        {"pass": [1, 1, 1], "evidence": True, "own": [1.0, math.nan, 3.0], "other": [1.0, 1.0, math.nan]}
    )
    assert by_pass(frame, "own", "other")["log"].tolist() == [0.0]


# Warnings


def test_the_share_of_time_that_others_had(tmp_path: Path) -> None:
    """A quarter of the time of one cell, by its own blocks; the other's is quiet and says nothing."""
    own = blocks([1.0, 3.0] * 4, waited=[0.0, 1.0] * 4)
    table = cells(read_run(run_of(tmp_path, [{"a": plain(), "b": own, "control": plain(0.1)}] * 3)))
    assert table["warnings"].tolist() == [(), (EstimateWarning(DISTURBED, 0.25),)]
    assert short(table["warnings"].iloc[1]) == "disturbed 25 %"
    assert sentences(table) == ["In 1 of 2 cells: others had the core up to 25 % of the time; not counted."]


def test_drift_few_rounds_few_passes(tmp_path: Path) -> None:
    """A machine twice as slow in the second pass of two, of three rounds each."""
    passes = [{"a": plain(s, 3), "control": plain(0.1 * s, 3)} for s in (1.0, 2.0)]
    (found,) = cells(read_run(run_of(tmp_path, passes)))["warnings"]
    assert found == (EstimateWarning(DRIFT, 2.0), EstimateWarning(FEW_ROUNDS, 3))
    (alone,) = cells(read_run(run_of(tmp_path / "one", passes[:1])))["warnings"]
    assert EstimateWarning(FEW_PASSES, 1) in alone


def test_passes_taken_again_are_counted(tmp_path: Path) -> None:
    """The blocks set aside stay in the file, are no samples, and every cell of the case says so."""
    aside = benchmark_entry(extra_info(CASE, "a", plain(7.0), plain(0.1), CellRecord(CASE.id, "a")))
    run = read_run(run_of(tmp_path, [{"a": plain(), "control": plain(0.1)}] * 3, set_aside=[aside]))
    assert run.samples["seconds"].max() == 1.0
    assert run.taken_again == {CASE.id: 3}
    assert cells(run)["warnings"].tolist() == [(EstimateWarning(TAKEN_AGAIN, 3),)]
    assert short([EstimateWarning(TAKEN_AGAIN, 3)]) == "3 passes taken again"


def test_a_system_that_cannot_pin_says_so(tmp_path: Path) -> None:
    """On every cell."""
    folder = run_of(tmp_path, [{"a": plain(), "control": plain(0.1)}] * 3, machine={"pinned": False})
    table = cells(read_run(folder))
    assert table["warnings"].tolist() == [(EstimateWarning(NOT_PINNED),)]
    assert sentences(table) == [
        "In the one cell measured: this system binds no process to a core: repeats will differ by more."
    ]


def test_gaps_below_1_and_parts_that_do_not_add_up(tmp_path: Path) -> None:
    """What explains a run is held against it, too."""
    folder = write_run(
        tmp_path, presets=("smoke",), passes=3, explained=("limits", "profile"), truth=lambda case, name: 1e-9
    )
    profile = read_json(folder / "profile.json")
    for record in profile["records"]:
        record["traced_seconds"] *= 1.2
    write_json(folder / "profile.json", profile)
    kinds = {each.kind: each.value for each in cells(read_run(folder))["warnings"].iloc[0]}
    assert kinds[GAP] < 1
    assert kinds[PARTS] == pytest.approx(0.2)


def test_the_worst_of_each_kind_is_told() -> None:
    """The largest share, the least rounds; in how many cells each is carried."""
    carried = [
        (EstimateWarning(DISTURBED, 0.1), EstimateWarning(FEW_ROUNDS, 5)),
        (EstimateWarning(DISTURBED, 0.3),),
        (EstimateWarning(FEW_ROUNDS, 3),),
        (),
    ]
    assert comparison.joined(*carried) == (EstimateWarning(DISTURBED, 0.3), EstimateWarning(FEW_ROUNDS, 3))
    assert [line.partition(":")[0] for line in told(carried)] == ["In 2 of 4 cells"] * 2
    assert told([(), ()]) == []


def test_every_kind_has_its_words() -> None:
    """Short ones for a row, a sentence for the head of a report."""
    kinds = [DISTURBED, TAKEN_AGAIN, DRIFT, FEW_ROUNDS, FEW_PASSES, PARTS, GAP, NO_EVIDENCE, NOT_PINNED]
    for kind in kinds:
        assert short([EstimateWarning(kind, 0.5)])
        assert told([(EstimateWarning(kind, 0.5),)])[0].endswith(".")


def test_the_disturbed_share_of_a_case_in_a_pass() -> None:
    """By time, calls counted: 10 x 1 s of which half was waited, and 1 x 10 s of which nothing was."""
    record = CellRecord(CASE.id, "a")
    first = extra_info(CASE, "a", blocks([1.0], 10, waited=[0.5]), plain(0.1, 1), record)
    second = extra_info(CASE, "b", blocks([10.0], 1), plain(0.1, 1), record)
    assert disturbed_share(map(benchmark_entry, (first, second))) == 0.25
    unknown = extra_info(CASE, "a", without(blocks([1.0]), "waited_seconds"), plain(0.1, 1), record)
    assert disturbed_share([benchmark_entry(unknown)]) == 0.0


def test_a_table_marks_what_not_all_cells_carry(tmp_path: Path) -> None:
    """A mark for the one that was disturbed; what all of them carry is said once below."""
    own = blocks([1.0, 3.0] * 3, waited=[0.0, 1.0] * 3)
    folder = run_of(tmp_path, [{"a": plain(rounds=6), "b": own, "control": plain(0.1, 6)}] * 3)
    run = read_run(folder)
    text = compact(cells(run), run.manifest)
    (row,) = [line for line in text.splitlines() if line.startswith("| hidden")]
    assert [field.endswith("⚠") for field in row.strip("| ").split(" | ")] == [False, False, True, False]
    assert "⚠ marks a warning that not all cells carry" in text
    assert "All cells carry the warning: 6 rounds a pass." in text
