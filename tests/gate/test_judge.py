"""The judge on planted truths: what it decides, when, and how often it errs."""

from __future__ import annotations

import math
import random

import pytest

from bench.cases.case import Cell
from bench.gate.judge import ERROR, LEAST_CONFIRMING, LOOKS, Judge
from bench.table.outcome import IMPROVED, INCONCLUSIVE, REGRESSED, UNCHANGED

CELLS: list[Cell] = [(f"case {number}", "whole") for number in range(18)]
SPREAD = 0.015
"""Of a pair's log ratio, as on the machine of the reference run."""


def judged(
    truth: dict[Cell, float], min_effect: float, draw: random.Random, most: int = LOOKS[-1], spread: float = SPREAD
) -> Judge:
    """A judge that was given normal pairs around these log ratios until it had decided or had had its looks."""
    judge = Judge(list(truth), min_effect)
    while judge.open and not judge.exhausted and judge.pairs < most:
        judge.add({cell: draw.gauss(truth[cell], spread) for cell in judge.open})
    return judge


def verdicts(judge: Judge) -> dict[Cell, str]:
    """By cell."""
    return {cell: found.verdict for cell, found in judge.hearings.items()}


def test_what_did_not_change_is_unchanged_early() -> None:
    """With nothing changed every cell is unchanged within a few looks, and none is measured longer than it needs."""
    judge = judged(dict.fromkeys(CELLS, 0.0), 0.03, random.Random(1))
    assert set(verdicts(judge).values()) == {UNCHANGED}
    assert judge.pairs <= 19
    assert len({len(found.logs) for found in judge.hearings.values()}) > 1


@pytest.mark.parametrize(("effect", "verdict"), [(0.10, REGRESSED), (-0.10, IMPROVED)])
def test_a_change_is_found_and_told_from_the_rest(effect: float, verdict: str) -> None:
    """A third of the cells changed by 10 %: those and no others, with an interval that holds the truth."""
    truth = {cell: effect if number < 6 else 0.0 for number, cell in enumerate(CELLS)}
    judge = judged(truth, 0.03, random.Random(2))
    assert verdicts(judge) == {cell: verdict if truth[cell] else UNCHANGED for cell in CELLS}
    for cell in CELLS[:6]:
        found = judge.hearings[cell]
        assert found.log_bounds[0] < effect < found.log_bounds[1]
        limit = math.log1p(0.03)
        assert found.log_bounds[0] > limit if effect > 0 else found.log_bounds[1] < -limit


def test_a_change_needs_fresh_pairs_to_be_confirmed() -> None:
    """However large, nothing is decided by the pairs that raised the suspicion."""
    judge = Judge(CELLS[:1], 0.03)
    draw = random.Random(3)
    for _ in range(LOOKS[0]):
        judge.add({CELLS[0]: draw.gauss(0.5, SPREAD)})
    found = judge.hearings[CELLS[0]]
    assert (found.suspected, found.verdict, found.decided) == (REGRESSED, INCONCLUSIVE, False)
    for _ in range(LOOKS[1] - LOOKS[0]):
        judge.add({CELLS[0]: draw.gauss(0.5, SPREAD)})
    assert found.verdict == REGRESSED
    assert len(found.deciding) == LOOKS[1] - LOOKS[0] >= LEAST_CONFIRMING


def test_a_suspicion_that_fresh_pairs_do_not_share_is_no_verdict() -> None:
    """The first pairs are slow by luck, the others are not: the cell is not called slower, whatever the mean says."""
    judge, draw = Judge(CELLS[:1], 0.03), random.Random(4)
    found = judge.hearings[CELLS[0]]
    for number in range(LOOKS[-1]):
        if found.decided:
            break
        judge.add({CELLS[0]: draw.gauss(0.3 if number < LOOKS[0] else 0.0, SPREAD)})
        if number + 1 == LOOKS[0]:
            assert found.suspected == REGRESSED
    assert found.verdict in (INCONCLUSIVE, UNCHANGED)


@pytest.mark.long
def test_false_alarms_at_the_limit() -> None:
    """With every cell exactly at the minimum effect, where it errs most, fewer runs than it states call one slower."""
    draw, runs = random.Random(5), 1500
    truth = dict.fromkeys(CELLS, math.log1p(0.02))
    suspected = confirmed = 0
    for _ in range(runs):
        judge = judged(truth, 0.02, draw, most=28)
        suspected += any(found.suspected == REGRESSED for found in judge.hearings.values())
        confirmed += any(found.verdict == REGRESSED for found in judge.hearings.values())
    assert 0 < suspected <= ERROR * runs
    assert confirmed <= 2 * ERROR * ERROR * runs


@pytest.mark.long
def test_false_unchanged_at_the_limit() -> None:
    """With every cell exactly at the minimum effect, fewer runs than stated call one of them unchanged."""
    draw, runs = random.Random(6), 1500
    truth = dict.fromkeys(CELLS, math.log1p(0.02))
    wrong = sum(UNCHANGED in verdicts(judged(truth, 0.02, draw, most=28)).values() for _ in range(runs))
    assert 0 < wrong <= ERROR * runs


def test_holm_rejects_what_bonferroni_would_not() -> None:
    """Each rejection makes the next level milder, over looks too; levels are shares of the error."""
    judge = Judge(CELLS[:3], 0.03)
    share = ERROR / len(LOOKS)
    p_values = {CELLS[0]: share / 3, CELLS[1]: share / 2, CELLS[2]: share}
    assert len(judge._reject("family", p_values)) == 3
    judge = Judge(CELLS[:3], 0.03)
    assert judge._reject("family", {CELLS[0]: share / 2, CELLS[1]: share, CELLS[2]: 1.0}) == []
    assert len(judge._reject("family", {CELLS[0]: share / 3})) == 1
    assert len(judge._reject("family", {CELLS[1]: share / 2, CELLS[2]: 1.0})) == 1
    assert len(judge._reject("another", {CELLS[1]: share / 2})) == 0


def test_one_wild_pair_does_not_make_a_regression() -> None:
    """A pair that met a storm widens the bounds instead."""
    judge, draw = Judge(CELLS[:1], 0.03), random.Random(7)
    for number in range(LOOKS[2]):
        judge.add({CELLS[0]: 1.0 if number == 3 else draw.gauss(0, SPREAD)})
    found = judge.hearings[CELLS[0]]
    assert (found.verdict, found.suspected) == (INCONCLUSIVE, "")


def test_identical_pairs_decide() -> None:
    """No spread at all, as on a fake clock, is no division by zero."""
    for value, verdict in ((0.0, UNCHANGED), (0.1, REGRESSED), (-0.1, IMPROVED)):
        judge = Judge(CELLS[:1], 0.03)
        for _ in range(LOOKS[1]):
            judge.add({CELLS[0]: value} if judge.open else {})
        assert judge.hearings[CELLS[0]].verdict == verdict


def test_what_it_would_take() -> None:
    """The pairs wanted are about those that a longer run then needs, and endless exactly at the limit."""
    judge, draw = Judge(CELLS[:1], 0.03), random.Random(8)
    for _ in range(LOOKS[0]):
        judge.add({CELLS[0]: draw.gauss(0.02, 0.02)})
    wanted = judge.hearings[CELLS[0]].pairs_wanted(judge.limit)
    assert LOOKS[0] < wanted < 500
    at_limit = Judge(CELLS[:1], 0.03)
    at_limit.hearings[CELLS[0]].logs = [at_limit.limit - 0.01, at_limit.limit + 0.01]
    assert at_limit.hearings[CELLS[0]].pairs_wanted(at_limit.limit) > 1e6


def test_a_dropped_cell_keeps_its_place() -> None:
    """Levels do not become milder because a cell was given up."""
    judge = Judge(CELLS[:2], 0.03)
    judge.drop(CELLS[0])
    assert judge.open == [CELLS[1]]
    share = ERROR / len(LOOKS)
    assert judge._reject("family", {CELLS[1]: share}) == []
