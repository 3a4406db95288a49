"""What is kept of a profile: one record for each cell, all of a run in one JSON file. Needs no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases import Case
from bench.files import BrokenFile, read_json, take, write_json
from bench.profile.breakdown import CATEGORIES
from bench.profile.counts import Counts, Product

SCHEMA = 1
PROFILED, FAILED = "profiled", "failed"

AGREED = 0.1
"""How far the parts may be from adding up to the time measured: beyond, it is measured again, and if that comes no
closer the reader is told."""


@dataclass
class ProfileRecord:
    """Where the time of one cell goes; seconds and bytes of one call.

    The call that was profiled is that of `profiled`, the id of the same Case with at most as many steps as were asked
    for. `seconds` is its time without the profiler, `categories` add up to it; `traced_seconds` is what they added up
    to before the work among them was scaled to that, the check of the method. `hollow_seconds` is the time of the
    twin with one hidden unit, None on CUDA, where `event_seconds` is the call's time between two events on the device.
    `busy` is the share of the time in which something was computed or moved. `trace` and `flame` are files beside the
    record, empty where none was asked for.
    """

    case: str
    implementation: str
    status: str = PROFILED
    reason: str = ""
    profiled: str = ""
    seconds: float = 0.0
    traced_seconds: float = 0.0
    hollow_seconds: float | None = None
    event_seconds: float | None = None
    busy: float = 0.0
    categories: dict[str, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    trace: str = ""
    flame: str = ""

    @property
    def agreement(self) -> float:
        """What the categories added up to, over the time measured: 1 is perfect."""
        return self.traced_seconds / self.seconds if self.seconds else 0.0

    @property
    def steps(self) -> int:
        """Steps of the call that was profiled."""
        return Case.parse(self.profiled).seq_len


@dataclass
class Profile:
    """All records of a run, or the reason why there are none."""

    records: list[ProfileRecord] = field(default_factory=list)
    missing: str = ""
    schema: int = SCHEMA

    def by_cell(self) -> dict[tuple[str, str], ProfileRecord]:
        """(case, implementation) -> record, of those that were profiled."""
        return {(each.case, each.implementation): each for each in self.records if each.status == PROFILED}


def write_profile(path: Path, profile: Profile) -> None:
    """Write it, whole or not at all. Raises OSError."""
    write_json(path, dataclasses.asdict(profile))


def read_profile(path: Path) -> Profile:
    """Read it. Raises BrokenFile naming file and field."""
    content = read_json(path)
    if take(content, path, "schema", int) != SCHEMA:
        raise BrokenFile(f"{path}: schema {content['schema']}; this version reads {SCHEMA}")
    take(content, path, "missing", str)
    records = take(content, path, "records", list)
    try:
        return Profile([from_dict(each) for each in records], content["missing"])
    except (TypeError, ValueError, KeyError) as error:
        raise BrokenFile(f"{path}: the field records is not as expected: {error}") from None


def from_dict(fields: dict[str, Any]) -> ProfileRecord:
    """The record behind its fields. Raises TypeError, ValueError or KeyError for others."""
    counts = dict(fields["counts"])
    products = [Product(**each) for each in counts.pop("products")]
    record = ProfileRecord(**fields | {"counts": Counts(**counts, products=products)})
    if record.status == PROFILED:
        Case.parse(record.case), Case.parse(record.profiled)
        if set(record.categories) != set(CATEGORIES) or not record.seconds > 0:
            raise ValueError(f"{record.implementation} on {record.case} has no proper categories or time")
    return record
