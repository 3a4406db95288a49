"""What is computed of all cells at once is what the written-down estimators give for one pair after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.table import observation
from bench.table.leader import leaders
from bench.table.sampled import Sampled
from bench.table.segments import Segments
from bench.table.stats import intervals_of_means
from tests import scalar

NAMES = ("a", "b", "c")


def samples(seed: int, evidence: str, cases: int = 3, passes: int = 4) -> pd.DataFrame:
    """Samples of some cases: rounds of each pass and cell are as many as luck has it, some passes are missing, blocks
    have spikes; of how they were disturbed everything, switches alone, or nothing is known, or it changes by pass."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for case in range(cases):
        for number in range(1, passes + 1):
            known = draw.choice(["all", "switches", "nothing"]) if evidence == "mixed" else evidence
            control = 1e-4 * np.exp(draw.normal(0, 0.05, 20)) * np.where(draw.random(20) < 0.08, 2.0, 1.0)
            for name in NAMES:
                if draw.random() < 0.15:
                    continue
                for k in range(int(draw.integers(1, 20))):
                    stopped = int(draw.random() < 0.15)
                    waited = stopped * 1e-4 * draw.random()
                    row = {"run": f"run{case % 2}", "case": f"case{case}", "implementation": name, "pass": number}
                    row |= {"round": k, "calls": 2, "event_seconds": math.nan}
                    row["seconds"] = 1e-3 * math.exp(draw.normal(0, 0.1)) * (3.0 if draw.random() < 0.05 else 1.0)
                    row["control_seconds"] = control[k]
                    for whose in ("", "control_"):
                        row[f"{whose}waited_seconds"] = waited if known == "all" else math.nan
                        row[f"{whose}switches"] = stopped if known != "nothing" else math.nan
                    rows.append(row)
    return pd.DataFrame(rows).sort_values(["case", "implementation", "pass", "round"], ignore_index=True)


def counted(frame: pd.DataFrame) -> pd.DataFrame:
    """`with_counted`, one cell and pass after the other."""
    parts = []
    for _, own in frame.groupby(["case", "pass", "implementation"], sort=False):
        part = own.copy()
        known = True
        for whose in ("", "control_"):
            columns = (part[f"{whose}{name}"].to_numpy(float) for name in ("seconds", "waited_seconds", "switches"))
            part[f"{whose}counted"], told = scalar.counting(*columns)
            known &= told
        parts.append(part.assign(evidence=known))
    found = pd.concat(parts).sort_index()
    for run in found["run"].unique():
        once = found[found["evidence"] & (found["run"] == run)].drop_duplicates(["case", "pass", "round"])
        once = once.dropna(subset="control_counted")
        spiked = sum(scalar.spikes(part.to_numpy()) for _, part in once.groupby(["case", "pass"])["control_counted"])
        for column in ("counted", "control_counted"):
            for _, part in found[found["run"] == run].groupby(["case", "pass", "implementation"])[column]:
                found.loc[part.index, column] = scalar.clipped(part.to_numpy(), spiked / max(1, len(once)))
    return found


def ratio(frame: pd.DataFrame, case: str, one: str, other: str, first: int) -> list[float]:
    """Ratio of one pair with its ends, and the passes it rests on."""
    own, base = (frame[(frame["case"] == case) & (frame["implementation"] == name)] for name in (one, other))
    both = base.merge(own, on=["pass", "round"], suffixes=("_base", "_own"))
    logs, errors, planned = [], [], 0
    for number, part in both.groupby("pass"):
        pair = part["counted_base"].to_numpy(), part["counted_own"].to_numpy()
        if not (np.isfinite(pair[0]) & np.isfinite(pair[1])).any():
            continue
        if (part["evidence_base"] & part["evidence_own"]).all():
            log, error = scalar.ratio_of_means(*pair)
        else:
            log, error = float(np.median(np.log(pair[0]) - np.log(pair[1]))), math.nan
        logs.append(log)
        errors.append(error)
        planned += number <= first
    if not logs:
        return [math.nan] * 3 + [0]
    return [*map(math.exp, scalar.interval(logs, errors, planned or len(logs))), len(logs)]


@pytest.mark.parametrize("evidence", ["all", "switches", "nothing", "mixed"])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), first=st.integers(2, 4))
def test_all_at_once_is_one_after_the_other(evidence: str, seed: int, first: int) -> None:
    """What counts of each block, and every ratio of two cells, with missing passes and unequal rounds."""
    frame = samples(seed, evidence)
    found = observation.with_counted(frame)
    wanted = counted(frame)
    for column in ("counted", "control_counted", "evidence"):
        assert found[column].to_numpy(float) == pytest.approx(
            wanted[column].to_numpy(float), rel=1e-12, abs=1e-13, nan_ok=True
        )
    sampled = Sampled(found)
    pairs = [(one, other) for one in sampled.cells for other in sampled.cells if one[0] == other[0]]
    numbers = [np.array([sampled.number[pair[k]] for pair in pairs]) for k in (0, 1)]
    ratios = sampled.ratios(numbers[0], numbers[1], first)
    for k, ((case, one), (_, other)) in enumerate(pairs):
        told = [ratios.value[k], ratios.low[k], ratios.high[k], ratios.passes[k]]
        truth = ratio(wanted, case, one, other, first)
        assert told == pytest.approx(truth, rel=1e-12, abs=1e-13, nan_ok=True), (case, one, other)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_many_intervals_are_each_the_usual_one(data: st.DataObject) -> None:
    """Lines of a matrix with errors, some not known, some zero, and a number of planned passes for each."""
    count, passes = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 8))
    seed = data.draw(st.integers(0, 10**6))
    draw = np.random.default_rng(seed)
    values = draw.normal(0, 1, (count, passes))
    errors = draw.exponential(data.draw(st.sampled_from([0.01, 0.3, 2.0])), (count, passes))
    errors[draw.random((count, passes)) < 0.1] = data.draw(st.sampled_from([0.0, math.nan, 9.0]))
    first = draw.integers(1, passes + 1, count)
    found = intervals_of_means(values, first, errors=errors)
    for k in range(count):
        wanted = scalar.interval(values[k].tolist(), errors[k].tolist(), int(first[k]))
        told = [found.value[k], found.low[k], found.high[k]]
        assert told == pytest.approx(list(wanted), rel=1e-10, abs=1e-12, nan_ok=True)


def test_rounds_with_gaps_are_paired_by_their_number() -> None:
    """A cell that lost its first round shares only the others, whatever their place among its own."""
    rows = [("a", 1, k, 1.0 + k) for k in range(4)] + [("b", 1, k, 2.0 * (1.0 + k)) for k in (1, 3)]
    frame = pd.DataFrame(rows, columns=["implementation", "pass", "round", "counted"]).assign(case="x", evidence=True)
    found = Sampled(frame).logs(np.array([0]), np.array([1]))
    assert found.log == pytest.approx([math.log(2)]) and found.error == pytest.approx([0.0])


def test_segments_are_in_the_order_of_their_keys() -> None:
    """The first key counts most; rows stay in their order; nothing gives nothing."""
    found = Segments.of([1, 0, 1, 0, 0], [5, 7, 5, 3, 7])
    assert [found.order[s : s + n].tolist() for s, n in zip(found.starts, found.lengths, strict=True)] == [
        [3], [1, 4], [0, 2]]  # fmt: skip
    assert sorted(len(rows[0]) for _, rows in found.by_length()) == [1, 2]
    assert len(Segments.of([])) == 0 and list(Segments.of([]).by_length()) == []


def test_leaders_of_many_cases_are_those_of_each() -> None:
    """Three cases at once give what each gives alone, also where passes are missing."""
    sampled = Sampled(observation.with_counted(samples(5, "all")))
    cases = [[k for k, cell in enumerate(sampled.cells) if cell[0] == f"case{number}"] for number in range(3)]
    every = leaders(sampled, cases)
    for number, numbers in enumerate(cases):
        alone = leaders(sampled, [numbers])
        assert every.leader[number] == alone.leader[0]
        own = every.whose == number
        assert every.ratios.value[own] == pytest.approx(alone.ratios.value, nan_ok=True)
        told = [sampled.ratios(np.full(3, each), np.array(numbers)).value for each in numbers]
        surely = [k for k, values in zip(numbers, told, strict=True) if (values >= 1).all()]
        assert not surely or every.leader[number] in surely, "who is behind nobody leads"
