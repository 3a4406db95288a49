"""What every picture of a run shares: the measured cells, their settings, names and looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from bench.report.facets import Setting, settings
from bench.report.names import of_torch, short_names
from bench.report.pictures.palette import Look, looks
from bench.report.pictures.render import Entry, Panel
from bench.store.manifest import MEASURED, Manifest
from rnn_impls.registry import ordered


@dataclass(frozen=True)
class Group:
    """Panels of one setting; `columns` is how many stand side by side where there is room; `folded` ones
    are closed on the page until asked for."""

    title: str
    panels: list[Panel]
    columns: int
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture of the report: a name for its files, a title, its panels by setting, and its legend where that is
    another than the implementations'."""

    name: str
    title: str
    groups: list[Group]
    legend: list[Entry] | None = None

    @property
    def panels(self) -> list[Panel]:
        """All panels of its files; where there are several settings, the title of each says which it belongs to."""
        return [
            replace(panel, title=f"{panel.title} · {group.title}" if group.title else panel.title)
            for group in self.groups
            for panel in group.panels
            if not panel.page_only
        ]

    @property
    def columns(self) -> int:
        """Panels side by side on a sheet."""
        return max(group.columns for group in self.groups)


def picture_of(name: str, title: str, groups: Iterable[Group], legend: list[Entry] | None = None) -> Picture | None:
    """The groups that have panels; None where none has."""
    kept = [group for group in groups if group.panels]
    return Picture(name, title, kept, legend) if kept else None


class Scene:
    """A run as its pictures see it."""

    def __init__(self, cells: pd.DataFrame, manifest: Manifest) -> None:
        self.cells = cells[(cells["status"] == MEASURED) & cells["seconds"].notna()].reset_index(drop=True)
        self.baseline = manifest.baseline
        self.precision: float | None = manifest.settings.get("precision")
        self.names = ordered(cells["implementation"])
        self.short = short_names(self.names)
        self.looks: dict[str, Look] = looks(self.names)
        about, computed = dict(zip(cells["implementation"], cells["about"].fillna(""), strict=True)), cells["network"]
        self.about = {name: of_torch(text, computed.unique()) for name, text in about.items()}
        self.settings: list[Setting] = settings(self.cells)
        several = [each for each in self.settings if len(each.cells[["hidden_size", "seq_len"]].drop_duplicates()) > 1]
        self.spread = several or self.settings
        """Settings that were measured at several sizes, where there are such: one size is no picture beside them."""

    @property
    def legend(self) -> list[Entry]:
        """One entry for each implementation that was measured anywhere."""
        measured = set(self.cells["implementation"])
        return [
            Entry(self.short[name], self.looks[name], self.about[name].replace("`", ""))
            for name in self.names
            if name in measured
        ]

    def groups(self, panels: Callable[[Setting], Iterable[Panel]], columns: int = 2) -> list[Group]:
        """A group of each setting that has a picture to give."""
        return [Group(each.title, list(panels(each)), columns, self.folded(each)) for each in self.spread]

    def folded(self, setting: Setting) -> bool:
        """With many settings, only the first of each device is open from the start."""
        return len(self.settings) > 3 and any(
            other.device == setting.device for other in self.settings[: self.settings.index(setting)]
        )

    def label(self, name: str) -> str:
        """The short name of an implementation."""
        return self.short[name]
