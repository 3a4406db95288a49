"""What is kept of a profile: one record for each cell, all of a run in one JSON file; and one word for what bounds it.

The word (`label`) is by a rule from the cell's profile and the machine's limits:

    more than half of the time is overhead (Python and dispatch, autograd, gaps, waiting)
        on CUDA, with gaps between kernels the largest part of it    launch-bound
        else                                                         overhead-bound
    otherwise, of the least times that the operators it made need here,
        operations / peak is the larger                              compute-bound
        bytes / rate of where they lie is the larger                 memory-bound

The operators' shapes give operations and bytes; where the profiler can't see the products (a kernel of one's own, a
library's whole network), those of the Case's floor stand in for them. Needs no torch.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.store.files import BrokenFile, read_json, take, write_json
from bench.why.floor import MEMORY, floor, levels, peak, read_seconds
from bench.why.limits.limits import Limits
from bench.why.profile.breakdown import CATEGORIES, GAPS, OVERHEAD
from bench.why.profile.counts import Counts, Product
from bench.why.work import Counted, work

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

    def by_cell(self) -> dict[Cell, ProfileRecord]:
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


OVERHEAD_BOUND, LAUNCH_BOUND = "overhead-bound", "launch-bound"
MEMORY_BOUND, COMPUTE_BOUND = "memory-bound", "compute-bound"
HALF = 0.5


def overhead_share(categories: dict[str, float]) -> float:
    """The part of a call in which nothing is computed."""
    total = sum(categories.get(name, 0.0) for name in CATEGORIES)
    return sum(categories.get(name, 0.0) for name in OVERHEAD) / total if total > 0 else 0.0


def label(case: Case, categories: dict[str, float], counts: Counts, limits: Limits, counted: Counted = None) -> str:
    """The label of one cell. Raises `bench.why.floor.NoFloor` where it takes a limit that is missing."""
    if overhead_share(categories) > HALF:
        largest = max(OVERHEAD, key=lambda name: categories.get(name, 0.0))
        return LAUNCH_BOUND if case.device == "cuda" and largest == GAPS else OVERHEAD_BOUND
    if case.device != "cpu" or counts.product_operations < HALF * work(case, counted=counted).operations:
        return MEMORY_BOUND if floor(case, limits, counted=counted).bound == MEMORY else COMPUTE_BOUND
    compute, memory = needs(case, counts, limits)
    return MEMORY_BOUND if memory > compute else COMPUTE_BOUND


def needs(case: Case, counts: Counts, limits: Limits) -> tuple[float, float]:
    """The least seconds for the operations, and for the bytes, of the operators that a cell made on the CPU.

    A product's bytes come from the innermost level that holds them; those of the other operators, whose tensors are
    mostly as small as a state, from where their mean one fits. Raises NoFloor.
    """
    places = levels(limits, case)
    compute = counts.product_operations / peak(limits, case.dtype, case.threads)
    memory = sum(product.count * read_seconds(product.bytes, places) for product in counts.products)
    others = max(1, counts.operators - sum(product.count for product in counts.products))
    return compute, memory + others * read_seconds(counts.touched_bytes / others, places)
