"""A checkup: is an implementation equal to the reference, on small cases of every kind? Nothing is timed or written.

It is done in a process of its own, so that a hang or a crash costs the case that it happened on; this module needs no
torch.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.cases import DEVICES, FIELDS, Case
from bench.manifest import FAILED, UNAVAILABLE
from bench.presets import BOTH_MODES, Grid, Preset
from bench.process import WorkerDied, findings
from bench.surveying import MOST_LOST

EQUAL, DIFFERS = "equal", "differs"

KINDS = Preset(
    "checkup",
    "One of each kind: a step and several, a sequence and several, both nonlinearities, a head, layers.",
    (
        {"seq_len": (1, 7)},
        {"seq_len": (1, 7), "batch_size": (3,), "nonlinearity": ("tanh", "relu")},
        {"seq_len": (7,), "batch_size": (3,), "output_size": (5,)},
        {"seq_len": (7,), "batch_size": (3,), "num_layers": (2,)},
    ),
)
WIDE = Preset("wide", "An input that is wider than the hidden state.", ({"seq_len": (7,), "batch_size": (3,)},))
SMALL: Grid = {"hidden_size": (8,), "mode": BOTH_MODES}


@dataclass(frozen=True)
class Outcome:
    """What was found on a case: EQUAL with the largest relative error, DIFFERS, FAILED or UNAVAILABLE with a reason."""

    case: Case
    status: str
    reason: str = ""
    error: float | None = None


def cases(devices: Iterable[str], overrides: Grid) -> list[Case]:
    """The cases of a checkup on these devices, in a fixed order; axes given replace this suite's choice."""
    found: list[Case] = []
    for device in devices:
        small = SMALL | overrides
        found += KINDS.cases(device, small)
        if "input_size" not in overrides:
            found += [dataclasses.replace(case, input_size=case.hidden_size + 5) for case in WIDE.cases(device, small)]
    return sorted(found)


def checkup(name: str, devices: tuple[str, ...], overrides: Grid, timeout: float, log: Path) -> Iterator[Outcome]:
    """The outcome of each case on the devices asked for, or on every one present, as it is found.

    Raises WorkerRefused for an implementation that doesn't import or a device that is not here, ValueError for one that
    takes its process down while it is imported, WorkerDied when no process can be had at all.
    """
    remaining = {case.id: case for case in cases(devices or DEVICES, overrides)}
    lost: Counter[str] = Counter()
    while remaining:
        job = {"kind": "check", "devices": list(devices), "implementation": name, "cases": list(remaining)}
        place: str | None = None
        try:
            for found in findings(job, timeout, log):
                if found["event"] == "ready":
                    place = name
                    remaining = {key: case for key, case in remaining.items() if case.device in found["devices"]}
                elif found["event"] == "start":
                    place = found["case"]
                elif found["event"] == "checked":
                    case = remaining.pop(found["case"])
                    yield Outcome(case, found["status"], found["reason"], found["error"])
        except WorkerDied as death:
            if place is None:
                raise
            if place not in remaining:
                raise ValueError(f"{name} does not import: {death}") from None
            yield Outcome(remaining.pop(place), FAILED, str(death))
            lost[name] += 1
            if lost[name] == MOST_LOST:
                reason = f"not tried, its process was lost on {MOST_LOST} cases before"
                yield from (Outcome(case, FAILED, reason) for case in remaining.values())
                return


def varying(found: Iterable[Case]) -> list[str]:
    """The fields that have more than one value among these cases."""
    listed = list(found)
    return [field for field in FIELDS if len({getattr(case, field) for case in listed}) > 1]


def conclusion(outcomes: list[Outcome]) -> str:
    """One sentence about all of them."""
    counts = Counter(outcome.status for outcome in outcomes)
    tried = len(outcomes) - counts[UNAVAILABLE]
    wrong = [
        f"{text} in {counts[status]}" for status, text in ((DIFFERS, "not equal"), (FAILED, "failed")) if counts[status]
    ]
    declined = f"; it declines {counts[UNAVAILABLE]} more" if counts[UNAVAILABLE] else ""
    if not tried:
        return f"It runs in none of the {len(outcomes)} cases here, so that nothing is known of it."
    if wrong:
        return f"Of {tried} cases: {', '.join([*wrong, f'equal in {counts[EQUAL]}'])}{declined}."
    return f"Equal in all {tried} cases{declined}."


def is_sound(outcomes: list[Outcome]) -> bool:
    """Whether it is equal wherever it runs, and runs somewhere."""
    statuses = {outcome.status for outcome in outcomes}
    return EQUAL in statuses and statuses <= {EQUAL, UNAVAILABLE}
