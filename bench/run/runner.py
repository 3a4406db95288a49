"""One command's worth of measuring: survey, then passes, each in a fresh process; one run folder.

    survey every cell, those of a user's code in processes of its own
    repeat for the passes asked for:
        measure every cell that the survey let through, by a crew of fresh processes, in shuffled order
        write the pass, whole or not at all
    with a precision: add passes for the cells that need them (Stein's two stages, see bench.table.stats), until the
        budget is spent

What is on disk is always a run that can be reported and resumed; this module needs no torch.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from bench.cases.case import Case, Cell
from bench.cases.settings import Settings
from bench.cases.words import in_words
from bench.host.clock import Ledger
from bench.host.identity import OtherMachine, differences, place
from bench.host.process import Worker, WorkerDied
from bench.run.crew import Crew, file_name
from bench.run.plan import STARTING_SECONDS, CasePlan, CaseSamples, ControlFailed, measure, plan_pass
from bench.run.progress import Listener
from bench.run.survey import MOST_LOST, Survey
from bench.store.folder import LOGS
from bench.store.manifest import FAILED, MEASURED, Manifest, write_manifest
from bench.store.passes import benchmark_entry, disturbed_share, extra_info, missing_passes, pass_files, write_pass
from bench.table.lines import lines_of

TAKEN_AGAIN_FROM = 1 / 3
"""Share of the time of a Case's blocks in a pass in which something else had the core, beyond which it is taken again,
once. What was waited is known and taken off; that cold caches and a busy memory remain is the reason."""


class RunFailed(Exception):
    """The run cannot go on at all; the text says why."""


class Runner:
    """Fills one run folder."""

    def __init__(self, folder: Path, manifest: Manifest, listener: Listener) -> None:
        self.folder = folder
        self.manifest = manifest
        self.listener = listener
        self.settings = Settings.from_dict(manifest.settings)
        self.ledger = Ledger({k: v for k, v in manifest.ledger.items() if k != "other"})
        self.lost: Counter[str] = Counter()
        self._pass_overhead = STARTING_SECONDS
        self._deadline = float("inf")

    def run(self) -> None:
        """Survey where that has not been done, then the passes that are missing; the manifest is kept up to date.

        Raises RunFailed, WorkerRefused, OSError (a full disk, naming the file), KeyboardInterrupt, and OtherMachine
        when a resumed run was begun on another machine or software; in each case what was measured before is on disk.
        """
        begun, spent_before = time.perf_counter(), sum(self.manifest.ledger.values())
        self._save(self.manifest.status)  # so that it can be resumed whenever it is killed
        try:
            if self.manifest.status == "surveying":
                self._survey()
                self._save("running")
            self._passes()
            self.manifest.status = "finished"
        except BaseException:
            if self.manifest.status != "surveying":
                self.manifest.status = "interrupted"
            raise
        finally:
            elapsed = spent_before + time.perf_counter() - begun
            self.ledger.seconds["other"] = max(0.0, elapsed - sum(self.ledger.seconds.values()))
            self._save(self.manifest.status)

    def _save(self, status: str) -> None:
        self.manifest.status = status
        self.manifest.ledger = dict(self.ledger.seconds)
        write_manifest(self.folder, self.manifest)

    def _survey(self) -> None:
        """Survey all cells; a worker that dies costs the cell it was at, and the next goes on behind it."""
        cells = [(case.id, name) for case, name in self.settings.cells()]
        self.listener.surveying(len(cells))
        survey = Survey(cells, self._start_survey, self.settings.timeout)
        found = {}
        try:
            for record in survey:
                found[record.cell] = record
                self.listener.surveyed(record)
        except WorkerDied as death:
            raise RunFailed(f"no worker can be had: {death}") from None
        finally:
            self.manifest.machine = survey.machine
            self.manifest.cells = [found[cell] for cell in cells if cell in found]
            lines = {name: lines_of(name) for name in {name for _, name in found}}
            for record in self.manifest.cells:
                record.lines = lines[record.implementation]
            self.ledger.merge(survey.ledger.seconds)
        self.lost += survey.lost
        self._pass_overhead = survey.ledger.seconds["imports"] / survey.workers if survey.workers else STARTING_SECONDS

    def _start_survey(self, place: str, cells: list[Cell]) -> Worker:
        own = {"max_call": self.settings.max_call, "meters": self.settings.meters, "cells": cells}
        return Worker({"kind": "survey", "devices": list(self.settings.devices), **own}, self._log("survey", place))

    def _start_blocks(self, number: int, place: str) -> Worker:
        return Worker({"kind": "blocks", "describe": True}, self._log(f"pass-{number:03}", place))

    def _log(self, stage: str, place: str) -> Path:
        return self.folder / LOGS / f"{stage}-{file_name(place)}.log"

    def _passes(self) -> None:
        """The passes asked for, less those on disk; then those that the precision needs."""
        self._deadline = time.perf_counter() + self.settings.budget if self.settings.budget else float("inf")
        plans = self._plan()
        seconds = self._pass_overhead + sum(plan.seconds for plan in plans)
        missing = missing_passes(self.folder, self.settings.passes)
        self.listener.planned(self.manifest, self.settings.passes, seconds * len(missing))
        for number in missing:
            if number > 2 and time.perf_counter() + seconds > self._deadline:
                self.listener.note(f"the budget is spent after {number - 1} of {self.settings.passes} passes")
                return
            self._one_pass(number, self._plan())  # anew: what failed is not tried again
        if self.settings.precision is not None:
            self._refine()

    def _plan(self, only: set[Cell] | None = None) -> list[CasePlan]:
        return plan_pass(self.manifest.cells, only, self.settings.case_seconds, self._pass_overhead)

    def _refine(self) -> None:
        """Add passes for the cells whose first passes say that they need more."""
        from bench.table.cells import passes_wanted

        wanted = passes_wanted(self.folder, self.settings.precision or 0.0)
        while True:
            number = len(pass_files(self.folder)) + 1
            short = {cell for cell, passes in wanted.items() if passes >= number}
            short |= {(case, self.manifest.baseline) for case, _ in short}
            plans = self._plan(short)
            if not plans:
                return
            if time.perf_counter() + self._pass_overhead + sum(plan.seconds for plan in plans) > self._deadline:
                self.listener.note(f"the budget is spent with {len(short)} cells short of the precision asked for")
                return
            self._one_pass(number, plans)

    def _one_pass(self, number: int, plans: list[CasePlan]) -> None:
        """Measure the plans in fresh processes, and write the pass."""
        cells = sum(len(plan.calls) - 1 for plan in plans)
        self.listener.passing(number, cells, self._pass_overhead + sum(plan.seconds for plan in plans))
        where = place(max((Case.parse(plan.case).threads for plan in plans), default=1)) | {"begun": time.time()}
        found, failures = self._measure(number, plans)
        set_aside = self._take_again(number, plans, found, failures)
        for failure in failures:
            self.manifest.fail((failure["case"], failure["implementation"]), f"in pass {number}: {failure['reason']}")
        for record in self.manifest.cells:
            if record.status == MEASURED and self.lost[record.implementation] >= MOST_LOST:
                record.status, record.reason = FAILED, given_up(number)
        write_pass(self.folder, number, self.manifest, found, failures, set_aside, where | {"ended": time.time()})

    def _take_again(
        self, number: int, plans: list[CasePlan], found: list[dict[str, Any]], failures: list[dict[str, str]]
    ) -> list[dict[str, Any]]:
        """Measure the Cases of a pass that were disturbed once more, in another process, and let the calmer of the two
        stand in `found`; the other is returned. What decides is who had the core, never what was measured."""
        shares = {plan.case: disturbed_share(_of(plan.case, found)) for plan in plans}
        again = [plan for plan in plans if shares[plan.case] > TAKEN_AGAIN_FROM]
        if not again or time.perf_counter() + sum(plan.seconds for plan in again) > self._deadline:
            return []
        worst = max(shares.values())
        self.listener.note(
            f"pass {number}: something else had the core for up to {worst:.0%} of the time; "
            f"taking {len(again)} of {len(plans)} cases again"
        )
        retaken, more = self._measure(number, again)
        failures += [failure for failure in more if failure not in failures]
        set_aside = []
        for case in (plan.case for plan in again):
            before, after = _of(case, found), _of(case, retaken)
            calmer = bool(after) and disturbed_share(after) < shares[case]
            set_aside += before if calmer else after
            found[:] = [benchmark for benchmark in found if benchmark["group"] != case] + (after if calmer else before)
        return set_aside

    def _measure(self, number: int, plans: list[CasePlan]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """The benchmarks and failures of a pass, measured by fresh processes. What loses its process fails on that
        Case; when it has lost MOST_LOST of them, the run goes on without it."""
        benchmarks: list[dict[str, Any]] = []
        failures: list[dict[str, str]] = []
        order = random.Random()
        names = dict.fromkeys(name for plan in plans for name in plan.calls)
        begun = time.perf_counter()
        with Crew(names, partial(self._start_blocks, number), self.settings.timeout) as crew:
            try:
                self._check_machine(crew.ready())
                self._pass_overhead = time.perf_counter() - begun
                self.ledger.add("imports", self._pass_overhead)
                for plan in order.sample(plans, len(plans)):
                    found = measure(crew, self._without_lost(plan), order, self.ledger)
                    benchmarks += self._benchmarks(found)
                    failures += _failures(found.case, found.failures)
                    self.lost.update(found.lost.keys())
                    for name, reason in found.lost.items():
                        where = in_words(Case.parse(found.case))
                        self.listener.note(f"pass {number}: `{name}` at {where}: {reason}")
                    self.listener.measured(len(plan.calls) - 1, plan.seconds)
            except (WorkerDied, ControlFailed) as error:
                raise RunFailed(f"nothing can be measured: {error}") from None
        return benchmarks, failures

    def _without_lost(self, plan: CasePlan) -> CasePlan:
        """A plan less those that have lost their process too often by now."""
        return dataclasses.replace(plan, calls={n: c for n, c in plan.calls.items() if self.lost[n] < MOST_LOST})

    def _check_machine(self, machine: dict[str, Any]) -> None:
        """Passes of one run are of one machine and software, also when it is resumed. Raises OtherMachine."""
        if changed := differences(self.manifest.machine, machine):
            told = ", ".join(f"{key} {then} then, {now} now" for key, (then, now) in changed.items())
            raise OtherMachine(f"{self.folder}: begun on another machine or software, start a new run ({told})")

    def _benchmarks(self, found: CaseSamples) -> list[dict[str, Any]]:
        """The benchmarks of one measured Case."""
        records = self.manifest.by_cell()
        case = Case.parse(found.case)
        return [
            benchmark_entry(extra_info(case, name, samples, found.control, records[case.id, name]))
            for name, samples in found.samples.items()
        ]


def given_up(number: int) -> str:
    """Why a cell that was measured well counts for nothing: its implementation is not to be trusted with more."""
    return f"given up in pass {number}: its process was lost {MOST_LOST} times, see its other rows"


def _of(case: str, benchmarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [benchmark for benchmark in benchmarks if benchmark["group"] == case]


def _failures(case: str, reasons: dict[str, str]) -> list[dict[str, str]]:
    return [{"case": case, "implementation": name, "reason": reason} for name, reason in reasons.items()]
