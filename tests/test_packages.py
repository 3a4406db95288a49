"""Implementations that installed packages offer, and what they may not do; and this suite as a package itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench.cases.case import Case
from bench.commands import listing
from bench.host.clock import Ledger
from bench.host.process import environment
from bench.store.manifest import FAILED, MEASURED
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.worker.surveyor import Surveyor
from rnn_impls import packages, registry

ROOT = Path(__file__).parent.parent
CASE = Case(hidden_size=8, input_size=8, seq_len=4)


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages can be installed into."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("their_rnn", None)


def install(site: Path, package: str, **entries: str) -> None:
    """What pip leaves of a package that offers implementations; dashes are written as underscores."""
    info = site / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[rnn_bench.implementations]", *lines, ""]))
    packages._offers.cache_clear()  # a process reads them once


MODULE = 'from rnn_impls.whole import Whole\n\nclass Theirs(Whole):\n    """an RNN of their own"""\n'


def test_a_package_adds_names(site: Path) -> None:
    """Selected by name, in the group all, measured, and none of this suite's is lost."""
    (site / "their_rnn.py").write_text(MODULE)
    install(site, "theirs", their_rnn="their_rnn:Theirs")
    assert registry.select("manual,their-rnn", "cpu") == ["manual", "their-rnn"]
    assert registry.select("all", "cpu") == [*registry.BUILTIN, "their-rnn"]
    assert registry.describe("their-rnn") == "an RNN of their own"
    assert registry.origin("their-rnn") == "package theirs 1.2"
    record = Surveyor(5.0, Ledger()).survey(CASE, "their-rnn")
    assert (record.status, record.about) == (MEASURED, "an RNN of their own")


def test_names_are_listed_without_importing(site: Path) -> None:
    """Neither torch nor the package."""
    install(site, "theirs", their_rnn="not_there_at_all:Theirs")
    code = (
        "import sys; sys.modules['torch'] = None; from rnn_impls import registry; print(registry.select('all', 'cpu'))"
    )
    env = environment() | {"PYTHONPATH": f"{environment()['PYTHONPATH']}:{site}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str([*registry.BUILTIN, "their-rnn"]), done.stderr


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("not_there_at_all:Theirs", "not_there_at_all of the package theirs 1.2 does not import: ModuleNotFoundError"),
        ("their_rnn:Absent", "their_rnn of the package theirs 1.2 has no class Absent"),
        ("their_rnn", "their_rnn of the package theirs 1.2 has no class"),
    ],
)
def test_a_broken_offer_is_a_row(site: Path, value: str, message: str) -> None:
    """Known by name, and then a failure that names the package."""
    (site / "their_rnn.py").write_text(MODULE)
    install(site, "theirs", their_rnn=value)
    record = Surveyor(5.0, Ledger()).survey(CASE, "their-rnn")
    assert record.status == FAILED
    assert record.reason.startswith(message)


def test_a_name_of_this_suite_cannot_be_taken(site: Path) -> None:
    """The offer is a row that names the package; what is selected by the plain name is this suite's own."""
    install(site, "impostor", manual="their_rnn:Theirs", all="their_rnn:Theirs")
    assert registry.select("manual,default", "cpu") == list(registry.DEFAULT["cpu"])
    assert registry.load("manual").__module__ == "rnn_impls.manual"
    names = registry.select("all", "cpu")
    assert names == [*registry.BUILTIN, "all@impostor-1.2", "manual@impostor-1.2"]
    record = Surveyor(5.0, Ledger()).survey(CASE, "manual@impostor-1.2")
    assert record.status == FAILED
    assert record.reason == "the package impostor 1.2 offers 'manual', a name that this suite has itself"


def test_two_packages_with_one_name(site: Path) -> None:
    """Neither is it; both are told of."""
    install(site, "one", rnn="their_rnn:Theirs")
    install(site, "two", rnn="their_rnn:Theirs")
    assert registry.select("all", "cpu")[len(registry.BUILTIN) :] == ["rnn@one-1.2", "rnn@two-1.2"]
    with pytest.raises(ValueError, match=r"unknown implementation 'rnn'.*rnn@one-1\.2, rnn@two-1\.2"):
        registry.select("rnn", "cpu")
    with pytest.raises(ValueError, match=r"the package two 1\.2 offers 'rnn', and so does another package"):
        registry.load("rnn@two-1.2")


def test_a_name_that_could_not_be_typed(site: Path) -> None:
    """A comma separates names, so that no name may hold one."""
    install(site, "odd", **{"one,two": "their_rnn:Theirs"})
    assert registry.select("all", "cpu")[-1] == "one_two@odd-1.2"
    assert registry.select("one_two@odd-1.2", "cpu") == ["one_two@odd-1.2"]
    with pytest.raises(ValueError, match="offers 'one,two'; a name is made of letters"):
        registry.load("one_two@odd-1.2")


def test_list_says_where_each_comes_from(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of this suite, packages with their version, and what is wrong with one."""
    (site / "their_rnn.py").write_text(MODULE)
    install(site, "theirs", their_rnn="their_rnn:Theirs", whole="their_rnn:Theirs")
    console = Console(record=True, width=200)
    for module in ("console", "listing"):
        monkeypatch.setattr(f"bench.commands.{module}.console", console)
    listing.list_()
    lines = console.export_text().splitlines()
    (row,) = [line for line in lines if "their-rnn" in line]
    assert "an RNN of their own" in row
    assert "package theirs 1.2" in row
    (row,) = [line for line in lines if "whole@theirs-1.2" in line]
    assert "error: the package theirs 1.2 offers 'whole', a name that this suite has itself" in row
    (row,) = [line for line in lines if " manual " in line and "written by hand" in line]
    assert "rnn_impls/manual.py" in row


# This suite, installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip makes of a copy of the tree, without asking anybody for anything."""
    copy, made = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for folder in ("bench", "rnn_impls"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index", "--no-deps")
    done = subprocess.run([*pip, "--no-build-isolation", "-w", made, copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands lie of an environment with the wheel, and with all that this one has but the tree."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    variables = {"base": str(place), "platbase": str(place)}
    (Path(sysconfig.get_path("purelib", vars=variables)) / "others.pth").write_text(sysconfig.get_path("purelib"))
    there = Path(sysconfig.get_path("scripts", vars=variables))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", there / "python")
    done = subprocess.run(
        [*pip, "install", "--no-index", "--no-deps", wheel], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return there


@pytest.mark.long
def test_a_wheel_has_every_file(wheel: Path) -> None:
    """Templates, styles, scripts and C++ sources, too."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (path for folder in ("bench", "rnn_impls") for path in (ROOT / folder).rglob("*") if path.is_file())
    assert inside == {str(path.relative_to(ROOT)) for path in files if path.parent.name != "__pycache__"}


@pytest.mark.long
def test_an_installed_suite_works_in_any_folder(scripts: Path, tmp_path: Path) -> None:
    """Reports go there; a module of the folder that has the suite's name is nobody's but the folder's."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "bench.py").write_text("raise SystemExit('this is not the suite')")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def rnn_bench(*words: str) -> str:
        command = [str(scripts / "rnn-bench"), *words]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    rnn_bench("new", "my_rnn.py")
    small = ("--preset", "smoke", "--device", "cpu", "--hidden-size", "8", "--passes", "2", "--no-explain")
    rnn_bench("run", "--impl", "manual,whole,my_rnn.py:MyRNN", *small)
    assert {path.name for path in folder.iterdir()} <= {"bench.py", "my_rnn.py", "reports", "__pycache__"}
    latest = folder / "reports" / "latest"
    assert (latest / "index.html").stat().st_size > 100e3
    assert cells(read_run(latest))["status"].eq(MEASURED).all()
    assert "Hidden 8" in rnn_bench("advise", "--hidden-size", "8", "--seq-len", "8")
    shutil.rmtree(latest / "figures")
    rnn_bench("report", "latest")
    assert (latest / "figures" / "main.png").is_file()


@pytest.mark.long
def test_an_installed_suite_compares_functions(scripts: Path, tmp_path: Path) -> None:
    """The example of the page, as it is written, where there is only the wheel."""
    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    (tmp_path / "two_functions.py").write_text(page.split("```python\n")[1].split("```")[0])
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(scripts / "python"), "two_functions.py"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("At 64 `mine` is ") and "faster than `theirs`." in done.stdout
