"""The latency of a step: read on a fake clock, kept of undisturbed blocks, written, read back, estimated."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.cases.case import QUANTILES, Case
from bench.host import machine
from bench.host.clock import Evidence, Ledger, Reading
from bench.measure import state, steptimes
from bench.measure.alternate import CONTROL
from bench.measure.calling import Stream
from bench.measure.steptimes import StepTimes
from bench.run.crew import Crew, HomeLost, Lost
from bench.run.plan import CasePlan, CaseSamples, measure
from bench.store.files import BrokenFile
from bench.store.manifest import CellRecord
from bench.store.passes import extra_info
from bench.table.cells import cells
from bench.table.latency import COUNTS, FIGURES, latencies, with_latency
from bench.table.reading import read_pytest_json, read_run
from bench.table.stats import interval_of_ratio
from bench.worker.blocks import Seat, time_blocks
from rnn_impls.interface import Implementation
from tests.synthetic import blocks, write_run
from tests.synthetic import latency as told

CASE = Case(mode="streaming", hidden_size=8, input_size=8, seq_len=4)
CALM, STOPPED = Evidence(0.0, 0), Evidence(1e-3, 1)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Measuring pins this process to a core; the next test gets them all back."""
    before = state.now()
    yield
    machine.unpin()
    state.changes(before)


# Readings


def test_a_stream_reads_the_clock_around_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """T + 1 readings a sequence, the device waited for before each; what is taken is forgotten."""
    ticks, waits = itertools.count(), []
    monkeypatch.setattr("bench.measure.calling.time.perf_counter", lambda: float(next(ticks)))

    def step(inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return inputs, hidden + 1

    stream = Stream(cast("Implementation", step), lambda: waits.append(1))
    outputs, hidden = stream(torch.ones(3, 1, 2), torch.zeros(1, 1, 2))
    stream(torch.ones(2, 1, 2), hidden)
    assert outputs.shape == (3, 1, 2)
    assert float(hidden[0, 0, 0]) == 3
    assert len(waits) == 4 + 3
    assert stream.taken() == [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert stream.taken() == []


# What is kept


def ends(*steps: float) -> list[float]:
    """The readings around steps of these lengths."""
    return [0.0, *itertools.accumulate(steps)]


def test_quantiles_of_a_planted_series() -> None:
    """Between neighbours in proportion: of 1 to 101 the median is 51, the 95th percentile 96, the 99th 100."""
    times, series = StepTimes(), [float(k) for k in range(1, 102)]
    random.Random(1).shuffle(series)
    times.add([ends(*series[:40]), ends(*series[40:])], CALM)
    assert times.told() == pytest.approx({"steps": 101, "disturbed": 0, "median": 51.0, "p95": 96.0, "p99": 100.0})
    times = StepTimes()
    times.add([ends(1.0, 2.0)], CALM)
    assert times.told()["p95"] == pytest.approx(1.95)


@pytest.mark.parametrize("evidence", [STOPPED, Evidence(None, 1), Evidence(1e-6, None), Evidence(1e-6, 0)])
def test_steps_of_a_disturbed_block_are_counted_apart(evidence: Evidence) -> None:
    """By either sign of it, however short they were."""
    times = StepTimes()
    times.add([ends(5.0, 5.0)], CALM)
    times.add([ends(1.0, 1.0), ends(9.0)], evidence)
    assert times.told() == {"steps": 2, "disturbed": 3, "median": 5.0, "p95": 5.0, "p99": 5.0}


def test_all_steps_count_where_nothing_is_known_of_disturbances() -> None:
    """A system may tell neither waiting nor switches."""
    times = StepTimes()
    times.add([ends(1.0, 3.0)], Evidence())
    assert times.told()["steps"] == 2


def test_without_a_step_that_counts_there_are_no_figures() -> None:
    """The number of disturbed ones is told all the same."""
    times = StepTimes()
    times.add([ends(1.0, 3.0)], STOPPED)
    assert times.told() == {"steps": 0, "disturbed": 2, "median": None, "p95": None, "p99": None}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks beyond are neither kept nor counted as disturbed."""
    monkeypatch.setattr(steptimes, "MOST_KEPT", 3)
    times = StepTimes()
    for evidence in (CALM, CALM, CALM, STOPPED):
        times.add([ends(1.0, 1.0)], evidence)
    assert (times.told()["steps"], times.told()["disturbed"]) == (4, 0)


# The worker


class Planted:
    """A clock that runs what it is given, and says of one block after the other what is planted."""

    def __init__(self, *evidence: Evidence) -> None:
        self.evidence = iter(evidence)

    def time(self, run: Callable[[int], object], calls: int) -> Reading:
        """A block of 1 s."""
        run(calls)
        return Reading(1.0, None, next(self.evidence))


def seated(*evidence: Evidence) -> Seat:
    """A seat with the cell by hand, in this process, of whose blocks this is known."""
    seat = Seat(CASE, {})
    assert "failure" not in seat.build("manual")
    seat.clock = Planted(*evidence)
    return seat


def counts(seat: Seat) -> tuple[Any, Any]:
    """How many steps count, and how many are disturbed."""
    found = seat.built["manual"].steps.told()
    return found["steps"], found["disturbed"]


def test_a_seat_keeps_what_is_timed_and_nothing_else() -> None:
    """Not the calls that lead in, though they were disturbed, nor blocks that nobody wants kept."""
    seat = seated(CALM, STOPPED, CALM, STOPPED)
    seat.block("manual", 2, 0, False)
    assert counts(seat) == (0, 0)
    seat.block("manual", 3, 5, False, keep=True)
    assert counts(seat) == (3 * 4, 0)
    seat.block("manual", 2, 0, False, keep=True)
    assert counts(seat) == (3 * 4, 2 * 4)


def test_each_part_of_a_checked_block_is_judged_by_itself() -> None:
    """The first ends with the call whose result is looked at."""
    seat = seated(CALM, STOPPED)
    seat.draw = random.Random(3)
    first = random.Random(3).randint(1, 8)
    assert "failure" not in seat.block("manual", 8, 0, True, keep=True)
    assert counts(seat) == (first * 4, (8 - first) * 4)


def test_other_modes_keep_nothing() -> None:
    """There is no stream."""
    seat = Seat(Case(hidden_size=8, input_size=8, seq_len=4), {})
    seat.build("manual")
    seat.block("manual", 2, 0, False, keep=True)
    assert counts(seat) == (0, 0)


def test_a_worker_is_told_to_keep_and_asked_for_the_latency() -> None:
    """As lines of JSON."""
    lines = [
        {"case": CASE.id},
        {"build": "manual"},
        {"block": "manual", "calls": 1, "lead": 0, "check": False},
        {"block": "manual", "calls": 2, "lead": 0, "check": False, "keep": True},
        {"latency": "manual"},
    ]
    answers: list[tuple[str, dict[str, Any]]] = []
    time_blocks(map(json.dumps, lines), lambda event, **found: answers.append((event, found)), {})
    assert [event for event, _ in answers] == ["begun", "built", "block", "block", "latency"]
    found = answers[-1][1]["latency"]
    assert found["steps"] + found["disturbed"] == 2 * 4
    assert set(found) == {"steps", "disturbed", *QUANTILES}


# The crew


class Noting:
    """A process that answers everything, and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, message: dict[str, Any]) -> None:
        """Note it."""
        self.told.append(message)

    def hear(self, timeout: float) -> dict[str, Any]:
        """All that may be asked for at once."""
        del timeout
        return {"seconds": 1e-3, "event_seconds": None, "waited_seconds": 0.0, "switches": 0, "latency": told(1e-6)}

    def end(self) -> None:
        """Nothing to end."""


def taken(case: Case) -> tuple[CaseSamples, list[dict[str, Any]]]:
    """A case of three rounds, by a crew of one made-up process, and what that was told."""
    worker = Noting()
    plan = CasePlan(case.id, {"manual": 5, "whole": 5, CONTROL: 5}, 3, 1.0, ("manual", "whole", CONTROL))
    with Crew(plan.calls, cast("Any", lambda place: worker), 1.0) as crew:
        return measure(crew, plan, random.Random(1), Ledger()), worker.told


def test_a_crew_has_the_rounds_kept_and_asks_at_the_end() -> None:
    """Neither the warm-up nor the control; what is answered goes into the pass."""
    found, messages = taken(CASE)
    kept = [message for message in messages if message.get("keep")]
    assert sorted(message["block"] for message in kept) == ["manual"] * 3 + ["whole"] * 3
    assert {message["calls"] for message in kept} == {5}
    assert sorted(message["latency"] for message in messages[-2:]) == ["manual", "whole"]
    info = extra_info(CASE, "whole", found.samples["whole"], found.control, CellRecord(CASE.id, "whole"))
    assert info["latency"] == told(1e-6)


def test_other_modes_are_not_asked() -> None:
    """Their messages, and their files, are as ever."""
    found, messages = taken(Case(hidden_size=8, input_size=8, seq_len=4))
    assert not [message for message in messages if "keep" in message or "latency" in message]
    assert "latency" not in found.samples["whole"]
    info = extra_info(CASE, "whole", blocks([1.0]), blocks([1.0]), CellRecord(CASE.id, "whole"))
    assert "latency" not in info


@pytest.mark.parametrize("loss", [Lost, HomeLost])
def test_who_is_lost_over_the_question_has_failed(monkeypatch: pytest.MonkeyPatch, loss: type[Lost]) -> None:
    """The other is measured, again where it was in the same process."""

    def lost(self: Crew, name: str) -> dict[str, Any]:
        del self
        if name == "whole":
            raise loss(name, "the process was killed by SIGKILL")
        return told(1e-6)

    monkeypatch.setattr(Crew, "latency", lost)
    found, _ = taken(CASE)
    assert set(found.samples) == {"manual"}
    assert found.failures == found.lost == {"whole": "the process was killed by SIGKILL"}


# Files and estimates


def truth(case: Case, name: str) -> float:
    """Seconds of a call: 3 µs a step by hand, 2 µs by `whole`."""
    return case.seq_len * (3e-6 if name == "manual" else 2e-6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A streaming case beside one of inference."""
    cases = [CASE, Case(hidden_size=8, input_size=8, seq_len=4)]
    return write_run(tmp_path / "run", cases=cases, implementations=("manual", "whole"), passes=4, truth=truth)


def change(path: Path, how: Callable[[dict[str, Any]], object]) -> None:
    """Edit what the first benchmark of a file has of its latency."""
    content = json.loads(path.read_text())
    how(content["benchmarks"][0]["extra_info"]["latency"])
    path.write_text(json.dumps(content))


def nothing_counts(latency: dict[str, Any]) -> None:
    """Every step was disturbed."""
    latency.update(told(1.0, steps=0, disturbed=2000))


def test_read_back_they_are_a_table(folder: Path) -> None:
    """A row for each pass and streaming cell; pytest's files give the same."""
    run = read_run(folder)
    assert len(run.latencies) == 2 * 4
    assert set(run.latencies["case"]) == {CASE.id}
    assert list(run.latencies["pass"]) == [1, 2, 3, 4] * 2
    assert run.latencies["p99"].tolist() == pytest.approx((2 * run.latencies["median"]).tolist())
    again = read_pytest_json([folder / "passes" / "pass-001.json"]).latencies
    assert again["median"].tolist() == run.latencies.loc[run.latencies["pass"] == 1, "median"].tolist()


@pytest.mark.parametrize(
    ("how", "field"),
    [
        (lambda latency: latency.pop("steps"), "latency.steps is missing"),
        (lambda latency: latency.update(steps=-1), r"benchmarks\[0\].extra_info.latency.steps is -1"),
        (lambda latency: latency.update(disturbed=1.5), "latency.disturbed is float"),
        (lambda latency: latency.pop("p95"), "latency.p95 is missing"),
        (lambda latency: latency.update(p99=0), r"benchmarks\[0\].extra_info.latency.p99 is 0"),
        (lambda latency: latency.update(p99="1"), "latency.p99 is '1'"),
        (lambda latency: latency.update(median=True), "latency.median is True"),
        (lambda latency: latency.update(median=None), "latency.median is None of 1900 steps"),
        (lambda latency: latency.update(steps=0), "latency.median is .* of 0 steps"),
    ],
)
def test_what_cannot_be_is_a_broken_file(folder: Path, how: Callable[[dict[str, Any]], object], field: str) -> None:
    """It names file and field."""
    path = folder / "passes" / "pass-002.json"
    change(path, how)
    with pytest.raises(BrokenFile, match=field) as caught:
        read_run(folder)
    assert str(path) in str(caught.value)


def test_each_quantile_has_its_interval_over_passes(folder: Path) -> None:
    """That of the logarithms of the passes' values; steps add up."""
    run = read_run(folder)
    found = latencies(run).set_index("implementation")
    own = run.latencies[run.latencies["implementation"] == "whole"]
    for name in QUANTILES:
        expected = interval_of_ratio(np.log(own[name]).tolist())
        got = found.loc["whole", [f"latency_{name}{end}" for end in ("", "_low", "_high")]].tolist()
        assert got == pytest.approx([expected.value, expected.low, expected.high])
        assert expected.low < expected.value < expected.high
    assert found.loc["whole", [*COUNTS]].tolist() == [4 * 1900, 4 * 100]


def test_intervals_hold_the_planted_truth(tmp_path: Path) -> None:
    """In at least 17 of 20 runs: at 95 % fewer come with a chance of 1.6 %."""
    held = 0
    for seed in range(20):
        folder = write_run(
            tmp_path / str(seed), cases=[CASE], implementations=("whole",), rounds=1, truth=truth, seed=seed
        )
        (row,) = latencies(read_run(folder)).to_dict("records")
        held += row["latency_median_low"] < 2e-6 < row["latency_median_high"]
    assert held >= 17


def test_a_pass_without_a_step_that_counts_has_no_say(folder: Path) -> None:
    """But its steps are counted; where no pass has any, the figures are not known."""
    change(folder / "passes" / "pass-001.json", nothing_counts)
    run = read_run(folder)
    manual = latencies(run).iloc[0]
    medians = run.latencies.loc[run.latencies["implementation"] == "manual", "median"]
    assert math.isnan(medians.iloc[0])
    assert manual["latency_median"] == pytest.approx(math.exp(np.log(medians.iloc[1:]).mean()))
    assert manual[[*COUNTS]].tolist() == [3 * 1900, 2000 + 3 * 100]
    for path in sorted((folder / "passes").iterdir()):
        change(path, nothing_counts)
    manual = latencies(read_run(folder)).iloc[0]
    assert manual[[*FIGURES]].isna().all()
    assert manual[[*COUNTS]].tolist() == [0, 4 * 2000]


def test_cells_have_columns_where_there_is_a_streaming_case(folder: Path, tmp_path: Path) -> None:
    """Not known of another mode; a table without any stays the same."""
    run = read_run(folder)
    table = with_latency(cells(run), run)
    streaming = table["mode"] == "streaming"
    assert table.loc[streaming, [*FIGURES, *COUNTS]].notna().all(axis=None)
    assert table.loc[~streaming, [*FIGURES, *COUNTS]].isna().all(axis=None)
    plain = read_run(write_run(tmp_path / "plain", presets=("smoke",), passes=2))
    assert list(with_latency(cells(plain), plain)) == list(cells(plain))
