"""What is said of scaling laws: the sentences of planted ones, word by word, and the table."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.report.crossings import clause, hidden_at
from bench.report.laws import columns, findings, rows
from bench.table.crossover import Crossover
from bench.table.law import SETTING, Fit, Law, Laws, Point, Unfitted, laws
from bench.table.reading import read_run
from tests import synthetic
from tests.planted import fitted, grid

MANUAL = Law(4e-6, 9.5e-6, 60e-12)
LOOPED = Law(6e-6, 18e-6, 60e-12)
WHOLE = Law(25e-6, 2.5e-6, 40e-12)
NAMES = ("the cell written by hand", "one `nn.RNN` call")
HOSTILE = "path/to/<b>my_rnn.py:MyRNN"


def told(*fits: Fit, about: str, unfitted: tuple[Unfitted, ...] = ()) -> list[str]:
    """The sentences about this."""
    return [finding.text for finding in findings(Laws(list(fits), list(unfitted))) if finding.about == about]


def setting(**fields: object) -> dict[str, object]:
    """The setting of a case that differs from the usual one in these fields."""
    return {name: getattr(grid()[0], name) for name in SETTING} | fields


def test_two_that_cross() -> None:
    """The few steps up to which the one is faster, and from which the other: at each size, of one mode."""
    assert told(fitted(MANUAL, seed=1), fitted(WHOLE, "whole", seed=2), about="law:manual:whole") == [
        "By the laws, in inference, at hidden 32, the cell written by hand is faster than one `nn.RNN` call up to 2 "
        "steps and slower from 4 steps on. In inference, at hidden 128, the cell written by hand is faster than one "
        "`nn.RNN` call up to 2 steps and slower from 3 steps on. In inference, at hidden 512, the cell written by hand "
        "is faster than one `nn.RNN` call at 1 step and slower from 2 steps on."
    ]


def test_one_that_is_always_faster() -> None:
    """Nothing crosses: one sentence for both modes, whichever is named first."""
    fits = [
        fitted(law, name, grid(mode=mode), seed=len(name))
        for mode in ("inference", "training")
        for law, name in ((LOOPED, "looped"), (MANUAL, "manual"))
    ]
    assert told(*fits, about="law:manual:looped") == [
        "By the laws, in inference and training, at hidden 32, 128 and 512, the cell written by hand is faster than "
        "`nn.RNN` called step by step at every length measured, 1 to 512 steps."
    ]


def test_two_that_are_alike() -> None:
    """The same truth twice is never sold as a difference."""
    fits = [fitted(MANUAL, name, spread=0.03, seed=len(name)) for name in ("manual", HOSTILE)]
    assert told(*fits, about=f"law:manual:{HOSTILE}") == [
        "By the laws, in inference, at hidden 32, 128 and 512, it can't be told which of the cell written by hand and "
        "`MyRNN` is faster."
    ]


def test_measured_times_are_believed_before_the_laws() -> None:
    """Where a cell says the opposite, its size is left without a claim."""
    odd = Point(128, 128, 8, 2 * 128**2)
    cases = grid(lengths=(1, 2, 4, 8, 16, 32, 64))
    one = fitted(lambda point: MANUAL.seconds(point) / (2 if point == odd else 1), cases=cases)
    (text,) = told(one, fitted(WHOLE, "whole", cases), about="law:manual:whole")
    assert (
        "In inference, at hidden 128, nothing is claimed of the cell written by hand and one `nn.RNN` call: at 8 "
        "steps the measured times contradict the laws." in text
    )


def test_what_else_varies_is_said() -> None:
    """Batch, dtype and device of a setting stand before the size, and an input that has its own with it."""
    fits = [
        fitted(law, name, grid(input_size=700, batch_size=batch, dtype=dtype))
        for batch, dtype in ((1, "float32"), (16, "float64"))
        for law, name in ((MANUAL, "manual"), (LOOPED, "looped"))
    ]
    texts = told(*fits, about="law:manual:looped")
    assert len(texts) == 2
    assert texts[1].startswith(
        "By the laws, in inference, float64, batch 16, at hidden 32 with input 700, hidden 128 with input 700 and "
        "hidden 512 with input 700, the cell"
    )


def test_two_devices_that_cross() -> None:
    """The hidden size from which the GPU is faster, by length of sequence; those on it are compared as well."""
    fits = [
        fitted(Law(5e-6, 5e-6, 50e-12), "whole", seed=1),
        fitted(Law(30e-6, 15e-6, 2e-12), "whole", grid(device="cuda"), seed=2),
        fitted(Law(5e-6, 90e-6, 2e-12), "manual", grid(device="cuda"), seed=3),
    ]
    (text,) = told(*fits, about="law:whole:cuda")
    assert text == (
        "By the laws of one `nn.RNN` call, in inference, at 1 step, this CPU is faster than this GPU (CUDA) at every "
        "size measured, hidden 32 to 512; by the laws this GPU (CUDA) would be ahead from hidden 606 on, beyond what "
        "was measured. In inference, at 64 steps, this CPU is faster than this GPU (CUDA) up to hidden 328 and slower "
        "from hidden 330 on. In inference, at 512 steps, this CPU is faster than this GPU (CUDA) up to hidden 322 and "
        "slower from hidden 324 on."
    )
    (text,) = told(*fits, about="law:manual:whole")
    assert text.startswith("By the laws, on this GPU (CUDA) in inference, at hidden 32, 128 and 512, one `nn.RNN` call")


def test_one_alone_has_nothing_to_cross() -> None:
    """Its law is told of, and no pair."""
    assert [finding.about for finding in findings(Laws([fitted(MANUAL)], []))] == ["law"]


def test_how_well_the_laws_hold() -> None:
    """The errors on what was held out, the largest of them with its place, and those beyond the fit."""
    odd = Point(512, 512, 8, 2 * 512**2)
    fits = [fitted(MANUAL, spread=0), fitted(lambda p: WHOLE.seconds(p) * (1.5 if p == odd else 1), "whole", spread=0)]
    (text,) = told(*fits, about="law")
    assert text.startswith(
        "The law time = fixed + steps × (per step + per product × products of a step) predicts cells held out of its "
        "fit with a median error of "
    )
    assert "at worst it is 33 % too low, for one `nn.RNN` call in inference, at hidden 512, 8 steps." in text
    assert "predicted from the smaller sizes alone, the largest size is missed by" in text


def test_without_sizes_to_extrapolate_from_nothing_is_said_of_it() -> None:
    """Two sizes are enough for a law, and not for one without the larger."""
    (text,) = told(fitted(MANUAL, cases=grid(hidden=(32, 64))), about="law")
    assert "Beyond" not in text


def test_a_law_that_misses_is_not_used() -> None:
    """It is named with its error, and no sentence compares it."""
    fits = [fitted(MANUAL), fitted(lambda point: 1e-6 * point.steps**2, "whole")]
    assert not told(*fits, about="law:manual:whole")
    (text,) = told(*fits, about="law:unused")
    assert text.startswith(
        "No crossover is drawn from a law that misses held-out cells by more than 15 % in the median"
    )
    assert text.endswith(" %).") and "one `nn.RNN` call in inference (" in text and "by hand" not in text


def test_one_pass_gives_no_crossover() -> None:
    """Numbers without intervals decide nothing."""
    fits = [fitted(MANUAL, passes=1), fitted(WHOLE, "whole", passes=1)]
    assert not told(*fits, about="law:manual:whole")
    assert told(*fits, about="law:unused") == [
        "No crossover is drawn from one pass: it gives the numbers of a law, but no interval."
    ]
    assert "[" not in " ".join(entry.text for row in rows(Laws(fits, [])) for entry in row)


def test_what_has_no_law_has_a_reason() -> None:
    """Those without are listed by reason, with the cells there were, also when there is nothing else."""
    gaps = (
        Unfitted("manual", setting(), 3, "too few"),
        Unfitted("whole", setting(mode="training"), 1, "too few"),
        Unfitted("looped", setting(), 7, "one length"),
    )
    assert [finding.text for finding in findings(Laws([], list(gaps)))] == [
        "No law for the cell written by hand in inference (3 cells); nor for one `nn.RNN` call in training (1 cell): "
        "too few.",
        "No law for `nn.RNN` called step by step in inference (7 cells): one length.",
    ]
    assert rows(Laws([], list(gaps))) == [] and findings(Laws([], [])) == []


def test_long_lists_are_cut_short() -> None:
    """Those that lack a law in the same settings are told together, and of many settings a few."""
    gaps = [
        Unfitted(name, setting(batch_size=batch), 3, "too few") for batch in range(1, 7) for name in ("whole", "manual")
    ]
    assert [finding.text for finding in findings(Laws([], gaps))] == [
        "No law for the cell written by hand and one `nn.RNN` call in inference, batch 1 (3 cells), in inference, "
        "batch 2 (3 cells), in inference, batch 3 (3 cells) and 3 other settings: too few."
    ]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Crossover(-1, 1, 2.5, 3.4), "A is faster than B at 2 steps and slower from 4 steps on"),
        (Crossover(1, -1, 3.0, 7.5), "B is faster than A at 2 steps and slower at 8 steps"),
        (Crossover(-1, 0, 4.5), "A is faster than B up to 4 steps; beyond, it can't be told"),
        (Crossover(0, 1, since=4.5), "B is faster than A from 5 steps on; below, it can't be told"),
        (Crossover(0, 0), "it can't be told which of A and B is faster"),
        (Crossover(1, 1), "B is faster than A at every length measured, 2 to 8 steps"),
        (
            Crossover(-1, -1, 10.2, 12.3),
            "A is faster than B at every length measured, 2 to 8 steps; by the laws B would be ahead from 13 steps on, "
            "beyond what was measured",
        ),
        (
            Crossover(-1, -1, 1.5, 1.9),
            "A is faster than B at every length measured, 2 to 8 steps; by the laws B would be ahead at 1 step, below "
            "what was measured",
        ),
        (Crossover(-1, -1, 0.5, 0.9), "A is faster than B at every length measured, 2 to 8 steps"),
        (Crossover(-1, -1, 300.0, 400.0), "A is faster than B at every length measured, 2 to 8 steps"),
    ],
)
def test_every_outcome_has_its_clause(found: Crossover, text: str) -> None:
    """Whole steps only, of which the answer is sure; what is far outside the range, or below one step, is not said."""
    assert clause(found, ("A", "B"), "seq_len", [2, 4, 8]) == text


def test_clauses_of_a_single_size_and_of_refuted_ones() -> None:
    """No range where there is none, and every cell that contradicts."""
    assert clause(Crossover(-1, -1), ("A", "B"), "hidden_size", [64]) == "A is faster than B at hidden 64"
    assert clause(Crossover(-1, -1), ("A", "B"), "seq_len", [1, 8, 64], [1, 8]) == (
        "nothing is claimed of A and B: at 1 step and 8 steps the measured times contradict the laws"
    )


@pytest.mark.parametrize("fields", [{}, {"input_size": 700}, {"num_layers": 3, "batch_size": 4, "output_size": 2}])
def test_the_hidden_size_behind_products(fields: dict[str, int]) -> None:
    """The inverse of counting them, also between the sizes, and with an input of its own, layers and a head."""
    points = fitted(MANUAL, cases=grid(**fields)).points  # type: ignore[arg-type]
    ends = [point for point in points if point.steps == 1 and point.hidden_size != 128]
    middle = next(point for point in points if point.hidden_size == 128)
    assert hidden_at(middle.products, ends) == pytest.approx(128)
    assert math.isnan(hidden_at(-1.0, ends)) and math.isnan(hidden_at(math.nan, ends))


def test_the_table_has_a_row_for_each_law() -> None:
    """Its headings, and a row whose numbers have no scatter."""
    found = Laws([fitted(WHOLE, "whole", spread=0), fitted(MANUAL, spread=0)], [])
    assert [column.title for column in columns(found)] == [
        "Implementation",
        "Mode",
        "Fixed",
        "Per step",
        "Per product",
        "Held-out error",
        "Worst",
        "Largest size",
        "Longest",
        "Cells",
    ]
    table = [[entry.text for entry in row] for row in rows(found)]
    assert [row[:2] for row in table] == [["manual", "inference"], ["whole", "inference"]]
    assert table[1][2:5] == ["25.0 µs [25.0, 25.0]", "2.50 µs [2.50, 2.50]", "40.0 ps [40.0, 40.0]"]
    assert table[1][-1] == "12"


def test_the_table_says_what_varies() -> None:
    """Devices in words and a batch, each in a column of its own; one's own by their short names."""
    fits = [fitted(MANUAL, HOSTILE), fitted(MANUAL, HOSTILE, grid(device="cuda", batch_size=16))]
    titles = [column.title for column in columns(Laws(fits, []))]
    first, second = rows(Laws(fits, []))
    at = [titles.index(title) for title in ("Implementation", "Device", "Batch")]
    assert [first[k].text for k in at] == ["MyRNN", "CPU", "1"]
    assert [second[k].text for k in at] == ["MyRNN", "GPU (CUDA)", "16"]
    assert first[0].hint == HOSTILE


def test_a_whole_run_is_told(tmp_path: Path) -> None:
    """From a run folder to sentences, on two devices in two modes, each said once."""
    folder = synthetic.write_run(tmp_path / "run", devices=("cpu", "cuda"), rounds=32)
    found = laws(read_run(folder))
    said = [finding.text for finding in findings(found)]
    assert len(rows(found)) == 12
    assert len(set(said)) == len(said) > 3
    assert all(text.endswith(".") and "nan" not in text and "inf " not in text for text in said)
