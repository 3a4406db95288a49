"""What denormal numbers cost: counted where they were planted, timed on a fake clock, read back, and told."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.cases.case import Case, Cell
from bench.host.process import WorkerDied
from bench.measure import state
from bench.measure.problem import Problem
from bench.measure.workload import Workload
from bench.report.build import build
from bench.report.pictures.scene import Scene
from bench.report.topics.last_step import TITLE, topic
from bench.report.topics.topic import Topic
from bench.run import flushing
from bench.run.progress import Listener
from bench.store.files import BrokenFile
from bench.store.manifest import read_manifest
from bench.table.cells import cells
from bench.table.comparison import FASTER, TIED
from bench.table.flushed import flushed, onsets
from bench.table.reading import read_run
from bench.why.denormals.cost import Times, alternated, measure, pair
from bench.why.denormals.count import count, counted
from bench.why.denormals.table_file import Count, Denormals, Flushing, read, write
from rnn_impls.whole import Whole
from tests.synthetic import write_run

LAST = Case(mode="training", loss="last", hidden_size=8, input_size=8, seq_len=4)
GAINS = {64: 1.0, 128: 3.0, 256: 9.0}


def test_denormals_are_counted_by_steps_back() -> None:
    """Of four steps, one sequence and two inputs: normal at the end, then a denormal, then two, then zeros."""
    gradient = torch.tensor([[0.0, 0.0], [1e-40, -1e-39], [1e-40, 1.0], [1.0, 1.0]]).unsqueeze(1)
    assert counted(LAST, gradient) == Count(LAST.id, 3 / 8, 2 / 8, 1, 2)


def test_steps_back_are_counted_from_each_sequences_end() -> None:
    """The padding of the shorter one is no part of it."""
    gradient = torch.zeros(3, 2, 1)
    gradient[:, 0, 0] = torch.tensor([1e-40, 1.0, 1.0])  # two steps back
    gradient[:, 1, 0] = torch.tensor([1.0, 1e-40, 1e-40])  # of a sequence of one step
    assert counted(LAST, gradient, torch.tensor([3, 1])) == Count(LAST.id, 1 / 4, 0, 2, 2)


def test_none_are_counted_where_there_are_none() -> None:
    """No first and no last."""
    assert counted(LAST, torch.ones(3, 1, 2)) == Count(LAST.id, 0, 0)


@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm"])
def test_a_vanishing_gradient_has_them_and_a_loss_on_all_steps_has_none(network: str) -> None:
    """With torch's own initialisation, at hidden 8 and 400 steps."""
    long = Case(mode="training", loss="last", network=network, hidden_size=8, input_size=8, seq_len=400)
    found = count(long)
    assert found.share > 0
    assert found.zeros > 0
    assert found.first is not None
    assert found.last is not None
    assert 10 < found.first < found.last < 399
    whole = Case(**long.as_dict() | {"loss": "all"})
    assert count(whole) == Count(whole.id, 0, 0)


class Slow(Whole):
    """One whose backward pass takes longer, by a clock that only it moves, while denormals are as they are."""

    now = 0.0

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Takes 1 s forward."""
        Slow.now += 1.0
        outputs, hidden = super().forward(inputs, hidden)
        outputs.register_hook(self._backward)
        return outputs, hidden

    @staticmethod
    def _backward(gradient: Tensor) -> Tensor:
        Slow.now += 2.0 if state.flushes_denormals() else 10.0
        return gradient


def test_the_backward_pass_is_timed_both_ways() -> None:
    """Seconds a call, a value a round; and the processor is left as it was."""
    Slow.now = 0.0
    workload = Workload(LAST, Slow, Problem.of(LAST))
    found = alternated(workload, 3, 2, random.Random(0), lambda: Slow.now)
    assert found.backward == {False: [10.0] * 3, True: [2.0] * 3}
    assert found.call == {False: [11.0] * 3, True: [3.0] * 3}
    assert not state.flushes_denormals()


def test_a_disturbed_round_does_not_carry_the_ratio() -> None:
    """The median over rounds, of the ratios and of the flushed times."""
    assert pair({False: [10.0, 80.0, 10.0], True: [2.0, 2.0, 2.0]}) == [10.0, 2.0]
    assert Times().call == {False: [], True: []}


def test_a_cell_is_measured_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that raises has a reason, with the processor as it was."""
    found = measure(LAST, "whole", with_parity=True)
    assert len(found["backward"]) == 1
    assert 0 < found["parity_error"] < 1e-5
    assert "parity_error" not in measure(LAST, "whole", with_parity=False)

    def broken(*_: object) -> None:
        assert state.flushes_denormals()
        raise RuntimeError("out of luck")

    monkeypatch.setattr("bench.why.denormals.cost.check", broken)
    assert measure(LAST, "whole", with_parity=True)["reason"] == "RuntimeError: out of luck"
    assert not state.flushes_denormals()


def test_only_cells_that_may_be_slow_are_asked(tmp_path: Path) -> None:
    """Training, loss on the last step, one thread, denormals as they are."""
    asked = [LAST, Case(**LAST.as_dict() | {"seq_len": 8})]
    others: list[dict[str, Any]] = [{"loss": "all"}, {"mode": "inference"}, {"threads": 2}, {"flush_denormal": True}]
    cases = [*asked, *(Case(**LAST.as_dict() | other) for other in others)]
    manifest = read_manifest(write_run(tmp_path / "run", cases=cases, implementations=("whole",), passes=1))
    assert flushing.cells(manifest) == [(case.id, "whole") for case in sorted(asked)]
    assert flushing.expected_seconds(manifest) > 0


def told(found: dict[Cell, str]) -> Callable[..., Any]:
    """Stands for the processes: what they tell of each cell, or why nothing."""

    def answer(kind: str, chosen: Sequence[Cell], log: Path, *, first: bool) -> Any:
        assert kind == "denormals"
        for cell in chosen:
            if cell in found:
                yield cell, found[cell]
                continue
            record: dict[str, Any] = {"case": cell[0], "backward": [[3.0, 1.0]], "call": [[4.0, 2.0]]}
            record |= {"parity_error": 1e-7} if first else {}
            yield cell, {"record": record, "count": vars(Count(cell[0], 0.1, 0.2, 3, 4)) if first else None}

    return answer


def test_each_process_adds_a_pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Counts and errors come of the first; one that dies has a reason, and the others are measured."""
    monkeypatch.setattr(flushing, "told_of", told({(LAST.id, "b"): "killed by SIGSEGV"}))
    found = flushing.denormals([(LAST.id, "a"), (LAST.id, "b")], tmp_path / "log", Listener())
    assert found.counts == [Count(LAST.id, 0.1, 0.2, 3, 4)]
    assert found.flushing == [
        Flushing(LAST.id, "a", [[3.0, 1.0]] * 3, [[4.0, 2.0]] * 3, 1e-7),
        Flushing(LAST.id, "b", reason="killed by SIGSEGV"),
    ]


def test_without_processes_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing else is lost."""

    def none(*_: object, **__: object) -> Any:
        raise WorkerDied("no memory")

    monkeypatch.setattr(flushing, "told_of", none)
    assert (
        flushing.denormals([(LAST.id, "a")], tmp_path / "log", Listener()).missing == "no worker can be had: no memory"
    )


def test_the_file_reads_back(tmp_path: Path) -> None:
    """As it was written."""
    found = Denormals([Count(LAST.id, 0.1, 0.2, 3, 4)], [Flushing(LAST.id, "a", [[3.0, 1.0]], [[4.0, 2.0]], 1e-7)])
    write(tmp_path / "denormals.json", found)
    assert read(tmp_path / "denormals.json") == found


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schema", 9, "schema 9; this version reads 1"),
        ("counts", [{"case": "x"}], "the field counts or flushing is not as expected"),
        ("flushing", [{"case": "x", "implementation": "a"}], "'x' is not the id of a case"),
        ("flushing", [vars(Flushing(LAST.id, "a", [[0.0, 1.0]]))], "the field flushing has no pairs of times for a"),
    ],
)
def test_a_broken_file_names_file_and_field(tmp_path: Path, field: str, value: Any, message: str) -> None:
    """In one line."""
    path = tmp_path / "denormals.json"
    write(path, Denormals())
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(BrokenFile, match=f"denormals.json: {message}|{message}"):
        read(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run in which flushing gains nothing at 64 steps, and ever more beyond, with `whole` on the LSTM."""
    cases = [
        Case(mode="training", loss="last", network=network, seq_len=steps)
        for network in ("rnn-tanh", "lstm")
        for steps in GAINS
    ]
    path = write_run(tmp_path / "run", cases=cases, implementations=("manual", "whole"), passes=2)
    found = Denormals()
    for case in cases:
        found.counts.append(Count(case.id, 0.125, 0.25, 100, 128) if case.seq_len > 64 else Count(case.id, 0, 0))
        for name in ("manual", "whole"):
            gain = GAINS[case.seq_len] if (name, case.network) == ("whole", "lstm") else 1.0
            pairs = [[gain * noise, 1.0] for noise in (0.99, 1.0, 1.01)]
            found.flushing.append(Flushing(case.id, name, pairs, [[each / 2 + 1, 1.5] for each, _ in pairs], 2e-7))
    write(path / "denormals.json", found)
    return path


def test_gains_have_intervals_and_a_beginning(folder: Path) -> None:
    """Over processes; from the fewest steps from which on all lengths gain."""
    table = flushed(read_run(folder))
    own = table[(table["implementation"] == "whole") & (table["network"] == "lstm")].set_index("seq_len")
    assert own["gain"].round(2).to_dict() == GAINS
    assert own["relation"].to_dict() == {64: TIED, 128: FASTER, 256: FASTER}
    assert (own["gain_low"] < own["gain"]).all()
    assert (own["gain"] < own["gain_high"]).all()
    since = onsets(table).set_index(["implementation", "network"])["since"]
    assert since["whole", "lstm"] == 128
    assert all(math.isnan(each) for key, each in since.items() if key != ("whole", "lstm"))


def section(folder: Path) -> Topic | None:
    """The topic of the run in a folder."""
    run = read_run(folder)
    return topic(run, Scene(cells(run), run.manifest))


def test_the_largest_gain_is_said_first_and_is_a_finding(folder: Path) -> None:
    """Then since when, why, what mends it, and that results stay right."""
    found = section(folder)
    assert found is not None
    assert found.finding
    assert found.said[0].startswith("`whole` lstm, trained on its last step, takes 9.0× [")
    assert found.said[0].endswith(
        "] as long in its backward pass as with denormals flushed, at hidden 128, 256 steps, batch 1."
    )
    assert found.said[1] == (
        "There 12.5 % of its gradient's numbers are denormal, 25 % zeros; "
        "the denormal ones stand 100 to 128 steps back."
    )
    assert found.said[2] == "Flushing gains, at batch 1: lstm from 128 steps on and rnn-tanh at no length measured."
    assert any("set_flush_denormal(True)" in text for text in found.said)
    assert max(len(text.split()) for text in found.said) <= 30
    assert len(found.rows) == 12
    assert found.picture is not None
    assert len(found.picture.panels) == 2


@pytest.mark.usefixtures("no_png")
def test_page_and_summary_have_it(folder: Path) -> None:
    """As a section, and among the findings; a run that has no such cells has neither."""
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    assert '<section id="last-step">' in html
    assert '<a href="#last-step">' in html
    assert text.partition("## ")[0].count("trained on its last step") == 1
    (folder / "denormals.json").unlink()
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    assert TITLE not in html
    assert TITLE not in text


def test_nothing_certain_is_no_finding(folder: Path) -> None:
    """It is said that there is none."""
    found = read(folder / "denormals.json")
    for each in found.flushing:
        each.backward = [[1.0, 1.0], [1.01, 1.0], [0.99, 1.0]]
    write(folder / "denormals.json", found)
    told = section(folder)
    assert told is not None
    assert not told.finding
    assert told.said[0] == "Denormal numbers cost nothing for certain in the cases measured."
