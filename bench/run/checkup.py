"""A checkup: one implementation held against the reference on cases of each kind, and what would mend it.

It is done in a process of its own. One that dies or hangs costs the case it was at, and another goes on behind it. This
module needs no torch.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.cases import lengths
from bench.cases.case import DEVICES, FIELDS, Case
from bench.cases.presets import BOTH_MODES, Grid, Preset
from bench.host.process import WorkerDied, findings
from bench.run.survey import MOST_LOST
from bench.store.manifest import DIFFERS, EQUAL, FAILED, UNAVAILABLE
from bench.table.reasons import alike

KINDS = Preset(
    "checkup",
    "One of each kind: a step and several, a sequence and several, tanh and relu, a head, layers.",
    (
        {"seq_len": (1, 7)},
        {"seq_len": (1, 7), "batch_size": (3,), "network": ("rnn-tanh", "rnn-relu")},
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
    """The cases of a checkup on these devices, in a fixed order; axes given replace this suite's choice. Raises
    ValueError where the lengths of their sequences can't be had."""
    found: list[Case] = []
    for device in devices:
        small = SMALL | overrides
        found += KINDS.cases(device, small)
        if "input_size" not in overrides:
            found += [dataclasses.replace(case, input_size=case.hidden_size + 5) for case in WIDE.cases(device, small)]
    for case in found:
        lengths.check(case)
    return sorted(found)


@dataclass
class Checkup:
    """What was found of an implementation: the outcomes in the order of the cases, and, of a bare module, how it is
    called where that is in another way than usual (`taken`). `lines` are what would mend it, by the attribute of its
    class that each sets, and `mended` is how many cases would then have which status."""

    outcomes: list[Outcome] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)
    mended: Counter[str] = field(default_factory=Counter)

    @property
    def counts(self) -> Counter[str]:
        """How many cases have which status."""
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def is_sound(self) -> bool:
        """Whether it is equal wherever it runs, and runs somewhere."""
        return EQUAL in self.counts and set(self.counts) <= {EQUAL, UNAVAILABLE}

    def distinct(self) -> list[list[Outcome]]:
        """Outcomes of one status whose reasons differ in numbers at most: what is wrong first, what is equal last."""
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault((outcome.status, alike(outcome.reason)), []).append(outcome)
        order = (DIFFERS, FAILED, UNAVAILABLE, EQUAL)
        return sorted(groups.values(), key=lambda group: order.index(group[0].status))


def checkup(
    name: str,
    devices: tuple[str, ...],
    overrides: Grid,
    timeout: float,
    log: Path,
    getting_on: Callable[[int, int], None] = lambda done, of: None,
) -> Checkup:
    """What is found on the devices asked for, or on every one present; `getting_on` is told after how many of how many
    cases.

    Raises WorkerRefused for an implementation that doesn't import or a device that is not here, ValueError for one that
    takes its process down while it is imported, WorkerDied when no process can be had at all.
    """
    remaining = {case.id: case for case in cases(devices or DEVICES, overrides)}
    found, lost = Checkup(), 0
    while remaining:
        job = {"kind": "check", "devices": list(devices), "implementation": name, "cases": list(remaining)}
        place: str | None = None
        try:
            for told in findings(job, timeout, log):
                if told["event"] == "ready":
                    place = name
                    remaining = {key: case for key, case in remaining.items() if case.device in told["devices"]}
                elif told["event"] == "taken":
                    found.taken = told["how"]
                elif told["event"] == "start":
                    place = told["case"]
                elif told["event"] == "checked":
                    case = remaining.pop(told["case"])
                    found.outcomes.append(Outcome(case, told["status"], told["reason"], told["error"]))
                    getting_on(len(found.outcomes), len(found.outcomes) + len(remaining))
                elif told["event"] == "mend" and not lost:  # else it has not seen all cases
                    found.lines, found.mended = told["lines"], Counter(told["counts"])
        except WorkerDied as death:
            if place is None:
                raise
            if not remaining:  # trying to mend it was too much for it
                break
            if place not in remaining:
                raise ValueError(f"{name} does not import: {death}") from None
            found.outcomes.append(Outcome(remaining.pop(place), FAILED, str(death)))
            lost += 1
            if lost == MOST_LOST:
                reason = f"not tried, its process was lost on {MOST_LOST} cases before"
                found.outcomes += [Outcome(case, FAILED, reason) for case in remaining.values()]
                break
    return found


def varying(found: Iterable[Case]) -> list[str]:
    """The fields that have more than one value among these cases."""
    listed = list(found)
    return [axis for axis in FIELDS if len({getattr(case, axis) for case in listed}) > 1]
