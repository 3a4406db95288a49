"""The direction of imports, read from the source: what only reads needs no torch, what is measured knows no bench."""

from __future__ import annotations

import ast
import functools
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

FLOW = (
    "rnn_impls",
    "host",
    "cases",
    "store",
    "published",
    "measure",
    "why",
    "worker",
    "table",
    "history",
    "run",
    "sweep",
    "gate",
    "report",
    "functions",
    "proof",
    "commands",
    "cli",
)
"""Packages in the order of the data: each imports those before it alone."""

MOST_LAYERS, MOST_AT_THE_TOP, MOST_LINES = 10, 20, 250

_WITHOUT_TORCH = (
    "cases", "store", "published", "table", "history", "run", "sweep", "gate", "report", "commands", "cli",
)  # fmt: skip
"""Packages that work on a laptop that only has the files of a run, or only tell other processes what to measure."""
_ARITHMETIC = (
    "floor",
    "limits.limits",
    "profile.trace",
    "profile.breakdown",
    "profile.counts",
    "profile.record",
    "gradients",
    "gradients.file",
)
"""Of `why`: what is read and computed from files."""
READERS = [
    name
    for name in FILES
    if (name.split(".")[1:2] and (name.split(".")[1] in _WITHOUT_TORCH and name.startswith("bench.")))
    or name.removeprefix("bench.why.") in _ARITHMETIC
]


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


@functools.cache
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


def package(name: str) -> str:
    """The package in FLOW that a module belongs to, or its own name at the top of `bench`."""
    first, *rest = name.split(".")
    if rest == ["__main__"]:
        return "cli"  # which is all that it starts
    return rest[0] if first == "bench" and rest else first


def depths() -> dict[str, int]:
    """Package -> how many layers it stands on, itself among them. Raises AssertionError for a circle."""
    below: dict[str, set[str]] = {}
    for name, path in FILES.items():
        found = {package(each) for each in imported(path.read_text(), lazy=True) if each in FILES and each != "bench"}
        below.setdefault(package(name), set()).update(found - {package(name)})
    known: dict[str, int] = {}

    def depth(name: str, above: tuple[str, ...] = ()) -> int:
        assert name not in above, f"a circle: {' -> '.join((*above, name))}"
        if name not in known:
            known[name] = 1 + max((depth(each, (*above, name)) for each in below.get(name, ())), default=0)
        return known[name]

    for name in below:
        depth(name)
    return known


def test_there_is_something_to_look_at() -> None:
    """The lists above are made from folders; an empty one would prove nothing."""
    assert {"bench", "bench.measure.alternate", "bench.report", "rnn_impls.manual"} <= set(FILES)
    assert {f"bench.why.{name}" for name in _ARITHMETIC} < set(READERS)
    assert len([name for name in READERS if name.startswith("bench.report.")]) > 5
    assert "torch" in reached("bench.measure.workload"), "the search must be able to find torch"
    assert reached("bench.measure.parity")["rnn_impls.interface"] in FILES


@pytest.mark.parametrize("name", [name for name in FILES if package(name) in FLOW])
def test_data_flows_one_way(name: str) -> None:
    """A module imports packages that come before its own alone, in functions, too."""
    own = FLOW.index(package(name))
    later = {each for each in imported(FILES[name].read_text(), lazy=True) if each in FILES and package(each) in FLOW}
    assert not {each for each in later if FLOW.index(package(each)) > own}


def test_there_is_no_circle_among_modules() -> None:
    """Not inside a package either, nor by an import inside a function."""
    state: dict[str, bool] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert state.get(name) is not True, f"a circle: {' -> '.join((*above[above.index(name) :], name))}"
        if name in state:
            return
        state[name] = True
        for each in sorted(imported(FILES[name].read_text(), lazy=True) & set(FILES)):
            if not f"{name}.".startswith(f"{each}."):  # a module's own package is imported before it
                visit(each, (*above, name))
        state[name] = False

    for name in FILES:
        visit(name, ())


def test_the_layout_stays_one_that_a_person_finds_the_way_in() -> None:
    """Few layers, few entries at the top, files of a length that one reads, and no two of the same name."""
    assert max(depths().values()) <= MOST_LAYERS
    top = {path for path in (ROOT / "bench").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert len(top) <= MOST_AT_THE_TOP
    long = {name: lines for name, path in FILES.items() if (lines := len(path.read_text().splitlines())) > MOST_LINES}
    assert not long
    names = [path.name for path in FILES.values() if not path.name.startswith("__")]
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.parametrize("name", [n for n, path in FILES.items() if n[:5] == "bench" and path.stem == "__init__"])
def test_a_package_says_what_each_of_its_modules_is(name: str) -> None:
    """A line of its docstring begins with the name of each."""
    said = {line.split(" ")[0] for line in (ast.get_docstring(ast.parse(FILES[name].read_text())) or "").splitlines()}
    inside = {each for each in FILES if each.rpartition(".")[0] == name and not each.endswith("__")}
    names = {each.rpartition(".")[2] for each in inside}
    assert names <= {word.removesuffix("/").removesuffix(".py") for word in said}


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


@pytest.mark.parametrize(
    "statement", ["import bench.table.cells, bench.table.reading, bench.report.build", "import bench.cli"]
)
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
