"""A system that binds no process to a core and has no /proc, as macOS: the same commands work, and say so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.host.process import environment
from bench.table.cells import cells
from bench.table.comparison import NO_EVIDENCE, NOT_PINNED
from bench.table.reading import read_run
from tests import warm

ABSENT = """
import os
for name in ("sched_getaffinity", "sched_setaffinity"):
    if hasattr(os, name):
        delattr(os, name)
real = os.listdir
def listdir(path="."):
    if str(path) == "/proc/self/task":
        raise FileNotFoundError(path)
    return real(path)
os.listdir = listdir
"""
"""A sitecustomize that takes away what macOS lacks, in every process."""

CASE = ["--preset", "smoke", "--mode", "inference", "--hidden-size", "8", "--seq-len", "2"]


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of such a system."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(ABSENT)
    env = environment()
    return env | {"PYTHONPATH": os.pathsep.join((str(site), env["PYTHONPATH"]))}


def bench(env: dict[str, str], *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command on such a system."""
    command = [sys.executable, "-m", "bench", *arguments]
    return warm.run(command, env=env, cwd=cwd)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, without: dict[str, str]) -> tuple[Path, str]:
    """Where reports are, with one of a run, and what that run said."""
    reports = tmp_path_factory.mktemp("reports")
    done = bench(
        without, "run", *CASE, "--impl", "manual,whole", "--passes", "3", "--no-explain", "--reports", str(reports)
    )
    assert done.returncode == 0, done.stderr
    return reports, done.stdout


def test_a_run_works_and_warns(ran: tuple[Path, str]) -> None:
    """In the terminal, in the table, in JSON and on the page; switches are what is known of each block."""
    reports, said = ran
    sentence = "this system binds no process to a core"
    assert f"Warning: In all cells: {sentence}" in " ".join(said.split())
    (folder,) = (reports / "runs").iterdir()
    run = read_run(folder)
    assert run.manifest.machine["pinned"] is False
    assert run.samples["waited_seconds"].isna().all()
    assert run.samples["switches"].notna().all()
    for warnings in cells(run)["warnings"]:
        assert NOT_PINNED in [each.kind for each in warnings]
        assert NO_EVIDENCE not in [each.kind for each in warnings]
    assert sentence in (folder / "summary.md").read_text()
    assert sentence in (folder / "index.html").read_text()
    stored = json.loads((folder / "cells.json").read_text())["cells"]
    assert all({"kind": NOT_PINNED, "value": 0.0} in cell["warnings"] for cell in stored)


def test_a_gate_works_and_warns(ran: tuple[Path, str], without: dict[str, str], tmp_path: Path) -> None:
    """Two saved runs are held against each other, and every verdict says that nothing was pinned."""
    (one,) = (ran[0] / "runs").iterdir()
    other, out = shutil.copytree(one, tmp_path / "other"), tmp_path / "verdict.json"
    done = bench(without, "compare", str(one), str(other), "--min-effect", "90%", "--json", str(out))
    assert done.returncode in (0, 4), done.stderr
    assert "this system binds no process to a core" in done.stdout
    verdicts = json.loads(out.read_text())["cells"]
    assert len(verdicts) == 2
    assert all({"kind": NOT_PINNED, "value": 0.0} in cell["warnings"] for cell in verdicts)
