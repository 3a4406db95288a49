"""A tree whose code is measured: how it comes onto the import path, and whether what it holds was imported from it."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

SOURCE = "src"
"""Folder of a tree that holds its packages, in the layout that keeps them off the path by itself."""

OURS = {"bench"}
"""The harness is this suite's in any case, also where a tree has one."""


def enter(tree: Path) -> None:
    """Go to a tree and import from it, and from its `src/`, before anything that is installed."""
    os.chdir(tree)
    sys.path[:0] = [str(place.resolve()) for place in _places(tree)]
    sys.meta_path.insert(0, Interface())


class Interface(MetaPathFinder):
    """Finds what implementations share in this suite's own `rnn_impls`, whichever tree has the package.

    Both sides of a gate are then given networks by the same interface; one from before there were any takes it as it
    took the one of its time.
    """

    SHARED = ("interface", "networks", "importing")
    OWN = Path(__file__).resolve().parents[2] / "rnn_impls"

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Where a shared module lies; nothing for any other."""
        package, *rest = name.split(".")
        if package != self.OWN.name or rest[:1] not in [[shared] for shared in self.SHARED]:
            return None
        return PathFinder.find_spec(name, [str(self.OWN.joinpath(*rest[:-1]))])


def outside(tree: Path) -> str:
    """Which module of a tree was imported from elsewhere, such as an installed copy, in words; nothing where none."""
    root = tree.resolve()
    for name in sorted(_top_level(root) - OURS):
        module = sys.modules.get(name)
        found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
        if found and not Path(found).resolve().is_relative_to(root):
            return f"{name} is imported from {found}, and not from {root}"
    return ""


def _top_level(root: Path) -> set[str]:
    """Names under which the tree's own modules and packages can be imported."""
    found = {path.stem for place in _places(root) for path in place.glob("*.py")}
    return found | {path.parent.name for place in _places(root) for path in place.glob("*/__init__.py")}


def _places(tree: Path) -> list[Path]:
    return [tree, *([tree / SOURCE] if (tree / SOURCE).is_dir() else [])]
