"""The names of the implementations, and the door for one's own.

A name is looked up in `BUILTIN`; `path/to/file.py:Name` loads the class `Name` from that file. Modules are imported
only when asked for, so that a way that needs a compiler costs nothing to those who don't select it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnn_impls.interface import Implementation

BUILTIN = {
    "manual": "rnn_impls.manual:Manual",
    "looped": "rnn_impls.looped:Looped",
    "whole": "rnn_impls.whole:Whole",
    "whole-no-cudnn": "rnn_impls.whole:WholeNoCudnn",
    "rnncell": "rnn_impls.rnncell:RNNCell",
    "hoisted": "rnn_impls.hoisted:Hoisted",
    "stacked-grad": "rnn_impls.stacked_grad:StackedGrad",
    "scripted": "rnn_impls.scripted:Scripted",
    "compiled-step": "rnn_impls.compiled:CompiledStep",
    "compiled-chunk": "rnn_impls.compiled:CompiledChunk",
    "scan": "rnn_impls.scan:Scan",
    "fused-cpu": "rnn_impls.fused_cpu:FusedCPU",
    "fused-cpu-bf16": "rnn_impls.fused_cpu:FusedCPUHalved",
    "cuda-graph": "rnn_impls.cuda_graph:CudaGraph",
    "cuda-graph-step": "rnn_impls.cuda_graph:CudaGraphStep",
    "persistent-triton": "rnn_impls.persistent_triton:PersistentTriton",
}
"""Name -> module:class, in the order in which reports list them."""

THREE_WAYS = ("manual", "looped", "whole")
DEFAULT = {"cuda": (*THREE_WAYS, "whole-no-cudnn")}
"""What `--impl default` stands for, where a device adds to the three ways."""


def select(selection: str, device: str) -> list[str]:
    """The names that `default,my.py:Mine` stands for on a device type, without importing any.

    Raises ValueError, listing the known names, for one that is neither known nor of the form file.py:Name.
    """
    names: list[str] = []
    for part in filter(None, (part.strip() for part in selection.split(","))):
        if part == "default":
            names += DEFAULT.get(device, THREE_WAYS)
        elif part == "all":
            names += BUILTIN
        elif part in BUILTIN:
            names.append(part)
        elif ".py:" in part:
            names.append(_checked_file(part))
        else:
            raise ValueError(
                f"unknown implementation {part!r}; known are {', '.join(BUILTIN)}, "
                "the groups default and all, and path/to/file.py:Name for one of your own"
            )
    if not names:
        raise ValueError(f"no implementation selected; known are {', '.join(BUILTIN)}")
    return list(dict.fromkeys(names))


def _checked_file(name: str) -> str:
    """`path/to/file.py:Name`, once the file is known to exist and the class name to be one."""
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise ValueError(f"--impl {name}: there is no file {path}")
    if not attribute.isidentifier():
        raise ValueError(f"--impl {name}: {attribute!r} is not the name of a class")
    return name


def load(name: str) -> type[Implementation]:
    """Import the class behind a name of the registry or a `path/to/file.py:Name`.

    Raises ValueError with a readable reason when the file does not import, has no such class, or the class is not
    an `Implementation`.
    """
    from rnn_impls.interface import Implementation  # here, so that names can be listed without torch

    module_name, _, attribute = BUILTIN.get(name, name).rpartition(":")
    try:
        module = importlib.import_module(module_name) if name in BUILTIN else _import_file(Path(module_name))
    except (Exception, SystemExit) as error:  # a user's file may raise anything while it is imported
        raise ValueError(f"{module_name} does not import: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise ValueError(f"{module_name} has no class {attribute}")
    if not (isinstance(found, type) and issubclass(found, Implementation)):
        raise ValueError(f"{attribute} in {module_name} is not a subclass of rnn_impls.interface.Implementation")
    return found


def describe(name: str) -> str:
    """First line of an implementation's docstring."""
    return ((load(name).__doc__ or "").strip() or "no description").splitlines()[0]


def _import_file(path: Path) -> ModuleType:
    """Import a file that need not lie on the import path, once per process."""
    module_name = f"rnn_impls_file_{path.stem}_{abs(hash(path.resolve()))}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None  # true of every existing .py file
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
