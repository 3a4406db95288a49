"""Cells profiled in fresh processes: alike ones once, and the rest goes on when one takes its process down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.host.process import WorkerDied
from bench.run import cellwise
from bench.run.explanation import STEPS, profiled
from bench.run.progress import Listener
from bench.why.profile.breakdown import CATEGORIES, DISPATCH
from bench.why.profile.record import FAILED, PROFILED, ProfileRecord

CASE = Case(hidden_size=8, input_size=8, seq_len=2)
DIES = "tests/faulty.py:Dies"
RAISES = "tests/faulty.py:Raises"


class Workers:
    """Stand for fresh processes: they profile what they are asked, and die where they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, die_at: str = "", die_early: bool = False) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.die_at, self.die_early = die_at, die_early
        monkeypatch.setattr(cellwise, "findings", self.findings)

    def findings(self, job: dict[str, Any], timeout: float, log: Path) -> Iterator[dict[str, Any]]:
        """What a worker would tell."""
        self.jobs.append(job | {"cells": list(job["cells"])})
        if self.die_early:
            raise WorkerDied("the process ended with exit code 3")
        yield {"event": "ready"}
        for case, name in list(job["cells"]):
            yield {"event": "start", "case": case, "implementation": name}
            if name == self.die_at:
                raise WorkerDied("the process was killed by SIGKILL")
            categories = dict.fromkeys(CATEGORIES, 0.0) | {DISPATCH: 1.0}
            yield {
                "event": "profile",
                "record": asdict(ProfileRecord(case, name, profiled=case, seconds=1.0, categories=categories)),
            }
        yield {"event": "end", "ledger": {}}


def cells(*lengths: int, names: tuple[str, ...] = ("manual",)) -> list[tuple[str, str]]:
    """A cell for each length and name."""
    return [(replace(CASE, seq_len=steps).id, name) for steps in lengths for name in names]


def test_cells_alike_but_for_steps_are_profiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 and 512 steps are the same call at 32; each gets a record of its own, which says so."""

    class Steps(Listener):
        """Counts what is done."""

        done = 0

        def explained(self) -> None:
            """Count."""
            self.done += 1

    workers, listener = Workers(monkeypatch), Steps()
    asked = cells(8, 64, 512, names=("manual", "whole"))
    found = profiled(asked, tmp_path / "log", listener=listener)
    assert workers.jobs[0]["cells"] == cells(8, STEPS, names=("manual", "whole"))
    assert {(record.case, record.implementation) for record in found.records} == set(asked)
    profiled_as = {record.case: record.profiled for record in found.records}
    short = replace(CASE, seq_len=STEPS).id
    assert profiled_as == {cells(8)[0][0]: cells(8)[0][0], cells(64)[0][0]: short, cells(512)[0][0]: short}
    assert listener.done == len(workers.jobs[0]["cells"]) == 4
    assert found.missing == "" and len(workers.jobs) == 1


def test_more_steps_tell_more_cells_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the caller's; the worker is told of it, and where traces go."""
    workers = Workers(monkeypatch)
    profiled(cells(8, 64, 512), tmp_path / "log", steps=100, folder=tmp_path)
    assert workers.jobs[0]["cells"] == cells(8, 64, 100)
    assert (workers.jobs[0]["steps"], workers.jobs[0]["folder"]) == (100, str(tmp_path))


def test_a_death_costs_the_cell_it_was_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those alike; a new worker gets what is left, without what was profiled already."""
    workers = Workers(monkeypatch, die_at="looped")
    asked = cells(64, 512, names=("manual", "looped", "whole"))
    found = profiled(asked, tmp_path / "log")
    assert [job["cells"] for job in workers.jobs] == [
        cells(STEPS, names=("manual", "looped", "whole")),
        cells(STEPS, names=("whole",)),
    ]
    statuses = {(record.case, record.implementation): (record.status, record.reason) for record in found.records}
    dead = (FAILED, "the process was killed by SIGKILL")
    assert statuses == {cell: dead if cell[1] == "looped" else (PROFILED, "") for cell in asked}
    assert found.missing == ""


def test_without_any_worker_there_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that die before they begin are not started again and again."""
    workers = Workers(monkeypatch, die_early=True)
    found = profiled(cells(2), tmp_path / "log")
    assert found.missing == "no worker can be had: the process ended with exit code 3"
    assert found.records == [] and len(workers.jobs) == 1


def test_no_cell_needs_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which nothing was measured has an empty profile."""
    workers = Workers(monkeypatch)
    assert profiled([], tmp_path / "log").records == []
    assert workers.jobs == []


def test_real_workers_go_on_behind_one_that_is_killed(tmp_path: Path) -> None:
    """One that raises and one that takes its process down are failed records; the others are profiled."""
    names = ("manual", RAISES, DIES, "whole")
    found = profiled(cells(2, names=names), tmp_path / "log", folder=tmp_path)
    by_name = {record.implementation: record for record in found.records}
    assert {name: record.status for name, record in by_name.items()} == {
        "manual": PROFILED,
        RAISES: FAILED,
        DIES: FAILED,
        "whole": PROFILED,
    }
    assert by_name[RAISES].reason == "ZeroDivisionError: divided by the weather"
    assert "killed by SIGKILL" in by_name[DIES].reason
    for name in ("manual", "whole"):
        record = by_name[name]
        assert sum(record.categories.values()) == pytest.approx(record.seconds)
        assert (tmp_path / record.trace).is_file() and (tmp_path / record.flame).stat().st_size > 0
