"""What to use: planted winners, ties and gains are found, regions claim no case that is not theirs, prices add up."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.report.names import codes
from bench.report.pictures.heatmaps import OPEN, TIE
from bench.report.pictures.palette import COLOURS, looks
from bench.report.pictures.render import inline_svg, style
from bench.report.pictures.scene import Scene
from bench.report.prices import calls_in_words, paid, prices
from bench.report.use import Line, Use, use, where, with_winners
from bench.store.manifest import FAILED, UNAVAILABLE
from bench.table.cells import cells
from bench.table.comparison import FASTEST, TIED, UNDECIDED, log_ratios
from bench.table.measured import measured_samples
from bench.table.reading import Run, read_run
from bench.table.reasons import reasons
from bench.table.regions import Mark, boxes, regions
from bench.table.stats import Estimate, interval_of_ratio
from bench.table.winners import AT_ONCE, NEVER, winners
from rnn_impls.registry import BUILTIN
from tests.planted import grid
from tests.report.test_build import Page
from tests.synthetic import Truth, write_run

NAMES = ("manual", "whole", "hoisted", "fused-cpu")
CASES = [case for mode in ("inference", "training") for case in grid((32, 64, 128), (1, 8, 64), mode=mode)]
Ran = Callable[..., Run]


def seconds(case: Case, name: str) -> float:
    """`hoisted` wins inference at one step, `fused-cpu` all else up to hidden 64; beyond, `whole` does."""
    usual = {"manual": 4.0, "whole": 2.0, "hoisted": 1.5, "fused-cpu": 1.9}
    if name == "fused-cpu" and case.hidden_size <= 64 and (case.mode, case.seq_len) != ("inference", 1):
        return 0.5e-5 * case.seq_len
    if name in ("hoisted", "fused-cpu") and case.hidden_size > 64:
        return 3e-5 * case.seq_len
    return usual[name] * 1e-5 * case.seq_len


@pytest.fixture
def ran(tmp_path: Path) -> Ran:
    """Makes runs of planted times that hardly scatter; further options go to write_run."""

    def make(truth: Truth = seconds, cases: Sequence[Case] = CASES, **options: Any) -> Run:
        usual: dict[str, Any] = {
            "implementations": NAMES,
            "spread": 0.004,
            "noise": 0.002,
            "truth": truth,
            "cases": cases,
        }
        return read_run(write_run(tmp_path / "run", **usual | options))

    return make


def told(run: Run) -> Use:
    """What the report says of what to use."""
    table = cells(run)
    return use(table, Scene(table, run.manifest))


def tied(case: Case, name: str) -> float:
    """`hoisted` and `fused-cpu` take the same time, half of the others'."""
    return {"manual": 2e-5, "whole": 2e-5, "hoisted": 1e-5, "fused-cpu": 1e-5}[name] * case.seq_len


# Winners


def test_planted_winners_are_found(ran: Ran) -> None:
    """In every case the fastest by the truth, alone."""
    found = winners(cells(ran()))
    assert len(found) == len(CASES)
    for case in CASES:
        assert found[case.id].names == (min(NAMES, key=lambda name: seconds(case, name)),), case


def test_two_alike_that_scatter_are_undecided(ran: Ran) -> None:
    """The same truth twice, not known to 3 %: never a win, and there is no gain of a winner."""
    table = with_winners(cells(ran(tied, spread=0.06, cases=CASES[:6])))
    assert set(table["fastest"]) == {"undecided: hoisted, fused-cpu"}
    assert table["fastest_gain"].isna().all()
    assert table.groupby("implementation")["standing"].first().to_dict() == {
        "manual": "slower",
        "whole": "slower",
        "hoisted": "undecided",
        "fused-cpu": "undecided",
    }


def test_two_alike_tie_the_simplest_first(ran: Ran) -> None:
    """The same truth twice, known to 3 %: first who needs the least, then who has the fewest lines, by the run; the
    gain is that of the first."""
    run = ran(tied, cases=CASES[:6])
    for record in run.manifest.cells:
        record.lines = {"hoisted": 50, "fused-cpu": 20}.get(record.implementation)
    table = with_winners(cells(run))
    assert set(table["fastest"]) == {"tie: fused-cpu, hoisted"}
    for record in run.manifest.cells:
        record.needs = ["a compiler"] if record.implementation == "fused-cpu" else []
    table = with_winners(cells(run))
    assert set(table["fastest"]) == {"tie: hoisted, fused-cpu"}
    first = table[table["implementation"] == "hoisted"]
    assert (first["fastest_gain"] == first["gain"]).all() and first["gain"].between(1.9, 2.1).all()


def test_ties_of_runs_of_earlier_versions_count_the_lines_here(ran: Ran) -> None:
    """Without a word on lines and needs in the files, those of this suite's own code decide."""
    run = ran(tied, cases=CASES[:1])
    path = run.folder / "run.json"
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        del cell["lines"], cell["needs"], cell["same_as"]
    path.write_text(json.dumps(content))
    assert [winner.names for winner in winners(cells(read_run(run.folder))).values()] == [("hoisted", "fused-cpu")]


def shared(run: Run) -> Run:
    """The run with `fused-cpu` running the code of `hoisted` in inference."""
    for record in run.manifest.cells:
        if record.implementation == "fused-cpu" and Case.parse(record.case).mode == "inference":
            record.same_as = "hoisted"
    return run


def test_shared_code_is_one_entry(ran: Ran) -> None:
    """The same code is no rival of itself, whatever its times: who is named is whose code it is, and the other is told
    once. Where the code is another it competes."""
    run = shared(ran(tied, spread=0.06, cases=[*CASES[:3], *CASES[9:12]]))
    table = with_winners(cells(run))
    assert dict(zip(table["mode"], table["fastest"], strict=True)) == {
        "inference": "hoisted",
        "training": "undecided: hoisted, fused-cpu",
    }
    fused = table[(table["implementation"] == "fused-cpu") & (table["mode"] == "inference")]
    assert set(fused["standing"]) == {""} and fused[["seconds", "behind_low"]].notna().all(axis=None)
    found = told(run)
    assert found.notes == ["In inference, `fused-cpu` runs the code of `hoisted`: one entry there."]
    assert {(line.standing, line.names) for line in found.lines} == {
        ("fastest", ("hoisted",)),
        ("undecided", ("hoisted", "fused-cpu")),
    }


def test_shared_code_competes_where_its_owner_was_not_measured(ran: Ran) -> None:
    """Somebody has to stand for it."""
    run = shared(ran(tied, cases=CASES[:3], implementations=("manual", "whole", "fused-cpu")))
    assert {winner.names for winner in winners(cells(run)).values()} == {("fused-cpu",)}
    assert told(run).notes == []


def test_rounded_weights_are_another_network_and_win_nothing(ran: Ran) -> None:
    """However fast: they are behind the leader by less than 1, without a standing."""
    run = ran(cases=CASES[:3])
    for record in run.manifest.cells:
        record.weights_dtype = "bfloat16" if record.implementation in ("hoisted", "fused-cpu") else ""
    table = cells(run)
    assert {winner.names for winner in winners(table).values()} == {("whole",)}
    rounded = table[table["weights_dtype"] != ""]
    assert set(rounded["standing"]) == {""} and (rounded["behind_high"] < 1).all()


@pytest.mark.parametrize("options", [{"passes": 1}, {"implementations": ("whole",)}])
def test_without_intervals_or_others_nobody_wins(ran: Ran, options: dict[str, Any]) -> None:
    """One pass, and one implementation."""
    table = with_winners(cells(ran(**options)))
    assert winners(table) == {}
    assert set(table["fastest"]) == {""} and table["fastest_gain"].isna().all()


def test_the_baselines_luck_decides_nothing(ran: Ran) -> None:
    """Where only the baseline scatters, the intervals of all speed-ups overlap, and the direct ratio still decides."""
    run = ran(cases=CASES[:3])
    luck = {1: 1.0, 2: 3.0, 3: 0.5, 4: 2.0, 5: 0.8}
    manual = run.samples["implementation"] == "manual"
    run.samples.loc[manual, "seconds"] *= run.samples.loc[manual, "pass"].map(luck)
    table = cells(run)
    for case, rows in table.groupby("case"):
        others = rows[rows["implementation"] != "manual"]
        assert others["speedup_low"].max() < others["speedup_high"].min()
        name = min(NAMES, key=lambda name: seconds(Case.parse(str(case)), name))
        assert winners(rows)[str(case)].names == (name,)


# Gains


def test_gains_are_those_of_the_same_rounds(ran: Ran) -> None:
    """Value and interval are those of whole's samples over the other's own, pass by pass, whatever the baseline."""
    run = ran(spread=0.05)
    samples, table = measured_samples(run), cells(run)
    for _, row in table[table["implementation"] != "whole"].iterrows():
        logs = log_ratios(samples[row["case"], row["implementation"]], samples[row["case"], "whole"])
        wanted = interval_of_ratio(logs["log"].tolist(), 5, errors=logs["error"].tolist())
        assert (row["gain"], row["gain_low"], row["gain_high"]) == (wanted.value, wanted.low, wanted.high)
        base = table[(table["case"] == row["case"]) & (table["implementation"] == "whole")].iloc[0]
        assert row["gain"] == pytest.approx(row["speedup"] / base["speedup"], rel=0.02)
    whole = table[table["implementation"] == "whole"]
    assert (whole[["gain", "gain_low", "gain_high"]] == 1.0).all(axis=None)


def test_intervals_of_gains_hold_the_truth(ran: Ran) -> None:
    """In about 95 of 100 cells; ratios of two speed-ups' ends would hold it far more often than that."""
    table = cells(ran(spread=0.03, cases=[*CASES, *(case for case in grid((256, 512)))], seed=5))
    others = table[~table["implementation"].isin(["whole", "manual"])]
    truths = [
        seconds(Case.parse(row["case"]), "whole") / seconds(Case.parse(row["case"]), row["implementation"])
        for _, row in others.iterrows()
    ]
    held = [
        (row["gain_low"] <= truth <= row["gain_high"])
        for truth, (_, row) in zip(truths, others.iterrows(), strict=True)
    ]
    assert 0.85 <= sum(held) / len(held) <= 1


def test_without_whole_there_is_no_gain(ran: Ran) -> None:
    """Winners there are, and a note says what is missing."""
    run = ran(implementations=("manual", "hoisted"))
    table = with_winners(cells(run))
    assert table["gain"].isna().all() and (table["fastest"] != "").all()
    found = told(run)
    assert "`whole` was not measured: no gain over it is known." in found.notes
    assert all(line.gain == "" for line in found.lines) and found.lines
    assert not any("whole" in column.title or "Pays" in column.title for column in found.columns)


# Boxes and regions


def test_boxes_of_a_grid_by_hand() -> None:
    """An L of one mark and a corner of another: three boxes at most, and the corner is one."""
    a, b = (FASTEST, ("a",)), (FASTEST, ("b",))
    marks: dict[tuple[int, ...], Mark] = {(x, y): b if x == 2 and y == 2 else a for x, y in product(range(3), range(3))}
    assert boxes(marks) == {((0, 1), (2, 2)): a, ((0, 2), (0, 1)): a, ((2, 2), (2, 2)): b}
    assert boxes({}) == {}
    assert boxes({(3,): a, (5,): a}) == {((3, 3),): a, ((5, 5),): a}


def test_undecided_neighbours_are_one_where_somebody_is_in_the_running_in_both() -> None:
    """The names of the box are those of all; what is decided is never mixed with what is not."""
    names = ["mh", "hs", "hs", "mw", "w"]
    marks: dict[tuple[int, ...], Mark] = {(k,): (UNDECIDED, tuple(each)) for k, each in enumerate(names)}
    marks[(5,)] = (FASTEST, ("w",))
    marks[(6,)] = (TIED, ("w", "h"))
    assert boxes(marks) == {
        ((0, 2),): (UNDECIDED, ("h",)),
        ((3, 4),): (UNDECIDED, ("w",)),
        ((5, 5),): (FASTEST, ("w",)),
        ((6, 6),): (TIED, ("w", "h")),
    }


def test_boxes_cover_each_point_once_and_say_what_holds_at_each() -> None:
    """Whatever the marks, and with points missing: a box has somebody, and all whom it names are there at each of its
    points; what is decided has the very mark of each."""
    pytest.importorskip("hypothesis", reason="hypothesis is not installed; pip install .[test]")
    from hypothesis import given, settings
    from hypothesis import strategies as st

    decided = st.tuples(st.sampled_from([FASTEST, TIED]), st.sampled_from([("a",), ("b", "a"), ("c",)]))
    several = st.sets(st.sampled_from("abcd"), min_size=1).map(lambda each: tuple(sorted(each)))
    points = st.tuples(*(st.integers(0, most) for most in (1, 2, 3, 3)))
    drawn = st.dictionaries(points, decided | st.tuples(st.just(UNDECIDED), several), max_size=60)

    @settings(derandomize=True, deadline=None, database=None, max_examples=150)
    @given(drawn)
    def holds(marks: dict[tuple[int, ...], Mark]) -> None:
        covered: list[tuple[int, ...]] = []
        for box, (standing, names) in boxes(marks).items():
            inside = list(product(*(range(low, high + 1) for low, high in box)))
            assert names
            for point in inside:
                assert marks[point][0] == standing
                assert set(names) <= set(marks[point][1])
                assert standing == UNDECIDED or names == marks[point][1]
            covered += inside
        assert sorted(covered) == sorted(marks)

    holds()


def test_planted_regions_in_words(ran: Ran) -> None:
    """Three win four regions, the largest first; the gains are those planted."""
    found = told(ran())
    bare = [re.sub(r" \[[^]]*\]", "", line.sentence) for line in found.lines]
    texts = [re.sub(r"[\d.]+(?=×)", lambda ratio: f"{float(ratio[0]):.1f}", text) for text in bare]
    assert texts == [
        "Inference and training, hidden 32 to 64, 8 to 64 steps: `fused-cpu`, 4.0× to 4.0× over `whole` (8 cases).",
        "Inference and training, hidden 128, 1 to 64 steps: `whole` (6 cases).",
        "Inference, hidden 32 to 64, 1 step: `hoisted`, 1.3× to 1.3× over `whole` (2 cases).",
        "Training, hidden 32 to 64, 1 step: `fused-cpu`, 4.0× to 4.0× over `whole` (2 cases).",
    ]
    assert sum(line.cases for line in found.lines) == len(CASES)
    assert all("] to " in line.gain for line in found.lines if line.gain), "the table has both intervals"


def test_no_region_names_who_is_not_in_the_running_in_all_of_it(ran: Ran) -> None:
    """One that ties at one step and is far behind elsewhere is named by no region of other lengths."""

    def early(case: Case, name: str) -> float:
        slow = {"manual": 1.0 if case.seq_len == 1 else 7.5, "whole": 3.0, "hoisted": 1.0, "fused-cpu": 1.0}
        return slow[name] * 1e-5 * case.seq_len

    table = cells(run := ran(early, spread=0.06))
    won = winners(table)
    for region in regions(table, won):
        inside = [won[case].names for case in region.rows["case"]]
        assert region.names and all(set(region.names) <= set(names) for names in inside)
        assert region.alone == all(set(region.names) == set(names) for names in inside)
    named = [line.where for line in told(run).lines if "manual" in line.names]
    assert named == ["inference and training, hidden 32 to 128, 1 step"]


def test_an_undecided_region_in_words() -> None:
    """Between whom it lies, or who is in the running in all of it where others are in a part."""
    gains = (Estimate(2.9, 2.7, 3.1, 5), Estimate(3.2, 3.0, 3.4, 5))
    line = Line("training, hidden 32, 1 to 64 steps", UNDECIDED, ("hoisted", "manual"), True, gains, 3)
    where = "Training, hidden 32, 1 to 64 steps: undecided"
    assert line.sentence == f"{where} between `hoisted` and `manual`, 2.9× to 3.2× over `whole` (3 cases)."
    assert (line.lead, line.gain) == ("undecided:", "2.9× [2.7, 3.1] to 3.2× [3.0, 3.4]")
    partly = dataclasses.replace(line, alone=False, names=("hoisted",), gains=gains[:1])
    assert partly.sentence == (
        f"{where}, with `hoisted` always in the running, 2.9× [2.7, 3.1] over `whole` (3 cases)."
    )
    assert partly.lead == "undecided, always in the running:"


def test_regions_claim_their_own_cases_only(ran: Ran) -> None:
    """Each case of a region's ranges was measured and won by its winner; none is in two."""
    table = cells(ran())
    won = winners(table)
    seen = []
    for region in regions(table, won):
        inside = set(region.rows["case"])
        ranges = product(*region.spans.values())
        wanted = {
            Case(mode=mode, batch_size=batch, hidden_size=hidden, input_size=hidden, seq_len=steps).id
            for mode, batch, hidden, steps in ranges
        }
        assert inside == wanted
        assert all(won[case].names == region.names and won[case].standing == region.standing for case in inside)
        seen += list(inside)
    assert sorted(seen) == sorted(won)


def test_an_unmeasured_case_splits_a_region(ran: Ran) -> None:
    """What was not measured is not claimed by what lies around it."""
    hole = [case for case in CASES if (case.hidden_size, case.seq_len) != (64, 8)]
    table = cells(ran(lambda case, name: seconds(CASES[-1], name), cases=hole))
    found = regions(table, winners(table))
    assert {region.names for region in found} == {("whole",)} and len(found) > 1
    for region in found:
        assert not (64 in region.spans["hidden_size"] and 8 in region.spans["seq_len"])


def test_what_else_varies_is_never_merged_but_said(ran: Ran) -> None:
    """Devices and dtypes have regions of their own; batches are merged where they agree."""
    cases = [
        *grid((32, 64), (8, 64), batch_size=1),
        *grid((32, 64), (8, 64), batch_size=16),
        *grid((32, 64), (8, 64), device="cuda"),
        *grid((32, 64), (8, 64), dtype="float64"),
    ]
    table = cells(ran(cases=cases))
    varying = ["device", "dtype", "batch_size", "hidden_size", "seq_len"]
    words = [where(region, varying) for region in regions(table, winners(table))]
    assert words == [
        "CPU, float32, inference, batch 1 to 16, hidden 32 to 64, 8 to 64 steps",
        "CPU, float64, inference, batch 1, hidden 32 to 64, 8 to 64 steps",
        "GPU (CUDA), float32, inference, batch 1, hidden 32 to 64, 8 to 64 steps",
    ]


@pytest.mark.parametrize(
    ("spread", "words"),
    [(0.06, "undecided between `hoisted` and `fused-cpu`"), (0.004, "tie: `hoisted` and `fused-cpu`")],
)
def test_ties_are_regions_that_name_all_they_lie_between(ran: Ran, spread: float, words: str) -> None:
    """No sentence claims a winner where the truth has none; the gain is that of all of them, of a tie of the first."""
    table = cells(run := ran(tied, spread=spread, cases=CASES[:9]))
    (line,) = told(run).lines
    assert line.names == ("hoisted", "fused-cpu") and words in line.sentence and line.cases == 9
    low, high = (float(each) for each in re.findall(r"([\d.]+)×", line.gain))
    names = ["hoisted"] if spread == 0.004 else ["hoisted", "fused-cpu"]
    found = table[table["implementation"].isin(names)]["gain"]
    assert [low, high] == pytest.approx([found.min(), found.max()], rel=0.03)
    assert 1.7 < low <= 2.0 <= high < 2.3


# Prices


def test_prices_by_hand(ran: Ran) -> None:
    """Seconds to build, memory over whole's, lines, and where it does not run."""

    def built(case: Case, name: str) -> float:
        return 0.5 * case.hidden_size / 32 if name == "fused-cpu" else 0.001

    run = ran(build=built, broken={"hoisted": (UNAVAILABLE, "made for\none layer")})
    for record in run.manifest.cells:
        if record.implementation == "fused-cpu" and record.peak_bytes:
            record.peak_bytes *= 3 if record.case.startswith("cpu-float32-training") else 2
    found = prices(cells(run)).set_index("implementation")
    fused = found.loc["fused-cpu"]
    assert (fused["build"], fused["build_most"]) == (1.0, 2.0)
    assert (fused["memory"], fused["memory_least"], fused["memory_most"]) == (2.5, 2.0, 3.0)
    assert found.loc["whole", "memory"] == 1.0
    assert 20 < found.loc["manual", "lines"] < found.loc["fused-cpu", "lines"]
    assert found.loc["hoisted", "lost"] == found.loc["hoisted", "cells"] == len(CASES)
    assert math.isnan(found.loc["whole", "lost"])
    assert math.isnan(found.loc["hoisted", "build"]) and found.loc["manual", "devices"] == "CPU"


def test_paybacks_of_a_run_are_exact(ran: Ran) -> None:
    """Without any scatter: 1 s more to build, 1.5e-5 s saved a step, a share of it earned back with each call."""
    cases = grid((32, 64), (8, 64))
    table = cells(
        ran(cases=cases, spread=0.0, noise=0.0, moods=0.0, build=lambda _, name: 1.25 if name == "fused-cpu" else 0.25)
    )
    found = prices(table).set_index("implementation")["paid"]
    assert found["fused-cpu"] == "1,042 to 8,334 calls"
    assert found["manual"] == "never"
    assert found["hoisted"] == "at once"


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ([], ""),
        ([12.0], "12 calls"),
        ([1.0, 1.0], "1 call"),
        ([12.0, 3400.0, 7.0], "7 to 3,400 calls"),
        ([9999.0, 123_456.0], "9,999 to 123,000 calls"),
        ([AT_ONCE, AT_ONCE], "at once"),
        ([NEVER], "never"),
        ([math.nan], "can't be told"),
        (
            [5.0, NEVER, AT_ONCE, math.nan, 9.0],
            "5 to 9 calls in 2, at once in 1, never in 1, can't be told in 1 of 5 cases",
        ),
    ],
)
def test_paybacks_in_words(calls: list[float], words: str) -> None:
    """One, several, and of all kinds."""
    assert paid(calls) == words


@pytest.mark.parametrize(("count", "words"), [(1.0, "1 call"), (AT_ONCE, "at once"), (NEVER, "never")])
def test_one_payback_in_words(count: float, words: str) -> None:
    """As a single answer gives it."""
    assert calls_in_words([count]) == words


def test_each_reason_is_told_once() -> None:
    """Those that differ by numbers alone are one, told by the first, whomever it met; another outcome is another."""
    rows = [
        ("manual", "measured", ""),
        ("scan", FAILED, "step 3 differs: 0.5 instead of -1.2e-05"),
        ("scan", FAILED, "step 7 differs: -0.25 instead of 1"),
        ("scan", UNAVAILABLE, "made for\n float32"),
        ("whole", UNAVAILABLE, "made for float32"),
        ("whole", UNAVAILABLE, "made for float64"),
    ]
    found = reasons(pd.DataFrame(rows, columns=["implementation", "outcome", "reason"]))
    assert [(each.outcome, each.first, each.implementations, len(each.rows)) for each in found] == [
        (FAILED, "step 3 differs: 0.5 instead of -1.2e-05", ["scan"], 2),
        (UNAVAILABLE, "made for float32", ["whole", "scan"], 2),
        (UNAVAILABLE, "made for float64", ["whole"], 1),
    ]
    assert [each.same for each in found] == [False, True, True]


# Page and summary


def test_the_heatmap_has_the_winners_letters_and_colours(ran: Ran) -> None:
    """Drawn twice it has the same bytes; tiles carry letters and gains, in the winners' own colours, a tie those of its
    first with a mark; what is undecided is grey."""
    run = ran()
    table = cells(run)
    for case, names, standing in (
        (CASES[0], ("hoisted", "fused-cpu"), "undecided"),
        (CASES[1], NAMES, "undecided"),
        (CASES[2], ("whole", "fused-cpu"), "tie"),
    ):
        table.loc[(table["case"] == case.id) & table["implementation"].isin(names), "standing"] = standing
    found = use(table, Scene(table, run.manifest))
    assert found.picture is not None and found.standings == {"fastest", "tie", "undecided"}
    letters = codes({name: name for name in NAMES})
    with style(text_as_paths=False):
        first, second = ([inline_svg(panel, "k") for panel in found.picture.panels] for _ in range(2))
    assert first == second and len(first) == 2
    for name in ("whole", "fused-cpu"):
        assert f">{letters[name]}<" in first[0]
        assert f"var(--{looks(NAMES)[name].role})" in first[0]
    assert f">{letters['hoisted']} {letters['fused-cpu']}<" in first[0] and "var(--even)" in first[0]
    assert ">4.0×<" in first[1]
    assert COLOURS["series-11"][0] not in first[0]
    assert "hidden 32, 1 step: undecided: hoisted, fused-cpu" in first[0]
    assert "hidden 32, 64 steps: tie: whole, fused-cpu" in first[0]
    assert f">{letters['whole']}{TIE}<" in first[0] and f">{OPEN}<" in first[0]
    told = [entry.name for entry in found.picture.legend or []]
    assert told[-2:] == [f"{TIE}  ties with another", f"{OPEN}  undecided"]


@pytest.mark.usefixtures("no_png")
def test_everything_is_on_the_page_and_in_the_summary(ran: Ran) -> None:
    """Section, regions, keys, heatmap, prices; the column of the full table; the compact table's last column."""
    run = ran()
    page = Page(build(run.folder))
    text, summary = " ".join(page.text.split()), (run.folder / "summary.md").read_text()
    assert "use" in page.ids and page.ids.index("answer") < page.ids.index("use") < page.ids.index("table")
    for words in ("What to use", "Each tile is a case", "The price of each", "Pays off after", "Its gain"):
        assert words in text
    assert (run.folder / "figures" / "winners.svg").is_file()
    table = summary.partition("<!-- table -->")[2].partition("<!-- /table -->")[0]
    lines = [line.split(" | ")[-1] for line in table.splitlines() if line.startswith("| hidden")]
    assert len(lines) == len(CASES)
    assert {line.split(" ")[0] for line in lines} == {"`whole`", "`hoisted`", "`fused-cpu`"}
    assert all("× [" in line for line in lines if "whole" not in line)
    assert "## What to use" in summary and "- Inference and training, hidden 128, 1 to 64 steps: `whole`" in summary


def test_a_column_of_the_full_table_says_who_won(ran: Ran) -> None:
    """Every row of a case has the same answer; ties are one choice of the selection, and so is what is undecided."""
    from bench.report.tables import columns, rows

    table = cells(ran(tied, spread=0.06, cases=CASES[:2]))
    both = table["implementation"].isin(["hoisted", "fused-cpu"])
    table.loc[both, "standing"] = ["tie" if case == CASES[0].id else "undecided" for case in table["case"][both]]
    table = with_winners(table)
    shown = columns(table, None)
    titles = [column.title for column in shown]
    found = rows(table, shown, None)
    k = titles.index("Fastest")
    assert {row[k].text for row in found} == {"undecided: hoisted, fused-cpu", "tie: hoisted, fused-cpu"}
    assert all(row[k].choice == row[k].text.partition(":")[0] for row in found)


@pytest.mark.usefixtures("no_png")
@pytest.mark.long
def test_a_run_of_all_can_be_told(tmp_path: Path) -> None:
    """Sixteen and a user's own, on two devices, some of which are missing there: every one has its line of prices."""
    names = (*BUILTIN, "path/to/<b>mine.py:Mine")
    folder = write_run(
        tmp_path / "run",
        presets=("smoke",),
        devices=("cpu", "cuda"),
        implementations=names,
        passes=2,
        broken={"scan": (UNAVAILABLE, "<script>no</script>")},
    )
    page = Page(build(folder))
    assert all(name in page.text for name in (*BUILTIN, "Mine"))
    assert "b" not in page.tags and page.tags.count("script") == 3
    assert "<script>no</script>" in page.text


def test_a_report_of_one_pass_names_no_winner(ran: Ran) -> None:
    """It says why, and still lists prices."""
    found = told(ran(passes=1))
    assert (found.lines, found.picture) == ([], None) and found.rows
    assert found.notes == ["No winner is named: one pass gives no interval."]


def test_one_alone_is_said(ran: Ran) -> None:
    """There is nothing to choose between."""
    found = told(ran(implementations=("whole",)))
    assert found.notes == ["Only one implementation was measured: there is nothing to choose between."]
    assert found.lines == []


def test_cases_without_a_winner_are_counted(ran: Ran) -> None:
    """Where but one was measured there is none."""
    run = ran()
    run.samples = run.samples[(run.samples["case"] != CASES[0].id) | (run.samples["implementation"] == "whole")]
    why = "one implementation, one pass, or no shared rounds"
    assert f"1 of 18 cases have no winner: {why}." in told(run).notes


@pytest.mark.usefixtures("no_png")
def test_nothing_measured_has_no_section(ran: Ran) -> None:
    """No empty heading."""
    run = ran(broken=dict.fromkeys(NAMES, (FAILED, "no")))
    assert told(run) == Use()
    assert "use" not in Page(build(run.folder)).ids


def test_the_manifest_is_all_that_is_read(ran: Ran) -> None:
    """A build time in the file is the build time in the table."""
    run = ran(cases=grid((32,), (8, 64)))
    path = run.folder / "run.json"
    content = json.loads(path.read_text())
    for cell in content["cells"]:
        cell["build_seconds"] = 7.25 if cell["implementation"] == "hoisted" else None
    path.write_text(json.dumps(content))
    found = prices(cells(read_run(run.folder))).set_index("implementation")
    assert found.loc["hoisted", "build"] == 7.25 and math.isnan(found.loc["whole", "build"])
    assert found.loc["hoisted", "paid"] == "can't be told"
