"""The direction of imports, read from the source: what only reads needs no torch, what is measured knows no bench."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("bench", "rnn_impls")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
"""Module name -> file."""

_READING = {
    "results", "summary", "comparison", "stats", "observation", "counted", "warning",
    "files", "cases", "presets", "law", "scaling", "crossover", "floor", "work", "lines",
    "payback",
    "limits.limits", "limits.caches", "limits.show", "gradients.file",
    *(f"profile.{name}" for name in ("trace", "kinds", "counts", "breakdown", "label", "flame", "record")),
    *(f"gate.{name}" for name in ("outcome", "judge", "comparable", "saved", "conclusion", "show", "export")),
}  # fmt: skip
READERS = [
    name
    for name in FILES
    if name.removeprefix("bench.") in _READING or name.split(".")[:2] in (["bench", "report"], ["bench", "advice"])
]
"""What has to work on a laptop that only has the files of a run."""


def is_type_checking(node: ast.AST) -> bool:
    """Tell an `if TYPE_CHECKING:`, whose body never runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def import_statements(tree: ast.AST, lazy: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import that runs when the module is imported; with `lazy` those inside functions, too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif is_type_checking(node) or (not lazy and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))):
            continue
        else:
            yield from import_statements(node, lazy)


def imported(source: str, lazy: bool) -> set[str]:
    """Names of the modules that a source imports, and of the packages around them."""
    found = set()
    for node in import_statements(ast.parse(source), lazy):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parents = {".".join(name.split(".")[:depth]) for name in found for depth in range(1, name.count(".") + 1)}
    return found | parents


def reached(name: str) -> dict[str, str]:
    """Everything that importing a module imports, each with the module that does it."""
    by: dict[str, str] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        for found in imported(FILES[module].read_text(), lazy=False):
            if found not in by:
                by[found] = module
                if found in FILES:
                    waiting.append(found)
    return by


def test_the_reader_of_imports_sees_them_all() -> None:
    """Plain, from, aliased and nested ones; those in functions only when asked; never those for types alone."""
    source = """
import os.path, torch as t
from bench import cases
if TYPE_CHECKING:
    import never
try:
    import perhaps
except ImportError:
    pass
def later():
    from torch.nn import functional
class Now:
    import within
"""
    now = {"os", "os.path", "torch", "bench", "bench.cases", "perhaps", "within"}
    assert imported(source, lazy=False) == now
    assert imported(source, lazy=True) == now | {"torch.nn", "torch.nn.functional"}


def test_there_is_something_to_look_at() -> None:
    """The lists above are made from folders; an empty one would prove nothing."""
    assert {"bench", "bench.alternate", "bench.report", "rnn_impls.manual"} <= set(FILES)
    assert {f"bench.{name}" for name in _READING} < set(READERS)
    assert len([name for name in READERS if name.startswith("bench.report.")]) > 5
    assert "torch" in reached("bench.workload"), "the search must be able to find torch"
    assert reached("bench.parity")["rnn_impls.interface"] in FILES


@pytest.mark.parametrize("name", [name for name in FILES if name.split(".")[0] == "rnn_impls"])
def test_what_is_measured_knows_nothing_of_the_measuring(name: str) -> None:
    """`rnn_impls` imports nothing from `bench`, in no function either."""
    assert not {found for found in imported(FILES[name].read_text(), lazy=True) if found.split(".")[0] == "bench"}


@pytest.mark.parametrize("name", READERS)
def test_what_only_reads_needs_no_torch(name: str) -> None:
    """Not by itself, in no function either, and not through another module of the suite."""
    assert "torch" not in imported(FILES[name].read_text(), lazy=True)
    by = reached(name)
    assert "torch" not in by, f"{by.get('torch')} imports it"


@pytest.mark.parametrize("statement", ["import bench.summary, bench.results, bench.report", "import bench.cli"])
def test_torch_stays_out_of_a_process_that_only_reads(statement: str) -> None:
    """The same in a fresh process; the command line, too, must start without torch."""
    code = f"{statement}; import sys; print(sorted(name for name in sys.modules if name.split('.')[0] == 'torch'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_everything_that_only_reads_imports_where_torch_cannot_be_had() -> None:
    """With torch barred, every reading module imports."""
    code = f"import sys; sys.modules['torch'] = None\nfor name in {READERS!r}: __import__(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FILES)
def test_no_star_import_and_no_bare_except(name: str) -> None:
    """Names say where they come from, and Ctrl-C is nobody's to swallow."""
    tree = ast.parse(FILES[name].read_text())
    stars = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    bare = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.type is None]
    assert (stars, bare) == ([], [])
