"""A pass inside pytest: surveys and measures a Case when its first test asks for it."""

from __future__ import annotations

import random

from bench.cases import Case
from bench.ledger import Ledger
from bench.machine import fix_numerics, pin
from bench.manifest import FAILED, MEASURED, CellRecord
from bench.measure import CaseSamples, measure
from bench.plan import aimed_seconds, plan_case
from bench.survey import Surveyor


class Session:
    """Remembers what was measured, so that each Case is measured once, all of its contenders together."""

    def __init__(self, selected: dict[str, list[str]], max_call: float, case_seconds: float) -> None:
        """`selected` is the implementations of each case id that are to be measured together."""
        self.selected = selected
        self.case_seconds = aimed_seconds(len(selected), case_seconds)
        self.surveyor = Surveyor(max_call, Ledger())
        self.order = random.Random()
        self._records: dict[str, dict[str, CellRecord]] = {}
        self._found: dict[str, CaseSamples] = {}
        fix_numerics()

    def measured(self, case_id: str, implementation: str) -> tuple[CellRecord, CaseSamples | None]:
        """What is known of a cell, and the samples of its Case where there are any."""
        if case_id not in self._records:
            self._measure(Case.parse(case_id))
        record, found = self._records[case_id][implementation], self._found.get(case_id)
        if found is not None and implementation in found.failures:
            record.status, record.reason = FAILED, found.failures[implementation]
        return record, found

    def _measure(self, case: Case) -> None:
        pin(case.threads)
        records = {name: self.surveyor.survey(case, name) for name in self.selected[case.id]}
        self._records[case.id] = records
        calls = {n: r.call_seconds for n, r in records.items() if r.status == MEASURED and r.call_seconds is not None}
        if calls:
            plan = plan_case(case.id, calls, self.case_seconds)
            self._found[case.id] = measure(
                case, plan.calls, plan.rounds, self.order, self.surveyor.ledger, cold=plan.cold
            )
