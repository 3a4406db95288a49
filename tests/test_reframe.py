"""The class in docs/ runs under ReFrame: parity decides its sanity, and the paired ratio meets its reference or not."""

from __future__ import annotations

import ast
import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.host.process import environment
from bench.report.readme import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("reframe") is None, reason="no ReFrame: make reframe"),
]

CHECK = ROOT / "docs" / "reframe_rnn.py"
SMALL = "--preset smoke --mode inference --hidden-size 8 --seq-len 2 --passes 2"


def reframe(folder: Path, python: Path | str, check: Path = CHECK) -> tuple[int, str, dict[str, Any]]:
    """Exit code and words of `reframe -c docs/reframe_rnn.py -r`, and what its own report has of the one test."""
    report = folder / "report.json"
    settings = (f"RnnBench.executable={python}", f"RnnBench.options={SMALL}")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("reframe"),
            *(
                "-c",
                str(check),
                "-r",
                "--nocolor",
                f"--prefix={folder}",
                f"--report-file={report}",
                "--keep-stage-files",
            ),
            *(word for each in settings for word in ("-S", each)),
        ],
        cwd=folder,
        env=environment() | {"HOME": str(folder)},  # it keeps what it finds of the machine there
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    (test,) = json.loads(report.read_text())["runs"][0]["testcases"]
    return done.returncode, done.stdout + done.stderr, test


def told(folder: Path, speedup: float = 1.5, **fields: str) -> Path:
    """What stands for a Python that has measured this, whatever it is called with."""
    case = {"case": "a case", "status": "measured", "reason": ""}
    cells = [case | {"implementation": "manual", "speedup": 1.0}]
    cells.append(case | {"implementation": "whole", "speedup": speedup} | fields)
    (folder / "cells.json").write_text(json.dumps({"run": "a run", "cells": cells}))
    stub = folder / "python"
    stub.write_text(f"#!/bin/sh\nmkdir -p reports/latest\ncp {shlex.quote(str(folder))}/cells.json reports/latest\n")
    stub.chmod(0o755)
    return stub


def test_the_class_is_short() -> None:
    """Forty lines are what somebody copies."""
    (found,) = (each for each in ast.parse(CHECK.read_text()).body if isinstance(each, ast.ClassDef))
    assert found.end_lineno is not None and found.end_lineno - found.decorator_list[0].lineno < 40


def test_it_measures(tmp_path: Path) -> None:
    """A run of the suite by ReFrame's local scheduler: its performance is the ratio that stands in the run's files."""
    code, said, test = reframe(tmp_path, sys.executable)
    assert code == 0, said
    (path,) = tmp_path.glob("stage/**/reports/latest/cells.json")
    cells = {each["implementation"]: each for each in json.loads(path.read_text())["cells"]}
    assert set(cells) == {"manual", "whole"} and all(0 <= each["parity_error"] < 1e-5 for each in cells.values())
    assert test["result"] == "pass" and test["scheduler"] == "local"
    ((name, measured),) = test["perfvalues"].items()
    assert name.endswith("speedup") and measured[0] == pytest.approx(cells["whole"]["speedup"])


def test_one_that_differs_fails_its_sanity(tmp_path: Path) -> None:
    """Parity failed: the test does, and the suite's reason is told."""
    stub = told(tmp_path, status="failed", reason="output differs by 0.5")
    code, said, test = reframe(tmp_path, stub)
    assert code == 1 and test["result"] == "fail"
    assert test["fail_phase"] == "sanity" and "a case: output differs by 0.5" in said


@pytest.mark.parametrize(("speedup", "code"), [(0.81, 0), (0.79, 1)])
def test_the_reference_has_a_bound(tmp_path: Path, speedup: float, code: int) -> None:
    """Half of 1.6 is the least that passes."""
    ended, said, test = reframe(tmp_path, told(tmp_path, speedup))
    assert ended == code, said
    assert test["fail_phase"] == ("performance" if code else None)
