"""The measured cells of a run as the findings look at them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bench.report.facets import usual_case, varying_axes
from bench.report.names import on_device, ordered, phrase, short_names


@dataclass(frozen=True)
class Finding:
    """One thing that a run says: what it is about, and the sentence, with names of code between backticks."""

    about: str
    text: str


class Context:
    """Measured cells only, with what most findings ask of them."""

    def __init__(self, cells: pd.DataFrame, baseline: str) -> None:
        self.cells = cells
        self.baseline = baseline
        self.names = ordered(cells["implementation"])
        self.short = short_names(self.names)
        self.devices = sorted(cells["device"].unique())
        self.varying = varying_axes(cells)

    @cached_property
    def contenders(self) -> list[str]:
        """Implementations that have a speed-up over the baseline."""
        compared = self.cells[self.cells["speedup"].notna()]["implementation"]
        return [name for name in ordered(compared) if name != self.baseline]

    @cached_property
    def focus(self) -> str | None:
        """The contender that trends are told of: one call for the sequence, or else the fastest there is."""
        if "whole" in self.contenders:
            return "whole"
        medians = self.cells.groupby("implementation")["speedup"].median()
        return max(self.contenders, key=lambda name: medians[name], default=None)

    def here(self, device: str | None = None) -> str:
        """`on this CPU, ` where a sentence has to say so: with several devices; trends are told of the first."""
        return f"{on_device(device or self.devices[0])}, " if len(self.devices) > 1 else ""

    @property
    def gain(self) -> str:
        """The focus's speed-up, as the subject of a sentence."""
        return f"the speed-up of {self.phrase(self.focus or '')} over {self.phrase(self.baseline)}"

    def phrase(self, name: str) -> str:
        """An implementation in a sentence."""
        return phrase(name, self.short)

    def on(self, device: str) -> pd.DataFrame:
        """The cells on a device."""
        return self.cells[self.cells["device"] == device]

    def usual_rows(self, device: str) -> list[pd.Series]:
        """The cells of the case that sentences quote, in the order of the implementations."""
        here = self.on(device)
        rows = here[here["case"] == usual_case(here)].set_index("implementation", drop=False)
        return [rows.loc[name] for name in self.names if name in rows.index]

    def against_baseline(self, name: str, device: str) -> pd.DataFrame:
        """Cells of one implementation whose speed-up has an interval, one row per case."""
        if name == self.baseline:
            return self.cells.iloc[:0]
        here = self.on(device)
        return here[(here["implementation"] == name) & here["speedup_low"].notna()].reset_index(drop=True)
