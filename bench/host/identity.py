"""Which machine and software this is, in ten digits, and where on it a pass was measured.

Two runs may be put together only where their fingerprints are equal. Where two passes ran at the same time on the same
core, neither had it to itself: `place` and the times of a pass tell.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.host.machine import cores_taken

LEFT_OUT = ("memory_bytes", "gpu_memory_bytes")
"""Facts of a machine that are no part of its fingerprint: nodes of one kind differ by the few pages that their
firmware keeps, and the size of the memory makes nothing here faster or slower."""

DIGITS = 10


def fingerprint(machine: Mapping[str, Any]) -> str:
    """Of what `bench.host.machine.describe` found: hexadecimal digits that are equal for equal machines and software,
    whatever the order of the facts."""
    facts = {name: value for name, value in machine.items() if name not in LEFT_OUT and value is not None}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:DIGITS]


class OtherMachine(ValueError):
    """A run that was begun on another machine or software can't be gone on with here; the text says what differs."""


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two descriptions: key -> (before, after), None where one has nothing to tell. Sizes of the
    memory within MEMORY_ALIKE of each other are equal."""
    keys = [key for key in {**before, **after} if not _alike(key, before.get(key), after.get(key))]
    return {key: (before.get(key), after.get(key)) for key in keys}


MEMORY_ALIKE = 0.01
"""Nodes of one kind differ by the few pages that their firmware keeps."""


def _alike(key: str, before: Any, after: Any) -> bool:
    if key.endswith("memory_bytes") and before and after:
        return bool(abs(before - after) <= MEMORY_ALIKE * max(before, after))
    return bool(before == after)


def place(threads: int) -> dict[str, Any]:
    """Where what measures with so many threads runs: `node`, its name in the cluster, empty outside of one; `boot`,
    what Linux calls this boot of this machine, empty elsewhere; `cores`, those that the threads are bound to."""
    return {"node": os.environ.get("SLURMD_NODENAME", ""), "boot": _boot(), "cores": cores_taken(threads)}


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
