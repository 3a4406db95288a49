"""Trust on made-up sittings: what is scheduled, resampled, counted and shown."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from bench.gate.sides import Side
from bench.proof import rates, runs, trust
from bench.proof.neighbour import Neighbour
from bench.proof.peers import cells, fails, slowed
from bench.proof.resample import Verdicts, head_against_base, pool, resample
from bench.proof.runs import KINDS, PEER, Kind, read, schedule, sit
from bench.proof.trust import rebuild
from bench.table.outcome import REGRESSED, UNCHANGED, Outcome
from bench.worker.blocks import delayed
from tests.synthetic import MACHINE

SPREAD = 0.013
NAMES = [name for _, name in cells()]
SLOWED = NAMES.count("manual")
"""Cells of each implementation."""


def gate_row(kind: Kind, name: str, draw: random.Random, **more: Any) -> dict[str, Any]:
    """A gate run as it is kept, with six pairs and verdicts that are true."""
    found = []
    for case, implementation in cells():
        slow = kind.delay > 0 and implementation == name
        logs = [draw.gauss(math.log1p(kind.delay) * slow, SPREAD) for _ in range(6)]
        effect = kind.delay * slow
        found.append(
            {
                "case": case,
                "implementation": implementation,
                "verdict": REGRESSED if slow else UNCHANGED,
                "effect": effect,
                "bounds": [effect - 0.01, effect + 0.01],
                "logs": logs,
            }
        )
    return {
        "kind": kind.name,
        "delay": kind.delay,
        "min_effect": kind.min_effect,
        "budget": kind.budget,
        "slowed": name if kind.delay else "",
        "seconds": 40.0,
        "pairs": 6,
        "lost": [],
        "uncompared": [],
        "machine": MACHINE,
        "cells": found,
    } | more


def peer_row(draw: random.Random) -> dict[str, Any]:
    """A run of the peer on a moody machine, as earlier versions kept it: without its cells."""
    mood = draw.lognormvariate(0, 0.1)
    stats = [{field: mood * draw.lognormvariate(0, 0.02) for field in ("mean", "median", "min")} for _ in cells()]
    return {"kind": PEER, "seconds": 20.0, "stats": stats}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """A sitting of six rounds."""
    draw = random.Random(1)
    return [peer_row(draw) if kind is None else gate_row(kind, name, draw) for kind, name in schedule(6)]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are made up have six pairs, after which the judge looks once."""

    def made_up(pairs: Any, min_effect: float, delay: float, names: Any, runs: int, most: int) -> Verdicts:
        return resample(pairs, min_effect, delay, names, runs, min(most, 6))

    monkeypatch.setattr(rates, "resample", made_up)


def test_the_schedule_mixes_kinds_and_implementations() -> None:
    """Every kind as often as it says, each implementation slowed in turn, the peer around every round."""
    plan = list(schedule(30))
    counts = {kind: sum(own is kind for own, _ in plan) for kind in KINDS}
    assert counts == {kind: round(30 * kind.share) for kind in KINDS}
    assert counts[KINDS[0]] == 30
    assert sum(kind is None for kind, _ in plan) == 31
    assert {name for kind, name in plan if kind is KINDS[1]} == {"manual", "looped", "whole"}
    assert {kind.delay for kind, _ in plan[:12] if kind} == {kind.delay for kind in KINDS}


def test_a_sitting_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs taken are not taken again; a line that was cut off is."""
    taken: list[str] = []

    def run(kind: Kind, name: str, folder: Path) -> dict[str, Any]:
        taken.append(kind.name)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return gate_row(kind, name, random.Random(1))

    monkeypatch.setattr(runs, "gate_run", run)
    monkeypatch.setattr(runs, "measure_peer", lambda: {"seconds": 1.0, "stats": []})
    with pytest.raises(KeyboardInterrupt):
        sit(2, tmp_path, lambda told: None)
    path = tmp_path / "runs.jsonl"
    kept = read(path)
    path.write_text(path.read_text() + '{"kind": "pe')
    found, share = sit(2, tmp_path, lambda told: None)
    assert share is None
    assert found[: len(kept)] == kept
    assert len(found) == len(list(schedule(2))) == len(path.read_text().splitlines())
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_the_pool_holds_whole_pairs_of_unchanged_runs(rows: list[dict[str, Any]]) -> None:
    """Six of each run here; a run in which a cell had fewer gives as many as that one."""
    unchanged = [row for row in rows if row["kind"] != PEER and not row["delay"]]
    found = pool(unchanged)
    assert len(found) == 6 * len(unchanged)
    assert all(set(pair) == set(cells()) for pair in found)
    short = json.loads(json.dumps(unchanged[0]))
    short["cells"][0]["logs"] = short["cells"][0]["logs"][:2]
    assert len(pool([short])) == 2


def test_resampled_runs_find_what_is_planted(rows: list[dict[str, Any]]) -> None:
    """Nothing in unchanged runs, a large slowdown always and only where it is, one below the minimum effect never."""
    pairs = pool([row for row in rows if row["kind"] != PEER and not row["delay"]])
    names = ("manual", "looped", "whole")
    quiet = resample(pairs, 0.03, 0.0, names, runs=30, most=60)
    assert (quiet.runs, quiet.failed, quiet.false, quiet.cells) == (30, 0, 0, 0)
    loud = resample(pairs, 0.03, 0.10, names, runs=30, most=60)
    assert (loud.failed, loud.false, loud.cells, loud.cells_found, loud.missed) == (30, 0, 30 * SLOWED, 30 * SLOWED, 0)
    assert resample(pairs, 0.03, 0.01, names, runs=30, most=60).failed == 0


def test_bounds_of_rates() -> None:
    """Clopper and Pearson's: 0 of 30 leaves 9.5 %, 20 of 20 shows 86 %; published in any table."""
    assert rates.upper(0, 30) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert rates.lower(20, 20) == pytest.approx(0.05 ** (1 / 20))
    assert rates.upper(1, 20) == pytest.approx(0.2161, abs=1e-4)
    assert rates.lower(19, 20) == pytest.approx(0.7839, abs=1e-4)
    assert (rates.upper(5, 5), rates.lower(0, 5)) == (1.0, 0.0)


def test_head_against_base_is_a_mean_over_runs() -> None:
    """What all cells of a run share counts once a run, however many cells and pairs it has."""
    shifts = (-0.004, -0.001, -0.002, -0.001)
    rows = [
        {"cells": [{"logs": [shift + bias, shift - bias] * (number + 1)} for bias in (0.0, 0.01, 0.02)]}
        for number, shift in enumerate(shifts)
    ]
    found = head_against_base(rows)
    half = 3.18245 * math.sqrt(2e-6 / 4)  # t of 3 degrees of freedom; the shifts have a variance of 2e-6
    assert found.passes == 4
    bounds = [math.expm1(log) for log in (-0.002, -0.002 - half, -0.002 + half)]
    assert [found.value, found.low, found.high] == pytest.approx(bounds, rel=1e-3)


@pytest.mark.usefixtures("few")
def test_a_table_is_written_anew_without_measuring(
    rows: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From runs.jsonl alone, whatever the gate's preset is by now; what only trust.json knows is kept."""
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "trust.json").write_text('{"neighbour_share": 0.5}')
    monkeypatch.setattr("bench.proof.peers.cells", lambda: [])
    monkeypatch.setattr(trust, "picture", lambda found: Figure())
    told: list[str] = []
    path = rebuild(1, tmp_path, told.append)
    text = path.read_text()
    assert "took 0.50 of a core" in text
    answer = "0 of 8 gates of an unchanged tree failed: with 95 % certainty at most 31 % do."
    assert text.startswith(answer)
    assert told[-1].strip().splitlines()[0] == answer
    assert "Head against base in unchanged runs: " in text
    (tmp_path / "runs.jsonl").write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(ValueError, match="no gate run"):
        rebuild(1, tmp_path, told.append)


def test_both_trees_of_a_sitting_are_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the delay tells the sides apart: not the length of their path, nor what was compiled before."""

    def held(sides: tuple[Side, Side], *_: object) -> Outcome:
        base, head = (side.tree for side in sides)
        assert base is not None and head is not None
        assert (base.parent, len(str(base))) == (head.parent, len(str(head)))
        listed = [sorted(path.relative_to(tree) for path in tree.rglob("*")) for tree in (base, head)]
        assert listed[0] == listed[1] and not any("__pycache__" in path.parts for path in listed[0])
        assert [dict(side.delay) for side in sides] == [{}, {"whole": 0.05}]
        return Outcome("base", "head", 0.02, raw={"log_ratios": []})

    monkeypatch.setattr(runs, "measure_pairs", held)
    assert runs.gate_run(KINDS[1], "whole", tmp_path)["slowed"] == "whole"


def test_the_peers_checks_are_its_own() -> None:
    """pytest-benchmark's thresholds, on pytest-benchmark's fields."""
    base = [dict.fromkeys(("mean", "median", "min"), 1.0) for _ in cells()]
    assert not fails("mean:5%", base, base)
    assert fails("mean:5%", base, slowed(base, NAMES, "manual", 1.06))
    assert not fails("min:10%", base, slowed(base, NAMES, "manual", 1.06))
    assert sum(one["mean"] > 1 for one in slowed(base, NAMES, "manual", 1.06)) == SLOWED


def test_a_delay_is_a_fraction_of_the_blocks_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the block takes, it takes that much longer."""
    now = [0.0]

    def tick() -> float:
        now[0] += 1e-6
        return now[0]

    def run(calls: int) -> None:
        now[0] += 2.0 * calls

    monkeypatch.setattr("bench.worker.blocks.time.thread_time", tick)
    delayed(run, 0.25)(2)
    assert now[0] == pytest.approx(4.0 * 1.25, rel=1e-5)


def test_a_side_tells_its_worker_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delay is part of the job of one side's workers."""
    started: list[dict[str, Any]] = []
    monkeypatch.setattr("bench.gate.sides.Worker", lambda job, log, python: started.append(job))
    Side("head", delay={"whole": 0.05}).start(Path("log"), 1)
    Side("base").start(Path("log"), 2)
    assert [(job["delay"], job["threads"]) for job in started] == [({"whole": 0.05}, 1), ({}, 2)]


@pytest.mark.usefixtures("few")
def test_figures_count_what_was_said(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """Rates, cells, times; a false alarm and a miss planted into the rows are counted and told."""
    bad = json.loads(json.dumps(rows))
    unchanged = next(row for row in bad if row["kind"] == KINDS[0].name)
    unchanged["cells"][0] |= {"verdict": REGRESSED, "effect": 0.07}
    missed = next(row for row in bad if row["kind"] == KINDS[1].name)
    next(cell for cell in missed["cells"] if cell["implementation"] == missed["slowed"])["verdict"] = UNCHANGED
    found = rates.figures(bad, resampled=60)
    first, second = found["kinds"][:2]
    assert (first["runs"], first["failed"], first["false"]) == (6, 1, 1)
    assert (second["runs"], second["failed"], second["slowed_cells"], second["found_cells"]) == (
        4,
        4,
        4 * SLOWED,
        4 * SLOWED - 1,
    )
    assert len(found["wrong"]) == 2
    assert max(found["largest_deviation"]) == 0.07
    assert {row["runs"] for row in found["peer"]} == {6}
    text = trust.write(found, tmp_path)
    assert "| nothing | 2% | 180 s | 1 of 6 (at most 58%) |" in text
    assert "called unchanged" in text
    assert json.loads((tmp_path / "trust.json").read_text())["wrong"] == found["wrong"]
    assert (tmp_path / "trust.png").stat().st_size > 10_000
    assert (tmp_path / "trust.svg").read_text().startswith("<?xml")


@pytest.mark.usefixtures("few")
def test_beside_a_neighbour_two_kinds_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing and +5 %, each as often, no peer; its share of CPU stands in the table, which needs no peer's row."""

    @contextmanager
    def planted(seed: int, most: float) -> Iterator[Neighbour]:
        disturbing = Neighbour()
        yield disturbing
        disturbing.share = 0.68

    draw = random.Random(2)
    monkeypatch.setattr(runs, "neighbour", planted)
    monkeypatch.setattr(runs, "gate_run", lambda kind, name, folder: gate_row(kind, name, draw))
    found, share = sit(4, tmp_path, lambda told: None, seed=3)
    assert [row["delay"] for row in found] == [0.0, 0.05] * 4
    assert share == 0.68
    figures = rates.figures(found, resampled=60) | {"neighbour_share": share}
    assert [(kind["name"] if "name" in kind else kind["delay"], kind["runs"]) for kind in figures["kinds"]] == [
        (0.0, 4),
        (0.05, 4),
    ]
    text = trust.write(figures, tmp_path)
    assert "beside a neighbour that took 0.68 of a core" in text
    assert "| nothing | 2% | 180 s | 0 of 4" in text
    assert "| +5% | 2% | 180 s | 4 of 4" in text
    assert "pytest-benchmark" not in text
