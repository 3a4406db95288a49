"""What is forked is, to whoever started it, like what is started as usual."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import warm

SHOWS = """
import atexit, os, signal, sys
atexit.register(print, "at the end", flush=True)
import beside
print(__name__, sys.argv[1:], os.getcwd(), os.environ["ASKED"], "OTHER" in os.environ, beside.__file__, flush=True)
print(os.getsid(0) == os.getpid(), sys.stdin.read(), file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize(
    "ends",
    ["", "sys.exit(3)", "sys.exit('no luck')", "raise ValueError(1)", "os.kill(os.getpid(), signal.SIGKILL)"],
)
@pytest.mark.parametrize("flags", [[], ["-P"]], ids=["here", "safe path"])
def test_a_forked_module_ends_as_a_started_one(tmp_path: Path, ends: str, flags: list[str]) -> None:
    """Streams, arguments, folder, environment, import path, session, exit code, and how it dies."""
    (tmp_path / "shows.py").write_text(SHOWS + ends)
    for place in (tmp_path, tmp_path / "first"):
        place.mkdir(exist_ok=True)
        (place / "beside.py").touch()
    environment = {name: value for name, value in os.environ.items() if name != "OTHER"}
    environment |= {"ASKED": "for", "PYTHONPATH": os.pathsep.join([str(tmp_path / "first"), str(tmp_path)])}
    options: dict[str, Any] = {
        "cwd": tmp_path,
        "env": environment,
        "start_new_session": True,
        "text": True,
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    found = []
    for kind in (warm.Process, subprocess.Popen):
        with kind([sys.executable, *flags, "-m", "shows", "a", "--b"], **options) as process:
            out, err = process.communicate("told", timeout=60)
        lines = [line for line in err.splitlines() if not line.startswith((" ", "Traceback"))]  # of frames
        found.append((process.returncode, out, lines))
    assert found[0] == found[1]
    assert "True told" in found[0][2]


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked here")
def test_what_is_forked_has_torch_and_nothing_of_this_suite(tmp_path: Path) -> None:
    """Which it imports from wherever it is told to."""
    text = "import sys; print('torch' in sys.modules, [n for n in sys.modules if n.startswith(('bench', 'rnn_impls'))])"
    (tmp_path / "shows.py").write_text(text)
    assert warm.run([sys.executable, "-m", "shows"], cwd=tmp_path).stdout == "True []\n"


def test_one_that_goes_on_is_killed(tmp_path: Path) -> None:
    """It is waited for in vain, is known by its mark, and is gone when it is killed."""
    (tmp_path / "lasts.py").write_text("import time\nprint('there', flush=True)\ntime.sleep(600)\n")
    environment = os.environ | {warm.MARK: "this test's"}
    command = [sys.executable, "-m", "lasts"]
    with warm.Process(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "there\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert process.poll() is None
        if sys.platform == "linux":
            assert warm.living("this test's") == [process.pid]
        process.kill()
    assert process.returncode == -9
    assert warm.living("this test's") == []
