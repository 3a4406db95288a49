"""What would mend a bare module is found by trying: planted modules, each called in a way that its class hides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from bench.run.checkup import cases
from bench.store.manifest import DIFFERS, EQUAL, FAILED, UNAVAILABLE
from bench.worker.checker import Mend, examine, mend
from rnn_impls.adapter import Adapter, adapted
from rnn_impls.arguments import arguments
from rnn_impls.interface import NetworkShape, Unavailable
from tests.command import bench

CASES = [case for case in cases(["cpu"], {}) if case.mode == "training" or case.seq_len == 7]


def mended(build: Any) -> Mend | None:
    """What the checkup's worker would find."""
    implementation = adapted(build)
    assert issubclass(implementation, Adapter)
    return mend(implementation, CASES, [examine(case, implementation)[0] for case in CASES])


def lines(build: Any) -> dict[str, Any]:
    """The lines that make it right wherever it then runs."""
    found = mended(build)
    assert found is not None
    assert found.wrong == 0 and found.counts[EQUAL] > 0
    return found.lines


class Own(nn.Module):
    """right as it is"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size))

    def squash(self, x: Tensor) -> Tensor:
        """The network's."""
        return x.tanh()

    def forward(self, inputs: Tensor, hidden: Tensor) -> Any:
        """inputs (T, B, I), hidden (1, B, H) -> outputs (T, B, H), hidden (1, B, H)."""
        state, outputs = hidden[0], []
        for step in inputs:
            state = self.squash(step @ self.weight_ih.T + state @ self.weight_hh.T + self.bias)
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)


class BatchFirst(nn.Module):
    """has the batch first"""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, num_layers, batch_first=True)

    def forward(self, x: Tensor, hidden: Tensor) -> Any:
        """x (B, T, I), hidden (L, B, H) -> outputs (B, T, H), hidden (L, B, H)."""
        return self.rnn(x, hidden)


class SaysItWrongly(Own):
    """has not the batch first"""

    batch_first = True


class Sized(Own):
    """calls the sizes otherwise, with a number that is no size between"""

    def __init__(self, d_in: int, dropout: float = 0.0, d_model: int = 64) -> None:
        super().__init__(d_in, d_model)


class Hidden(Own):
    """calls one size otherwise"""

    def __init__(self, input_size: int, n_hid: int) -> None:
        super().__init__(input_size, n_hid)


class FromZero(Own):
    """takes no hidden state"""

    def forward(self, inputs: Tensor) -> Any:  # type: ignore[override] # as people have it
        """inputs (T, B, I) -> outputs (T, B, H)."""
        return super().forward(inputs, inputs.new_zeros(1, inputs.shape[1], self.bias.shape[0]))[0]


class Relu(Own):
    """another network, and says nothing of it"""

    def squash(self, x: Tensor) -> Tensor:
        """Not tanh."""
        return x.relu()


class TanhAlone(Own):
    """is asked for a nonlinearity that it does not heed"""

    def __init__(self, input_size: int, hidden_size: int, nonlinearity: str = "tanh") -> None:
        super().__init__(input_size, hidden_size)


class Linears(nn.Module):
    """a cell of two linear layers, as tutorials have it"""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Any:
        """inputs (T, B, I), hidden (1, B, H) -> outputs (T, B, H), hidden (1, B, H)."""
        state, outputs = hidden[0], []
        for step in inputs:
            state = torch.tanh(self.i2h(step) + self.h2h(state))
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)


class OneBias(nn.Module):
    """the same with one bias, the batch first, no state, and other names for the sizes: all at once"""

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.w = nn.Linear(features, units)
        self.u = nn.Linear(units, units, bias=False)

    def forward(self, x: Tensor) -> Any:
        """x (B, T, I) -> outputs (B, T, H)."""
        state, outputs = x.new_zeros(len(x), self.u.in_features), []
        for step in x.unbind(1):
            state = torch.relu(self.w(step) + self.u(state))
            outputs.append(state)
        return torch.stack(outputs, 1)


class Deep(nn.Module):
    """calls the number of its layers otherwise"""

    def __init__(self, input_size: int, hidden_size: int, n_layers: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size, n_layers)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Any:
        """As torch.nn.RNN."""
        return self.rnn(inputs, hidden)


SIZES = {"input_size": "d_in", "hidden_size": "d_model"}
MAP = {"weight_ih_l0": "i2h.weight", "weight_hh_l0": "h2h.weight", "bias_ih_l0": "i2h.bias", "bias_hh_l0": "h2h.bias"}


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (BatchFirst, {"batch_first": True}),
        (SaysItWrongly, {"batch_first": False}),
        (Sized, {"sizes": SIZES}),
        (Hidden, {"sizes": {"hidden_size": "n_hid"}}),
        (FromZero, {"takes_hidden": False}),
        (Relu, {"networks": ("rnn-relu",)}),
        (TanhAlone, {"networks": ("rnn-tanh",)}),
        (Linears, {"weight_map": MAP}),
        (Deep, {"sizes": {"num_layers": "n_layers"}}),
        (
            OneBias,
            {
                "batch_first": True,
                "takes_hidden": False,
                "sizes": {"input_size": "features", "hidden_size": "units"},
                "networks": ("rnn-relu",),
                "weight_map": {"weight_ih_l0": "w.weight", "weight_hh_l0": "u.weight", "bias_l0": "w.bias"},
            },
        ),
    ],
)
def test_the_lines_that_mend_it(build: Callable[..., object], wanted: dict[str, Any]) -> None:
    """Those and no more."""
    assert lines(build) == wanted


def test_a_function_that_builds_one_is_mended_as_well() -> None:
    """What a class would say stands below it."""

    def make(input_size: int, units: int) -> nn.Module:
        return BatchFirst(input_size, units, 1)

    found = mended(make)
    assert found is not None and found.wrong == 0
    assert found.text("make") == {
        "sizes": 'make.sizes = {"hidden_size": "units"}',
        "batch_first": "make.batch_first = True",
    }


class Wrong(Own):
    """has a mistake in its formula"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Any:
        """With the weights transposed."""
        state, outputs = hidden[0], []
        for step in inputs:
            state = self.squash(step @ self.weight_ih.T + state @ self.weight_hh + self.bias)
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)


class NoSuchThing(nn.Module):
    """raises whatever it is given"""

    def __init__(self, size: int, other: int) -> None:
        raise ZeroDivisionError("no")


@pytest.mark.parametrize("build", [Own, Wrong, NoSuchThing])
def test_nothing_is_said_where_nothing_helps(build: Callable[..., object]) -> None:
    """Of what is right, of a mistake, and of what can't be built at all."""
    assert mended(build) is None


class BatchFirstWithoutGradients(BatchFirst):
    """has the batch first, and trains nothing"""

    def forward(self, x: Tensor, hidden: Tensor) -> Any:
        """Cut the graph but for a part that weighs nothing."""
        outputs, last = super().forward(x, hidden)
        return outputs.detach() + 0 * outputs, last


def test_what_helps_in_a_part_is_said_with_what_is_left() -> None:
    """The lines make inference right; what training still lacks is counted."""
    found = mended(BatchFirstWithoutGradients)
    assert found is not None
    assert found.lines == {"batch_first": True}
    assert found.counts[EQUAL] == len([c for c in CASES if c.mode == "inference" and c.network == "rnn-tanh"])
    assert found.wrong == len([c for c in CASES if c.mode == "training" and c.network == "rnn-tanh"])
    assert set(found.counts) == {EQUAL, DIFFERS, UNAVAILABLE}


def test_a_network_that_a_class_names_is_believed() -> None:
    """One without a nonlinearity has tanh, unless it says what it computes."""

    class Says(Relu):
        networks: ClassVar[tuple[str, ...]] = ("rnn-relu",)

    relu = NetworkShape(5, 8, nonlinearity="relu")
    assert arguments(Says, relu) == {"input_size": 5, "hidden_size": 8}
    with pytest.raises(Unavailable, match="takes no nonlinearity"):
        arguments(Relu, relu)


def test_the_lines_are_those_that_python_reads() -> None:
    """As they are told, they can be written in a class; long ones in several lines."""
    values = {"batch_first": True, "sizes": SIZES, "networks": ("rnn-relu",), "weight_map": MAP}
    found = Mend(values, {}).text()  # type: ignore[arg-type] # no counts
    assert found["sizes"] == 'sizes = {"input_size": "d_in", "hidden_size": "d_model"}'
    assert found["networks"] == 'networks = ("rnn-relu",)'
    assert found["weight_map"].splitlines()[-2:] == ['    "bias_hh_l0": "h2h.bias",', "}"]
    read: dict[str, Any] = {}
    exec("\n".join(found.values()), read)
    assert {name: read[name] for name in values} == values


def test_check_tells_the_line(tmp_path: Path) -> None:
    """After the verdict; with the line in the class the check is passed."""
    text = (
        "from torch import nn\n\n\nclass Mine(nn.Module):\n    def __init__(self, input_size, d_model):\n"
        "        super().__init__()\n        self.rnn = nn.RNN(input_size, d_model)\n\n"
        "    def forward(self, inputs, hidden):\n        return self.rnn(inputs, hidden)\n"
    )
    (tmp_path / "own.py").write_text(text)
    arguments = ("check", "own.py:Mine", "--device=cpu", "--mode=inference", "--seq-len=7")
    code, out, _ = bench(*arguments, folder=tmp_path)
    assert code == 1
    line = '    sizes = {"hidden_size": "d_model"}'
    assert out.splitlines()[:5] == [
        "`Mine` fails in 6 of 6 cases.",
        "",
        "It has other names for the sizes. Add to `Mine`:",
        line,
        "Tried: like that it is equal in all 4 cases; it then declines 2.",
    ]
    assert FAILED in out
    (tmp_path / "mended.py").write_text(text.replace("(nn.Module):\n", f"(nn.Module):\n{line}\n\n"))
    code, out, _ = bench("check", "mended.py:Mine", *arguments[2:], folder=tmp_path)
    assert code == 0
    assert out.splitlines()[:2] == [
        "`Mine` computes the network: equal in all 4 cases; it declines 2.",
        "Called with d_model for hidden_size.",
    ]
