"""Findings say what was planted, the other way round when it is planted the other way round, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.answer import answers, text, trouble
from bench.report.findings import MOST, findings
from bench.store.manifest import FAILED
from bench.table.comparison import TIED, UNDECIDED
from tests.report.conftest import Table

CLAIM = re.compile(r"faster|slower|beats")
Planted = Callable[..., Table]


def flat(**seconds: float) -> Callable[[Case, str], float]:
    """A truth in which each implementation takes so many seconds a step, whatever the case."""
    return lambda case, name: seconds[name.replace("-", "_")] * case.seq_len


def told(table: pd.DataFrame, about: str, baseline: str = "manual") -> str:
    """The one finding about this."""
    found = [finding.text for finding in findings(table, baseline) if finding.about == about]
    assert len(found) == 1, [finding.about for finding in findings(table, baseline)]
    return found[0]


def ratios(sentence: str) -> list[tuple[float, float, float]]:
    """Every `a× [b, c]` of a sentence."""
    pattern = r"([\d.]+)× \[([\d.]+), ([\d.]+)\]"
    return [(float(a), float(b), float(c)) for a, b, c in re.findall(pattern, sentence)]


def words(sentence: str) -> int:
    """How many words a sentence has; an interval is one."""
    return len(re.sub(r"× \[[^\]]*\]", "×", sentence).split())


def test_the_first_finding_answers_hand_cell_or_library(planted: Planted) -> None:
    """Four times faster and 1.5 times slower are found, within their intervals, with what the three are."""
    table, _ = planted(flat(manual=4e-6, looped=6e-6, whole=1e-6))
    first, second = (told(table, about) for about in ("headline", "looped"))
    assert first.startswith("`whole`, one `nn.RNN` call, is ")
    assert first.endswith(" faster than `manual`, the cell by hand, at hidden 128, 64 steps, inference.")
    assert second.startswith("`looped`, `nn.RNN` step by step, is ")
    assert second.endswith(" slower than `manual` at hidden 128, 64 steps, inference.")
    ((_, low, high),), ((_, slow_low, slow_high),) = ratios(first), ratios(second)
    assert 4 / 1.05 < low < high < 4 * 1.05
    assert 1.5 / 1.05 < slow_low < slow_high < 1.5 * 1.05


def test_reversed_truths_are_told_reversed(planted: Planted) -> None:
    """When one call is the slowest and the loop the fastest, that is what is said."""
    table, _ = planted(flat(manual=2e-6, looped=1e-6, whole=8e-6))
    assert re.search(r"is [\d.]+× \[[\d., ]+\] slower than `manual`, the cell by hand,", told(table, "headline"))
    assert re.search(r"is (2.0|1.9)\d*× \[[\d., ]+\] faster than `manual`", told(table, "looped"))
    assert told(table, "wins:cpu:inference") == "In inference `looped` is the fastest in all 12 cases."
    assert "`looped` is 8.1× " in told(table, "departure")


def test_at_most_five_of_at_most_25_words_and_one_interval(planted: Planted) -> None:
    """Whatever is in the run: two devices, seven implementations, one of a user's own, a head and a wide input."""
    names = ("manual", "looped", "whole", "hoisted", "stacked-grad", "path/to/my_rnn.py:MyRNN")
    cases = [
        Case(device=device, mode=mode, seq_len=steps, input_size=768, output_size=2, hidden_size=128)
        for device in ("cpu", "cuda")
        for mode in ("inference", "training")
        for steps in (1, 8, 64)
    ]
    for options in ({"cases": cases}, {"cases": cases[:6]}):
        table, _ = planted(None, implementations=names, passes=3, rounds=4, **options)
        found = findings(table, "manual")
        assert 3 <= len(found) <= MOST == 5
        for finding in found:
            assert words(finding.text) <= 25, finding.text
            assert len(ratios(finding.text)) <= 1, finding.text


def test_an_unusual_input_and_head_are_said(planted: Planted) -> None:
    """4.8× with 768 inputs and a head is another fact than 3.3× without."""
    cases = [Case(input_size=768, hidden_size=128, output_size=2, seq_len=steps) for steps in (8, 64)]
    table, manifest = planted(None, cases=cases)
    assert "at hidden 128, 64 steps, input 768, output 2." in told(table, "headline")
    assert answers(table, manifest)[0].case == "hidden 128, 64 steps, input 768, output 2"


def test_ties_are_never_sold_as_differences(planted: Planted) -> None:
    """With every interval around 1 no sentence claims a difference, and the headline says so."""
    table, _ = planted(flat(manual=1e-6, looped=1e-6, whole=1e-6))
    others = table["implementation"] != "manual"
    columns = [f"{ratio}{end}" for ratio in ("speedup", "gain") for end in ("", "_low", "_high")]
    table.loc[others, columns[:3]] = table[columns[3:]] = (1.01, 0.97, 1.05)
    table["standing"] = UNDECIDED
    for finding in findings(table, "manual"):
        assert not CLAIM.search(finding.text.replace("No implementation beats", "")), finding
    assert "can't be told apart from `manual`" in told(table, "headline")
    assert "none is the fastest for certain: of 12 cases, all are undecided" in told(table, "wins:cpu:inference")
    assert told(table, "departure") == "No implementation beats `whole` for certain in any of 24 cases."


def test_ties_are_called_ties(planted: Planted) -> None:
    """Within 3 % for certain, even where one is faster for certain by less: a tie in the headline and the counts."""
    table, _ = planted(flat(manual=1e-6, looped=1e-6, whole=1e-6))
    others = table["implementation"] != "manual"
    table.loc[others, ["speedup", "speedup_low", "speedup_high"]] = (1.01, 1.005, 1.02)
    table["standing"] = TIED
    assert "`whole`, one `nn.RNN` call, ties with `manual`" in told(table, "headline")
    assert "all are a tie" in told(table, "wins:cpu:training")


def test_where_the_usual_winner_loses_is_named(planted: Planted) -> None:
    """One call wins everywhere but at one step, and both are told with their counts."""
    table, _ = planted(
        lambda case, name: (1e-5 if name == "whole" else 4e-6 * case.seq_len) + 1e-6 * case.seq_len,
        implementations=("manual", "whole"),
    )
    expected = "In training `whole` is the fastest in 9 of 12 cases, `manual` in 3 (all at 1 step)."
    assert told(table, "wins:cpu:training") == expected


def test_the_largest_departure_is_the_largest(planted: Planted) -> None:
    """Of all cases the one in which an implementation gains most over one call."""
    gain = {"hoisted": 1.2, "stacked-grad": 1.5}

    def truth(case: Case, name: str) -> float:
        planted_gain = 5.0 if (case.hidden_size, case.seq_len, case.mode) == (32, 512, "training") else 1.0
        return 1e-6 * case.seq_len / (gain.get(name, 1.0) * (planted_gain if name == "hoisted" else 1.0))

    table, _ = planted(truth, implementations=("manual", "whole", "hoisted", "stacked-grad"))
    sentence = told(table, "departure")
    assert sentence.startswith("The largest gain over `whole`: `hoisted` is ")
    assert sentence.endswith(" faster at hidden 32, 512 steps, training.")
    assert ratios(sentence)[0][1] < 6.0 < ratios(sentence)[0][2]


def test_what_a_user_brought_is_told(planted: Planted) -> None:
    """Its comparison with the baseline comes before what people expect of the loop."""
    own = "path/to/my_rnn.py:MyRNN"
    table, _ = planted(
        lambda case, name: {"manual": 3e-6, own: 1e-6}.get(name, 2e-6) * case.seq_len,
        implementations=("manual", "looped", "whole", own),
    )
    abouts = [finding.about for finding in findings(table, "manual")]
    assert abouts.index(f"own:{own}") < abouts.index("looped")
    assert told(table, f"own:{own}").startswith("`MyRNN` is ")


@pytest.mark.parametrize(("gpu", "expected"), [(0.5, "on the GPU in all 24 cases"), (2.0, "on the CPU in all 24")])
def test_devices_are_compared_in_time(planted: Planted, gpu: float, expected: str) -> None:
    """The GPU's times against the CPU's, whichever is faster."""
    table, _ = planted(
        lambda case, name: 1e-5 * case.seq_len * (gpu if case.device == "cuda" else 1.0),
        devices=("cpu", "cuda"),
        implementations=("manual", "whole"),
        moods=0.0,
    )
    assert expected in told(table, "device")


def test_one_pass_claims_nothing(planted: Planted) -> None:
    """It says so first, and names no winner."""
    table, manifest = planted(flat(manual=4e-6, looped=6e-6, whole=1e-6), passes=1)
    found = findings(table, "manual")
    assert found[0].about == "caveat"
    assert not any(CLAIM.search(finding.text) for finding in found)
    assert "One pass gave `whole`, one `nn.RNN` call, a speed-up of 4.1× over" in told(table, "headline")
    assert "×" in text(table, manifest) and "[" not in text(table, manifest)


def test_one_implementation_tells_its_time(planted: Planted) -> None:
    """There is nothing to compare it with."""
    table, manifest = planted(flat(whole=1e-6), implementations=("whole",), moods=0.0)
    (finding,) = findings(table, "whole")
    assert re.match(r"`whole` takes 6\d(\.\d)? µs \[.*\] at hidden 128, 64 steps, inference\.$", finding.text)
    assert "64 steps" in text(table, manifest).splitlines()[0]


def test_nothing_measured_says_why(planted: Planted) -> None:
    """The first reason given stands for all."""
    broken = dict.fromkeys(("manual", "looped", "whole"), (FAILED, "no compiler"))
    table, manifest = planted(None, broken=broken)
    (finding,) = findings(table, "manual")
    assert finding.text == "Nothing was measured: of 72 cells, 72 failed. The first reason given: no compiler"
    assert text(table, manifest) == "" and answers(table, manifest) == []
    assert trouble(table) == ["manual, looped and whole failed in 72 of 72 cells: no compiler"]


def test_the_answer_is_in_the_order_of_times(planted: Planted) -> None:
    """The fastest first, both modes beside each other, the baseline 1, all within 80 columns and 15 lines."""
    table, manifest = planted(flat(manual=4e-6, looped=6e-6, whole=1e-6))
    shown = text(table, manifest)
    lines = shown.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["hidden", "whole", "manual", "looped"]
    assert lines[0].split("   ")[0] == "hidden 128, 64 steps" and lines[0].split()[-2:] == ["Inference", "Training"]
    assert re.match(r"manual +\d+ µs  1 +\d+ µs  1$", lines[2])
    assert max(map(len, lines)) <= 80
    assert "In inference whole is the fastest in all 12 cases." in lines
    assert "`" not in shown


def test_many_implementations_leave_the_slowest_out(planted: Planted) -> None:
    """At most 15 lines; the baseline, the library's call and what users brought are always there."""
    names = ["manual", "looped", "whole", "rnncell", "hoisted", "stacked-grad", "scripted", "compiled-step", "scan"]
    cases = [Case(hidden_size=128, input_size=128, seq_len=64, mode=mode) for mode in ("inference", "training")]
    names += ["compiled-chunk", "fused-cpu", "a.py:A", "b.py:B", "c.py:C", "d.py:D", "e.py:LongestNameOfAll"]
    table, manifest = planted(
        lambda case, name: 1e-6 * (1 + names.index(name)) * case.seq_len, implementations=names, cases=cases, passes=2
    )
    shown = text(table, manifest)
    lines = shown[: shown.index("\n\n")].splitlines()
    assert len(lines) <= 15 and max(map(len, lines)) <= 80
    assert {"manual", "whole", "LongestNameOfAll"} <= {line.split()[0] for line in lines}
    assert re.match(r"\d more, between these or slower", lines[-1])


def test_trouble_says_each_reason_once(planted: Planted) -> None:
    """Reasons that differ in a number alone are one, of which the first is the example."""
    own = "path/to/my_rnn.py:MyRNN"
    table, _ = planted(None, implementations=("manual", own), broken={own: (FAILED, "")})
    lost = table["implementation"] == own
    table.loc[lost, "reason"] = [f"off by 0.{k}" for k in range(lost.sum())]
    assert trouble(table) == ["MyRNN failed in 24 of 48 cells: for example: off by 0.0"]
