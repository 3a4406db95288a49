"""How much fits where: the sizes of the caches that one core reads from, from Linux's own files."""

from __future__ import annotations

from pathlib import Path

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
