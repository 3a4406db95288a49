"""Who is told how a run is getting on: a listener that keeps silent, and one that shows a person a bar, or plain lines
where there is no terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.cases.case import Case
from bench.cases.words import in_words
from bench.store.manifest import FAILED, MEASURED, CellRecord, Manifest


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

    def explaining(self, what: str, parts: int | None) -> None:
        """A part of the explanation begins, of so many steps where that is known."""

    def explained(self) -> None:
        """One of these steps is done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Bar(Listener):
    """A listener that shows cells, passes and the time left; `then` tells how long is needed after the passes."""

    def __init__(self, console: Console, then: Callable[[Manifest], float] | None = None) -> None:
        self.console = console
        self.then = then
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[cells]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("survey", total=None, cells="")
        self._cells = self._all_cells = self._passes = 0
        self._failed: set[str] = set()

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()

    def surveying(self, cells: int) -> None:
        """The survey begins."""
        self._cells, self._all_cells = 0, cells
        self.note("Checking that every implementation computes the same network ...")
        self._progress.reset(self._task, description="survey", total=None, cells="")

    def surveyed(self, record: CellRecord) -> None:
        """Count a surveyed cell; an implementation's first failure is worth a line at once."""
        self._cells += 1
        if record.status == FAILED and record.implementation not in self._failed:
            self._failed.add(record.implementation)
            where = in_words(Case.parse(record.case))
            ask = f" (ask: python -m bench check {record.implementation})" if ":" in record.implementation else ""
            self.note(f"failed: `{record.implementation}` at {where}: {record.reason}{ask}")
        self._progress.update(self._task, cells=f"{self._cells} cells")

    def planned(self, manifest: Manifest, passes: int, seconds: float) -> None:
        """Say how many cells there are and how long it should take, before it starts."""
        measured = [record for record in manifest.cells if record.status == MEASURED]
        cases = len({record.case for record in measured})
        names = list(dict.fromkeys(record.implementation for record in measured))
        why = f", then about {_duration(self.then(manifest))} to say why" if self.then and measured else ""
        self.note(f"{len(measured)} cells: {_count(cases, 'case')} by {', '.join(names) or 'nothing'}.")
        self.note(f"{_count(passes, 'pass', 'passes')}: about {_duration(seconds)}{why}.")
        for (name, status, reason), count in Counter(
            (r.implementation, r.status, r.reason) for r in manifest.cells if r.status not in (MEASURED, FAILED)
        ).items():
            self.note(f"  {name} is {status} in {count} cells: {reason}")
        self._passes = passes
        self._progress.reset(self._task, total=max(seconds, 1e-9), description="measuring", cells="")

    def passing(self, number: int, cells: int, seconds: float) -> None:
        """A pass begins."""
        self._cells, self._all_cells = 0, cells
        total = f" of {self._passes}" if number <= self._passes else ", for the precision asked for"
        self._progress.update(self._task, description=f"pass {number}{total}", cells=f"0 of {cells} cells")
        if not self.console.is_terminal:
            self.console.print(f"pass {number}{total}: {cells} cells", highlight=False)

    def measured(self, cells: int, seconds: float) -> None:
        """A Case was measured."""
        self._cells += cells
        self._progress.update(self._task, advance=seconds, cells=f"{self._cells} of {self._all_cells} cells")

    def explaining(self, what: str, parts: int | None) -> None:
        """A part of the explanation begins."""
        self._cells, self._all_cells = 0, parts or 0
        self._progress.reset(self._task, total=parts, description=what, cells="")
        if not self.console.is_terminal:
            self.note(f"measuring {what}")

    def explained(self) -> None:
        """A step of it is done."""
        self._cells += 1
        of = f" of {self._all_cells}" if self._all_cells else ""
        self._progress.update(self._task, advance=1, cells=f"{self._cells}{of}")

    def note(self, text: str) -> None:
        """A line above the bar, broken between words alone."""
        self.console.print(text, highlight=False, markup=False, overflow="ignore", crop=False)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
