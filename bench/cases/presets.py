"""Presets: named, documented sets of Cases.

To add a preset, write a function that returns its grids (`bench.cases.grid`), say in its docstring what it is for and
where its numbers come from, and mark it with `@preset`; one that follows a benchmark of others goes to
`bench.cases.others`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from bench.cases import others
from bench.cases.grid import BOTH_MODES, CASE_SECONDS, HIDDEN, Build, Grid, Preset, powers, register
from rnn_impls import networks

__all__ = ["BOTH_MODES", "CASE_SECONDS", "HIDDEN", "PRESETS", "Grid", "Preset", "find", "powers", "preset"]

OTHERS = tuple(name for name in networks.BUILTIN if name != networks.DEFAULT)
"""Torch's networks beside the tutorial's."""

PRESETS: dict[str, Preset] = {}


def preset(build: Build, **fields: Any) -> Build:
    """Register the preset that a function describes, under the function's name with dashes, with further fields."""
    return register(PRESETS, build, **fields)


def find(name: str) -> Preset:
    """The preset of this name. Raises ValueError listing the known ones."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


@partial(preset, case_seconds=0.17)
def quick() -> Iterable[Grid]:
    """The default: the tutorial's network with short and long sequences, small and large hidden states, batch 1,
    inference and training; and every other network of torch's at one size; in a minute and a half. Source: the sizes at
    which the three implementations differ most in the pilot runs of this suite."""
    return [
        {"hidden_size": (32, 128), "seq_len": (1, 8, 64, 256), "mode": BOTH_MODES},
        {"hidden_size": (512,), "seq_len": (1, 8, 64), "mode": BOTH_MODES},  # 256 steps would take a tenth of the run
        {"network": OTHERS, "hidden_size": (128,), "seq_len": (64,), "mode": BOTH_MODES},
    ]


@partial(preset, passes=2, case_seconds=0.05)
def smoke() -> Iterable[Grid]:
    """For tests of the suite itself: the smallest run that has two hidden sizes, two lengths and both modes. Its
    figures mean nothing. Source: none, chosen to end within ten seconds."""
    return [{"hidden_size": (8, 16), "seq_len": (2, 8), "mode": BOTH_MODES}]


@preset
def gate() -> Iterable[Grid]:
    """What `python -m bench gate` compares: an RNN at hidden 64 and 16 steps, and at hidden 256 and 64 steps; a GRU and
    an LSTM at hidden 128 and 32 steps; batch 1, inference and training. Source: as many cells as have a verdict within
    a minute on two cores. `python -m bench trust` measures its rates."""
    return [
        {"hidden_size": (64,), "seq_len": (16,), "mode": BOTH_MODES},
        {"hidden_size": (256,), "seq_len": (64,), "mode": BOTH_MODES},
        {"network": ("gru", "lstm"), "hidden_size": (128,), "seq_len": (32,), "mode": BOTH_MODES},
    ]


@preset
def seed() -> Iterable[Grid]:
    """The tutorial's network, 768 inputs, 128 hidden units, 2 outputs, batch 1, over growing sequences. Source: the
    tutorial whose two models `rnn_impls.manual` and `rnn_impls.looped` keep."""
    sizes: Grid = {"input_size": (768,), "hidden_size": (128,), "output_size": (2,)}
    return [sizes | {"seq_len": powers(1, 1024), "mode": BOTH_MODES}]


@partial(preset, implementations="ragged")
def ragged() -> Iterable[Grid]:
    """What padding costs, and when packing or bucketing is worth its price: 32 sequences of up to 128 steps at hidden
    128, with ever more padding. Source: the classification of sentences and recordings; `zipf:1.2` is about how often
    texts of a length occur."""
    lengths = ("uniform:0.9", "uniform:0.5", "uniform:0.3", "uniform:0.1", "zipf:0.5", "zipf:1.2")
    return [
        {
            "network": ("rnn-tanh", "gru", "lstm"),
            "hidden_size": (128,),
            "batch_size": (32,),
            "seq_len": (128,),
            "mode": BOTH_MODES,
            "lengths": lengths,
        }
    ]


@partial(preset, implementations="manual,whole,stacked-grad")
def last_step() -> Iterable[Grid]:
    """Training with a loss on the last step alone, as in classifying sequences: how much longer gradients take that
    vanish through denormal numbers. Source: the pilot of this suite, hidden 128, up to 512 steps, batch 1 and 32."""
    common: Grid = {
        "network": ("rnn-tanh", "gru", "lstm"),
        "hidden_size": (128,),
        "mode": ("training",),
        "loss": ("last",),
    }
    return [common | {"seq_len": (64, 128, 256, 512)}, common | {"seq_len": (128, 512), "batch_size": (32,)}]


@partial(preset, implementations="runtimes")
def runtimes() -> Iterable[Grid]:
    """Beside torch: the same networks by ONNX Runtime, OpenVINO, JAX and numba, inference, 128 steps, batch 1 at hidden
    64 to 512 and batch 16 at hidden 128 and 256. Source: the sizes at which the pilot of this suite compared them."""
    common: Grid = {"seq_len": (128,)}
    return [
        common | {"network": ("rnn-tanh", "gru", "lstm"), "hidden_size": powers(64, 512)},
        common | {"network": ("rnn-tanh", "gru", "lstm"), "hidden_size": (128, 256), "batch_size": (16,)},
    ]


@partial(preset, implementations="streaming")
def streaming() -> Iterable[Grid]:
    """One step at a time, as in speech or control, beside the same steps as one sequence: hidden 64 to 512, batch 1.
    Source: sizes of networks for keywords, speech and control that run while their input comes in."""
    grid: Grid = {"hidden_size": (64, 128, 256, 512), "seq_len": (64,), "mode": ("inference", "streaming")}
    return [grid, grid | {"network": ("gru", "lstm"), "hidden_size": (128,)}]


@preset
def full() -> Iterable[Grid]:
    """Every size this suite is about: hidden 32 to 2048, 1 to 2048 steps, batch 1, 16 and 64, both modes. Takes
    hours on a CPU. Source: the union of the ranges of the other presets, by powers of two."""
    return [
        {
            "hidden_size": powers(32, 2048),
            "seq_len": powers(1, 2048),
            "batch_size": (1, 16, 64),
            "mode": BOTH_MODES,
        }
    ]


@preset
def cudnn_cliffs() -> Iterable[Grid]:
    """Where cuDNN changes its algorithm: hidden around 256, 384 and 1024, batches that are and are not a multiple of
    8 or above 96, in float32 and float16. Source: pytorch/pytorch, aten/src/ATen/native/cudnn/RNN.cpp, `get_algo`."""
    return [
        {
            "hidden_size": (256, 264, 384, 392, 512, 1024, 1032),
            "batch_size": (1, 7, 8, 96, 128),
            "seq_len": (128,),
            "dtype": ("float32", "float16"),
            "mode": BOTH_MODES,
        }
    ]


@preset
def contenders() -> Iterable[Grid]:
    """Where the faster implementations are held against `whole`: long sequences, batch 1 and 16, the latter in training
    up to hidden 512. Source: the sizes at which this suite states what each of them gains."""
    long: Grid = {"seq_len": (512,), "hidden_size": powers(64, 1024)}
    return [
        long | {"mode": BOTH_MODES},
        long | {"mode": ("inference",), "batch_size": (16,)},
        long | {"mode": ("training",), "batch_size": (16,), "hidden_size": powers(64, 512)},
    ]


PRESETS.update(others.PRESETS)
