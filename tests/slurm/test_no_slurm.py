"""Without Slurm: one line says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm import cluster


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A start says what to install, exits with 2 and leaves no file; so does a keeper, and the block that wants one."""
    monkeypatch.setattr(cluster, "DAEMONS", ("munged-none", "slurmd-none"))
    assert cluster.main(["start", str(tmp_path / "here")]) == 2
    assert capsys.readouterr().out == "no munged-none, slurmd-none here: apt-get install slurm-wlm munge\n"
    assert not (tmp_path / "here").exists()


def test_a_block_without_slurm_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the keeper says reaches the tests, which skip with it."""
    folder = tmp_path / ("long" * 30)
    with pytest.raises(cluster.Unavailable, match=r"too long a name|apt-get install"), cluster.kept(folder):
        pytest.fail("nothing to run on")


def test_a_wrong_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code is 2, and it shows what can be asked."""
    assert cluster.main(["begin", "here"]) == 2
    assert "cluster start DIR" in capsys.readouterr().err
