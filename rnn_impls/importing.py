"""Files of one's own, imported from wherever they lie."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def in_a_line(error: BaseException) -> str:
    """What was raised while a file was imported, for a reader."""
    told = (str(error).strip().splitlines() or ["without a word"])[0]
    return f"{type(error).__name__}: {told}"


def import_file(path: Path) -> ModuleType:
    """Import a file that need not lie on the import path, once per process; it may import files beside it. One that
    lies beside an `__init__.py` is imported as that package's module, so that its relative imports work."""
    if (path.resolve().parent / "__init__.py").is_file():
        return _import_of_package(path.resolve())
    module_name = f"rnn_impls_file_{path.stem}_{abs(hash(path.resolve()))}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None  # true of every existing .py file
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # at the end, so that nothing in it hides anything
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _import_of_package(path: Path) -> ModuleType:
    """Import a package's file under its own name. Raises ImportError where that name leads elsewhere."""
    top = path.parent
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    if (root := str(top.parent)) not in sys.path:
        sys.path.insert(0, root)
    parts = path.relative_to(top.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    module = importlib.import_module(name)
    if Path(module.__file__ or "").resolve() != path:
        raise ImportError(f"{name} is imported from {module.__file__}")
    return module
