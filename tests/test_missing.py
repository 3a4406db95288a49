"""Without a package the suite says what to do; a mistake of its own stays a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.host import missing
from bench.host.process import environment

ROOT = Path(__file__).resolve().parent.parent
LINE = "the package {} is missing: run `make setup`, then `. .venv/bin/activate`, or use .venv/bin/python"


def without(package: str, module: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """`python -m module ...` in an interpreter that does not find a package."""
    code = f"import sys, runpy; sys.modules[{package!r}] = None; sys.argv[1:] = {list(arguments)!r}; "
    code += f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    clean = {name: value for name, value in environment().items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean | variables, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("typer", ["list"]), ("rich", ["--help"]), ("pandas", ["run", "--preset", "smoke"]), ("jinja2", ["report", "x"])],
)
def test_the_command_line_says_what_to_do(package: str, arguments: list[str]) -> None:
    """One line on standard error and exit code 2, whichever package it is and wherever it is missed first."""
    if arguments[0] == "report":
        arguments = ["report", "reports/reference/amd-epyc-2-cores", "--output", os.devnull]
    assert without(package, "bench", *arguments) == (2, "", f"error: {LINE.format(package)}\n")


def test_a_worker_says_what_to_do(tmp_path: Path) -> None:
    """What it lacks is a refusal, which the command that started it says."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    worker = [sys.executable, "-P", "-m", "bench.worker"]
    path = os.pathsep.join((str(tmp_path), environment()["PYTHONPATH"]))
    job = '{"kind": "survey", "cells": [], "max_call": 1.0, "started": 0}\n'
    done = subprocess.run(
        worker, input=job, env=environment() | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert f'{{"event": "refused", "reason": "{LINE.format("torch")}"}}' == done.stdout.strip(), done.stderr


@pytest.mark.parametrize("package", ["torch", "pytest_benchmark"])
def test_pytest_says_what_to_do(package: str) -> None:
    """The benchmarks are refused in a line; pytest's exit code for wrong usage."""
    plugin = [] if package == "pytest_benchmark" else ["-p", "pytest_benchmark.plugin"]
    arguments = ("bench", "-p", "no:cacheprovider", *plugin)
    code, out, err = without(package, "pytest", *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert (code, out) == (4, "")
    assert err.strip() == f"ERROR: {LINE.format(package)}"


def test_a_mistake_of_ours_is_no_missing_package() -> None:
    """A module of this suite or of Python that is not found keeps its traceback."""
    for name in ("bench.nowhere", "rnn_impls.gone", "json.nothing", None):
        assert missing.told(ModuleNotFoundError("No module", name=name)) == ""
    code, out, err = without("bench.commands.gating", "bench", "list")
    assert (code, out) == (1, "")
    assert "Traceback" in err and "bench.commands.gating" in err
