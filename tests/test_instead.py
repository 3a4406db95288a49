"""An implementation in the stead of an `nn.RNN`: the same results and gradients, or a reason."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bench.report.advised import use_it
from rnn_impls import build, registry
from rnn_impls.interface import Unavailable
from rnn_impls.states import tensors


@pytest.mark.parametrize("name", ["manual", "looped", "whole", "rnncell", "hoisted", "stacked-grad", "scripted"])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_it_computes_what_the_module_does(name: str, nonlinearity: str) -> None:
    """Outputs, last states and gradients, with the module's own weights, in its dtype, over two layers."""
    rnn = nn.RNN(3, 5, num_layers=2, nonlinearity=nonlinearity, dtype=torch.float64)
    inputs, hidden = torch.randn(4, 2, 3, dtype=torch.float64), torch.randn(2, 2, 5, dtype=torch.float64)
    fast = build(name, rnn)
    found, wanted = fast(inputs, hidden), rnn(inputs, hidden)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    found[0].square().sum().backward()
    wanted[0].square().sum().backward()
    torch.testing.assert_close(fast.gradients()["weight_hh_l0"], dict(rnn.named_parameters())["weight_hh_l0"].grad)


def test_the_weights_are_copies() -> None:
    """A step of one leaves the other as it is."""
    rnn = nn.RNN(3, 5)
    fast = build("hoisted", rnn)
    with torch.no_grad():
        dict(rnn.named_parameters())["weight_hh_l0"].zero_()
    (weight,) = tensors(fast.weight_map()["weight_hh_l0"])
    assert weight.abs().sum() > 0


@pytest.mark.parametrize("option", [{"batch_first": True}, {"bias": False}, {"dropout": 0.5, "num_layers": 2}])
def test_what_it_is_not_made_for_is_named(option: dict[str, Any]) -> None:
    """Rather than computed otherwise in silence."""
    first = next(iter(option))
    with pytest.raises(ValueError, match=f"without {first}={option[first]}"):
        build("hoisted", nn.RNN(3, 5, **option))


def test_another_device_or_name_is_refused() -> None:
    """With the reason."""
    with pytest.raises(Unavailable, match="cuda-graph runs on cuda, and these weights are on cpu"):
        build("cuda-graph", nn.RNN(3, 5))
    with pytest.raises(ValueError, match="nosuch"):
        build("nosuch", nn.RNN(3, 5))
    with pytest.raises(ValueError, match="name one implementation, such as manual"):
        build("three", nn.RNN(3, 5))


@pytest.mark.parametrize("name", ["manual", "hoisted", "stacked-grad"])
def test_what_is_printed_for_ones_own_code_runs(name: str) -> None:
    """Typed as it stands, after an `nn.RNN`, inputs and a state that one has."""
    rnn, inputs, hidden = nn.RNN(3, 5), torch.randn(4, 2, 3), torch.zeros(1, 2, 5)
    code = "\n".join(line.strip() for line in use_it(name) if line.startswith("    "))
    names: dict[str, Any] = {"rnn": rnn, "inputs": inputs, "hidden": hidden}
    exec(code, names)
    torch.testing.assert_close(names["outputs"], rnn(inputs, hidden)[0])


def test_the_librarys_own_and_ones_own_need_no_building() -> None:
    """`whole` is the module itself; a file of one's own is there already."""
    assert "build" not in " ".join(use_it("whole"))
    assert use_it("path/to/my_rnn.py:MyRNN") == []
    assert all(len(line) <= 80 for name in registry.BUILTIN for line in use_it(name))
