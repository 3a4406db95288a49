"""Measured once, in fresh processes, and kept: gradients by the version of torch, limits by machine and software."""

from __future__ import annotations

import datetime
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.host.process import WorkerDied, findings
from bench.store.files import BrokenFile, write_json
from bench.why.gradients.file import read
from bench.why.limits.limits import Limits, fingerprint, read_limits, write_limits

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
    found = measured_gradients()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def measured_gradients() -> dict[str, Any]:
    """Measure in a fresh process, with the sizes of the command's defaults. Raises WorkerDied."""
    with tempfile.TemporaryDirectory() as folder:
        for finding in findings({"kind": "gradients"}, TIMEOUT, Path(folder) / "worker.log"):
            if finding["event"] == "gradients":
                found: dict[str, Any] = finding["found"]
                return found
    raise WorkerDied("the process ended without a word of gradients")


PROCESSES = 3


def kept_path(reports: Path, machine: dict[str, Any]) -> Path:
    """Where the limits of this machine are kept."""
    return reports / "limits" / f"{fingerprint(machine)}.json"


def limits_of(
    machine: dict[str, Any],
    reports: Path,
    note: Callable[[str], None] = lambda text: None,
    threads: Sequence[int] = (),
    again: bool = False,
) -> Limits:
    """The limits of this machine, as kept under `reports`, or measured now and kept.

    `machine` is its description, `threads` are counts that they are needed for. What is measured now, since it was
    asked for `again` or a count is missing, joins what is kept: one sitting may meet the machine in a slow hour, and
    floors rest on the best of all. A broken file is measured anew. Raises what `measured` raises.
    """
    path = kept_path(reports, machine)
    kept = None
    try:
        kept = read_limits(path) if path.exists() else None
    except BrokenFile as error:
        note(f"{error}; measured anew")
    if kept and not again and set(threads) <= set(kept.threads()):
        return kept
    note(f"Measuring what this machine allows (once; kept in {path}) ...")
    found = measured_limits(threads)
    if kept:
        found = kept.joined(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_limits(path, found)
    return found


def this_machine(reports: Path, again: bool, note: Callable[[str], None]) -> tuple[Limits, Path]:
    """The limits of the machine this runs on, and where they are kept. Raises what `limits_of` raises."""
    from bench.host.machine import describe

    machine = describe()
    return limits_of(machine, reports, note, again=again), kept_path(reports, machine)


def measured_limits(threads: Sequence[int] = ()) -> Limits:
    """Measure now, in fresh processes one after the other. Raises WorkerDied, and OSError."""
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    found = Limits({}, started)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(PROCESSES):
            job = {"kind": "limits", "threads": sorted(threads)}
            for finding in findings(job, TIMEOUT, Path(folder) / "worker.log"):
                _take(found, finding)
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
