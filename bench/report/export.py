"""An outcome as files: JSON for programs, Markdown for people, and GitHub's summary of a job."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from bench.report.verdicts import markdown, sentence
from bench.store.files import write_atomically, write_json
from bench.table.outcome import CellVerdict, Outcome

SCHEMA = 1


def as_json(outcome: Outcome, strict: bool) -> dict[str, Any]:
    """All of an outcome; fractions for changes, None where something is not known or without bound."""
    return {
        "schema": SCHEMA,
        "base": outcome.base,
        "head": outcome.head,
        "min_effect": outcome.min_effect,
        "exit_code": outcome.exit_code(strict),
        "sentence": sentence(outcome),
        "cells": [_cell(verdict) for verdict in outcome.verdicts],
        "uncompared": [
            {"case": left.cell[0], "implementation": left.cell[1], "status": left.status, "reason": left.reason}
            for left in outcome.uncompared
        ],
        "pairs": outcome.pairs,
        "seconds": outcome.seconds,
        "notes": outcome.notes,
        "lost_pairs": outcome.lost,
        "machine": outcome.machine,
        "raw": outcome.raw,
    }


def write(outcome: Outcome, strict: bool, json_file: Path | None, markdown_file: Path | None) -> None:
    """Write the files asked for, and the job's summary where GitHub names one. Raises OSError naming the file."""
    if json_file is not None:
        write_json(json_file, as_json(outcome, strict))
    if markdown_file is not None:
        write_atomically(markdown_file, markdown(outcome).encode())
    add_summary(markdown(outcome))


def check_writable(**files: Path | None) -> None:
    """Raise ValueError for a file that can't be written, by the option that names it; to be asked before measuring."""
    for option, path in files.items():
        if path is None:
            continue
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with tempfile.TemporaryFile(dir=path.absolute().parent) as stream:
                stream.write(b"\n")
                stream.flush()
        except OSError as error:
            raise ValueError(f"--{option} {path} can't be written: {error.strerror}") from None


def add_summary(text: str) -> None:
    """Add Markdown to the summary of a job on GitHub; nothing elsewhere. Raises OSError naming the file."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")


def _cell(verdict: CellVerdict) -> dict[str, Any]:
    case, implementation = verdict.cell
    return {
        "case": case,
        "implementation": implementation,
        "verdict": verdict.verdict,
        "change": _finite(verdict.effect),
        "low": _finite(verdict.low),
        "high": _finite(verdict.high),
        "observations": verdict.seen,
        "note": verdict.note,
        "warnings": [warning.as_dict() for warning in verdict.warnings],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
