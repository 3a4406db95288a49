"""Measured once, in fresh processes, and kept for all runs: gradients by the version of torch, limits by machine and
software.

`cache` is the folder where they are kept (`bench.store.folder.cache_folder`). Where nothing can be written there, that
is noted, and they are measured again the next time.
"""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.host.process import WorkerDied, findings
from bench.run.progress import Listener
from bench.store.files import BrokenFile, write_json
from bench.why.gradients.file import read
from bench.why.limits.limits import Limits, fingerprint, read_limits, write_limits

TIMEOUT = 120.0


def gradients_path(cache: Path, torch_version: str) -> Path:
    """Where the gradients of this torch are kept."""
    version = re.sub(r"[^\w.+-]", "-", torch_version)
    return cache / "gradients" / f"torch-{version}.json"


def kept_gradients(cache: Path, torch_version: str, listener: Listener) -> dict[str, Any]:
    """The gradients as kept, or measured now and kept. Raises WorkerDied."""
    path = gradients_path(cache, torch_version)
    if path.exists():
        try:
            return read(path)
        except BrokenFile:
            pass  # measured anew
    listener.explaining("how far back gradients reach", None)
    found = measured_gradients()
    _keep(write_json, path, found, listener)
    return found


def _keep(write: Callable[[Path, Any], None], path: Path, found: Any, listener: Listener) -> None:
    """Write what was found into its file; where that can't be done, say so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, found)
    except OSError as error:
        listener.note(f"not kept: {error}")


def measured_gradients() -> dict[str, Any]:
    """Measure in a fresh process, with the sizes of the command's defaults. Raises WorkerDied."""
    with tempfile.TemporaryDirectory() as folder:
        for finding in findings({"kind": "gradients"}, TIMEOUT, Path(folder) / "worker.log"):
            if finding["event"] == "gradients":
                found: dict[str, Any] = finding["found"]
                return found
    raise WorkerDied("the process ended without a word of gradients")


PROCESSES = 3


def kept_path(cache: Path, machine: dict[str, Any]) -> Path:
    """Where the limits of this machine are kept."""
    return cache / "limits" / f"{fingerprint(machine)}.json"


def limits_of(
    machine: dict[str, Any], cache: Path, listener: Listener, threads: Sequence[int] = (), again: bool = False
) -> Limits:
    """The limits of this machine, as kept, or measured now and kept.

    `machine` is its description, `threads` are counts that they are needed for. What is measured now, since it was
    asked for `again` or a count is missing, joins what is kept: one sitting may meet the machine in a slow hour, and
    floors rest on the best of all. A broken file is measured anew. Raises what `measured_limits` raises.
    """
    path = kept_path(cache, machine)
    kept = None
    try:
        kept = read_limits(path) if path.exists() else None
    except BrokenFile as error:
        listener.note(f"{error}; measured anew")
    if kept and not again and set(threads) <= set(kept.threads()):
        return kept
    found = measured_limits(listener, threads)
    if kept:
        found = kept.joined(found)
    _keep(write_limits, path, found, listener)
    return found


def this_machine(cache: Path, again: bool, listener: Listener) -> tuple[Limits, Path]:
    """The limits of the machine this runs on, and where they are kept. Raises what `limits_of` raises."""
    from bench.host.machine import describe

    machine = describe()
    return limits_of(machine, cache, listener, again=again), kept_path(cache, machine)


def measured_limits(listener: Listener, threads: Sequence[int] = ()) -> Limits:
    """Measure now, in fresh processes one after the other. Raises WorkerDied, and OSError."""
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found = Limits({}, started)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, PROCESSES + 1):
            listener.explaining(f"what this machine allows, {number} of {PROCESSES}", len(found.values) or None)
            job = {"kind": "limits", "threads": sorted(threads)}
            for finding in findings(job, TIMEOUT, Path(folder) / "worker.log"):
                _take(found, finding)
                if finding["event"] == "limit":
                    listener.explained()
    return found


def _take(found: Limits, finding: dict[str, Any]) -> None:
    if finding["event"] == "ready":
        found.machine = finding["machine"]
    elif finding["event"] == "facts":
        found.facts |= finding["facts"]
    elif finding["event"] == "limit":
        found.values.setdefault(finding["name"], []).append(finding["value"])
    elif finding["event"] == "missing":
        found.missing[finding["name"]] = finding["reason"]
