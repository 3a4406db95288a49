"""`@register` in a conftest of one's own: known to pytest by name, to worker processes by its file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.host.process import findings
from rnn_impls import registry
from rnn_impls.importing import import_file
from rnn_impls.whole import Whole
from tests import command

ROOT = Path(__file__).resolve().parent.parent
CASE = "inference-H0008-T0002"
SMALL = ["--preset=smoke", "--mode=inference", "--hidden-size=8", "--seq-len=2", "--device=cpu"]

CONFTEST = '''
import helper
from rnn_impls.registry import register
from rnn_impls.whole import Whole


@register("mine")
class Mine(Whole):
    """{about}"""
'''


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """What is registered here is forgotten afterwards."""
    path = list(sys.path)
    monkeypatch.setattr(registry, "REGISTERED", {})
    yield registry.REGISTERED
    sys.path[:] = path
    sys.modules.pop("helper", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder: a conftest, and a module beside it that it imports."""
    (tmp_path / "conftest.py").write_text(CONFTEST.format(about="registered in a conftest"))
    (tmp_path / "helper.py").write_text("")
    return tmp_path


def test_what_is_kept_is_file_and_name(registered: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Selected by name, it is a file and a class, from the current folder where the file is in it."""
    assert registry.register("mine")(Whole) is Whole
    place = ROOT / "rnn_impls" / "whole.py"
    assert registered == {"mine": f"{place}:Whole"}
    monkeypatch.chdir(ROOT)
    assert registry.select("mine,whole", "cpu") == ["rnn_impls/whole.py:Whole", "whole"]
    assert registry.select("all", "cpu") == [*registry.BUILTIN, "rnn_impls/whole.py:Whole"]
    monkeypatch.chdir(ROOT / "tests")
    assert registry.select("mine", "cpu") == [f"{place}:Whole"]
    assert registry.origin("mine") == str(place)
    assert registry.describe("mine") == registry.describe("whole")


def test_a_file_that_is_loaded_twice_registers_once(folder: Path, registered: dict[str, str]) -> None:
    """pytest imports a conftest, and whoever measures imports it again: that is no clash."""
    name = f"{folder / 'conftest.py'}:Mine"
    assert registry.describe(name) == "registered in a conftest"
    assert registered == {"mine": name}
    import_file(folder / "conftest.py")
    del sys.modules[f"rnn_impls_file_conftest_{abs(hash((folder / 'conftest.py').resolve()))}"]
    import_file(folder / "conftest.py")
    assert registered == {"mine": name}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("manual", "the name is taken by rnn_impls/manual.py"),
        ("default", "the name is taken by a group of implementations"),
        ("other", r"the name is taken by .*looped\.py"),
        ("a,b", "write @register"),
        ("", "write @register"),
        (Whole, "write @register"),
    ],
)
def test_names_that_are_refused(name: str, message: str, registered: dict[str, str]) -> None:
    """Taken ones say by whom; no name at all says how to write it."""
    registered["other"] = f"{ROOT}/rnn_impls/looped.py:Looped"
    with pytest.raises(ValueError, match=message):
        registry.register(name)(Whole)


def test_a_class_that_cannot_be_found_again() -> None:
    """One that a function made has no place in its file."""

    class Local(Whole):
        pass

    with pytest.raises(ValueError, match=r"Local can't be found again in another process"):
        registry.register("local")(Local)


def test_a_fresh_process_finds_it(folder: Path, tmp_path: Path) -> None:
    """A worker is given file and class, and surveys it; a module beside the file is found, too."""
    name = f"{folder / 'conftest.py'}:Mine"
    job = {"kind": "survey", "devices": ["cpu"], "max_call": 5.0, "cells": [[Case.parse(CASE).id, name]]}
    (record,) = [found["record"] for found in findings(job, 60, tmp_path / "log") if found["event"] == "cell"]
    assert (record["status"], record["about"]) == ("measured", "registered in a conftest")


@pytest.mark.parametrize("order", [[".", str(ROOT / "bench")], [str(ROOT / "bench"), "conftest.py"]])
def test_pytest_in_a_folder_of_ones_own(folder: Path, order: list[str]) -> None:
    """The name is known on the command line, whichever path comes first, and the benchmark runs."""
    code, text = command.pytest(*order, *SMALL, "--impl=whole,mine", "-v", storage=folder / "storage", folder=folder)
    assert code == 0, text
    assert f"test_rnn[{CASE}-conftest.py:Mine] PASSED" in text
    assert "2 passed" in text


def test_a_taken_name_is_said_before_anything_runs(folder: Path) -> None:
    """pytest ends on the conftest, with the reason."""
    path = folder / "conftest.py"
    path.write_text(path.read_text().replace('"mine"', '"whole"'))
    code, text = command.pytest(".", str(ROOT / "bench"), *SMALL, storage=folder / "storage", folder=folder)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "@register('whole'): the name is taken by rnn_impls/whole.py" in text
