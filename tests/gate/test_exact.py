"""Counts of two sides held against each other: what rose, what fell, and what is not exact; surveys are made up."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.gate.comparable import Surveyed
from bench.gate.exact import counted
from bench.store.manifest import FAILED, CellRecord
from bench.table.outcome import (
    IMPROVED,
    INCONCLUSIVE,
    MEMORY,
    OPERATORS,
    REGRESSED,
    TIME,
    UNCHANGED,
    CountVerdict,
    Difference,
    Incomparable,
)

CELL: Cell = (Case(hidden_size=8, input_size=8, seq_len=4).id, "mine.py:Mine")
NAMES = ("main", "the working tree")


def counts(copies: int = 4, products: int = 4, peak: int = 1024, allocations: int = 9, **more: Any) -> dict[str, Any]:
    """What a side tells of a cell."""
    names = {"aten::mm": products, **({"aten::copy_": copies} if copies else {})}
    exact = {"operators": copies + products, "nodes": 0, "allocations": allocations, "peak_bytes": peak}
    return {"exact": exact, "names": {"operators": names, "nodes": {}}, "differ": [], "unknown": {}, **more}


def without(figure: str, **more: Any) -> dict[str, Any]:
    """The same, one figure of it not exact."""
    found = counts(**more)
    del found["exact"][figure]
    return found


def side(found: dict[str, Any], **record: Any) -> Surveyed:
    """A survey of the one cell."""
    return Surveyed(records={CELL: CellRecord(*CELL, **record)}, counted={CELL: found})


def held(
    base: dict[str, Any],
    head: dict[str, Any],
    meter: str = OPERATORS,
    again: tuple[Surveyed, Surveyed] | Exception | None = None,
    chosen: tuple[str, str] = ("", ""),
) -> CountVerdict:
    """The verdict; a second process of each side tells the same unless it is said otherwise."""
    sides = side(base, chosen=chosen[0]), side(head, chosen=chosen[1])

    def second(cells: Collection[Cell]) -> tuple[Surveyed, Surveyed]:
        assert set(cells) == {CELL}
        if isinstance(again, Exception):
            raise again
        return copy.deepcopy(sides) if again is None else again

    (verdict,) = counted(NAMES, *sides, [CELL], (TIME, meter), second)
    assert verdict.cell == CELL and verdict.meter == meter
    return verdict


def test_nothing_changed() -> None:
    """Equal counts are unchanged, and nobody is asked a second time."""
    verdict = held(counts(), counts(), again=AssertionError("nothing was to be counted again"))
    assert verdict == CountVerdict(CELL, OPERATORS, UNCHANGED)


def test_one_more_of_a_name_is_a_rise() -> None:
    """And the name is known, with by how many."""
    verdict = held(counts(copies=0), counts(copies=4))
    assert verdict.verdict == REGRESSED
    assert verdict.differences == (Difference("operators", 4, 8, {"aten::copy_": 4}),)


def test_less_is_an_improvement() -> None:
    """Of every figure that changed."""
    verdict = held(counts(), counts(peak=1000, allocations=8), MEMORY)
    assert verdict.verdict == IMPROVED
    assert {each.figure: each.after - each.before for each in verdict.differences} == {
        "peak_bytes": -24,
        "allocations": -1,
    }


def test_a_rise_is_one_whatever_else_falls() -> None:
    """Fewer allocations don't pay for a higher peak."""
    assert held(counts(), counts(peak=1028, allocations=1), MEMORY).verdict == REGRESSED


def test_a_name_for_another_is_no_rise() -> None:
    """As many calls as before are as many."""
    assert held(counts(copies=4, products=5), counts(copies=5, products=4)).verdict == UNCHANGED


@pytest.mark.parametrize(("which", "name"), [(0, "main"), (1, "the working tree")])
def test_what_differs_within_a_process_is_not_exact(which: int, name: str) -> None:
    """It is said of the side that told two values, and is no regression."""
    both = [counts(copies=0), counts(copies=4)]
    both[which] = without("operators", differ=["operators"])
    verdict = held(both[0], both[1])
    assert verdict.verdict == INCONCLUSIVE and not verdict.differences
    assert verdict.note == f"its operators differ between two counts of {name}"


def test_what_a_second_process_counts_otherwise_is_not_exact() -> None:
    """A rise that the tree does not repeat is no regression; one that it repeats beside it still is."""
    second = side(counts(peak=1024)), side(counts(peak=1024))
    verdict = held(counts(), counts(peak=4096), MEMORY, second)
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.note == "the bytes at its peak differ between two counts of the working tree"
    second = side(counts(peak=1024)), side(counts(peak=1024, allocations=10))
    verdict = held(counts(), counts(peak=4096, allocations=10), MEMORY, second)
    assert verdict.verdict == REGRESSED
    assert [each.figure for each in verdict.differences] == ["allocations"]


def test_as_many_under_other_names_the_second_time_is_not_exact() -> None:
    """The same sum by chance is not the same count."""
    second = side(counts(copies=0)), side(counts(copies=3, products=5))
    assert held(counts(copies=0), counts(copies=4), again=second).verdict == INCONCLUSIVE


def test_what_chooses_by_a_measurement_is_not_held_to_its_choice() -> None:
    """The next process of the same tree may choose otherwise; the note says what was chosen."""
    verdict = held(counts(copies=0), counts(copies=4), chosen=("own kernel", "nn.RNN"))
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.note == "it chose `own kernel` in main and `nn.RNN` in the working tree"
    assert held(counts(), counts(), chosen=("own kernel", "nn.RNN")).verdict == UNCHANGED


def test_what_fails_the_second_time_is_inconclusive() -> None:
    """With the reason."""
    failed = Surveyed(records={CELL: CellRecord(*CELL, status=FAILED, reason="killed by SIGKILL")})
    verdict = held(counts(copies=0), counts(copies=4), again=(side(counts(copies=0)), failed))
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.note == "it could not be counted a second time in the working tree: killed by SIGKILL"


def test_a_budget_that_is_spent_loses_nothing() -> None:
    """What was counted once is told, and that it was once."""
    verdict = held(counts(copies=0), counts(copies=4), again=Incomparable("the budget of 1 s was spent"))
    assert verdict.verdict == INCONCLUSIVE
    assert verdict.differences[0].names == {"aten::copy_": 4}
    assert verdict.note == "it was not counted a second time: the budget of 1 s was spent"


def test_what_is_not_known_is_said_why() -> None:
    """Memory taken past torch; a figure that neither side has, such as launches on the CPU, is nobody's fault."""
    unknown = {"exact": {"operators": 8, "nodes": 0}, "unknown": {"peak_bytes": "not seen", "allocations": "not seen"}}
    verdict = held(unknown, unknown, MEMORY)
    assert (verdict.verdict, verdict.note) == (INCONCLUSIVE, "not seen")
    assert held(unknown, unknown).verdict == UNCHANGED


def test_a_worker_that_counted_nothing_is_named() -> None:
    """Such as one that died before it told."""
    verdict = held({}, counts())
    assert (verdict.verdict, verdict.note) == (INCONCLUSIVE, "nothing was counted in main")
