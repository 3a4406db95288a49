"""An outcome as files: JSON for programs, which can be read again; Markdown for people; GitHub's summary of a job."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from bench.report.comment import markdown
from bench.report.metered import changes
from bench.report.verdicts import sentence
from bench.store.files import BrokenFile, write_atomically, write_json
from bench.table.comparison import EstimateWarning
from bench.table.outcome import TIME, CellVerdict, CountVerdict, Difference, Look, Lost, Outcome, Uncompared

SCHEMA = 3
READ = (2, SCHEMA)
"""Schemas that are read: those of 2 knew the time alone."""


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
        "uncompared": [_named(left) for left in outcome.uncompared],
        "too_few": outcome.too_few,
        "asked": outcome.asked,
        "looks": [dataclasses.asdict(look) for look in outcome.looks],
        "pairs": outcome.pairs,
        "seconds": outcome.seconds,
        "notes": outcome.notes,
        "lost_pairs": [_named(loss) for loss in outcome.lost],
        "machine": outcome.machine,
        "raw": outcome.raw,
        "meters": list(outcome.meters),
        "firsts": [_cell(verdict) for verdict in outcome.firsts],
        "first_effect": outcome.first_effect,
        "counts": [{**_named(found), "told": changes(found)} for found in outcome.counts],
    }


def read(path: Path) -> Outcome:
    """The outcome that a JSON file of these holds. Raises BrokenFile, and OSError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] not in READ:
            raise BrokenFile(f"{path}: schema {found['schema']}, and this version reads {READ[0]} and {READ[1]}")
        if found["schema"] != SCHEMA:
            found |= {"meters": [TIME], "firsts": [], "first_effect": 0.0, "counts": []}
        return Outcome(
            **{name: found[name] for name in ("base", "head", "min_effect", "notes", "asked", "pairs", "seconds")},
            **{name: found[name] for name in ("too_few", "machine", "raw")},
            verdicts=[_verdict(cell) for cell in found["cells"]],
            uncompared=[Uncompared(**_celled(left)) for left in found["uncompared"]],
            lost=[Lost(**_celled(loss)) for loss in found["lost_pairs"]],
            looks=[Look(**look) for look in found["looks"]],
            meters=tuple(found["meters"]),
            firsts=[_verdict(cell) for cell in found["firsts"]],
            first_effect=found["first_effect"],
            counts=[_count(fields) for fields in found["counts"]],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenFile(f"{path}: not the JSON of a gate: {error}") from None


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


def _count(fields: dict[str, Any]) -> CountVerdict:
    """The verdict of an exact meter."""
    own = {name: value for name, value in fields.items() if name != "told"}
    return CountVerdict(**_celled(own) | {"differences": tuple(Difference(**each) for each in own["differences"])})


def _named(found: Uncompared | Lost | CountVerdict) -> dict[str, Any]:
    """Its fields, the cell as two."""
    fields = dataclasses.asdict(found)
    case, implementation = fields.pop("cell")
    return {"case": case, "implementation": implementation, **fields}


def _celled(fields: dict[str, Any]) -> dict[str, Any]:
    """The same the other way round."""
    rest = {name: value for name, value in fields.items() if name not in ("case", "implementation")}
    return {"cell": (fields["case"], fields["implementation"]), **rest}


def _verdict(fields: dict[str, Any]) -> CellVerdict:
    """The verdict that `_cell` was made of."""
    change, low, high = (math.nan if fields[name] is None else fields[name] for name in ("change", "low", "high"))
    warnings = tuple(EstimateWarning(**warning) for warning in fields["warnings"])
    cell = (fields["case"], fields["implementation"])
    return CellVerdict(cell, fields["verdict"], change, low, high, fields["observations"], fields["note"], warnings)


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
