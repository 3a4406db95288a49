"""The floor: counted work, planted limits, and the reference run, none of whose samples may beat it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cases.case import Case
from bench.report.readme import reference
from bench.run.kept import PROCESSES
from bench.table.reading import read_run
from bench.why.floor import CHAIN, COMPUTE, LAUNCH, MARGIN, MEMORY, floor, levels, peak, read_seconds
from bench.why.limits.limits import Limits, read_limits
from bench.why.work import NoFloor, work
from tests.synthetic import LIMITS

KIB, MIB = 2**10, 2**20


def planted(**more: list[float]) -> Limits:
    """A machine of round numbers: 100 GFLOP/s, L1 32 KiB, L2 1 MiB at 100 GB/s, L3 16 MiB at 50, memory at 10 GB/s."""
    values = {name: found for name, found in LIMITS.values.items() if name.startswith("cpu.")}
    facts = {"cpu.cache.L1": 32 * KIB, "cpu.cache.L2": MIB, "cpu.cache.L3": 16 * MIB}
    return Limits({}, "", values | {name.replace("__", "."): v for name, v in more.items()}, facts)


def test_the_work_of_one_step_by_hand() -> None:
    """B 2, I 3, H 5, T 7, no head: 2 B I H and 2 B H H a step; W_hh 100 bytes; inputs, outputs and W_ih once."""
    found = work(Case(input_size=3, hidden_size=5, batch_size=2, seq_len=7))
    assert found.free == 7 * 2 * 2 * 3 * 5
    assert found.chained == 7 * 2 * 2 * 5 * 5
    assert (found.links, found.layers, found.weights) == (7, 1, 100)
    assert found.once == 4 * (7 * 2 * (3 + 5) + 15)


def test_training_does_its_products_three_times_less_two() -> None:
    """Backward: the chained product again but for the first step's, whose gradient would be the initial state's; two
    for the weights' gradients; none for the inputs', which nobody needs."""
    steps = Case(input_size=16, hidden_size=16).seq_len
    inference = work(Case(input_size=16, hidden_size=16))
    training = work(Case(input_size=16, hidden_size=16, mode="training"))
    product = 2 * 16 * 16
    assert training.operations == (5 * steps - 1) * product
    assert training.chained == inference.chained + (steps - 1) * product
    assert training.links == 2 * inference.links - 1
    assert training.once == inference.once + 4 * 2 * 16 * 16


def test_one_step_of_training_reads_the_recurrent_weights_once() -> None:
    """Its gradient goes to the initial state, which needs none."""
    assert work(Case(seq_len=1, mode="training")).links == 1


def test_layers_and_a_head_add_their_products() -> None:
    """A second layer reads the first one's states; in training it passes a gradient to it."""
    case = Case(input_size=4, hidden_size=8, seq_len=1, num_layers=2, output_size=3)
    assert work(case).operations == 2 * (4 * 8 + 8 * 8) + 2 * 2 * 64 + 2 * 8 * 3
    trained = work(replace(case, mode="training")).operations
    backward = 2 * (4 * 8 + 8 * 8) + 2 * 2 * 64 + 2 * 64 + 2 * 2 * 8 * 3
    assert trained == work(case).operations + backward


def test_bytes_lie_as_far_inside_as_they_fit() -> None:
    """Each level's rate holds for what those further in can't hold; all are read from at the same time."""
    places = [("L1", 32.0, 4.0), ("L2", 64.0, 2.0), ("memory", math.inf, 1.0)]
    assert read_seconds(32, places) == 8
    assert read_seconds(96, places) == max(96 / 4, 64 / 2)
    assert read_seconds(300, places) == 300 - 96


def test_a_network_of_one_sequence_is_bound_by_its_products() -> None:
    """Hidden 64: 16 KiB in L1, 16,384 operations a step at 100 GFLOP/s, which take longer than 8 additions of 1 ns."""
    found = floor(Case(input_size=64, hidden_size=64, seq_len=100), planted())
    assert found.bound == COMPUTE
    assert found.seconds == pytest.approx(100 * 16384 / 1e11 / (1 + MARGIN))


def test_a_tiny_network_is_bound_by_its_chain() -> None:
    """Hidden 16: 1,024 operations take 10 ns; a multiplication, four additions and a nonlinearity wait for each other,
    and what they wait is no time in which products can't be made: the larger counts, not their sum."""
    found = floor(Case(input_size=16, hidden_size=16, seq_len=100), planted(cpu__chain__add=[2e-9]))
    assert found.bound == CHAIN
    assert found.seconds == pytest.approx(100 * 12e-9 / (1 + MARGIN))


def test_a_large_network_is_bound_by_reading_its_weights() -> None:
    """Hidden 4096: 64 MiB, of which 32 KiB stay in L1, 1 MiB in L2, 16 MiB in L3, the rest comes from memory."""
    found = floor(Case(input_size=1, hidden_size=4096, seq_len=10), planted())
    outside = 64 * MIB - 16 * MIB - MIB - 32 * KIB
    assert found.bound == MEMORY
    assert found.seconds == pytest.approx(10 * outside / 1e10 / (1 + MARGIN), rel=1e-3)


def test_an_inner_level_is_no_slower_than_an_outer_one() -> None:
    """What comes from outside passes through it: a probe that says otherwise did not reach its peak."""
    slow = planted(cpu__stream__L2__t1=[2e10], cpu__stream__L3__t1=[5e10])
    assert {name: rate for name, _, rate in levels(slow, Case())}["L2"] == 5e10


def test_a_batch_reads_the_weights_once_for_all() -> None:
    """64 sequences at once: 64 times the products, the same weights."""
    one, many = (floor(Case(hidden_size=512, input_size=512, batch_size=b), planted()) for b in (1, 64))
    assert many.memory < 4 * one.memory
    assert many.compute > 50 * one.compute


def test_narrower_numbers_are_never_slower() -> None:
    """bfloat16 without products of its own can be widened; float64 can't beat half of float32."""
    assert peak(planted(), "bfloat16", 1) == 1e11
    assert peak(planted(cpu__peak__bfloat16__t1=[4e11]), "bfloat16", 1) == 4e11
    assert peak(planted(cpu__peak__float64__t1=[1e10]), "float64", 1) == 5e10


def test_threads_have_caches_of_their_own_and_share_the_memory() -> None:
    """Two threads: two L1, two L2, one L3; rates as measured with two, or twice those with one."""
    case = Case(hidden_size=64, threads=2)
    limits = planted(cpu__stream__memory__t2=[1.2e10], cpu__peak__float32__t2=[1.8e11])
    found = {name: (size, rate) for name, size, rate in levels(limits, case)}
    assert found["L2"] == (2 * MIB, 2e11)
    assert found["L3"][0] == 16 * MIB
    assert found["memory"][1] == 1.2e10
    assert peak(planted(), "float32", 4) == 4e11


def test_what_was_not_measured_is_said() -> None:
    """No floor is better than one made up."""
    with pytest.raises(NoFloor, match="products"):
        floor(Case(), Limits({}, ""))
    with pytest.raises(NoFloor, match="memory"):
        floor(Case(), Limits({}, "", {"cpu.peak.float32.t1": [1e11]}))
    with pytest.raises(NoFloor, match="CUDA"):
        floor(Case(device="cuda"), planted())
    with pytest.raises(NoFloor, match="mps"):
        floor(Case(device="mps"), planted())


def test_on_cuda_weights_that_fit_the_chip_stay_there() -> None:
    """1 MiB of weights on a chip of 60 MiB is read from memory by no step; a call takes a launch at least."""
    rates = {
        "cuda.peak.float32": [5e13],
        "cuda.stream.memory": [3e12],
        "cuda.stream.L2": [1e13],
        "cuda.call.launch": [4e-6],
    }
    limits = Limits({}, "", rates, {"cuda.cache.chip": 60 * MIB, "cuda.cache.L2": 50 * MIB})
    short = floor(Case(device="cuda", hidden_size=512, input_size=512, seq_len=1), limits)
    assert (short.bound, short.launch) == (LAUNCH, 4e-6)
    on_chip = floor(Case(device="cuda", hidden_size=512, input_size=512, seq_len=2048), limits)
    outside = floor(Case(device="cuda", hidden_size=8192, input_size=1, seq_len=2048), limits)
    assert on_chip.memory < 1.1 * 2048 * MIB / 1e14 + 1e-6
    assert outside.bound == MEMORY
    assert outside.memory > 0.999 * 2048 * (256 * MIB - 110 * MIB) / 3e12


def test_the_margin_is_at_most_15_percent() -> None:
    """More would say nothing."""
    assert 0 < MARGIN <= 0.15


def sittings(limits: Limits, processes: int) -> list[Limits]:
    """The sittings of so many processes each that limits were joined from, one by one."""
    count = max(map(len, limits.values.values()), default=0) // processes
    parts = [slice(processes * k, processes * (k + 1)) for k in range(count)]
    values = [{name: found[part] for name, found in limits.values.items() if found[part]} for part in parts]
    return [replace(limits, values=each) for each in values]


def test_sittings_come_apart_again() -> None:
    """Two of three processes each, joined."""
    first, later = (
        Limits({}, "", {"cpu.peak.float32.t1": values}) for values in ([1e11, 2e11, 3e11], [4e11, 5e11, 6e11])
    )
    one, two = sittings(first.joined(later), 3)
    assert (one.values, two.values) == (first.values, later.values)


@pytest.mark.parametrize("folder", [reference(), reference().with_name(f"{reference().name}-contenders")])
def test_no_sample_of_a_reference_run_beats_its_floor(folder: Path) -> None:
    """Nor that of any single sitting, which is all that most people take; one that rounds its weights has a floor of
    its own."""
    run = read_run(folder)
    limits = read_limits(folder / "limits.json")
    weights = {(cell.case, cell.implementation): cell.weights_dtype for cell in run.manifest.cells}
    least = run.samples.groupby(["case", "implementation"])["seconds"].min()
    assert len(least) > 20
    taken = sittings(limits, PROCESSES)
    assert len(taken) >= 3
    for sitting in taken:
        for (case, name), seconds in least.items():
            assert seconds > floor(Case.parse(case), sitting, weights[case, name]).seconds, (case, name)
