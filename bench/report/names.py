"""What implementations and cases are called in prose, legends and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bench.cases import words
from rnn_impls import networks

axis_value, device, steps = words.axis_value, words.device, words.steps
"""Cases are worded where they are made, so that what runs them names them by the same words."""

_CODES = {
    "manual": "M", "looped": "L", "whole": "W", "whole-no-cudnn": "Wn", "whole-no-onednn": "Wo", "rnncell": "R",
    "hoisted": "H", "stacked-grad": "Sg", "scripted": "Sc", "compiled-step": "Cs", "compiled-chunk": "Cc", "scan": "Sn",
    "fused-cpu": "F", "fused-cpu-bf16": "Fb", "cuda-graph": "G", "cuda-graph-step": "Gs", "persistent-triton": "P",
    "persistent-triton-tf32x3": "Pt", "cluster-cuda": "Cl",
    "packed": "Pk", "packed-sorted": "Ps", "bucketed": "B", "bucketed-manual": "Bm",
    "onnxruntime": "Or", "openvino": "Ov", "jax-scan": "J", "numba": "N",
}  # fmt: skip


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> as little of it as tells it apart: `path/to/my.py:Mine` is `Mine`, or `my.py:Mine` beside another."""
    found = list(dict.fromkeys(names))
    short: dict[str, str] = {}
    for name in found:
        taken = [forms_of(other) for other in found if other != name]
        short[name] = next(f for f in forms_of(name) if f == name or not any(f in other for other in taken))
    return short


def forms_of(name: str) -> tuple[str, ...]:
    """The forms under which a name could be shown."""
    path, _, attribute = name.rpartition(":")
    return (attribute, f"{path.rpartition('/')[2]}:{attribute}", name)


def codes(short: Mapping[str, str]) -> dict[str, str]:
    """Name -> one to three letters for the tile of a heatmap, by its short name: the known ones always have the same,
    others the first letters that nobody has."""
    found: dict[str, str] = {}
    taken = set(_CODES.values())
    for name, text in short.items():
        letters = "".join(filter(str.isalnum, text.rpartition(":")[2])).capitalize() or "X"
        tried = [letters[:1], *(letters[0] + other for other in letters[1:]), *(f"{letters[0]}{k}" for k in range(99))]
        found[name] = _CODES.get(name) or next(code for code in tried if code not in taken)
        taken.add(found[name])
    return found


def phrase(name: str, short: Mapping[str, str]) -> str:
    """An implementation in a sentence: its short name as code."""
    return f"`{short.get(name, name).replace('`', chr(39))}`"


def of_torch(text: str, computed: Iterable[str]) -> str:
    """A text about `nn.RNN`, said of the modules that compute these networks: `nn.GRU`, or `nn.RNN/GRU`."""
    modules = list(dict.fromkeys(networks.MODULES.get(name, "RNN") for name in in_order(computed))) or ["RNN"]
    return text.replace("nn.RNN", f"nn.{'/'.join(modules)}")


def in_order(computed: Iterable[str]) -> list[str]:
    """Each network once: torch's in the order in which reports list them, then others as they come."""
    found = dict.fromkeys(computed)
    return [*(name for name in networks.BUILTIN if name in found), *(n for n in found if n not in networks.BUILTIN)]


def capital(text: str) -> str:
    """The text as a sentence begins; a network's name stays as it is."""
    return text if re.split(r"[\s,:]", text)[0] in networks.BUILTIN else text[:1].upper() + text[1:]


def on_device(name: str) -> str:
    """A device type in a sentence."""
    return "on this CPU" if name == "cpu" else f"on this {device(name)}"


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
