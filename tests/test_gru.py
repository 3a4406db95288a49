"""The gated recurrent unit: torch's formula, every implementation that computes it, and who says that it doesn't."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from bench.cases.case import Case
from bench.measure.parity import check
from bench.measure.reference import Reference
from bench.report.names import of_torch
from rnn_impls import build, networks, registry

NAMES = ("manual", "looped", "whole", "rnncell", "hoisted", "stacked-grad", "scripted", "scan")
"""Those that run on a CPU and compile nothing."""


def small(mode: str, num_layers: int = 1, output_size: int = 0, seq_len: int = 5) -> Case:
    """A small case of it."""
    found = Case(mode=mode, network="gru", input_size=3, hidden_size=4, batch_size=2, seq_len=seq_len)
    return dataclasses.replace(found, num_layers=num_layers, output_size=output_size)


def test_the_step_is_torchs() -> None:
    """Written out, it gives what nn.GRUCell gives, in float64 to the last digits; b_hn is inside the reset product."""
    cell = nn.GRUCell(3, 4).double()
    layer = networks.load("gru").bound({name: value.detach() for name, value in cell.named_parameters()})
    x, state = torch.randn(2, 3).double(), torch.randn(2, 4).double()
    torch.testing.assert_close(layer.step(x, state)[0], cell(x, state).detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", NAMES)
def test_they_compute_it(name: str, mode: str) -> None:
    """Outputs, last states and every gradient, of one step, of several, of layers with a head."""
    for case in (small(mode), small(mode, seq_len=1), small(mode, num_layers=2, output_size=3)):
        assert check(Reference.of(case), registry.load(name)) < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["compiled-step", "compiled-chunk"])
def test_they_compile_it(name: str, mode: str) -> None:
    """The same by torch.compile."""
    assert check(Reference.of(small(mode, num_layers=2, output_size=3)), registry.load(name)) < 1e-5


def test_it_can_be_put_in_the_stead_of_torchs_own() -> None:
    """`build` takes an nn.GRU as it takes an nn.RNN."""
    rnn, inputs, hidden = nn.GRU(3, 4, 2), torch.randn(5, 2, 3), torch.zeros(2, 2, 4)
    outputs, last = build("stacked-grad", rnn)(inputs, hidden)
    torch.testing.assert_close(outputs, rnn(inputs, hidden)[0])
    torch.testing.assert_close(last, rnn(inputs, hidden)[1])


@pytest.mark.parametrize(
    ("computed", "expected"),
    [
        (["rnn-tanh"], "one `nn.RNN` call"),
        (["gru"], "one `nn.GRU` call"),
        (["rnn-relu", "gru"], "one `nn.RNN/GRU` call"),
    ],
)
def test_words_name_the_module(computed: list[str], expected: str) -> None:
    """What is said of nn.RNN is said of what computes the network."""
    assert of_torch("one `nn.RNN` call", computed) == expected
