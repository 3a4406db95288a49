"""Measures gradients in a fresh process once for each version of torch, and keeps them: no machine makes them other."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from bench.files import BrokenFile, write_json
from bench.gradients.file import read
from bench.process import WorkerDied, findings

TIMEOUT = 120.0


def kept_gradients(reports: Path, torch_version: str) -> dict[str, Any]:
    """The gradients as kept under `reports`, or measured now and kept. Raises WorkerDied, and OSError."""
    version = re.sub(r"[^\w.+-]", "-", torch_version)
    path = reports / "gradients" / f"torch-{version}.json"
    if path.exists():
        try:
            return read(path)
        except BrokenFile:
            pass  # measured anew
    found = measured()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def measured() -> dict[str, Any]:
    """Measure in a fresh process, with the sizes of the command's defaults. Raises WorkerDied."""
    with tempfile.TemporaryDirectory() as folder:
        for finding in findings({"kind": "gradients"}, TIMEOUT, Path(folder) / "worker.log"):
            if finding["event"] == "gradients":
                found: dict[str, Any] = finding["found"]
                return found
    raise WorkerDied("the process ended without a word of gradients")
