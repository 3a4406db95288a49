"""The limits of a machine as a table: for each name one value per fresh process, kept as JSON. Needs no torch.

Names are dotted, from the device inwards: `cpu.product.float32.t1` is the rate of products in float32 with one thread.
Units go by the second part of the name, see `UNITS`. The sizes of caches (`cache_bytes`) are Linux's own facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.store.files import BrokenFile, read_json, take, write_json

LEVELS = ("L1", "L2", "L3")
_SYSFS = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def cache_bytes(folder: Path = _SYSFS) -> dict[str, int]:
    """Level -> bytes, of the caches for data that a core reaches; empty where the system does not tell.

    L1 and L2 belong to a core on nearly every machine, L3 to several; a virtual machine is told of all of an L3 that
    it may share with others.
    """
    found: dict[str, int] = {}
    for index in sorted(folder.glob("index*")):
        try:
            level, kind = (index / "level").read_text().strip(), (index / "type").read_text().strip()
            text = (index / "size").read_text().strip()
        except OSError:
            continue
        if kind in ("Data", "Unified") and f"L{level}" in LEVELS and text[:-1].isdigit() and text[-1] in _UNITS:
            found[f"L{level}"] = int(text[:-1]) * _UNITS[text[-1]]
    return found


SCHEMA = 1

UNITS = {
    "product": "operations/s",  # torch.mm: a multiply-add is two operations
    "peak": "operations/s",  # the fastest product that any routine here makes
    "matvec": "bytes/s",  # torch.mv: bytes of the matrix per second, call included
    "stream": "bytes/s",  # reading, free of the cost of the call
    "copy": "bytes/s",  # bytes copied, each read and written
    "call": "s",  # what one call of its kind costs, with nothing to compute
    "chain": "s",  # one step of a chain of dependent operations
}
RATES = ("operations/s", "bytes/s")

FINGERPRINTED = ("cpu", "cores", "memory_bytes", "os", "architecture", "python", "torch", "cpu_capability", "mkl",
                 "onednn", "gpu", "gpu_driver", "cuda", "cudnn")  # fmt: skip
"""What of a machine's description makes it another one, as far as its limits go."""


@dataclass
class Limits:
    """What a machine allows.

    `values` has one entry per process under each name; `facts` are sizes by name, in bytes or counts, such as
    `cpu.cache.L1`; `missing` says of a name, or the beginning of some, why it could not be measured.
    """

    machine: dict[str, Any]
    measured: str
    values: dict[str, list[float]] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    def best(self, name: str) -> float | None:
        """The most favourable value of all processes, the highest rate or the least time: what a floor rests on,
        since a machine that was slow for a while allows no less than it did at its best. None where there is none."""
        values = self.values.get(name)
        if not values:
            return None
        return max(values) if unit(name) in RATES else min(values)

    def joined(self, later: Limits) -> Limits:
        """These and those of a later sitting on the same machine."""
        names = {**self.values, **later.values}
        values = {name: self.values.get(name, []) + later.values.get(name, []) for name in names}
        return Limits(later.machine, later.measured, values, self.facts | later.facts, later.missing)

    def threads(self) -> list[int]:
        """The thread counts at which products were measured on the CPU."""
        return sorted({int(name.rpartition(".t")[2]) for name in self.values if name.startswith("cpu.peak.")})


def unit(name: str) -> str:
    """The unit of a limit by its name. Raises KeyError for a name of no known kind."""
    return UNITS[name.split(".")[1]]


METHOD = 2
"""Of measuring: kept limits that an earlier one found are not those of this one. 2 has probes that reach the peak."""

METHOD_ON_CUDA = 2
"""The same of what only a machine with a GPU has. 2 reads from L2 in a graph, and has the peak with TF32."""


def fingerprint(machine: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits that are the same for equal machines, software and METHOD only."""
    method = [METHOD, METHOD_ON_CUDA] if machine.get("gpu") else [METHOD]
    kept = json.dumps([*method, *(machine.get(name) for name in FINGERPRINTED)])
    return hashlib.sha256(kept.encode()).hexdigest()[:12]


def write_limits(path: Path, limits: Limits) -> None:
    """Write them, whole or not at all. Raises OSError."""
    write_json(path, limits.__dict__)


def read_limits(path: Path) -> Limits:
    """Read them. Raises BrokenFile naming file and field."""
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    for name, kind in (("machine", dict), ("measured", str), ("values", dict), ("facts", dict), ("missing", dict)):
        take(content, path, name, kind)
    for name, values in content["values"].items():
        if name.count(".") < 1 or name.split(".")[1] not in UNITS:
            raise BrokenFile(f"{path}: the field values holds {name!r}, which is no limit")
        if not isinstance(values, list) or not all(type(v) in (int, float) and 0 < v < 1e30 for v in values):
            raise BrokenFile(f"{path}: the field values.{name} is no list of positive numbers")
    if extra := set(content) - set(Limits.__dataclass_fields__):
        raise BrokenFile(f"{path}: the field {', '.join(sorted(extra))} is not known")
    return Limits(**content)
