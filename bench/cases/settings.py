"""What a run was asked to do, and the cells that follow from it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from bench.cases import lengths
from bench.cases.case import ALIASES, DEVICES, Case
from bench.cases.presets import Grid, find
from rnn_impls import registry


@dataclass(frozen=True)
class Settings:
    """The options of `python -m bench run`; seconds for times, a fraction for precision (0.03 is 3 %).

    `devices` empty means every device present, `implementations` empty those of the preset. `baseline` empty means
    `manual` where selected, else the first. `cases` are the ids of the Cases that a part of a run is narrowed down to,
    empty for all. With `meters` the survey counts what is exact of a call (`bench.why.meters`).
    """

    preset: str = "quick"
    devices: tuple[str, ...] = ()
    implementations: str = ""
    baseline: str = ""
    overrides: Grid = field(default_factory=dict)
    passes: int = 5
    precision: float | None = None
    budget: float | None = None
    max_call: float = 5.0
    timeout: float = 120.0
    cases: tuple[str, ...] = ()
    meters: bool = False

    def __post_init__(self) -> None:
        own = find(self.preset).implementations
        object.__setattr__(self, "implementations", self.implementations or own)
        for device in self.devices:
            if device not in DEVICES:
                raise ValueError(f"unknown device {device!r}; known are {', '.join(DEVICES)}")
        for name in ("passes", "precision", "budget", "max_call", "timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"--{name.replace('_', '-')} must be more than 0, not {value:g}")
        if self.precision is not None and self.passes < 2:
            raise ValueError("--precision needs --passes of at least 2: one pass shows no spread")
        names = {name for device in self.devices or DEVICES for name in self.names(device)}
        if self.baseline and self.baseline not in names:
            raise ValueError(f"--baseline {self.baseline} is not among the selected {', '.join(sorted(names))}")

    @property
    def case_seconds(self) -> float:
        """Length aimed at for a Case in a pass."""
        return find(self.preset).case_seconds

    def names(self, device: str) -> list[str]:
        """The implementations to run on a device, the baseline's place unchanged."""
        return registry.select(self.implementations, device)

    def baseline_name(self) -> str:
        """The implementation that speed-ups are relative to."""
        names = self.names("cpu")
        return self.baseline or ("manual" if "manual" in names else names[0])

    def cells(self) -> list[tuple[Case, str]]:
        """Every Case x Implementation on every device asked for, or on every known one where none was. Raises
        ValueError where a Case is not possible, the lengths of its sequences can't be had, or none can have TF32 that
        is asked for."""
        chosen = find(self.preset)
        found = [(device, case) for device in self.devices or DEVICES for case in chosen.cases(device, self.overrides)]
        if self.cases:
            found = [(device, case) for device, case in found if case.id in self.cases]
        for _, case in found:
            lengths.check(case)
        if True in self.overrides.get("tf32", ()) and not any(case.tf32 for _, case in found):
            raise ValueError("--tf32 is for float32 on CUDA, which is not among the cases")
        return [(case, name) for device, case in found for name in self.names(device)]

    def as_dict(self) -> dict[str, Any]:
        """As the manifest keeps it, with the baseline by name."""
        return dataclasses.asdict(self) | {"baseline": self.baseline_name()}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Settings:
        """The settings behind a manifest's; one of an earlier version has no `cases` and no `meters`. Raises ValueError
        naming fields that are missing or too many."""
        fields = {"cases": (), "meters": False, **fields}
        if wrong := {field.name for field in dataclasses.fields(cls)} ^ set(fields):
            raise ValueError(f"the settings of the run are not those of this version: {', '.join(sorted(wrong))}")
        overrides = {ALIASES.get(axis, axis): tuple(values) for axis, values in fields["overrides"].items()}
        listed = {name: tuple(fields[name]) for name in ("devices", "cases")}
        return cls(**fields | listed | {"overrides": overrides})


def parse_devices(text: str) -> tuple[str, ...]:
    """`cpu,cuda` -> the two names, unchecked; nothing stands for every device present."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def parse_fraction(text: str) -> float:
    """`3%` or `0.03` -> 0.03. Raises ValueError for anything else."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no fraction; write 3% or 0.03") from None


def parse_seconds(text: str) -> float:
    """`90`, `90s`, `2m` or `1h` -> seconds. Raises ValueError for anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        return float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 90s, 2m or 1h") from None
