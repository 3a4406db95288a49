"""Who is told how a run is getting on: this one keeps silent, `bench.progress.Bar` shows it to a person."""

from __future__ import annotations

from bench.manifest import CellRecord, Manifest


class Listener:
    """Override what is of interest."""

    def surveying(self, cells: int) -> None:
        """The survey of so many cells begins."""

    def surveyed(self, record: CellRecord) -> None:
        """A cell was surveyed."""

    def planned(self, manifest: Manifest, passes: int, seconds: float) -> None:
        """The passes begin; they should take so many seconds."""

    def passing(self, number: int, cells: int, seconds: float) -> None:
        """A pass begins."""

    def measured(self, cells: int, seconds: float) -> None:
        """A Case was measured: so many cells, and the seconds it was planned to take."""

    def note(self, text: str) -> None:
        """Something worth a line."""
