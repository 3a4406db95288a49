"""A pass inside pytest: a Case is measured when its first test asks for it, and its samples are played back by a clock
that stands still otherwise."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from bench.cases.case import Cell
from bench.host.clock import Ledger
from bench.host.process import Worker
from bench.run.crew import Crew, file_name
from bench.run.plan import CaseSamples, aimed_seconds, measure, plan_case
from bench.run.survey import MOST_LOST, Survey
from bench.store.manifest import FAILED, MEASURED, CellRecord


class PlaybackClock:
    """Lets pytest-benchmark see times that were measured before: `play` moves `read` on by the next of them."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[float] = iter(())

    def load(self, seconds: Sequence[float]) -> None:
        """Set the samples to play, and the clock back to 0 so that none of their digits are lost in a sum."""
        self._samples = iter(seconds)

    def play(self) -> None:
        """Stand for one block. Raises StopIteration's RuntimeError when there are no more samples."""
        self._now = next(self._samples)

    def read(self) -> float:
        """The time; each reading after `play` gives that sample, and starts again at 0."""
        now, self._now = self._now, 0.0
        return now


class Session:
    """Remembers what was measured, so that each Case is measured once, all of its implementations together. Use it in a
    with statement, after which its processes are gone."""

    def __init__(self, selected: dict[str, list[str]], max_call: float, case_seconds: float, timeout: float) -> None:
        """`selected` is the implementations of each case id that are to be measured together; seconds for times."""
        self.cells = [(case, name) for case, names in selected.items() for name in names]
        self.max_call, self.timeout = max_call, timeout
        self.case_seconds = aimed_seconds(len(selected), case_seconds)
        self.order = random.Random()
        self._folder = tempfile.TemporaryDirectory(prefix="rnn-bench-pytest-")
        self._crew: Crew | None = None
        self._records: dict[Cell, CellRecord] = {}
        self._found: dict[str, CaseSamples] = {}
        self._lost: Counter[str] = Counter()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._crew is not None:
            self._crew.end()
        self._folder.cleanup()

    def measured(self, case_id: str, implementation: str) -> tuple[CellRecord, CaseSamples | None]:
        """What is known of a cell, and the samples of its Case where there are any. Raises WorkerDied, ControlFailed
        when nothing can be measured at all."""
        if not self._records:
            survey = Survey(self.cells, self._start_survey, self.timeout)
            self._records = {(record.case, record.implementation): record for record in survey}
            self._lost += survey.lost
        if case_id not in self._found:
            self._measure(case_id)
        record, found = self._records[case_id, implementation], self._found.get(case_id)
        if found is not None and implementation in found.failures:
            record.status, record.reason = FAILED, found.failures[implementation]
        return record, found

    def _measure(self, case_id: str) -> None:
        records = [record for (case, _), record in self._records.items() if case == case_id]
        for record in records:
            if record.status == MEASURED and self._lost[record.implementation] >= MOST_LOST:
                record.status, record.reason = FAILED, f"not tried, its process was lost {MOST_LOST} times before"
        calls = {r.implementation: r.call_seconds for r in records if r.status == MEASURED and r.call_seconds}
        if calls:
            plan = plan_case(case_id, calls, self.case_seconds)
            self._crew = self._crew or Crew(plan.calls, self._start_blocks, self.timeout).__enter__()
            found = self._found[case_id] = measure(self._crew, plan, self.order, Ledger())
            self._lost.update(found.lost.keys())

    def _start_survey(self, place: str, cells: list[Cell]) -> Worker:
        return Worker({"kind": "survey", "max_call": self.max_call, "cells": cells}, self._log("survey", place))

    def _start_blocks(self, place: str) -> Worker:
        return Worker({"kind": "blocks"}, self._log("pass", place))

    def _log(self, stage: str, place: str) -> Path:
        return Path(self._folder.name, f"{stage}-{file_name(place)}.log")
