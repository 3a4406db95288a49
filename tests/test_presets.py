"""Presets: their contents, as promised in `python -m bench list`, and the grammar of overrides."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bench.cases import others, presets
from bench.cases.axes import parse_axis
from bench.cases.case import Case
from bench.cases.presets import HIDDEN, PRESETS, Grid, find, powers

BOTH = ("inference", "training")
LAST: dict[str, tuple[Any, ...]] = {"mode": ("training",), "loss": ("last",)}
NAMES = [
    "quick",
    "smoke",
    "gate",
    "seed",
    "ragged",
    "last-step",
    "runtimes",
    "streaming",
    "full",
    "cudnn-cliffs",
    "contenders",
    "fastrnns",
    "deepbench-train",
    "deepbench-device",
    "deepbench-lstm",
    "deepbench-gru",
    "glample",
    "haste",
    "published",
]


def product(**axes: tuple[Any, ...]) -> set[Case]:
    """Every combination of these fields; the input as wide as the hidden state unless it is given."""
    found = set()
    for values in itertools.product(*axes.values()):
        fields = dict(zip(axes, values, strict=True))
        found.add(Case(**({"input_size": fields["hidden_size"]} | fields)))
    return found


def deepbench(network: str, problems: str, modes: tuple[str, ...] = ("inference",)) -> set[Case]:
    """The problems of one network in a set of DeepBench, in these modes."""
    rows = [line.split() for line in problems.splitlines()]
    return {
        Case(
            mode=mode, network=kind, hidden_size=int(size), input_size=int(size), batch_size=int(batch), seq_len=int(t)
        )
        for kind, size, batches, steps in rows
        for batch, t, mode in itertools.product(batches.split(","), steps.split(","), modes)
        if kind == network
    }


TRAINING = """\
lstm 512 16,32,64,128 25
lstm 1024 16,32,64,128 25
lstm 2048 16,32,64,128 25
lstm 4096 16,32,64,128 25
lstm 1536 8,16,32 50
lstm 256 16,32,64 150
gru 2816 32 1500,750,375,187
gru 2048 32 1500,750,375,187
gru 1536 32 1500,750,375,187
gru 2560 32 1500,750,375,187
gru 512 32 1
gru 1024 32,64 1500"""
SERVER = """\
lstm 512 1,2,4 25
lstm 1024 1,2,4 25
lstm 2048 1,2,4 25
lstm 1536 1,2,4 50
lstm 256 1,2,4 150
gru 2816 1,2,4 1500,750,375,187
gru 2048 1,2,4 1500,750,375,187
gru 1536 1,2,4 1500,750,375,187
gru 2560 1,2,4 1500,750,375,187
gru 512 1,2,4 1
gru 1024 1,2,4 1500"""
DEVICE = "lstm 256 1 150"
"""DeepBench's sets (rnn_problems.h), the gated networks: hidden size, batches, steps."""

CONTENTS = {
    "quick": product(hidden_size=(32, 128), seq_len=(1, 8, 64, 256), mode=BOTH)
    | product(hidden_size=(512,), seq_len=(1, 8, 64), mode=BOTH)
    | product(network=("rnn-relu", "gru", "lstm"), hidden_size=(128,), seq_len=(64,), mode=BOTH),
    "smoke": product(hidden_size=(8, 16), seq_len=(2, 8), mode=BOTH),
    "gate": product(hidden_size=(64,), seq_len=(16,), mode=BOTH)
    | product(hidden_size=(256,), seq_len=(64,), mode=BOTH)
    | product(network=("gru", "lstm"), hidden_size=(128,), seq_len=(32,), mode=BOTH),
    "seed": product(
        input_size=(768,), hidden_size=(128,), output_size=(2,), batch_size=(1,), mode=BOTH,
        seq_len=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    ),
    "ragged": product(
        network=("rnn-tanh", "gru", "lstm"), hidden_size=(128,), batch_size=(32,), seq_len=(128,), mode=BOTH,
        lengths=("uniform:0.9", "uniform:0.5", "uniform:0.3", "uniform:0.1", "zipf:0.5", "zipf:1.2"),
    ),
    "last-step": product(network=("rnn-tanh", "gru", "lstm"), hidden_size=(128,), seq_len=(64, 128, 256, 512), **LAST)
    | product(network=("rnn-tanh", "gru", "lstm"), hidden_size=(128,), seq_len=(128, 512), batch_size=(32,), **LAST),
    "runtimes": product(network=("rnn-tanh", "gru", "lstm"), hidden_size=(64, 128, 256, 512), seq_len=(128,))
    | product(network=("rnn-tanh", "gru", "lstm"), hidden_size=(128, 256), seq_len=(128,), batch_size=(16,)),
    "streaming": product(hidden_size=(64, 128, 256, 512), seq_len=(64,), mode=("inference", "streaming"))
    | product(network=("gru", "lstm"), hidden_size=(128,), seq_len=(64,), mode=("inference", "streaming")),
    "full": product(
        hidden_size=(32, 64, 128, 256, 512, 1024, 2048), batch_size=(1, 16, 64), mode=BOTH,
        seq_len=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048),
    ),
    "fastrnns": product(
        network=("rnn-tanh", "lstm"), hidden_size=(512,), batch_size=(64,), seq_len=(100,), mode=BOTH,
    ),
    "deepbench-train": product(
        network=("rnn-relu",), hidden_size=(1760, 2048, 2560), batch_size=(16, 32, 64, 128), seq_len=(50,), mode=BOTH,
    ),
    "deepbench-device": product(network=("rnn-relu",), hidden_size=(32,), seq_len=(672,))
    | product(network=("rnn-relu",), hidden_size=(64,), seq_len=(96,)),
    "cudnn-cliffs": product(
        hidden_size=(256, 264, 384, 392, 512, 1024, 1032), batch_size=(1, 7, 8, 96, 128), seq_len=(128,), mode=BOTH,
        dtype=("float32", "float16"),
    ),
    "contenders": product(seq_len=(512,), hidden_size=(64, 128, 256, 512, 1024), mode=BOTH, batch_size=(1, 16))
    - product(seq_len=(512,), hidden_size=(1024,), mode=("training",), batch_size=(16,)),
    "deepbench-lstm": deepbench("lstm", TRAINING, BOTH) | deepbench("lstm", SERVER) | deepbench("lstm", DEVICE),
    "deepbench-gru": deepbench("gru", TRAINING, BOTH) | deepbench("gru", SERVER) | deepbench("gru", DEVICE),
    "glample": product(hidden_size=(128, 512, 1024), batch_size=(32, 128), seq_len=(30,), mode=BOTH),
    "haste": product(
        network=("gru", "lstm"), seq_len=(50,), batch_size=(1, 16, 32, 64, 128), input_size=(64, 128, 256, 512),
        hidden_size=(128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096), mode=BOTH,
    ),
    "published": product(network=("lstm",), hidden_size=(500,), batch_size=(64,), seq_len=(50,), mode=BOTH)
    | product(network=("lstm",), hidden_size=(512,), batch_size=(128,), seq_len=(25,))
    | product(network=("lstm",), hidden_size=(1024,), batch_size=(16,), seq_len=(25,))
    | product(network=("rnn-tanh",), hidden_size=(800,), batch_size=(20,), seq_len=(300,), mode=BOTH),
}  # fmt: skip


def test_the_promised_presets_are_there() -> None:
    """None is missing, and none is there whose contents are not tested here."""
    assert list(PRESETS) == NAMES
    assert set(CONTENTS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_preset_contents(name: str) -> None:
    """Exactly these cases, sorted, each once."""
    cases = find(name).cases("cpu")
    assert set(cases) == CONTENTS[name]
    assert cases == sorted(CONTENTS[name])


def test_deepbench_is_counted_as_its_source_counts() -> None:
    """Lines of each set there: 22 LSTMs and 19 GRUs to train, 15 and 54 on servers, one LSTM on devices."""
    assert [len(deepbench("lstm", each)) for each in (TRAINING, SERVER, DEVICE)] == [22, 15, 1]
    assert [len(deepbench("gru", each)) for each in (TRAINING, SERVER, DEVICE)] == [19, 54, 0]


@pytest.mark.parametrize("name", NAMES)
def test_preset_says_where_its_numbers_come_from(name: str) -> None:
    """What `list` shows is the docstring on one line, with its source."""
    about = find(name).about
    assert "Source: " in about
    assert "\n" not in about
    assert "  " not in about
    build = getattr(others if name in others.PRESETS else presets, name.replace("-", "_"))
    assert about == " ".join(build.__doc__.split())


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_cases_are_on_the_device_asked_for(device: str) -> None:
    """The device is the run's, also when an override names another."""
    assert {case.device for case in find("smoke").cases(device, {"device": ("cpu",)})} == {device}


def test_unknown_preset_lists_the_known() -> None:
    """A name with a slip is answered with all names."""
    with pytest.raises(ValueError, match="unknown preset 'quik'; known are " + ", ".join(NAMES)):
        find("quik")


def test_overrides_replace_an_axis_and_leave_the_others() -> None:
    """Hidden 64 and 256 instead of 8 and 16; lengths and modes as they were; the input follows the hidden state."""
    cases = find("smoke").cases("cpu", {"hidden_size": (64, 256), "threads": (2,)})
    assert set(cases) == product(hidden_size=(64, 256), seq_len=(2, 8), mode=BOTH, threads=(2,))


def test_an_input_size_of_its_own_stays() -> None:
    """The seed keeps its 768 inputs at any hidden size; `hidden` makes them follow it, a number pins them."""
    overrides: Grid = {"hidden_size": (64, 256), "seq_len": (4,), "mode": ("inference",)}
    sizes = [(case.input_size, case.hidden_size) for case in find("seed").cases("cpu", overrides)]
    assert sizes == [(768, 64), (768, 256)]
    follow = find("seed").cases("cpu", overrides | {"input_size": (HIDDEN,)})
    assert [(case.input_size, case.hidden_size) for case in follow] == [(64, 64), (256, 256)]
    pinned = find("smoke").cases("cpu", {"input_size": (5,)})
    assert {case.input_size for case in pinned} == {5}


def test_overrides_that_make_cases_alike_give_each_once() -> None:
    """Both grids of deepbench-device become the same case."""
    assert len(find("deepbench-device").cases("cpu", {"hidden_size": (32,), "seq_len": (10,)})) == 1


def test_unknown_axis_lists_the_known() -> None:
    """An axis that is no field of a Case is refused."""
    with pytest.raises(ValueError, match=r"unknown axis depth; known are device, dtype, .*threads"):
        find("smoke").cases("cpu", {"depth": (1,)})


@pytest.mark.parametrize(
    ("axis", "text", "values"),
    [
        ("hidden_size", "64", (64,)),
        ("hidden_size", "64,128", (64, 128)),
        ("hidden_size", " 64 , 128 ,", (64, 128)),
        ("hidden_size", "128,64,128", (128, 64)),
        ("seq_len", "1:1024:x2", (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
        ("seq_len", "3:30:x3", (3, 9, 27)),
        ("seq_len", "10:50:10", (10, 20, 30, 40, 50)),
        ("seq_len", "10:45:10", (10, 20, 30, 40)),
        ("seq_len", "7,1:4:x2,10:20:10", (7, 1, 2, 4, 10, 20)),
        ("output_size", "0,2", (0, 2)),
        ("input_size", "hidden,64", (HIDDEN, 64)),
        ("mode", "training,inference", ("training", "inference")),
        ("dtype", "float16", ("float16",)),
    ],
)
def test_parse_axis_reads(axis: str, text: str, values: tuple[Any, ...]) -> None:
    """Lists, products, sums, mixed; each value once, in the order written."""
    assert parse_axis(axis, text) == values


@pytest.mark.parametrize(
    ("axis", "text", "message"),
    [
        ("hidden_size", "", "--hidden-size is empty"),
        ("hidden_size", " , ", "--hidden-size is empty"),
        ("hidden_size", "50:10:10", "--hidden-size is empty"),
        ("hidden_size", "big", "--hidden-size 'big': write numbers as"),
        ("hidden_size", HIDDEN, "--hidden-size 'hidden': write numbers as"),
        ("seq_len", "1.5", "--seq-len '1.5': write numbers as"),
        ("seq_len", "1:10", "--seq-len '1:10': write numbers as 64,128 or 1:1024:x2 or 10:50:10"),
        ("seq_len", "1:2:3:4", "--seq-len '1:2:3:4'"),
        ("seq_len", "1:8:x1", "--seq-len '1:8:x1'"),
        ("seq_len", "0:8:x2", "--seq-len '0:8:x2'"),
        ("seq_len", "1:8:0", "--seq-len '1:8:0'"),
        ("seq_len", "50:10:-10", "--seq-len '50:10:-10'"),
        ("mode", "train", "unknown mode 'train'; known are inference, training"),
        ("dtype", "float8", "unknown dtype 'float8'; known are float32"),
    ],
)
def test_parse_axis_refuses(axis: str, text: str, message: str) -> None:
    """The axis is named as the option is written, and a form that works is shown."""
    with pytest.raises(ValueError, match=message):
        parse_axis(axis, text)


def test_powers_stop_at_the_last() -> None:
    """The last is included only when it is a power."""
    assert powers(1, 8) == (1, 2, 4, 8)
    assert powers(3, 20) == (3, 6, 12)


def test_a_new_preset_is_registered_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function with a docstring is all it takes."""
    monkeypatch.setattr(presets, "PRESETS", {})

    @presets.preset
    def my_sizes() -> list[Grid]:
        """Two lengths.

        Source: here.
        """
        return [{"seq_len": (1, 2)}]

    assert len(list(my_sizes())) == 1
    found = presets.find("my-sizes")
    assert found.about == "Two lengths. Source: here."
    assert [case.seq_len for case in found.cases("cpu")] == [1, 2]
    assert {case.input_size for case in found.cases("cpu")} == {Case().hidden_size}
