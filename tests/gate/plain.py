"""Plain pytest-benchmark, without this suite's conftest: a saved run, and another held against it with a threshold."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import warm

ROOT = Path(__file__).resolve().parents[2]

FILE = """
import json, os, signal, time
import pytest
from bench.run.session import PlaybackClock

clock = PlaybackClock()
PLAN = json.loads(os.environ["PLAN"])

@pytest.mark.parametrize("name", list(PLAN))
@pytest.mark.benchmark(timer=clock.read, disable_gc=False, warmup=False)
def test_rnn(name, benchmark):
    if PLAN[name] == "skip":
        pytest.skip("cannot run here")
    if PLAN[name] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if PLAN[name] == "hang":
        open("hangs", "w").close()
        time.sleep(1000)
    clock.load(PLAN[name])
    benchmark.pedantic(clock.play, rounds=len(PLAN[name]), iterations=1)
"""

STEADY = [1e-3, 1.01e-3, 0.99e-3, 1e-3, 1e-3, 1.005e-3]
"""Seconds of a benchmark's rounds."""

GREEN, RED, TRACEBACK, NO_END = "green", "red", "a traceback", "no end"
"""How it ends: exit code 0; another, with a line that says why; another, with a traceback or without a word; not."""


PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


class Hangs(Exception):
    """It is in a benchmark that never ends; nothing of pytest ends that."""


def ending(
    folder: Path,
    before: dict[str, Any],
    after: dict[str, Any],
    edit: Callable[[Path], None] = lambda saved: None,
    compare: str = "",
    check: str = "mean:5%",
) -> tuple[str, str]:
    """Save a run with these samples, edit the file, hold another against it: how that ends, and what it says."""
    _written(folder)
    saved = folder / "storage" / _saved(json.dumps(before))[0]
    saved.parent.mkdir(parents=True)
    saved.write_bytes(_saved(json.dumps(before))[1])
    edit(saved)
    option = f"--benchmark-compare={compare}" if compare else "--benchmark-compare"
    try:
        done = _pytest(folder, after, option, f"--benchmark-compare-fail={check}")
    except Hangs:
        return NO_END, ""
    text = done.stdout + done.stderr
    if done.returncode == 0:
        return GREEN, text
    return (TRACEBACK if "Traceback" in text or not text.strip() or done.returncode < 0 else RED), text


def _written(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_plain.py").write_text(FILE)


@functools.cache
def _saved(plan: str) -> tuple[str, bytes]:
    """Where below its storage pytest-benchmark saves a run with these samples, and what; most faults begin with one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _written(folder)
        _pytest(folder, json.loads(plan), "--benchmark-save=base")
        (saved,) = (folder / "storage").rglob("*.json")
        return str(saved.relative_to(folder / "storage")), saved.read_bytes()


def _pytest(folder: Path, plan: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the file, with pytest-benchmark as it comes and no other plugin. Raises Hangs when it is still
    there half a second after its benchmark has begun to hang."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PLAN": json.dumps(plan), "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    alone = ["-c", "/dev/null", f"--rootdir={folder}", "-pno:cacheprovider", "-ppytest_benchmark.plugin"]
    kept = [f"--benchmark-storage={folder / 'storage'}", *arguments, str(folder / "test_plain.py")]
    command = [sys.executable, "-m", "pytest", "-q", *alone, *kept]
    with warm.Process(command, cwd=folder, env=environment, text=True, **PIPES) as process:
        while True:
            try:
                out, err = process.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                if not (folder / "hangs").exists():
                    continue
                process.kill()
                raise Hangs from None
            return subprocess.CompletedProcess(command, process.returncode, out, err)
