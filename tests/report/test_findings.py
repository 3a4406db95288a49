"""Findings say what was planted, the other way round when it is planted the other way round, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report.findings import findings, headlines
from bench.store.manifest import FAILED
from bench.table.comparison import TIED, UNDECIDED
from tests.report.conftest import Table

CLAIM = re.compile(r"faster|slower|grows|shrinks|smaller|larger")
Planted = Callable[..., Table]


def flat(**seconds: float) -> Callable[[Case, str], float]:
    """A truth in which each implementation takes so many seconds a step, whatever the case."""
    return lambda case, name: seconds[name] * case.seq_len


def told(table: pd.DataFrame, about: str, baseline: str = "manual") -> str:
    """The one finding about this."""
    found = [finding.text for finding in findings(table, baseline) if finding.about == about]
    assert len(found) == 1, [finding.about for finding in findings(table, baseline)]
    return found[0]


def ratios(text: str) -> list[tuple[float, float, float]]:
    """Every `a× [b, c]` of a sentence."""
    pattern = r"([\d.]+)× \[([\d.]+), ([\d.]+)\]"
    return [(float(a), float(b), float(c)) for a, b, c in re.findall(pattern, text)]


def test_the_headline_holds_the_planted_ratios(planted: Planted) -> None:
    """Four times faster and 1.5 times slower are found, in words and within their intervals."""
    table, _ = planted(flat(manual=4e-6, looped=6e-6, whole=1e-6))
    text = told(table, "headline")
    assert "On this CPU, at hidden 128, 64 steps, inference, one `nn.RNN` call is" in text
    assert "faster than the cell written by hand" in text
    assert "`nn.RNN` called step by step is" in text and "and so slower than both" in text
    (_, low, high), (_, slow_low, slow_high) = ratios(text)
    assert 4 / 1.05 < low < high < 4 * 1.05
    assert 1.5 / 1.05 < slow_low < slow_high < 1.5 * 1.05


def test_reversed_truths_are_told_reversed(planted: Planted) -> None:
    """When one call is the slowest and the loop the fastest, that is what is said."""
    table, _ = planted(flat(manual=2e-6, looped=1e-6, whole=8e-6))
    text = told(table, "headline")
    assert "`nn.RNN` called step by step is 2.0" in text or "`nn.RNN` called step by step is 1.9" in text
    assert re.search(r"one `nn.RNN` call is [\d.]+× \[[\d., ]+\] slower than the cell written by hand", text)
    assert "`nn.RNN` called step by step is the fastest in all 24 cases" in told(table, "where")
    assert "is faster than the cell written by hand in all 24 cases" in told(table, "pair:looped")


def test_ties_are_never_sold_as_differences(planted: Planted) -> None:
    """With every interval around 1 no sentence claims a difference, and the headline says so."""
    table, _ = planted(flat(manual=1e-6, looped=1e-6, whole=1e-6))
    others = table["implementation"] != "manual"
    table.loc[others, ["speedup", "speedup_low", "speedup_high"]] = (1.01, 0.97, 1.05)
    table["standing"] = UNDECIDED
    for finding in findings(table, "manual"):
        assert not CLAIM.search(finding.text.replace("no clear change", "")), finding
    assert "can't be told apart from the cell written by hand" in told(table, "headline")
    assert "no implementation is clearly the fastest" in told(table, "where")
    assert "every interval holds 1×" in told(table, "pair:looped")


def test_ties_are_called_ties(planted: Planted) -> None:
    """Within 3 % for certain, even where one is faster for certain by less: a tie in the headline, the counts and
    where who is the fastest, and no difference in any sentence."""
    table, _ = planted(flat(manual=1e-6, looped=1e-6, whole=1e-6))
    others = table["implementation"] != "manual"
    table.loc[others, ["speedup", "speedup_low", "speedup_high"]] = (1.01, 1.005, 1.02)
    table["standing"] = TIED
    for finding in findings(table, "manual"):
        assert not CLAIM.search(finding.text.replace("no clear change", "")), finding
    within = "the cell written by hand within ±3 %"
    assert f"one `nn.RNN` call ties with {within} (speed-up 1.01" in told(table, "headline")
    assert "in 24 two or more tie within ±3 %" in told(table, "where")
    assert f"`nn.RNN` called step by step ties with {within} in all 24 cases." in told(table, "pair:looped")
    assert told(table, "range").endswith("In all 24 cases the two tie within ±3 %.")
    table.loc[others & (table["seq_len"] == 1), ["speedup", "speedup_low", "speedup_high"]] = (2.0, 1.9, 2.1)
    assert "; they tie in 18. Its speed-up" in told(table, "pair:looped")


def test_of_many_the_first_and_the_last_are_told(planted: Planted) -> None:
    """A sentence of seven names the two best, the library's call, the worst, and how many lie between."""
    seconds = {
        "manual": 4e-6,
        "looped": 8e-6,
        "whole": 2e-6,
        "rnncell": 3e-6,
        "hoisted": 1e-6,
        "scan": 6e-6,
        "fused-cpu": 5e-7,
        "compiled-step": 2.5e-6,
    }
    table, _ = planted(lambda case, name: seconds[name] * case.seq_len, implementations=tuple(seconds))
    text = told(table, "headline")
    order = ["the fused CPU kernel", "the loop with its input product", "one `nn.RNN` call", "called step by step is"]
    assert [text.index(words) for words in order] == sorted(text.index(words) for words in order)
    assert text.endswith("; the other 3 lie between these.") and "scan" not in text and "RNNCell" not in text
    assert "the fused CPU kernel is the fastest in all 24 cases" in told(table, "where")


def test_where_the_usual_winner_loses_is_named(planted: Planted) -> None:
    """One call wins everywhere but at one step, and both are told with their counts."""
    table, _ = planted(
        lambda case, name: (1e-5 if name == "whole" else 4e-6 * case.seq_len) + 1e-6 * case.seq_len,
        implementations=("manual", "whole"),
    )
    assert "one `nn.RNN` call is the fastest in 18 of 24 cases" in told(table, "where")
    assert "the cell written by hand in 6 (all at 1 step)" in told(table, "where")
    assert ", which is slower, and" in told(table, "range")


@pytest.mark.parametrize(("power", "verb"), [(-0.5, "shrinks"), (0.5, "grows"), (0.0, "shows no clear change")])
def test_the_gain_follows_the_hidden_size(planted: Planted, power: float, verb: str) -> None:
    """A planted trend with the hidden size is told in its direction, and none where there is none."""

    def gain(case: Case) -> float:
        return float(3.0 * (case.hidden_size / 128) ** power)

    table, _ = planted(lambda case, name: 1e-5 * case.seq_len / (gain(case) if name == "whole" else 1.0))
    assert f"{verb} with the hidden size" in told(table, "hidden_size")
    assert "no clear change with the length" in told(table, "seq_len")


def test_a_peak_in_the_middle_is_told(planted: Planted) -> None:
    """A gain that rises and falls with the length is not flattened to its ends."""
    gain = {1: 1.0, 8: 5.0, 64: 3.0, 512: 1.5}
    table, _ = planted(lambda case, name: 1e-5 * case.seq_len / (gain[case.seq_len] if name == "whole" else 1.0))
    text = told(table, "seq_len")
    assert "first grows with the length of the sequence" in text and "at 8 steps, and then shrinks" in text


@pytest.mark.parametrize(("factor", "word"), [(0.5, "smaller"), (2.0, "larger")])
def test_training_is_compared_with_inference(planted: Planted, factor: float, word: str) -> None:
    """A gain that halves or doubles in training is told so, with both figures."""

    def gain(case: Case) -> float:
        return 4.0 * (factor if case.mode == "training" else 1.0)

    table, _ = planted(lambda case, name: 1e-5 * case.seq_len / (gain(case) if name == "whole" else 1.0))
    text = told(table, "mode")
    assert f"is {word} than in inference in all 12 cases" in text
    training, inference = (ratio[0] for ratio in ratios(text))
    assert training / inference == pytest.approx(factor, rel=0.1)


def crossing(case: Case, name: str) -> float:
    """The GPU takes 1 ms whatever the size; the CPU grows with it and meets that between hidden 128 and 512."""
    cpu = 1e-3 * (case.hidden_size / 256) ** 2
    return (1e-3 if case.device == "cuda" else cpu) / (2 if name == "whole" else 1)


def test_the_gpu_overtakes_where_it_was_planted(planted: Planted) -> None:
    """The crossover lies between the hidden sizes between which it was planted."""
    table, _ = planted(crossing, devices=("cpu", "cuda"), rounds=24)
    table = exact_times(table, crossing)
    text = told(table, "device")
    assert "the GPU is faster than the CPU in 8 of 24 cases (all at hidden 512)" in text
    assert "At 64 steps, inference, it is ahead from hidden 512 on" in text


def test_a_gpu_that_never_wins_is_not_praised(planted: Planted) -> None:
    """With a GPU ten times slower everywhere, the CPU is said to win everywhere, and no crossing is named."""

    def truth(case: Case, _: str) -> float:
        return 1e-5 * case.seq_len * (10 if case.device == "cuda" else 1)

    table, _ = planted(truth, devices=("cpu", "cuda"))
    text = told(exact_times(table, truth), "device")
    assert "the CPU is faster than the GPU in all 24 cases" in text and "ahead" not in text


def exact_times(table: pd.DataFrame, truth: Callable[[Case, str], float]) -> pd.DataFrame:
    """The table with absolute times known to 5 %: the synthetic machine's moods would make them wide."""
    seconds = pd.Series([truth(Case.parse(c), n) for c, n in zip(table["case"], table["implementation"], strict=True)])
    return table.assign(seconds=seconds, seconds_low=seconds / 1.05, seconds_high=seconds * 1.05)


def test_memory_is_told_by_implementation_where_it_differs(planted: Planted) -> None:
    """Different peaks are listed, equal ones are said to be the same."""
    table, _ = planted()
    assert "is 3.00 MiB, much the same for every implementation" in told(table, "memory")
    table.loc[table["implementation"] == "whole", "peak_bytes"] *= 2
    assert "6.00 MiB for one `nn.RNN` call" in told(table, "memory")


def test_one_pass_gives_figures_but_no_claim(planted: Planted) -> None:
    """Without intervals the first finding says so and no sentence takes sides."""
    table, _ = planted(passes=1)
    found = findings(table, "manual")
    assert found[0].about == "caveat" and "one pass gives no interval" in found[0].text
    assert not any(CLAIM.search(finding.text) for finding in found)
    assert "without an interval" in told(table, "headline")


def test_a_single_implementation_is_told_in_times(planted: Planted) -> None:
    """With nothing to compare there are times with intervals and no speed-up."""
    table, manifest = planted(implementations=("whole",))
    texts = [finding.text for finding in findings(table, manifest.baseline)]
    assert re.search(r"one `nn.RNN` call takes [\d.]+ [µm]s \[[\d.]+, [\d.]+\]\.", texts[0])
    assert not any(CLAIM.search(text) or "speed-up" in text for text in texts)


def test_an_own_implementation_is_named_shortly_and_compared(planted: Planted) -> None:
    """A user's class appears under its own name with its counts against the baseline."""
    name = "path/to/my_rnn.py:MyRNN"
    names = ("manual", name)
    table, _ = planted(lambda case, own: 1e-5 * case.seq_len / (3 if own == name else 1), implementations=names)
    text = told(table, f"pair:{name}")
    assert text.startswith("`MyRNN` is faster than the cell written by hand in all 24 cases")


def test_a_missing_baseline_leaves_times(planted: Planted) -> None:
    """When the baseline failed there are no speed-ups, and sentences do without them."""
    table, _ = planted(broken={"manual": (FAILED, "raises")})
    text = told(table, "headline")
    assert "takes" in text and "faster" not in text and "speed-up" not in text


def test_nothing_measured_says_why(planted: Planted) -> None:
    """Without any measured cell there is one finding, which gives the reason."""
    broken = dict.fromkeys(("manual", "looped", "whole"), (FAILED, "no memory left"))
    table, manifest = planted(broken=broken)
    assert [finding.about for finding in findings(table, "manual")] == ["nothing"]
    assert "72 failed" in headlines(table, manifest)[0] and "no memory left" in headlines(table, manifest)[0]


@pytest.mark.parametrize("devices", [("cpu",), ("cpu", "cuda"), ("cuda",)])
def test_there_are_four_to_eight_findings(planted: Planted, devices: tuple[str, ...]) -> None:
    """A full run gives enough to read and no more, each about something else, headlines first."""
    table, manifest = planted(devices=devices)
    found = findings(table, "manual")
    assert 4 <= len(found) <= 8
    assert found[0].about == "headline"
    assert len({finding.text for finding in found}) == len(found)
    short = headlines(table, manifest)
    assert 3 <= len(short) <= 5 and not any("`" in line or "\n" in line for line in short)
