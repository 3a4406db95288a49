"""A git repository that is not this suite's, with an implementation of its own; and the gate run in it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests import warm
from tests.command import bench

ROOT = Path(__file__).resolve().parents[2]

SMALLEST = ("--preset", "smoke", "--hidden-size", "8", "--seq-len", "2", "--mode", "inference", "--device", "cpu")
"""One case, whose pairs take little but their start."""

SOUND = """
from rnn_impls.whole import Whole


class Mine(Whole):
    '''one `nn.RNN` call'''
"""

AFTER_A_WHILE = """
import os, signal

import torch
from rnn_impls.whole import Whole
from tests.faulty import hang


class Mine(Whole):
    '''behaves in the survey, which makes few calls'''

    calls = 0

    def forward(self, inputs, hidden):
        Mine.calls += 1
        if Mine.calls > 60:
            {what}
        return super().forward(inputs, hidden)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    text: str

    @property
    def last_line(self) -> str:
        """What a person reads last."""
        return self.text.strip().splitlines()[-1]

    @property
    def verdict(self) -> str:
        """The last paragraph, in one line."""
        return " ".join(self.text.strip().split("\n\n")[-1].splitlines())


class Repository:
    """A folder under git; every command in it is checked to leave neither a worktree nor a process behind."""

    def __init__(self, folder: Path, git: bool = True) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.has_git = git
        if git:
            self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """A git command here."""
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def write(self, source: str, name: str = "mine.py") -> Repository:
        """Put a file into the working tree."""
        (self.folder / name).write_text(source)
        return self

    def commit(self) -> Repository:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
        return self

    def bench(self, *arguments: str) -> Ended:
        """`python -m bench ...` here, in the test's own process."""
        mark = uuid.uuid4().hex
        code, out, err = bench(
            *arguments, folder=self.folder, RNN_TEST_MARK=mark, COLUMNS="200", GITHUB_STEP_SUMMARY=None
        )
        return self._ended(code, out + err, mark)

    def process(self, *arguments: str, **variables: str) -> Ended:
        """The same in a process of its own."""
        mark = uuid.uuid4().hex
        without = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
        inherited = without | {"PYTHONPATH": str(ROOT), "RNN_TEST_MARK": mark, "COLUMNS": "200"}
        command = [sys.executable, "-m", "bench", *arguments]
        done = warm.run(command, cwd=self.folder, env=inherited | variables, timeout=240)
        return self._ended(done.returncode, done.stdout + done.stderr, mark)

    def _ended(self, code: int, text: str, mark: str) -> Ended:
        assert "Traceback" not in text, text
        self.assert_clean(mark)
        return Ended(code, text)

    def gate(self, *arguments: str, base: str = "HEAD") -> Ended:
        """Run the gate on the smallest of cells."""
        return self.bench(
            "gate", "--base", base, "--impl", "mine.py:Mine", *SMALLEST, "--min-effect", "50%", *arguments
        )

    def assert_clean(self, mark: str) -> None:
        """No worktree and no process is left of a command."""
        if self.has_git:
            assert len(self.git("worktree", "list").splitlines()) == 1
        assert not living(mark)


def living(mark: str) -> list[psutil.Process]:
    """Processes that were started with this mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("RNN_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found + [psutil.Process(pid) for pid in warm.living(mark)]
