"""Two saved runs held against each other: planted truths, and refusals."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.cases.settings import Settings
from bench.gate import against as stored_gate
from bench.gate.against import EVEN, ODD, against, confirmed
from bench.gate.saved import ALL, ERROR, _welch, compare, differing
from bench.run.progress import Listener
from bench.store.files import BrokenFile
from bench.table.outcome import (
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    NEW,
    REGRESSED,
    UNCHANGED,
    CellVerdict,
    Incomparable,
    Outcome,
)
from bench.table.reading import Run, read_run
from bench.table.stats import holm
from tests.gate.test_faults import edited
from tests.synthetic import write_run


def run(folder: Path, **more: Any) -> Run:
    """A run with planted truths; passes differ by 0.5 % unless told otherwise."""
    return read_run(write_run(folder, **{"presets": ("smoke",), "passes": 8, "spread": 0.005, **more}))


def slowed(found: Run, name: str, factor: float) -> Run:
    """The run with one implementation slower."""
    own = found.samples["implementation"] == name
    found.samples.loc[own, "seconds"] *= factor
    return found


def test_twins_are_unchanged(tmp_path: Path) -> None:
    """Although their raw times differ by the mood of each pass, a third and more."""
    outcome = compare(run(tmp_path / "a", seed=1), run(tmp_path / "b", seed=2), 0.05)
    assert {verdict.verdict for verdict in outcome.verdicts} == {UNCHANGED}
    assert len(outcome.verdicts) == 24
    assert outcome.exit_code(strict=True) == 0


@pytest.mark.parametrize(("factor", "verdict", "code"), [(1.2, REGRESSED, 1), (1 / 1.2, IMPROVED, 0)])
def test_a_planted_change_is_found(tmp_path: Path, factor: float, verdict: str, code: int) -> None:
    """In the cells of that implementation and no others, by as much as was planted."""
    outcome = compare(run(tmp_path / "a"), slowed(run(tmp_path / "b", seed=2), "looped", factor), 0.05)
    for found in outcome.verdicts:
        slow = found.cell[1] == "looped"
        assert found.verdict == (verdict if slow else UNCHANGED)
        if slow:
            assert found.effect == pytest.approx(factor - 1, abs=0.03)
            assert found.low < factor - 1 < found.high
    assert outcome.exit_code() == code


def test_a_slower_machine_is_no_regression(tmp_path: Path) -> None:
    """Everything twice as slow, the control too: unchanged."""
    second = run(tmp_path / "b", seed=2)
    second.samples[["seconds", "control_seconds"]] *= 2
    outcome = compare(run(tmp_path / "a"), second, 0.05)
    assert {verdict.verdict for verdict in outcome.verdicts} == {UNCHANGED}


def test_noisy_runs_are_inconclusive(tmp_path: Path) -> None:
    """And say what it would take."""
    noisy = {"passes": 3, "spread": 0.05}
    outcome = compare(run(tmp_path / "a", **noisy), run(tmp_path / "b", seed=2, **noisy), 0.03)
    assert {verdict.verdict for verdict in outcome.verdicts} == {INCONCLUSIVE}
    assert all("passes" in verdict.note for verdict in outcome.verdicts)
    assert (outcome.exit_code(), outcome.exit_code(strict=True)) == (4, 4), "nothing is decided at all"


def test_too_few_passes_are_incomparable(tmp_path: Path) -> None:
    """Two passes show no spread worth the name."""
    outcome = compare(run(tmp_path / "a", passes=2), run(tmp_path / "b"), 0.03)
    assert outcome.verdicts == []
    assert {left.reason.partition(":")[0] for left in outcome.faults} == {"too few passes"}
    assert outcome.exit_code() == 3


def test_cells_of_one_run_only(tmp_path: Path) -> None:
    """What only the first has is a fault, what only the second has is new."""
    first = run(tmp_path / "a", implementations=("manual", "whole"))
    second = run(tmp_path / "b", implementations=("manual", "looped"))
    outcome = compare(first, second, 0.05)
    assert {(left.cell[1], left.status) for left in outcome.uncompared} == {("whole", INCOMPARABLE), ("looped", NEW)}
    assert outcome.exit_code() == 3


def test_other_machines_are_refused_unless_allowed(tmp_path: Path) -> None:
    """The refusal names the keys and the option; once allowed, the difference is still said."""
    write_run(tmp_path / "b", presets=("smoke",))
    edited(tmp_path / "b" / "run.json", lambda content: content["machine"].update(torch="9.9", cpu="Other"))
    runs = (run(tmp_path / "a"), read_run(tmp_path / "b"))
    with pytest.raises(Incomparable, match=r"--allow-different cpu,torch$"):
        compare(*runs, 0.05)
    with pytest.raises(Incomparable, match=r"--allow-different cpu$"):
        compare(*runs, 0.05, {"torch"})
    notes = compare(*runs, 0.05, {"torch", "cpu"}).notes
    assert "torch: 2.13.0 then, 9.9 now" in notes
    assert differing({"a": 1}, {"a": 2, "b": 3}, {"all"}) == ["a: 1 then, 2 now", "b: None then, 3 now"]


@pytest.mark.long
def test_false_alarms_of_twins() -> None:
    """Over many made-up pairs of runs with all cells at the limit, no more than stated has a change."""
    from bench.gate.saved import _verdicts

    draw, wrong, runs = random.Random(1), 0, 250
    for _ in range(runs):
        logs = {
            (str(number), "whole"): (
                [(draw.gauss(0, 0.02), 0.01) for _ in range(5)],
                [(draw.gauss(math.log(1.03), 0.02), 0.01) for _ in range(5)],
            )
            for number in range(18)
        }
        wrong += any(found.verdict == REGRESSED for found in _verdicts(logs, Outcome("a", "b", 0.03)))
    assert wrong <= 2 * ERROR * runs


def test_holm_steps_down() -> None:
    """Each rejection leaves a milder level for the next, and the first that stands ends it."""
    cells = [(str(number), "whole") for number in range(3)]
    p_values = dict(zip(cells, (0.001, 0.004, 0.02), strict=True))
    assert holm(p_values, 0.01, 3) == ({cells[0]: 0.01 / 3, cells[1]: 0.005}, 0.01)


def test_a_change_not_confirmed_is_inconclusive() -> None:
    """A stored run's verdict needs a second fresh set that says the same, and takes its figures."""
    cell = ("case", "whole")
    first = CellVerdict(cell, REGRESSED, 0.1, 0.05, 0.15, 5)
    fresh = CellVerdict(cell, REGRESSED, 0.08, 0.04, 0.12, 5)
    assert confirmed([first], {cell: first}, {cell: fresh}) == [fresh]
    for suspected, again, note in (
        ({cell: first}, {}, "not confirmed by a second"),
        ({cell: first}, {cell: dataclasses.replace(fresh, verdict=IMPROVED)}, "not confirmed by a second"),
        ({}, {}, "not by its odd ones alone"),
    ):
        (found,) = confirmed([first], suspected, again)
        assert (found.verdict, found.effect) == (INCONCLUSIVE, 0.1)
        assert note in found.note
    unchanged = CellVerdict(cell, UNCHANGED, 0.0, -0.01, 0.01, 5)
    assert confirmed([unchanged], {cell: first}, {}) == [unchanged], "all passes say more than the odd ones"


def judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, half: Sequence[int] = (), now: float = 1.0
) -> tuple[Outcome, Outcome]:
    """A gate against a stored run of 20 passes, in some of which `looped` took a third of its time; `now` is by what it
    is slower in both sets of processes. And what all passes say of the first set."""
    these = {"implementations": ("manual", "looped")}
    stored = run(tmp_path / "stored", passes=20, **these)
    own = (stored.samples["implementation"] == "looped") & stored.samples["pass"].isin(half)
    stored.samples.loc[own, "seconds"] /= 3
    monkeypatch.setattr(stored_gate, "_machine", lambda *_: stored.manifest.machine)
    sets = [slowed(run(tmp_path / f"set-{seed}", seed=seed, **these), "looped", now) for seed in (2, 3)]
    monkeypatch.setattr(stored_gate, "_measured", lambda *_: sets[0])
    monkeypatch.setattr(stored_gate, "_measured_again", lambda *_: sets[1])
    settings = Settings(preset="smoke")
    return against(stored, settings, 0.05, (), Listener()), compare(stored, sets[0], 0.05)


def test_a_change_is_confirmed_against_a_stored_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By two sets of processes and two halves of its passes."""
    outcome, _ = judged(monkeypatch, tmp_path, now=1.2)
    assert [(verdict.cell[1], verdict.verdict) for verdict in outcome.changed] == [("looped", REGRESSED)] * 8
    assert all(verdict.effect == pytest.approx(0.2, abs=0.03) for verdict in outcome.changed)


@pytest.mark.parametrize(
    ("half", "note"), [(ODD, "not confirmed by a second"), (EVEN, "not by its odd ones alone")], ids=["odd", "even"]
)
def test_luck_of_half_of_a_stored_runs_passes_is_not_confirmed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, half: slice, note: str
) -> None:
    """Both sets of processes are as ever. Beside all passes both would look slower: its luck would count twice."""
    outcome, by_all = judged(monkeypatch, tmp_path, range(1, 21)[half])
    assert {verdict.cell[1] for verdict in by_all.of(REGRESSED)} == {"looped"}
    assert outcome.changed == []
    left = [verdict for verdict in outcome.of(INCONCLUSIVE) if note in verdict.note]
    assert {verdict.cell for verdict in left} == {verdict.cell for verdict in by_all.of(REGRESSED)}


def test_the_halves_of_a_base_are_independent() -> None:
    """Each half has its own mean, and the spread of all passes: of six, a half is known less by the root of two."""
    before, after = [(0.1 * k, 0.01) for k in range(6)], [(0.0, 0.01), (0.1, 0.01), (0.2, 0.01)]
    whole, odd, even = (_welch(before, after, part) for part in (ALL, ODD, EVEN))
    assert [odd[0], even[0]] == pytest.approx([0.1 - 0.2, 0.1 - 0.3])
    of_base = [math.sqrt(found[1] ** 2 - _welch(after, after)[1] ** 2 / 2) for found in (whole, odd, even)]
    assert of_base[1] == of_base[2] == pytest.approx(of_base[0] * math.sqrt(2))


def test_a_cell_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    """Which of the two would be compared?"""
    folder = write_run(tmp_path / "a", presets=("smoke",))
    edited(folder / "passes" / "pass-001.json", lambda content: content["benchmarks"].append(content["benchmarks"][3]))
    with pytest.raises(BrokenFile, match=r"pass-001.json: the field benchmarks\[24\].extra_info is the second of"):
        read_run(folder)
