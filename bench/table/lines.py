"""How much code an implementation is: lines of its own files that are neither blank, nor comment, nor docstring.

Files are read, never imported. What all share, the contract and the list of names, counts for none of them.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import rnn_impls
from rnn_impls import registry

SHARED = ("interface", "registry", "importing", "networks")
"""Of `rnn_impls`, what counts for nobody."""
NATIVE = (".cpp", ".cc", ".cu", ".h", ".hpp", ".cuh")
"""Endings of what is written in C++ or CUDA."""

_ROOT = Path(rnn_impls.__file__).parent.parent
_QUIET = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
          tokenize.ENDMARKER}  # fmt: skip
_NATIVE_PARTS = re.compile(
    r"""(?P<kept>R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
    r"""|//[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)


def lines_of(name: str) -> int | None:
    """Lines of code of the implementation of this name; None where its files are not here or can't be read."""
    try:
        return sum(map(count, files_of(name))) or None
    except (OSError, SyntaxError, ValueError):  # tokenize's errors are SyntaxErrors, a wrong encoding a ValueError
        return None


def files_of(name: str) -> list[Path]:
    """The files of an implementation: that of its class, what it imports of `rnn_impls` beside SHARED, and what is
    written in C++ beside these. Empty for a name that neither the registry nor a file has.

    Raises OSError, SyntaxError or ValueError for a file that can't be read.
    """
    first = _module_file(registry.BUILTIN[name].rpartition(":")[0]) if name in registry.BUILTIN else _own_file(name)
    found: list[Path] = []
    waiting = [first] if first else []
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.append(path)
            waiting += [each for each in map(_module_file, _imported(path)) if each] + _beside(path)
    return sorted(found)


def count(path: Path) -> int:
    """Lines of code of one file."""
    text = path.read_text(encoding="utf-8")
    return count_native(text) if path.suffix in NATIVE else count_python(text)


def count_python(text: str) -> int:
    """Lines that hold a part of a statement other than a docstring. Raises SyntaxError for text that isn't Python."""
    busy: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _QUIET:
            busy.update(range(token.start[0], token.end[0] + 1))
    blank = {number for number, line in enumerate(text.splitlines(), start=1) if not line.strip()}
    return len(busy - blank - _docstring_lines(ast.parse(text)))


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


def _imported(path: Path) -> set[str]:
    """Names of everything that a Python file may import, in functions, too."""
    if path.suffix != ".py":
        return set()
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _beside(path: Path) -> list[Path]:
    """C++ that belongs to a Python file: of the same stem, or named in it."""
    if path.suffix != ".py":
        return []
    text = path.read_text(encoding="utf-8")
    named = [path.parent / name for name in re.findall(r"""["']([\w./-]+\.(?:cpp|cc|cuh?|h(?:pp)?))["']""", text)]
    return [each for each in dict.fromkeys([*map(path.with_suffix, NATIVE), *named]) if each.is_file()]
