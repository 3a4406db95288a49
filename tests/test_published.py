"""Published figures as data: what the tables hold, that a broken one is refused, and which of them a run has."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.cases.presets import find
from bench.published.results import FOLDER, Result, results
from bench.store.files import BrokenFile
from bench.table.beside import beside
from bench.table.cells import cells
from bench.table.reading import read_run
from tests.synthetic import write_run

LSTM: dict[str, Any] = {
    "network": "lstm",
    "mode": "inference",
    "hidden_size": 500,
    "input_size": 500,
    "batch_size": 64,
    "seq_len": 50,
}
TANH: dict[str, Any] = {"network": "rnn-tanh", "hidden_size": 800, "input_size": 800, "batch_size": 20, "seq_len": 300}
RELU: dict[str, Any] = {"network": "rnn-relu", "hidden_size": 1760, "input_size": 1760, "batch_size": 16, "seq_len": 50}


def of(case: Case) -> list[Result]:
    """The published results of a case, whatever its dtype."""
    return [result for result in results() if replace(result.case, dtype=case.dtype) == case]


def test_the_figures_are_those_of_their_sources() -> None:
    """In the unit in which they were published, with year and link."""
    told = [(each.source, each.year, each.value, each.unit) for each in of(Case(**LSTM))]
    assert told == [
        ("mxnet#12893", 2019, 8842.211, "samples/s"),
        ("pytorch#7903", 2018, 2173.17, "samples/s"),
        ("pytorch#7903", 2018, 1265.75, "samples/s"),
    ]
    trained = [each.value for each in of(Case(**LSTM | {"mode": "training"}))]
    assert trained == [518.64, 324.48]
    assert [each.value for each in of(Case(mode="inference", **TANH))] == [492.61, 952.38]
    assert [each.value for each in of(Case(mode="training", **TANH))] == [198.02, 318.98]
    assert all(each.hardware and each.software and each.link.startswith("https://github.com/") for each in results())


def test_time_and_samples_a_second_are_one_figure() -> None:
    """Sequences a second are the batch over the time of a call."""
    rate, time = of(Case(**LSTM))[0], of(Case(**RELU))[0]
    assert rate.seconds == pytest.approx(64 / 8842.211)
    assert (time.value, time.unit) == (3.378, "ms")
    assert time.seconds == pytest.approx(3.378e-3)


def test_deepbench_has_training_where_all_its_parts_are_given() -> None:
    """132 lines, of which AMD's and those in pseudo FP16 have no backward pass with respect to the weights."""
    theirs = [each for each in results() if each.source == "DeepBench"]
    modes = [each.case.mode for each in theirs]
    assert (modes.count("inference"), modes.count("training")) == (132, 132 - 36)
    trained = [each for each in theirs if each.case.mode == "training" and each.hardware == "NVIDIA V100"]
    assert {each.case.dtype for each in trained} == {"float32", "float16"}
    assert trained[0].value == pytest.approx(4.201 + 2.881 + 0.588)
    assert all("without the input product" in each.software and each.device == "GPU" for each in theirs)


def test_presets_run_what_was_published() -> None:
    """`published` the cases from issues, `deepbench-train` those of DeepBench."""
    by: dict[str, set[Case]] = {"published": set(), "deepbench-train": set()}
    for each in results():
        preset = "deepbench-train" if each.source == "DeepBench" else "published"
        by[preset].add(replace(each.case, dtype="float32"))
    assert {name: set(find(name).cases("cpu")) for name in by} == by


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A copy of the tables, to break."""
    folder = tmp_path / "published"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


def edited(path: Path, old: str, new: str) -> None:
    """Replace the first of a text in a file, which must be there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


ISSUES, TIMES, GPUS = "issues.csv", "deepbench_vanilla_rnn.csv", "deepbench_gpus.csv"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (ISSUES, "network,mode", "mode,network", r"issues\.csv: its columns are mode, network, .* not network, mode"),
        (ISSUES, "8842.211", "fast", r"issues\.csv, line 2: value is 'fast', not a number"),
        (ISSUES, "12306.829", "0", r"issues\.csv, line 3: value is 0\.0, not above 0"),
        (ISSUES, "8842.211", "nan", r"issues\.csv, line 2: value is nan, not above 0"),
        (ISSUES, "samples/s", "frames/s", r"line 2: unit is 'frames/s', not samples/s or ms"),
        (ISSUES, "lstm,", "lstn,", r"line 2: .*lstn"),
        (ISSUES, "inference", "guessing", r"line 2: unknown mode 'guessing'"),
        (ISSUES, "500,500,64", "500,500,many", r"line 2: batch_size is 'many', not a whole number"),
        (ISSUES, ",CPU,", ",TPU,", r"line 2: device is 'TPU', not CPU or GPU"),
        (ISSUES, "mxnet#12893", "", r"line 2: source is empty"),
        (ISSUES, "https://", "http://", r"line 2: link is 'http://.*', not an https address"),
        (ISSUES, ",2019", ",2019,?", r"line 2: 16 fields, not 15"),
        (TIMES, "3.378", "", r"vanilla_rnn\.csv, line 2: forward_ms is '', not a number"),
        (TIMES, "AMD_MI25", "AMD_MI26", r"line 2: gpu is 'AMD_MI26'; known are AMD_MI25"),
        (TIMES, "FP32", "FP33", r"line 2: precision is 'FP33'; known are FP32"),
        (GPUS, ",2018", ",soon", r"deepbench_gpus\.csv, line 2: year is 'soon', not a whole number"),
    ],
)
def test_a_broken_table_names_file_line_and_field(tables: Path, name: str, old: str, new: str, message: str) -> None:
    """No line is passed over in silence."""
    edited(tables / name, old, new)
    with pytest.raises(BrokenFile, match=message):
        results(tables)


Matched = Callable[[Case], int]


@pytest.fixture
def matched(tmp_path: Path) -> Matched:
    """How many results are of a run of this one case."""

    def count(case: Case) -> int:
        run = read_run(write_run(tmp_path / case.id, cases=[case], devices=(case.device,), passes=2))
        return len(beside(cells(run), results()))

    return count


@pytest.mark.parametrize("changed", [{"device": "cpu"}, {"device": "cuda"}, {"dtype": "bfloat16"}, {"threads": 8}])
def test_a_result_is_of_a_case_whatever_it_ran_on(matched: Matched, changed: dict[str, Any]) -> None:
    """Device, dtype and threads may differ: the report shows both."""
    assert matched(Case(**LSTM | changed)) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"network": "gru"},
        {"mode": "training", "seq_len": 49},
        {"hidden_size": 512},
        {"input_size": 512},
        {"batch_size": 32},
        {"seq_len": 51},
        {"num_layers": 2},
        {"bidirectional": True},
        {"output_size": 2},
    ],
)
def test_a_result_is_of_no_other_case(matched: Matched, changed: dict[str, Any]) -> None:
    """Anything else makes it another case."""
    assert matched(Case(**LSTM | changed)) == 0


def test_what_the_run_has_of_the_case_comes_with_it(tmp_path: Path) -> None:
    """The time of `whole`, NaN where it was not measured, and the winner, where one can be told."""
    case = Case(**LSTM)
    slow = {"whole": 2.0, "manual": 4.0}

    def truth(_: Case, name: str) -> float:
        return slow[name]

    run = read_run(write_run(tmp_path / "both", cases=[case], implementations=tuple(slow), truth=truth, spread=0.01))
    found = beside(cells(run), results())
    assert [each.case for each in found] == [case] * 3
    assert found[0].reference_seconds == pytest.approx(2.0, rel=0.5)
    assert found[0].winner is not None and found[0].winner.names == ("whole",)
    alone = read_run(write_run(tmp_path / "one", cases=[case], implementations=("manual",), truth=truth, passes=1))
    (first, *_) = beside(cells(alone), results())
    assert math.isnan(first.reference_seconds) and first.winner is None
