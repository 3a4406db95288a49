"""The names of the implementations, and the doors for one's own.

A name is looked up in `BUILTIN`, then among what installed packages offer (`rnn_impls.packages`) and what `register`
has seen; `path/to/file.py:Name` loads `Name` from that file, `package.module:Name` from that module. Modules are
imported only when asked for, so that one that needs a compiler costs nothing to those who don't select it, and names
are listed without torch.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rnn_impls.importing import import_file, in_a_line
from rnn_impls.packages import Offer, offers

if TYPE_CHECKING:
    from rnn_impls.interface import Implementation

BUILTIN = {
    "manual": "rnn_impls.manual:Manual",
    "looped": "rnn_impls.looped:Looped",
    "whole": "rnn_impls.whole:Whole",
    "whole-no-cudnn": "rnn_impls.whole:WholeNoCudnn",
    "whole-no-onednn": "rnn_impls.whole:WholeNoOnednn",
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
    "persistent-triton-tf32x3": "rnn_impls.persistent_triton:PersistentTritonTf32x3",
    "cluster-cuda": "rnn_impls.cluster_cuda:ClusterCuda",
    "packed": "rnn_impls.packed:Packed",
    "packed-sorted": "rnn_impls.packed:PackedSorted",
    "bucketed": "rnn_impls.bucketed:Bucketed",
    "bucketed-manual": "rnn_impls.bucketed:BucketedManual",
    "onnxruntime": "rnn_impls.runtimes.by_onnx:OnnxRuntime",
    "openvino": "rnn_impls.runtimes.by_vino:OpenVino",
    "jax-scan": "rnn_impls.runtimes.by_jax:Jax",
    "numba": "rnn_impls.runtimes.by_numba:Numba",
}
"""Name -> module:class, in the order in which reports list them."""

BESIDE_TORCH = ("onnxruntime", "openvino", "jax-scan", "numba")
"""What another runtime computes."""

ISOLATED = frozenset(BESIDE_TORCH)
"""Those of this suite that ask to be measured in a process of their own, such as one that brings its own runtime."""

THREE = ("manual", "looped", "whole")
FASTER = ("hoisted", "stacked-grad")
"""What is faster and needs no compiler."""

DEFAULT = {"cpu": (*THREE, *FASTER), "cuda": (*THREE, "whole-no-cudnn", *FASTER)}
TAKE_LENGTHS = ("packed", "packed-sorted", "bucketed", "bucketed-manual")
"""What is given the lengths of a ragged batch; all others run over the padding."""
RAGGED = ("manual", "whole", *TAKE_LENGTHS)
STREAMING = {"cpu": ("manual", "rnncell", "whole", "hoisted", "fused-cpu"),
             "cuda": ("manual", "rnncell", "whole", "hoisted", "cuda-graph", "cuda-graph-step")}  # fmt: skip
RUNTIMES = ("whole", "fused-cpu", *BESIDE_TORCH)
GROUPS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "three": {}, "default": DEFAULT, "ragged": {"cpu": RAGGED, "cuda": RAGGED}, "streaming": STREAMING,
    "runtimes": {"cpu": RUNTIMES}, "all": {}
}  # fmt: skip
"""What `--impl` takes for several, by device; the three on any other, but for `all`."""

REGISTERED: dict[str, str] = {}
"""Name -> path/to/file.py:Class, of what `register` has seen in this process."""

Found = TypeVar("Found", bound=Callable[..., object])


def register(name: str) -> Callable[[Found], Found]:
    """Mark a class (or a function that builds a module) in a file of one's own, mostly a conftest.py, to be selected
    by name.

    What is kept is the file and the class's name in it: whoever measures is another process, which loads that file
    anew. `--impl name` therefore stands for `--impl path/to/conftest.py:Class`, and that is what tables call it.
    Raises ValueError for a name that is taken, and for a class that can't be found again since a function made it.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"write @register(\"a-name\"), of letters, digits, '-', '_' and '.', not {name!r}")

    def note(found: Found) -> Found:
        if "<" in found.__qualname__:
            raise ValueError(f"@register({name!r}): {found.__qualname__} can't be found again in another process")
        place = f"{Path(inspect.getfile(found)).resolve()}:{found.__qualname__}"
        if name in (*GROUPS, *known()) and REGISTERED.get(name) != place:
            raise ValueError(f"@register({name!r}): the name is taken by {origin(name)}")
        REGISTERED[name] = place
        return found

    return note


def known() -> list[str]:
    """Every name there is: this suite's, those of installed packages, registered ones; nothing is imported."""
    return [*BUILTIN, *_offers(), *REGISTERED]


def ordered(names: Iterable[str]) -> list[str]:
    """Each name once: those of BUILTIN first, in its order, then the others as they come."""
    found = dict.fromkeys(names)
    return [*(name for name in BUILTIN if name in found), *(name for name in found if name not in BUILTIN)]


def isolated(name: str) -> bool:
    """Whether an implementation is measured in a process of its own: all that this suite has not looked through, so
    that nothing it does reaches the others; and who asks for it."""
    return name not in BUILTIN or name in ISOLATED


def origin(name: str) -> str:
    """Where an implementation comes from, for a reader: a file or a package."""
    if name in GROUPS:
        return "a group of implementations"
    if name in BUILTIN:
        return BUILTIN[name].rpartition(":")[0].replace(".", "/") + ".py"
    if name in _offers():
        return f"package {_offers()[name].package}"
    return _from_here(REGISTERED.get(name, name)).rpartition(":")[0]


def _offers() -> dict[str, Offer]:
    return offers((*BUILTIN, *GROUPS))


def _from_here(name: str) -> str:
    """`/path/to/file.py:Name` with the path from the current folder, where the file is in it."""
    path, _, attribute = name.rpartition(":")
    here = Path.cwd()
    return f"{Path(path).relative_to(here)}:{attribute}" if Path(path).is_relative_to(here) else name


def select(selection: str, device: str) -> list[str]:
    """The names that `default,my.py:Mine` stands for on a device type, without importing any.

    Raises ValueError, listing the known names, for one that is neither known nor of the form file.py:Name.
    """
    names: list[str] = []
    for part in filter(None, (part.strip() for part in selection.split(","))):
        if part == "all":
            names += [*BUILTIN, *_offers(), *map(_from_here, REGISTERED.values())]
        elif part in GROUPS:
            names += GROUPS[part].get(device, THREE)
        elif part in BUILTIN:
            names.append(part)
        elif ".py:" in part:
            names.append(_checked_file(part))
        elif re.fullmatch(r"[^\W\d][\w.]*:[^\W\d][\w.]*", part):  # package.module:Name
            names.append(part)
        elif part in REGISTERED:
            names.append(_from_here(REGISTERED[part]))
        elif part in _offers():
            names.append(part)
        elif part.endswith(".py"):
            raise ValueError(f"--impl {part}: say which class of the file, as in {part}:MyRNN")
        else:
            raise ValueError(
                f"unknown implementation {part!r}; known are {', '.join(known())}, "
                f"the groups {', '.join(GROUPS)}, and path/to/file.py:Name or package.module:Name for your own"
            )
    if not names:
        raise ValueError(f"no implementation selected; known are {', '.join(known())}")
    return list(dict.fromkeys(names))


def _checked_file(name: str) -> str:
    """`path/to/file.py:Name`, once the file is known to exist and the class name to be one."""
    path, _, attribute = name.rpartition(":")
    if not Path(path).is_file():
        raise ValueError(f"--impl {name}: there is no file {path}")
    if not all(part.isidentifier() for part in attribute.split(".")):
        raise ValueError(f"--impl {name}: {attribute!r} is not the name of a class")
    return name


def load(name: str) -> type[Implementation]:
    """Import what is behind a name, or a `path/to/file.py:Name`; a bare `nn.Module` is adapted.

    Raises ValueError with a readable reason when the module does not import, has no such class, or the class is no
    network.
    """
    from rnn_impls.adapter import adapted  # here, so that names can be listed without torch

    # No offer has a colon in its name. To look all the same would import the reader of packages into the one process of
    # those that are measured that loads a file, and what is imported there slows a loop in Python by up to 1.5 %.
    offer = None if name in BUILTIN or ":" in name else _offers().get(name)
    if offer is not None and offer.wrong:
        raise ValueError(offer.wrong)
    module_name, _, attribute = REGISTERED.get(name, BUILTIN.get(name, name)).rpartition(":")
    is_file = name not in BUILTIN and offer is None and module_name.endswith(".py")
    if offer is not None:
        module_name, attribute = offer.module, offer.attribute
    where = module_name if offer is None else f"{module_name} of the package {offer.package}"
    try:
        module = import_file(Path(module_name)) if is_file else importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's file may raise anything while it is imported
        raise ValueError(f"{where} does not import: {in_a_line(error)}") from error
    try:
        found = operator.attrgetter(attribute)(module)
    except AttributeError:
        raise ValueError(f"{where} has no class {attribute}") from None
    try:
        return adapted(found)
    except ValueError as error:
        raise ValueError(f"{attribute} in {where} {error}") from None


def describe(name: str) -> str:
    """First line of an implementation's docstring."""
    return ((load(name).__doc__ or "").strip() or "no description").splitlines()[0]
