"""The benchmarks as pytest and pytest-benchmark see them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.run.session import PlaybackClock
from tests import command, warm

CASE = "cpu-float32-inference-tanh-I0008-H0008-L01-B0001-T0002-O0000-t01"
SHORT = "inference-H0008-T0002"
NARROW = 80
"""Columns of a terminal."""


def test_json_carries_the_cell(saved: tuple[Path, dict[str, Any]]) -> None:
    """Case fields, control ratio, event time and memory are in extra_info; the statistics are those of the samples."""
    benchmarks = {b["extra_info"]["implementation"]: b for b in saved[1]["benchmarks"]}
    assert list(benchmarks) == ["manual", "looped", "whole"]
    for name, benchmark in benchmarks.items():
        info = benchmark["extra_info"]
        assert (benchmark["group"], info["case"]) == (SHORT, CASE)
        assert benchmark["name"] == f"test_rnn[{SHORT}-{name}]"
        assert (info["hidden_size"], info["seq_len"], info["mode"], info["threads"]) == (8, 2, "inference", 1)
        assert info["event_seconds"] is None
        assert info["peak_bytes"] > 0
        assert benchmark["stats"]["data"] == info["seconds"]
        assert benchmark["stats"]["min"] == min(info["seconds"])
        assert 0 < info["control_ratio"] < 10
        assert len(info["control_seconds"]) == len(info["seconds"]) == benchmark["stats"]["rounds"]


def test_machine_info_is_normalised(saved: tuple[Path, dict[str, Any]]) -> None:
    """GPU, driver, torch, cuDNN, threads and TF32 are there; clock frequencies, which drift, are not."""
    machine = saved[1]["machine_info"]
    assert {"gpu", "gpu_driver", "torch", "cudnn", "threads", "tf32_matmul", "tf32_cudnn"} <= set(machine["rnn_bench"])
    assert machine["rnn_bench"]["tf32_cudnn"] is False
    assert not [key for key in machine["cpu"] if key.startswith("hz_")]


def test_compare_without_a_path(saved: tuple[Path, dict[str, Any]]) -> None:
    """Typed as it stands, --benchmark-compare runs the benchmarks and shows them beside the saved run."""
    code, text = command.pytest("--benchmark-compare", *command.SAVED, storage=saved[0])
    assert code == 0, text
    assert "Comparing against benchmarks from" in text
    assert "(NOW)" in text
    assert "machine_info is different" not in text
    assert "3 passed" in text


def tables(text: str) -> list[str]:
    """The lines of pytest-benchmark's tables."""
    return [line for part in text.split(" benchmark '")[1:] for line in part.split("Legend:")[0].splitlines()]


def test_tables_fit_a_terminal(saved: tuple[Path, dict[str, Any]]) -> None:
    """A table is headed by its case and has a short row for each implementation, also beside a saved run; a file of
    one's own is named by its class. pytest-benchmark's own settings, which are not in force, are not shown."""
    wide = ("--impl=stacked-grad,whole,tests/faulty.py:OffAtStep3,tests/faulty.py:Prints", "--seq-len=2")
    code, text = command.pytest("bench", *command.SAVED, *wide, "--benchmark-compare", storage=saved[0])
    found = tables(text)
    assert code == 0, text
    assert found[0].startswith(f"{SHORT}': 5 tests ")
    assert [line.split("  ")[0] for line in found[3:8]] == [
        "OffAtStep3", "Prints", "stacked-grad", "whole (0001)", "whole (NOW)",
    ]  # fmt: skip
    assert found[1].split() == ["Name", "(time", "in", "us)", "Median", "IQR", "Rounds"]
    assert max(map(len, found)) <= NARROW
    assert "calibration_precision" not in text


def test_a_run_that_was_saved_under_longer_names_is_compared_all_the_same(
    saved: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """What a benchmark is of it says itself, whatever its test was called; with a threshold, too."""
    (stored,) = saved[0].glob("*/0001_*.json")
    content = json.loads(stored.read_text())
    for benchmark in content["benchmarks"]:
        name = benchmark["extra_info"]["implementation"]
        benchmark["name"] = f"test_rnn[{CASE}-{name}]"
        benchmark["fullname"] = f"bench/test_rnn.py::{benchmark['name']}"
    (tmp_path / stored.parent.name).mkdir()
    (tmp_path / stored.parent.name / stored.name).write_text(json.dumps(content))
    compare = ["bench", *command.SAVED, "--benchmark-compare", "--benchmark-compare-fail=median:900%"]
    code, text = command.pytest(*compare, storage=tmp_path)
    assert code == 0, text
    assert "whole (0001)" in text and "whole (NOW)" in text


def test_compare_fail_fails(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """pytest-benchmark's own thresholds work on the samples played back; that they pass, `test_guard` shows."""
    compare = ["bench", *command.SAVED, "--impl=whole", "--benchmark-compare", "--benchmark-compare-fail=median:900%"]
    (stored,) = saved[0].glob("*/0001_*.json")
    content = json.loads(stored.read_text())
    for benchmark in content["benchmarks"]:
        benchmark["stats"]["median"] /= 1000  # as if it had been a thousand times as fast
    (tmp_path / stored.parent.name).mkdir()
    (tmp_path / stored.parent.name / stored.name).write_text(json.dumps(content))
    code, text = command.pytest(*compare, storage=tmp_path)
    assert code != 0
    assert "Performance has regressed" in text


def test_compare_without_a_saved_run(tmp_path: Path) -> None:
    """With nothing saved yet, one line says how to save a first run, before anything is measured."""
    code, text = command.pytest("--benchmark-compare", storage=tmp_path)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert text.strip().splitlines() == [
        "ERROR: no saved run to compare with; save a first one with: pytest bench --benchmark-autosave"
    ]


def test_the_command_line_compare_reads_it(saved: tuple[Path, dict[str, Any]]) -> None:
    """`pytest-benchmark compare` shows the saved run."""
    done = warm.run([sys.executable, "-m", "pytest_benchmark", "--storage", str(saved[0]), "compare"], check=True)
    assert f"test_rnn[{SHORT}-whole]" in done.stdout + done.stderr


@pytest.mark.usefixtures("no_png")
def test_the_report_reads_it(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """`python -m bench report FILE.json` makes a report of pytest's JSON; two files are two passes."""
    out = str(saved[0] / "out.json")
    code, _, err = command.bench("report", out, out, "--output", str(tmp_path))
    assert code == 0, err
    assert (tmp_path / "index.html").is_file()


@pytest.mark.skipif(importlib.util.find_spec("pygal") is None, reason="pygal, which draws histograms, is not installed")
def test_histogram(saved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """--benchmark-histogram draws one picture a case."""
    code, text = command.pytest("bench", *command.SAVED, f"--benchmark-histogram={tmp_path / 'h'}", storage=saved[0])
    assert code == 0, text
    assert [path.name for path in tmp_path.iterdir()] == [f"h-{SHORT}.svg"]


def test_collection(tmp_path: Path) -> None:
    """One test per cell with a readable id, those of a case side by side; -k, --impl, --mode and axes select."""
    collect = ["bench", "--collect-only", "-q"]
    lines = command.pytest(*collect, "--preset=smoke", "--impl=three", storage=tmp_path)[1].splitlines()
    ids = [line for line in lines if "::" in line]
    assert len(ids) == 24
    assert ids[:3] == [f"bench/test_rnn.py::test_rnn[{SHORT}-{name}]" for name in ("manual", "looped", "whole")]
    selected = ["--impl=whole,manual", "--mode=training", "-k", "T0008 and whole"]
    lines = command.pytest(*collect, "--preset=smoke", *selected, storage=tmp_path)[1].splitlines()
    assert [line.split("[")[1] for line in lines if "::" in line] == [
        f"training-H{h}-T0008-whole]" for h in ("0008", "0016")
    ]


def test_a_plain_pytest_times_nothing(tmp_path: Path) -> None:
    """Without a path and without benchmark options, pytest collects the tests alone."""
    others = [f"--ignore-glob={command.ROOT}/tests/{name}" for name in ("test_[!p]*", "*/*")]  # they would say the same
    text = command.pytest("--collect-only", "-q", *others, storage=tmp_path)[1]
    assert "tests/test_pytest_face.py::test_a_plain_pytest_times_nothing" in text
    assert "bench/test_rnn.py" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset=nope"], "unknown preset 'nope'; known are quick, smoke"),
        (["--impl=nope"], "unknown implementation 'nope'; known are manual, looped, whole"),
        (["--device=tpu"], "unknown device 'tpu'; known are cpu, cuda, mps"),
        (["--device=mps"], "no mps here; this machine has cpu"),
        (["--seq-len=1:x"], "--seq-len '1:x': write numbers as"),
        (["-n", "2"], "run them without xdist"),
    ],
)
def test_refusals(tmp_path: Path, arguments: list[str], message: str) -> None:
    """What cannot be run is refused in one line with pytest's exit code for wrong usage."""
    if arguments[0] == "-n" and importlib.util.find_spec("xdist") is None:
        pytest.skip("pytest-xdist is not installed")
    code, text = command.pytest("bench", *arguments, storage=tmp_path)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert message in text
    assert len(text.strip().splitlines()) == 1


def test_failures_and_absences_are_tests_too(tmp_path: Path) -> None:
    """One that is not equal, or kills its process, fails with the reason; one that can't run is skipped."""
    impl = "--impl=manual,whole-no-cudnn,tests/faulty.py:OffAtStep3,tests/faulty.py:Raises,tests/faulty.py:Dies"
    code, text = command.pytest("bench", *command.SAVED, "--seq-len=8", impl, "-rsf", storage=tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "3 failed, 1 passed, 1 skipped" in text
    assert "the process was killed by SIGKILL" in text
    assert "outputs differs first at step 3" in text
    assert "divided by the weather" in text
    assert "whole-no-cudnn unavailable: runs only on cuda" in text


def test_playback_clock() -> None:
    """Each reading after `play` is that sample, bit for bit, and the next starts at 0."""
    clock = PlaybackClock()
    samples = [0.1, 1e-7, 3.3333333333333335]
    clock.load(samples)
    seen = []
    for _ in samples:
        start = clock.read()
        clock.play()
        seen.append(clock.read() - start)
    assert seen == samples
    with pytest.raises(StopIteration):
        clock.play()
