"""The examples of README and docs do what is said of them, and their commands are commands.

An example file begins with its name, `# my_rnn.py`. A fence of another language than those here fails: what stands in
it would be looked at by nobody.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from bench import cli
from bench.cases import presets
from bench.cases.axes import OVERRIDES, Axes
from bench.cases.case import Case
from bench.host.process import environment
from bench.measure.parity import check
from bench.measure.reference import Reference
from bench.report.readme import BLOCK, PAGES, ROOT
from bench.store.manifest import MEASURED
from bench.table.cells import cells
from bench.table.reading import read_run
from rnn_impls import networks, registry
from tests import command, warm

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.py)\n")
SPAN = re.compile(r"`((?:rnn-bench|python3? -m|make|pytest)(?: [^`]*)?)`")
"""A command in a sentence or a table."""

KNOWN = {"python", "bash", "console", "text", "toml", "yaml"}


@dataclass(frozen=True)
class Example:
    """A fence of a page: its language and content."""

    page: Path
    line: int
    language: str
    content: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str:
        """What it is to be called; nothing for what is no file."""
        found = FILE.match(self.content)
        return found[1] if found else ""


def examples(page: Path) -> Iterator[Example]:
    """Every fence of a page."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        yield Example(page, text[: found.start()].count("\n") + 1, found[1], found[2])


EXAMPLES = [example for page in PAGES for example in examples(page)]
SCRIPTS = [example for example in EXAMPLES if example.language == "python" and example.page.name == "compare.md"]
"""Run as they are by `tests/test_compare_page.py`."""
FILES = [each for each in EXAMPLES if each.language == "python" and each.file and each not in SCRIPTS]
MINE = {example.file: example for example in FILES}


def commands() -> Iterator[str]:
    """What is typed."""
    for example in EXAMPLES:
        lines = example.content.replace("\\\n", " ").splitlines()
        if example.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        if example.language in ("bash", "console"):
            yield from (line for line in lines if line.strip())


def spans() -> Iterator[tuple[str, str]]:
    """The commands inside sentences and tables, which may leave out what is needed."""
    for page in PAGES:
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        yield from ((str(page.relative_to(ROOT)), found) for found in SPAN.findall(text))


COMMANDS = list(dict.fromkeys(commands()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader is who has written every example file."""
    place = tmp_path_factory.mktemp("docs")
    for name, example in MINE.items():
        (place / name).write_text(example.content)
    (place / "path" / "to").mkdir(parents=True)
    (place / "path" / "to" / "my_rnn.py").write_text(MINE["my_rnn.py"].content)
    (place / "reports").symlink_to(ROOT / "reports")
    return place


def test_there_is_something_to_look_at() -> None:
    """Examples of each kind, and no fence that nobody looks at."""
    assert {"my_rnn.py", "bare.py", "mine.py", "conftest.py", "my_cell.py"} == set(MINE)
    assert len(MINE) == len(FILES), "two files of one name"
    assert [each.file for each in SCRIPTS] == ["two_functions.py", "saved.py"]
    assert {example.language for example in EXAMPLES} <= KNOWN
    assert {"make bench", "rnn-bench gate --base main --impl my_rnn.py:MyRNN --hidden-size 64"} <= set(COMMANDS)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("example", FILES, ids=str)
def test_example_files_are_equal(example: Example, folder: Path, mode: str) -> None:
    """Each passes parity, an implementation by itself and a network by its step; none is longer than a screen."""
    assert len(example.content.splitlines()) < 30
    ((name, base),) = re.findall(r"^class (\w+)\((?:nn\.)?(\w+)\)", example.content, re.MULTILINE)
    place = f"{folder / example.file}:{name}"
    network, implementation = (place, "manual") if base == "Network" else (networks.DEFAULT, place)
    case = Case(mode=mode, network=network, hidden_size=8, input_size=5, seq_len=6, batch_size=2)
    assert check(Reference.of(case), registry.load(implementation)) < 1e-5


def test_the_example_of_a_preset_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by its name, says its source, and has cases."""
    monkeypatch.setattr(presets, "PRESETS", dict(presets.PRESETS))
    before = set(presets.PRESETS)
    (example,) = (each for each in EXAMPLES if each.language == "python" and not each.file)
    exec(compile(ast.parse(example.content), str(example), "exec"), dict(vars(presets)))
    (name,) = set(presets.PRESETS) - before
    assert name == "long-sequences"
    assert "Source:" in presets.find(name).about
    assert len(presets.find(name).cases("cpu")) == 4


def test_examples_of_settings_are_read() -> None:
    """The entry point is one of this suite's group; the workflow gives the Action inputs that it has."""
    (toml,) = (each for each in EXAMPLES if each.language == "toml")
    assert list(tomllib.loads(toml.content)["project"]["entry-points"]) == ["rnn_bench.implementations"]
    (workflow,) = (each for each in EXAMPLES if each.language == "yaml")
    inputs = (ROOT / "action.yml").read_text().partition("inputs:")[2].partition("outputs:")[0]
    given = re.findall(r"^          ([\w-]+):", workflow.content, re.MULTILINE)
    assert {"impl", "install"} <= set(given) <= set(re.findall(r"^  ([\w-]+):$", inputs, re.MULTILINE))


# Commands


SUITE: dict[str, Any] = vars(get_command(cli.app))["commands"]
"""Name -> command, as typer reads it."""
USAGE_ERROR = typer.BadParameter.__mro__[1]
ELSEWHERE = {"default,mine"}
"""What a conftest registers, which pytest alone reads."""


def split(line: str) -> tuple[str, list[str]]:
    """What a command line calls, and with what; `python -m bench` is `rnn-bench`."""
    words = shlex.split(line, comments=True)
    if words[0] in ("python", "python3"):
        assert words[1] == "-m", line
        words = words[2:]
    return ("rnn-bench" if words[0] == "bench" else words[0]), words[1:]


def typed(of: str) -> list[list[str]]:
    """What is given to this, by each command that calls it."""
    found = [split(line) for line in COMMANDS]
    return [given for called, given in found if called == of]


def parse(words: list[str]) -> None:
    """Read a command line as the suite does, up to where it would begin; raises what it would say."""
    given = SUITE[words[0]].make_context(words[0], list(words[1:])).params
    if "preset" in given:
        presets.find(given["preset"])
    for selection in {given.get("impl"), given.get("implementation")} - {None, "", *ELSEWHERE}:
        registry.select(selection, "cpu")
    Axes({axis: given[axis] for axis in OVERRIDES if isinstance(given.get(axis), str)}).overrides()


def options(name: str) -> set[str]:
    """Those of a command of the suite."""
    return {option for each in SUITE[name].params for option in (*each.opts, *each.secondary_opts)}


def test_every_command_is_looked_at() -> None:
    """By one of the tests below, but for those of other tools."""
    looked = {"rnn-bench", "make", "pytest", "rnn_impls.manual", "rnn_impls.looped"}
    called = {split(line)[0] for line in COMMANDS}
    assert called == looked | {".", "pip", "pytest-benchmark", "reframe"}


@pytest.mark.parametrize("words", typed("rnn-bench"), ids=" ".join)
def test_commands_are_those_of_the_suite(words: list[str], folder: Path) -> None:
    """Each has its options, presets, implementations, axes; where the example files are."""
    with chdir(folder):
        parse(words)


@pytest.mark.parametrize(
    "words", [["run", "--no-such"], ["run", "--preset", "none"], ["run", "--impl", "none"], ["advise", "--mode", "no"]]
)
def test_a_wrong_command_is_found(words: list[str]) -> None:
    """The test above would see an option, a preset, an implementation and a value that there is not."""
    with pytest.raises((USAGE_ERROR, ValueError)):
        parse(words)


@pytest.mark.parametrize("words", typed("make"), ids=" ".join)
def test_make_has_these_targets_and_variables(words: list[str]) -> None:
    """By a dry run, which does nothing."""
    variables = re.findall(r"^(\w+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word.partition("=")[0] for word in words if "=" in word} <= set(variables)
    done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pytest_has_these_options() -> None:
    """Its own, pytest-benchmark's, and those of this suite's conftest."""
    done = warm.run([sys.executable, "-m", "pytest", "--help"], cwd=ROOT, env=environment() | {"COLUMNS": "200"})
    wanted = {word.partition("=")[0] for given in typed("pytest") for word in given if word.startswith("--")}
    assert wanted
    assert wanted <= set(re.findall(r"--[a-z][a-z0-9-]*", done.stdout))


def test_commands_in_sentences_are_there() -> None:
    """Of the suite by name and options; of make by its target."""
    for place, line in spans():
        called, given = split(line.replace("…", ""))
        if called == "rnn-bench" and given:
            assert {word for word in given if word.startswith("--")} <= options(given[0]), (place, line)
        elif called == "make":
            assert re.search(rf"^{given[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (place, line)
        else:
            assert called in ("rnn-bench", "pytest"), (place, line)


@pytest.mark.parametrize(("page", "name"), [("presets-and-axes.md", "run"), ("gate.md", "gate")])
def test_every_option_of_the_tables_is_one(page: str, name: str) -> None:
    """Of a command, on the page that has a table of its options."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", BLOCK.sub("", text), re.MULTILINE)
    rows = "".join(table for table in tables if table.startswith(("| option", "| axis")))
    shown = set(re.findall(r"`(--[a-z][a-z0-9-]*)", rows))
    assert shown
    assert shown <= options(name)


def test_every_implementation_and_command_has_a_row() -> None:
    """What is new is in the docs, too."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    assert [name for name in registry.BUILTIN if f"`{name}`" not in pages["faster-implementations.md"]] == []
    assert [name for name in SUITE if f"| `rnn-bench {name}" not in pages["presets-and-axes.md"]] == []


@pytest.mark.parametrize("words", [words for words in typed("rnn-bench") if words[0] in ("check", "new")], ids=" ".join)
def test_cheap_commands_run(words: list[str], folder: Path, tmp_path: Path) -> None:
    """Files are written, and every example is equal wherever it runs."""
    code, out, err = command.bench(*words, folder=tmp_path if words[0] == "new" else folder)
    assert code == 0, out + err


@pytest.mark.parametrize("module", ["rnn_impls.manual", "rnn_impls.looped"])
def test_demonstrations_run(module: str) -> None:
    """Those of the tutorial's two models."""
    done = warm.run([sys.executable, "-m", module], cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_example_is_measured(tmp_path: Path) -> None:
    """The command below it runs as written, here on the smallest of cases."""
    (words,) = (given for given in typed("rnn-bench") if given == ["run", "--impl", "default,my_rnn.py:MyRNN"])
    (tmp_path / "my_rnn.py").write_text(MINE["my_rnn.py"].content)
    small = "--preset smoke --hidden-size 8 --seq-len 2 --mode inference --passes 2 --device cpu --no-explain"
    done = warm.run([sys.executable, "-m", "bench", *words, *small.split()], cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    table = cells(read_run(tmp_path / "reports" / "latest"))
    assert table["status"].eq(MEASURED).all()
    assert table["implementation"].tolist() == [*registry.DEFAULT["cpu"], "my_rnn.py:MyRNN"]
