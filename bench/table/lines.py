"""How much code an implementation is: lines of its class and of what that needs, neither blank, nor comment, nor
docstring.

What counts beside the class is what it speaks of in its own file, imports among it, and in files of `rnn_impls`; other
classes of the same files don't. Files are read, never imported. What all share, the contract and the list of names,
counts for none of them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import rnn_impls
from rnn_impls import registry
from rnn_impls.sources import with_headers

SHARED = ("interface", "shape", "states", "registry", "importing", "networks")
"""Of `rnn_impls`, what counts for nobody."""
NATIVE = (".cpp", ".cc", ".cu", ".h", ".hpp", ".cuh")
"""Endings of what is written in C++ or CUDA."""

_ROOT = Path(rnn_impls.__file__).parent.parent
_QUIET = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
          tokenize.ENDMARKER}  # fmt: skip
_NATIVE_FILE = re.compile(r"[\w./-]+\.(?:cpp|cc|cuh?|h(?:pp)?)")
_NATIVE_PARTS = re.compile(
    r"""(?P<kept>R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|//[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)


def lines_of(name: str) -> int | None:
    """Lines of code of the implementation of this name; None where its files are not here or can't be read."""
    try:
        return sum(count(path, lines) for path, lines in parts_of(name).items()) or None
    except (OSError, SyntaxError, ValueError):  # tokenize's errors are SyntaxErrors, a wrong encoding a ValueError
        return None


def parts_of(name: str) -> dict[Path, set[int] | None]:
    """The files of an implementation, each with the lines that are its own, or None for all: its class, what that needs
    of the same file, what it imports of `rnn_impls` beside SHARED, likewise, and what is written in C++ beside these.
    Empty for a name that neither the registry nor a file has.

    Raises OSError, SyntaxError or ValueError for a file that can't be read.
    """
    module, _, attribute = registry.BUILTIN.get(name, name).rpartition(":")
    first = _module_file(module) if name in registry.BUILTIN else _own_file(name)
    found: dict[Path, set[int] | None] = {}
    sources: dict[Path, Source] = {}
    waiting = [(first, attribute)] if first else []
    done: set[tuple[Path, str]] = set()
    while waiting:
        path, wanted = waiting.pop()
        if (path, wanted) in done:
            continue
        done.add((path, wanted))
        source = sources.setdefault(path, Source(path))
        nodes = source.nodes(wanted)
        lines = {line for node in nodes for line in range(_first_line(node), (node.end_lineno or node.lineno) + 1)}
        found[path] = (found.get(path) or set()) | lines
        waiting += [(path, other) for node in nodes for other in source.needed(node)]
        waiting += [each for node in nodes for each in _imported(node)]
        found |= dict.fromkeys(_beside(path, nodes))
    return found


class Source:
    """A Python file: the statements of its module, and what names they bind."""

    def __init__(self, path: Path) -> None:
        self._body = ast.parse(path.read_text(encoding="utf-8")).body
        self._binding: dict[str, list[ast.stmt]] = {}
        for node in self._body:
            for name in set(_bound(node)):
                self._binding.setdefault(name, []).append(node)

    def nodes(self, attribute: str) -> list[ast.stmt]:
        """The statements that make an attribute of the module, of a class in a class the inner one alone; all of them
        where none is known to, and for no attribute."""
        first, *inner = attribute.split(".")
        nodes = self._binding.get(first, self._body)
        for name in inner:
            inside = [each for node in nodes for each in getattr(node, "body", ())]
            nodes = [each for each in inside if isinstance(each, ast.ClassDef) and each.name == name] or nodes
        return nodes

    def needed(self, node: ast.stmt) -> set[str]:
        """Names of the module that a statement speaks of."""
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and each.id in self._binding}


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds, or sets an attribute of; of a compound one those inside it."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
    else:
        for inside in ast.iter_child_nodes(node):
            if isinstance(inside, ast.stmt):
                yield from _bound(inside)


def _first_line(node: ast.stmt) -> int:
    """With its decorators."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def count(path: Path, lines: set[int] | None = None) -> int:
    """Lines of code of one file, or of these of its lines."""
    text = path.read_text(encoding="utf-8")
    return count_native(text) if path.suffix in NATIVE else count_python(text, lines)


def count_python(text: str, lines: set[int] | None = None) -> int:
    """Lines, or those of some, that hold a part of a statement other than a docstring. Raises SyntaxError for text that
    isn't Python."""
    busy: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _QUIET:
            busy.update(range(token.start[0], token.end[0] + 1))
    blank = {number for number, line in enumerate(text.splitlines(), start=1) if not line.strip()}
    code = busy - blank - _docstring_lines(ast.parse(text))
    return len(code if lines is None else code & lines)


def count_native(text: str) -> int:
    """Lines of C++ that hold anything but comment."""
    bare = _NATIVE_PARTS.sub(lambda part: part["kept"] or "\n" * part[0].count("\n"), text)
    return sum(1 for line in bare.splitlines() if line.strip())


def _docstring_lines(tree: ast.Module) -> set[int]:
    """The lines of docstrings, and of the strings after an assignment that serve as one."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _own_file(name: str) -> Path | None:
    """The file of `path/to/file.py:Name`."""
    path = Path(name.rpartition(":")[0])
    return path if path.suffix == ".py" and path.is_file() else None


def _module_file(module: str) -> Path | None:
    """The file of a module of `rnn_impls` that is not shared."""
    package, *rest = module.split(".")
    if package != "rnn_impls" or not rest or rest[0] in SHARED:
        return None
    stem = _ROOT.joinpath(*module.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _imported(node: ast.stmt) -> Iterator[tuple[Path, str]]:
    """What a statement may import of `rnn_impls`, in functions, too: files, and the attribute that is wanted of each;
    an empty one for a whole module."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from ((path, "") for alias in each.names if (path := _module_file(alias.name)))
        elif isinstance(each, ast.ImportFrom) and each.module and not each.level:
            for alias in each.names:
                if path := _module_file(f"{each.module}.{alias.name}"):
                    yield path, ""
                elif path := _module_file(each.module):
                    yield path, "" if alias.name == "*" else alias.name


def _beside(path: Path, nodes: list[ast.stmt]) -> list[Path]:
    """C++ that belongs to a Python file: of the same stem, or named in one of these statements; and its headers."""
    texts = [each.value for node in nodes for each in ast.walk(node) if isinstance(each, ast.Constant)]
    named = [path.parent / text for text in texts if isinstance(text, str) and _NATIVE_FILE.fullmatch(text)]
    sources = [each for each in (*map(path.with_suffix, NATIVE), *named) if each.is_file()]
    return list(dict.fromkeys(each for source in sources for each in with_headers(source)))
