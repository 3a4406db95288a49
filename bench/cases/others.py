"""Presets that follow benchmarks of others; `bench.cases.presets` lists them after its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from bench.cases.grid import BOTH_MODES, Grid, Preset, register

PRESETS: dict[str, Preset] = {}

preset = partial(register, PRESETS)


@preset
def fastrnns() -> Iterable[Grid]:
    """PyTorch's own RNN benchmark: input and hidden 512, batch 64, 100 steps. Source: pytorch/pytorch,
    benchmarks/fastrnns/bench.py, which runs an LSTM at this shape."""
    return [{"hidden_size": (512,), "batch_size": (64,), "seq_len": (100,), "mode": BOTH_MODES}]


@preset
def deepbench_train() -> Iterable[Grid]:
    """Baidu DeepBench, vanilla RNN, training set: relu, 50 steps, hidden 1760, 2048, 2560, batch 16 to 128. Source:
    baidu-research/DeepBench, code/kernels/rnn_problems.h. DeepBench skips the input product; here it is included."""
    return [
        {
            "network": ("rnn-relu",),
            "hidden_size": (1760, 2048, 2560),
            "batch_size": (16, 32, 64, 128),
            "seq_len": (50,),
            "mode": BOTH_MODES,
        }
    ]


@preset
def deepbench_device() -> Iterable[Grid]:
    """Baidu DeepBench, vanilla RNN, inference on small devices: hidden 32 with 672 steps and hidden 64 with 96,
    batch 1. Source: baidu-research/DeepBench, the device set of its inference problems; relu as in its vanilla RNN."""
    common: Grid = {"network": ("rnn-relu",), "batch_size": (1,), "mode": ("inference",)}
    return [
        common | {"hidden_size": (32,), "seq_len": (672,)},
        common | {"hidden_size": (64,), "seq_len": (96,)},
    ]


@preset
def glample() -> Iterable[Grid]:
    """The Theano, Torch and TensorFlow comparison of 2016: 30 steps, batch 32 and 128, hidden 128, 512, 1024.
    Source: glample/rnn-benchmarks, README."""
    return [{"hidden_size": (128, 512, 1024), "batch_size": (32, 128), "seq_len": (30,), "mode": BOTH_MODES}]
