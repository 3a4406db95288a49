"""The proof's own machinery, on planted truths."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.measure.parity import check
from bench.measure.reference import Reference
from bench.proof import accuracy
from bench.proof import repeats as sitting
from bench.proof.neighbour import Neighbour
from bench.proof.repeats import TRUE_SPEEDUPS, TRUTHS, Repeats
from bench.proof.simulation import Coverage, Weather, coverage, observations, one_pass
from bench.table.stats import coefficient_of_variation
from rnn_impls import registry
from tests import warm

MACHINE = {"cpu": "Imaginary CPU", "torch": "2.13.0"}


@pytest.mark.long
@pytest.mark.parametrize("precision", [None, 0.03])
def test_simulated_intervals_hold_the_truth(precision: float | None) -> None:
    """In 93 to 97 % of 1,000 runs, with a fixed number of passes and with passes added for a precision."""
    found = coverage(1000, precision=precision)
    assert 0.93 <= found.share <= 0.97
    assert (found.mean_passes == 5) == (precision is None)


def test_the_simulation_misbehaves_as_it_says() -> None:
    """Without weather a pass finds the truth itself; with it, passes scatter by the luck of their processes."""
    truth = {"baseline": 2.0, "own": 1.0}
    calm = Weather(luck=0, mood=0, drift=0, jitter=0, stopped=0, stolen=0)
    (found,) = observations([one_pass(truth, 5, calm, random.Random(1))], "baseline", "own")
    assert found.log == pytest.approx(0.6931, abs=1e-4)
    logs = [
        observations([one_pass(truth, 12, Weather(), random.Random(seed))], "baseline", "own")[0].log
        for seed in range(200)
    ]
    assert 0.02 < coefficient_of_variation(logs) * 0.69 < 0.06


def repeats() -> Repeats:
    """Four repeats: ours within 1 %, the peers far off; one interval of four misses."""
    return Repeats(
        ours=[(4.0, 3.9, 4.1), (4.04, 3.9, 4.1), (3.96, 3.9, 4.1), (4.2, 4.15, 4.25)],
        control=[1e-4, 1e-4, 1e-4, 1.5e-4],
        blocked_autorange=[4.0, 5.0, 3.0, 4.5],
        pytest_median=[4.0, 4.4, 3.6, 4.0],
        pytest_mean=[4.0, 6.0, 3.0, 4.0],
        pytest_min=[4.0, 4.2, 4.1, 4.0],
        truths=[("Times20Again", 1.01, 0.98, 1.04), ("Times21", 0.9, 0.89, 0.91), ("Times40", 0.5, 0.49, 0.51)],
        wall={"ours": [9.0, 9.2, 9.1, 9.3], "blocked_autorange": [9.0] * 4, "pytest_benchmark": [9.4] * 4},
    )


def test_figures_from_planted_repeats() -> None:
    """Coefficients of variation, intervals that hold, and errors of known truths, by hand."""
    found = accuracy.figures([repeats()], [Coverage("5 passes", 1000, 950, 5.0)], MACHINE)
    assert found["coefficient_of_variation"]["ours"] == pytest.approx(0.0259, abs=1e-4)
    assert found["coefficient_of_variation"]["blocked_autorange"] == pytest.approx(0.2070, abs=1e-4)
    assert found["intervals_hold_median"] == [3, 4]
    assert found["intervals_hold_known_truth"] == [2, 3]
    assert found["largest_error_of_known_truth"] == pytest.approx(0.0566, abs=1e-4)
    text = accuracy.markdown(found)
    assert "| this suite | 9.1 s | 4.02× | 2.60% |  | 1.00% |  |" in text
    assert "| torch.utils.benchmark blocked_autorange | 9.0 s | 4.25× | 20.70% | 8.0× |" in text
    assert "| pytest-benchmark, minima | 9.4 s | 4.05× | 2.35% | 0.9× |" in text
    assert "up to 50% slower in one repeat than in another" in text
    assert "| known truths (20 calls against 20, 21 and 40) | 3 | 66.7% |" in text
    assert "neighbour" not in text and "Sitting by sitting" not in text


def test_what_moves_with_the_machine_is_taken_out() -> None:
    """A speed-up that goes with the square root of the control's time, no more: nothing is left; scatter stays."""
    control = [1e-4 * 1.02**k for k in range(20)]
    moved = [3.0 * (each / 1e-4) ** 0.5 for each in control]
    assert coefficient_of_variation(moved) > 0.05
    assert accuracy.at_one_speed(moved, control) == pytest.approx(0.0, abs=1e-9)
    draw = random.Random(1)
    scattered = [each * draw.lognormvariate(0, 0.02) for each in moved]
    assert accuracy.at_one_speed(scattered, control) == pytest.approx(0.02, rel=0.4)
    assert accuracy.at_one_speed([1.0, 1.1, 1.2, 1.3], [1e-4] * 4) == coefficient_of_variation([1.0, 1.1, 1.2, 1.3])


def test_sittings_are_pooled_and_all_given() -> None:
    """Two beside a neighbour: the pooled table counts all repeats, a row for each says how that one went."""
    first, second = repeats(), repeats()
    first.neighbour_share, second.neighbour_share = 0.66, 0.71
    second.ours = [(5.0, 4.9, 5.1)] * 4
    found = accuracy.figures([first, second], [Coverage("5 passes", 1000, 950, 5.0)], MACHINE)
    assert found["repeats"] == 8
    assert [each["repeats"] for each in found["sittings"]] == [4, 4]
    assert found["sittings"][1]["coefficient_of_variation"]["ours"] == 0.0
    assert found["coefficient_of_variation"]["ours"] > 0.1
    assert found["intervals_hold_known_truth"] == [4, 6]
    text = accuracy.markdown(found)
    assert "beside a neighbour that took 0.66 and 0.71 of a core" in text
    assert "| 2 | 4 | 0.00% | 20.70% |" in text


def test_a_sitting_beside_a_neighbour_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbour is there for every repeat, of the seed that was asked for, and its share is kept."""
    there: list[object] = []

    @contextmanager
    def planted(seed: int, most: float) -> Iterator[Neighbour]:
        there.append((seed, most))
        disturbing = Neighbour()
        yield disturbing
        there.append("gone")
        disturbing.share = 0.7

    def one(folder: Path, found: Repeats) -> dict[str, object]:
        there.append("repeat")
        return {}

    monkeypatch.setattr(sitting, "neighbour", planted)
    monkeypatch.setattr(sitting, "_one_repeat", one)
    found = sitting.sit(2, tmp_path, lambda number: None, seed=7)
    assert there == [(7, 2 * sitting.MOST_REPEAT_SECONDS), "repeat", "repeat", "gone"]
    assert found.neighbour_share == 0.7
    assert [json.loads(line)["seed"] for line in (tmp_path / "repeats.jsonl").read_text().splitlines()] == [7, 7]
    assert sitting.sit(1, tmp_path, lambda number: None).neighbour_share is None


def test_table_and_figure_are_written(tmp_path: Path) -> None:
    """JSON with the raw repeats, Markdown, PNG and SVG."""
    planted = repeats()
    accuracy.write(accuracy.figures([planted], [Coverage("5 passes", 1000, 950, 5.0)], MACHINE), [planted], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"accuracy.{e}" for e in ("json", "md", "png", "svg")}
    assert json.loads((tmp_path / "accuracy.json").read_text())["raw"][0]["blocked_autorange"] == [4.0, 5.0, 3.0, 4.5]


def test_known_truths_compute_the_network() -> None:
    """The implementations of known ratio pass the same parity as any other, and make as many calls as they say."""
    reference = Reference.of(Case(hidden_size=4, input_size=4, seq_len=3))
    for name, speedup in ({"Times20": 1.0} | TRUE_SPEEDUPS).items():
        implementation = registry.load(f"{TRUTHS}:{name}")
        assert check(reference, implementation) < 1e-5
        assert 20 / implementation.times == pytest.approx(speedup)  # type: ignore[attr-defined]  # only the truths have it


@pytest.mark.long
@pytest.mark.parametrize(("peer", "figures"), [("blocked_autorange", 1), ("pytest_benchmark", 3)])
def test_peers_measure_the_same_case(peer: str, figures: int) -> None:
    """Each peer, in a process of its own, tells its speed-ups of a short case."""
    case = Case(hidden_size=8, input_size=8, seq_len=4).id
    command = [sys.executable, "-m", "bench.proof.peers", peer, case, "4", str(time.time())]
    done = warm.run(command, check=True)
    speedups = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(speedups) == figures
    assert all(0.05 < speedup < 50 for speedup in speedups)
