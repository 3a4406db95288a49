"""The samples of the cells that count as measured, and what is known of them beside their estimates.

sampled_of(run)          all samples as arrays, made once
measured_numbers(run)    which of their cells count as measured
warnings(run)            what qualifies each
pass_seconds(run)        what each pass says of the time of a call
"""

from __future__ import annotations

from collections.abc import Collection
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from bench.cases.case import Cell
from bench.store.manifest import MEASURED, CellRecord
from bench.table.comparison import NOT_PINNED, SHARED_CORE, TAKEN_AGAIN, EstimateWarning
from bench.table.observation import by_pass, with_counted
from bench.table.qualified import of_samples
from bench.table.reading import Run
from bench.table.sampled import Sampled

_SAMPLED: WeakKeyDictionary[Run, tuple[pd.DataFrame, Sampled]] = WeakKeyDictionary()


def sampled_of(run: Run) -> Sampled:
    """The samples of a run, with what counts of each block (`bench.table.observation`); made once."""
    known = _SAMPLED.get(run)
    if known is None or known[0] is not run.samples:
        _SAMPLED[run] = known = (run.samples, Sampled(with_counted(run.samples)))
    return known[1]


def number_of(sampled: Sampled, record: CellRecord) -> int:
    """The number of a cell's samples; -1 for one that doesn't count as measured, or has none."""
    return sampled.number.get(record.cell, -1) if record.status == MEASURED else -1


def measured_numbers(run: Run, sampled: Sampled) -> list[int]:
    """The numbers of the cells that count as measured, in order."""
    return sorted(k for record in run.manifest.cells if (k := number_of(sampled, record)) >= 0)


def measured_samples(run: Run) -> dict[Cell, pd.DataFrame]:
    """(case, implementation) -> samples, of the cells that count as measured; a cell that failed in a pass doesn't.

    What counts of each block stands beside it; see `bench.table.observation`.
    """
    sampled = sampled_of(run)
    return {sampled.cells[k]: sampled.rows(k) for k in measured_numbers(run, sampled)}


def warnings(run: Run) -> dict[Cell, list[EstimateWarning]]:
    """(case, implementation) -> what qualifies whatever is estimated from its samples, of the cells that count as
    measured."""
    sampled = sampled_of(run)
    found = of_samples(sampled, run.manifest.first_passes or None)
    loose = [EstimateWarning(NOT_PINNED)] if run.manifest.machine.get("pinned") is False else []
    carried = {}
    for k in measured_numbers(run, sampled):
        case = sampled.cells[k][0]
        counts = ((TAKEN_AGAIN, run.taken_again.get(case, 0)), (SHARED_CORE, run.shared_core.get(case, 0)))
        told = [EstimateWarning(kind, count) for kind, count in counts if count]
        carried[sampled.cells[k]] = [*found[k], *told, *loose]
    return carried


def pass_seconds(run: Run, cases: Collection[str] | None = None) -> dict[Cell, pd.Series]:
    """(case, implementation) -> seconds per call by pass, of measured cells, all or those of some cases.

    Only of the passes that were planned before any was seen: those added for a precision hold some cells only.
    """
    sampled, first = sampled_of(run), run.manifest.first_passes or np.inf
    logs = sampled.over("counted")
    found = {}
    for k in measured_numbers(run, sampled):
        if cases is None or sampled.cells[k][0] in cases:
            at = np.arange(sampled.pass_starts[k], sampled.pass_starts[k] + sampled.pass_counts[k])
            if len(at := at[logs.passes[at] <= first]):
                found[sampled.cells[k]] = pd.Series(np.exp(logs.log[at]), pd.Index(logs.passes[at], name="pass"))
    return found


def log_controls(samples: pd.DataFrame) -> pd.DataFrame:
    """What each pass says of the time of a cell over the control's."""
    return by_pass(samples, "counted", "control_counted")
