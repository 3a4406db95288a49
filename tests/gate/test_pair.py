"""A pair of processes: how it is planned, how its sides alternate, what becomes of what goes wrong; on fake crews."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.gate.pair import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    MIN_ROUNDS_OF_LONG_CALLS,
    Blocks,
    Crews,
    Pair,
    Plan,
    SideDied,
    measure_pair,
    observed,
    plan,
    spike_rate,
)
from bench.gate.sides import Side
from bench.host.clock import Evidence, Reading
from bench.run.crew import BlockFailed, Lost

CASES = [Case(hidden_size=8, input_size=8, seq_len=steps).id for steps in (2, 8)]
CELLS: list[Cell] = [(case, name) for case in CASES for name in ("manual", "whole")]


class FakeCrew:
    """Answers as a crew would; `seconds` by implementation, `waited` beside them one by one, `dies` at so many
    blocks."""

    def __init__(self, seconds: dict[str, float], log: list[tuple[str, str]], name: str, **more: Any) -> None:
        self.seconds, self.log, self.name, self.more = seconds, log, name, more
        self.checked: list[str] = []
        self.built: list[str] = []

    def begin(self, case: str) -> None:
        """Let go of what was built."""
        self.built = []

    def build(self, name: str) -> str:
        """Once a case."""
        assert name not in self.built
        self.built.append(name)
        return str(self.more.get("broken", {}).get(name, ""))

    def block(self, name: str, calls: int, lead: int = 0, check: bool = False) -> Reading:
        """What the truth says; the first block of each implementation warms it up and does not count."""
        assert name in self.built
        if name in self.more.get("failing", {}):
            raise BlockFailed(self.more["failing"][name])
        if self.built.count(name) == 1:
            self.built.append(name)
            return Reading(1.0)
        self.log.append((self.name, name))
        if len(self.log) >= self.more.get("dies", math.inf):
            raise Lost(name, "the process was killed by SIGKILL, while it was run")
        self.checked += [name] * check
        own, waited = self.seconds[name], next(self.more.get("waited", iter(())), None)
        return Reading(calls * (own + (waited or 0.0)), None, Evidence(None if waited is None else waited * calls))

    def __enter__(self) -> FakeCrew:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def measured(
    monkeypatch: pytest.MonkeyPatch, plans: dict[Cell, Plan], base: dict[str, Any], head: dict[str, Any]
) -> tuple[Pair, list[tuple[str, str]], list[FakeCrew]]:
    """A pair of fake crews, the log of whose blocks they were, and the crews."""
    log: list[tuple[str, str]] = []
    seconds = {"manual": 2e-3, "whole": 1e-3}
    sides = (Side("base"), Side("head"))
    crews = {
        side.name: FakeCrew(more.pop("seconds", seconds), log, side.name, **more)
        for side, more in zip(sides, (dict(base), dict(head)), strict=True)
    }
    monkeypatch.setattr(Side, "crew", lambda self, *_: crews[self.name])
    with Crews(sides, ["manual", "whole"], Path("log"), 1.0, first=0) as both:
        return measure_pair(both, plans, random.Random(1)), log, list(crews.values())


def test_a_slower_head_is_a_positive_log_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Head over base, for each cell by itself."""
    pair, _, _ = measured(
        monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {}, {"seconds": {"manual": 2.2e-3, "whole": 1e-3}}
    )
    assert pair.failures == {}
    for (case, name), log_ratio in pair.logs.items():
        assert log_ratio == pytest.approx(math.log(1.1) if name == "manual" else 0.0), case
    assert set(pair.logs) == set(CELLS)


def test_the_sides_alternate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of one side is next to the other's of the same cell; who is first, and what, changes."""
    _, log, _ = measured(monkeypatch, dict.fromkeys(CELLS, Plan(1, 20)), {}, {})
    blocks = list(zip(log[::2], log[1::2], strict=True))
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in blocks)
    assert {first[0] for first, _ in blocks} == {"base", "head"}
    assert {first[1] for first, _ in blocks[::2]} == {"manual", "whole"}


@pytest.mark.parametrize("first", [0, 1])
def test_either_side_may_be_started_first(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Whoever is: the crews are (base, head)."""
    sides, started = (Side("base"), Side("head")), list[str]()

    def crew(side: Side, *_: object) -> FakeCrew:
        started.append(side.name)
        return FakeCrew({}, [], side.name)

    monkeypatch.setattr(Side, "crew", crew)
    with Crews(sides, ["manual"], Path("log"), 1.0, first) as both:
        names = [getattr(own, "name", "") for own in both.both]
    assert (started, names) == ([sides[first].name, sides[1 - first].name], ["base", "head"])


def test_rounds_are_those_of_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell with long calls has fewer blocks than its neighbour."""
    _, log, _ = measured(monkeypatch, {CELLS[0]: Plan(1, 3), CELLS[1]: Plan(1, 9)}, {}, {})
    assert (log.count(("base", "manual")), log.count(("head", "whole"))) == (3, 9)


@pytest.mark.parametrize("key", ["broken", "failing"])
def test_a_failure_costs_its_cell(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """What cannot be built or raises is a reason that names the side; the other implementations are measured."""
    pair, _, _ = measured(monkeypatch, dict.fromkeys(CELLS[:2], Plan(1, 3)), {}, {key: {"manual": "ValueError: no"}})
    assert pair.failures == {CELLS[0]: "ValueError: no (in head)"}
    assert set(pair.logs) == {CELLS[1]}


def test_a_death_names_side_and_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that an implementation that kills again and again can be told from an accident."""
    with pytest.raises(SideDied, match=r"^base: the process was killed by SIGKILL, while it was run$") as death:
        measured(monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {"dies": 4}, {})
    assert death.value.cell in CELLS


def test_each_cell_is_checked_once_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """On both sides, in one round of all."""
    _, _, crews = measured(monkeypatch, dict.fromkeys(CELLS, Plan(1, 3)), {}, {})
    assert [sorted(crew.checked) for crew in crews] == [["manual", "manual", "whole", "whole"]] * 2


def test_plans_fill_the_pair() -> None:
    """18 cells share the time of a pair; one alone gets more rounds, up to the most; long calls get a few."""
    many = plan({(f"case {k}", "whole"): 1e-4 for k in range(18)})
    assert {how.calls for how in many.values()} == {20}
    assert MIN_ROUNDS < next(iter(many.values())).rounds < MAX_ROUNDS
    assert plan({("case", "whole"): 1e-4})["case", "whole"] == Plan(20, MAX_ROUNDS)
    assert plan({(f"case {k}", "whole"): 0.1 for k in range(18)})["case 0", "whole"] == Plan(1, MIN_ROUNDS)
    assert plan({("case", "whole"): 3.0})["case", "whole"] == Plan(1, MIN_ROUNDS_OF_LONG_CALLS)


# What counts of the blocks


def test_waiting_is_taken_off_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The head is stopped in every other block for as long as a block takes; it is no slower for that."""
    one = {(CASES[0], "manual"): Plan(1, 10)}
    pair, _, _ = measured(monkeypatch, one, {"waited": itertools.repeat(0.0)}, {"waited": itertools.cycle([0.0, 2e-3])})
    assert pair.logs == {(CASES[0], "manual"): pytest.approx(0.0)}
    assert pair.disturbed == {(CASES[0], "manual"): pytest.approx(10e-3 / 50e-3)}


def test_a_side_that_knows_nothing_of_its_waiting_is_read_by_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter on a system without evidence: nothing is taken off, and it is said that nothing is known."""
    one = {(CASES[0], "manual"): Plan(1, 10)}
    pair, _, _ = measured(monkeypatch, one, {"waited": itertools.cycle([0.0, 0.0, 0.0, 2e-3])}, {})
    assert pair.logs == {(CASES[0], "manual"): pytest.approx(0.0)}
    assert math.isnan(pair.disturbed[CASES[0], "manual"])


def known(seconds: list[float]) -> Blocks:
    """Blocks that waited for nothing."""
    return Blocks(seconds, [0.0] * len(seconds), [0] * len(seconds))


def test_what_a_head_does_every_fourth_time_counts() -> None:
    """A quarter slower, though three blocks of four are as fast."""
    base, head = known([1.0] * 40), known([1.0, 1.0, 1.0, 2.0] * 10)
    rate = spike_rate([base.counted()[0], head.counted()[0]])
    assert observed(base, head, rate).log == pytest.approx(math.log(1.25))


def test_spikes_of_most_cells_are_the_machines() -> None:
    """One block of 40 with all of them is a spike: it is limited. With one of three alone it is that one's own."""
    calm, spiked = [1.0] * 40, [1.0] * 39 + [5.0]
    assert spike_rate([spiked, spiked, calm]) == 1 / 40
    assert spike_rate([spiked, calm, calm]) == 0.0
    assert spike_rate([[1.0, 1.0, 1.0, 2.0] * 10] * 2) == 0.0, "every fourth is no machine's doing"
    assert spike_rate([]) == 0.0
    assert observed(known(calm), known(spiked), 1 / 40).log == pytest.approx(0.0)


def test_where_only_switches_are_known_stopped_blocks_are_left_out() -> None:
    """As on macOS: of two sides the rounds count in which neither was stopped."""
    base = Blocks([1.0] * 8, [math.nan] * 8, [0, 0, 0, 0, 0, 0, 1, 0])
    head = Blocks([9.0] + [1.5] * 7, [math.nan] * 8, [1, 0, 0, 0, 0, 0, 0, 0])
    assert observed(base, head, 0.0).log == pytest.approx(math.log(1.5))
