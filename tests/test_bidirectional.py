"""Both directions: every layer a second time from the last step to the first, as torch has it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from bench import cli
from bench.cases.axes import Axes, asked, parse_axis
from bench.cases.case import Case
from bench.cases.words import in_words
from bench.host.clock import Ledger
from bench.measure.parity import check
from bench.measure.problem import Problem, network_shape
from bench.measure.reference import Reference, forward
from bench.store.manifest import UNAVAILABLE
from bench.why.work import work
from bench.worker.surveyor import Surveyor
from rnn_impls import registry
from rnn_impls.adapter import adapted
from tests.test_networks import LEAKY

NAMES = ("manual", "whole", "hoisted", "stacked-grad", "fused-cpu", "scan")


def small(mode: str = "inference", network: str = "gru", num_layers: int = 1, output_size: int = 0) -> Case:
    """A small case in both directions."""
    case = Case(mode=mode, network=network, input_size=3, hidden_size=4, batch_size=2, seq_len=5, bidirectional=True)
    return dataclasses.replace(case, num_layers=num_layers, output_size=output_size)


@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm"])
def test_the_reference_is_torchs(network: str) -> None:
    """The step written out, run both ways through two layers, gives what torch's module gives, in float64."""
    case = dataclasses.replace(small(network=network, num_layers=2), dtype="float64")
    problem = Problem.of(case)
    module = network_shape(case).library().double()
    module.load_state_dict(problem.weights)
    wanted = module(problem.inputs, problem.hidden)
    found = forward(case, problem.weights, problem.inputs, problem.hidden)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert found[0].shape == (5, 2, 8)


@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm", LEAKY])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_it(name: str, mode: str, network: str) -> None:
    """Outputs, states and gradients of both directions, of one layer and of two with a head."""
    found = registry.load(name)
    if network == LEAKY and name not in ("manual", "scan"):
        pytest.skip("not made for networks of one's own")
    for case in (small(mode, network), small(mode, network, num_layers=2, output_size=3)):
        assert check(Reference.of(case), found) < 1e-5


def surveyed(case: Case, name: str) -> tuple[str, str]:
    """Status and reason of a cell."""
    record = Surveyor(max_call=5.0, ledger=Ledger(), memory=False).survey(case, name)
    return record.status, record.reason


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("looped", "steps one by one can't run backward: that begins at the end of the sequence"),
        ("rnncell", "made for one direction"),
    ],
)
def test_who_does_not_says_why(name: str, told: str) -> None:
    """A row with the reason."""
    assert surveyed(small(), name) == (UNAVAILABLE, told)


class OneWay(nn.Module):
    """takes no bidirectional"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size)

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """As nn.GRU."""
        found: tuple[Tensor, Tensor] = self.rnn(inputs, hidden)
        return found


def test_somebodys_module_takes_it_or_says_that_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """What derives from torch's takes it by name."""
    monkeypatch.setitem(registry.REGISTERED, "one-way", f"{__file__}:OneWay")
    assert surveyed(small(), "one-way") == (
        UNAVAILABLE,
        "OneWay takes no bidirectional, and so runs in one direction",
    )

    class Theirs(nn.GRU):
        pass

    assert check(Reference.of(small("training", num_layers=2, output_size=3)), adapted(Theirs)) < 1e-5


def test_its_id_says_so_and_others_stay_as_they_were() -> None:
    """It can be parsed, is short where it can be, and sorts behind the one direction of as many layers."""
    case = Case(num_layers=2, bidirectional=True)
    assert case.id == "cpu-float32-inference-tanh-I0128-H0128-L02-both-B0001-T0064-O0000-t01"
    assert (case.short, Case(bidirectional=True).short) == (
        "inference-H0128-L02-both-T0064",
        "inference-H0128-L01-both-T0064",
    )
    for each in (case, Case(bidirectional=True), Case(num_layers=2)):
        assert Case.parse(each.id) == Case.parse(each.short) == each
    one_way = Case(num_layers=2)
    assert sorted([case, one_way]) == sorted([case, one_way], key=lambda each: each.id) == [one_way, case]
    assert in_words(case) == "hidden 128, 64 steps, 2 layers, bidirectional, inference"


def test_cases_of_earlier_versions_have_one_direction() -> None:
    """Their files lack the field."""
    fields = Case().as_dict()
    del fields["bidirectional"]
    assert Case.from_dict(fields) == Case()


def test_the_option_has_no_value() -> None:
    """It is asked for by being there, in a preset as in a single case."""
    typed = dict.fromkeys(Case().as_dict(), "")
    assert Axes(typed | {"bidirectional": "yes"}).overrides() == {"bidirectional": (True,)}
    assert Axes(typed).overrides() == {}
    assert asked(Case(bidirectional=True)) == "--hidden-size 128 --seq-len 64 --bidirectional"
    with pytest.raises(ValueError, match=r"--bidirectional takes no value, such as 'maybe'"):
        parse_axis("bidirectional", "maybe")


def test_its_work_is_twice_that_of_one_direction() -> None:
    """Two layers side by side: twice the products, as many links; a layer above reads both."""
    one = work(Case(hidden_size=8, input_size=8))
    both = work(Case(hidden_size=8, input_size=8, bidirectional=True))
    assert (both.free, both.chained, both.links, both.layers) == (2 * one.free, 2 * one.chained, one.links, 2)
    above = work(Case(hidden_size=8, input_size=8, bidirectional=True, num_layers=2))
    assert above.free - both.free == 2 * both.free  # it reads twice the width


def test_a_run_takes_it(tmp_path: Path) -> None:
    """From the option to the report's words."""
    options = ["--preset", "smoke", "--bidirectional", "--network", "lstm", "--impl", "looped,whole,hoisted"]
    sizes = ["--hidden-size", "4", "--seq-len", "3", "--mode", "inference", "--passes", "1", "--reports", str(tmp_path)]
    found = CliRunner().invoke(cli.app, ["run", *options, *sizes])
    assert found.exit_code == 0, found.output
    assert "bidirectional" in found.output
