"""The command line: exit codes, one-line errors, what it prints."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench import cli
from bench.cases.presets import PRESETS
from bench.cases.settings import Settings, parse_fraction, parse_seconds
from bench.host.machine import describe
from bench.run.kept import kept_path
from bench.run.progress import Bar
from bench.store.manifest import CellRecord, Manifest
from bench.why.limits.limits import read_limits
from bench.why.profile.record import PROFILED, read_profile
from tests.command import Ended, bench, process
from tests.synthetic import LIMITS, write_run

SMALL = ["--preset", "smoke", "--mode", "inference", "--hidden-size", "8", "--seq-len", "2"]


def test_run_end_to_end(tmp_path: Path) -> None:
    """A run says what it will do, answers before it explains itself, writes every file, prints its path and what to
    type next, and `latest` points to it. (Its limits are kept from before: the smoke bench of continuous integration
    measures them.)"""
    code, out, err = process("run", *SMALL, "--passes", "2", "--reports", str(tmp_path))
    assert code == 0, err
    assert "5 cells: 1 case by manual, looped, whole, hoisted, stacked-grad." in " ".join(out.split())
    assert re.search(r"2 passes: about \d+ s, then about \d+ s to say why\.", out)
    assert out.index("hidden 8, 2 steps") < out.index("In inference ") < out.index("measuring where the time goes")
    assert str(tmp_path / "latest" / "index.html") in out.replace("\n", "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert (tmp_path / "latest").resolve() == folder
    names = {path.name for path in folder.iterdir()}
    assert {"run.json", "passes", "samples.parquet", "samples.csv", "summary.md", "index.html", "figures"} <= names
    assert {"limits.json", "profile.json", "gradients.json"} <= names and "traces" not in names
    summary = (folder / "summary.md").read_text()
    assert "Floor" in summary and "gap" in summary and "Python and dispatch" in summary
    assert all(record.status == PROFILED for record in read_profile(folder / "profile.json").records)
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "latest"}
    before = (folder / "index.html").read_bytes()
    (folder / "index.html").unlink()
    assert bench("report", "latest", "--reports", str(tmp_path))[0] == 0
    assert (folder / "index.html").read_bytes() == before


def test_a_failing_implementation_is_exit_1(tmp_path: Path) -> None:
    """The run goes on, the report is written, and the exit code says that something failed."""
    impl = "manual,tests/faulty.py:Raises"
    code, out, err = process("run", *SMALL, "--impl", impl, "--passes", "2", "--no-explain", "--reports", str(tmp_path))
    assert code == 1
    assert "divided by the weather" in out
    assert (tmp_path / "latest" / "index.html").is_file(), err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cuda"], "no cuda here; this machine has cpu"),
        (["--device", "tpu"], "unknown device 'tpu'; known are cpu, cuda, mps"),
        (["--preset", "nope"], "unknown preset 'nope'; known are quick, smoke, gate, seed"),
        (["--impl", "nope"], "unknown implementation 'nope'; known are manual, looped, whole"),
        (["--impl", "nowhere.py:Mine"], "there is no file nowhere.py"),
        (["--hidden-size", "64,x"], "--hidden-size 'x': write numbers as 64,128 or 1:1024:x2"),
        (["--dtype", "float8"], "unknown dtype 'float8'; known are float32"),
        (["--batch-size", "0"], "batch_size must be a whole number of at least 1, not 0"),
        (["--precision", "wide"], "'wide' is no fraction; write 3% or 0.03"),
        (["--precision", "3%", "--passes", "1"], "--precision needs --passes of at least 2"),
        (["--budget", "soon"], "'soon' is no time; write 90s, 2m or 1h"),
        (["--baseline", "looped", "--impl", "whole"], "--baseline looped is not among the selected whole"),
        (["--resume", "nothing"], "nothing: no run folder"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    """No traceback, nothing on standard output, nothing left behind."""
    if "cuda" in arguments and _has_cuda():
        pytest.skip("this machine has CUDA, so that asking for it is no error")
    assert_refused(bench("run", *arguments, "--reports", str(tmp_path)), message)
    assert not list(tmp_path.glob("runs/*"))


def test_a_process_is_refused_like_that(tmp_path: Path) -> None:
    """Its interpreter adds nothing, and it ends with the same code."""
    assert_refused(process("run", "--preset", "nope", "--reports", str(tmp_path)), "unknown preset 'nope'")
    assert not list(tmp_path.iterdir())


def assert_refused(ended: Ended, message: str) -> None:
    """Exit code 2, and one line on standard error that holds the message."""
    code, out, err = ended
    assert code == 2, err
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


def test_limits_are_measured_once(cache: Path) -> None:
    """What is kept of this machine is shown, with its path; nothing is measured, and the file stays as it was."""
    path = kept_path(cache, describe())
    before = path.read_bytes(), path.stat().st_mtime_ns
    for _ in range(2):
        code, out, err = bench("limits")
        assert code == 0, err
        assert "measuring" not in out
        assert "100 GFLOP/s" in out and "1 thread" in out
        assert out.strip().endswith(str(path))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_profile_end_to_end(tmp_path: Path) -> None:
    """The smallest run: a trace and a flame graph's file of its cell, and how to open them; the rest is as in a run."""
    code, out, err = bench("profile", *SMALL, "--impl", "manual", "--device", "cpu", "--reports", str(tmp_path))
    assert code == 0, err
    (folder,) = (tmp_path / "runs").iterdir()
    (trace,), (flame,) = (list((folder / "traces").glob(f"*.{ending}")) for ending in ("trace.json", "folded"))
    events = json.loads(trace.read_text())["traceEvents"]
    assert any(event.get("name") == "aten::addmm" for event in events)
    lines = flame.read_text().splitlines()
    assert any("manual.py" in line for line in lines) and all(line.split()[-1].isdigit() for line in lines)
    assert f"Traces (1):\n{folder / 'traces'}\nOpen a .trace.json at https://ui.perfetto.dev, a .folded at" in out
    (record,) = read_profile(folder / "profile.json").records
    assert (record.trace, record.flame, record.steps) == (trace.name, flame.name, 2)
    assert read_limits(folder / "limits.json").values == LIMITS.values
    assert (tmp_path / "latest").resolve() == folder and (folder / "index.html").is_file()
    assert "what this machine allows" not in out


def test_a_profile_of_nothing_known_is_refused(tmp_path: Path) -> None:
    """One line, exit code 2, nothing left behind."""
    code, out, err = bench("profile", "--impl", "nope", "--reports", str(tmp_path))
    assert (code, out) == (2, "")
    assert "unknown implementation 'nope'" in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def test_broken_files_are_named(tmp_path: Path) -> None:
    """A truncated pass file is exit 2 with the file's name; the other files are left as they were."""
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=2)
    path = folder / "passes" / "pass-002.json"
    path.write_text(path.read_text()[:1000])
    code, _, err = bench("report", str(folder))
    assert code == 2
    assert "pass-002.json: not JSON, or cut off" in err
    assert len(err.strip().splitlines()) == 1


def test_list_shows_presets_and_implementations() -> None:
    """Every preset with its source, every implementation with its description."""
    result = CliRunner().invoke(cli.app, ["list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name in (*PRESETS, "manual", "looped", "whole", "whole-no-cudnn"):
        assert name in result.output
    assert result.output.count("Source:") == len(PRESETS)


@pytest.mark.long
def test_no_torch_for_reading(tmp_path: Path) -> None:
    """Reports are rebuilt where torch is not installed."""
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=2)
    code = "import sys; sys.modules['torch'] = None; from bench.cli import app; app(['report', sys.argv[1]])"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "index.html").is_file()


@pytest.mark.parametrize(("text", "fraction"), [("3%", 0.03), ("0.02", 0.02), ("1.5%", 0.015)])
def test_fractions(text: str, fraction: float) -> None:
    """Percent or fraction."""
    assert parse_fraction(text) == pytest.approx(fraction)


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("2m", 120), ("1h", 3600), ("1.5", 1.5)])
def test_seconds(text: str, seconds: float) -> None:
    """Seconds, minutes, hours."""
    assert parse_seconds(text) == seconds


def test_settings_survive_the_manifest() -> None:
    """What a run was asked for can be read back from its manifest, for --resume."""
    settings = Settings("seed", ("cpu",), "manual,whole", "whole", {"seq_len": (1, 2)}, 7, 0.03, 60.0, 2.0, 10.0)
    assert Settings.from_dict(settings.as_dict()) == settings


def test_settings_of_another_version_are_named() -> None:
    """A manifest with a setting that this version does not know, or without one it needs, says which."""
    fields = Settings().as_dict() | {"colour": "blue"}
    del fields["timeout"]
    with pytest.raises(ValueError, match="colour, timeout"):
        Settings.from_dict(fields)


def test_the_baseline_is_manual_or_the_first() -> None:
    """Unless it is named."""
    assert Settings(implementations="looped,manual").baseline_name() == "manual"
    assert Settings(implementations="looped,whole").baseline_name() == "looped"


def test_progress_counts_cells_passes_and_time() -> None:
    """The plan is told before it begins, with what is left out and why; failures are told once, brackets and all."""
    console = Console(record=True, width=200, force_terminal=False)
    case = "cpu-float32-inference-tanh-I0008-H0008-L01-B0001-T0002-O0000-t01"
    cells = [
        CellRecord(case, "manual"),
        CellRecord(case, "mine", "failed", "[red] wrong"),
        CellRecord(case, "slow", "left out", "one call would take about 9 s"),
    ]
    with Bar(console, lambda manifest: 40.0) as bar:
        bar.surveying(3)
        for cell in [*cells, cells[1]]:
            bar.surveyed(cell)
        bar.planned(Manifest("id", "now", {}, cells=cells), passes=5, seconds=200)
        bar.passing(1, 1, 40)
        bar.measured(1, 40)
        bar.explaining("where the time goes", 1)
        bar.explained()
    text = console.export_text()
    assert text.count("failed: `mine` at hidden 8, 2 steps, inference") == 1
    assert "[red] wrong" in text
    assert "1 cells: 1 case by manual." in text and "5 passes: about 3 min, then about 40 s to say why." in text
    assert "slow is left out in 1 cells: one call would take about 9 s" in text
    assert "pass 1 of 5: 1 cells" in text and "measuring where the time goes" in text
