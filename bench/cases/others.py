"""Presets that follow benchmarks of others; `bench.cases.presets` lists them after its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from bench.cases.grid import BOTH_MODES, Grid, Preset, register

PRESETS: dict[str, Preset] = {}

preset = partial(register, PRESETS)


@preset
def fastrnns() -> Iterable[Grid]:
    """PyTorch's own RNN benchmark: input and hidden 512, batch 64, 100 steps, with its LSTM and the tutorial's network.
    Source: pytorch/pytorch, benchmarks/fastrnns/bench.py, whose defaults these are; it runs the LSTM alone."""
    sizes: Grid = {"hidden_size": (512,), "batch_size": (64,), "seq_len": (100,)}
    return [sizes | {"network": ("rnn-tanh", "lstm"), "mode": BOTH_MODES}]


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
def deepbench_lstm() -> Iterable[Grid]:
    """Baidu DeepBench, LSTM: the training set, hidden 256 to 4096, batch 8 to 128, and the inference set of servers,
    batch 1 to 4, which has the one LSTM for small devices; 25 to 150 steps. Source: baidu-research/DeepBench,
    code/kernels/rnn_problems.h. DeepBench skips the input product; here it is included."""
    train: Grid = {"network": ("lstm",), "mode": BOTH_MODES}
    serve: Grid = {"network": ("lstm",), "mode": ("inference",), "batch_size": (1, 2, 4)}
    return [
        train | {"hidden_size": (512, 1024, 2048, 4096), "batch_size": (16, 32, 64, 128), "seq_len": (25,)},
        train | {"hidden_size": (1536,), "batch_size": (8, 16, 32), "seq_len": (50,)},
        train | {"hidden_size": (256,), "batch_size": (16, 32, 64), "seq_len": (150,)},
        serve | {"hidden_size": (512, 1024, 2048), "seq_len": (25,)},
        serve | {"hidden_size": (1536,), "seq_len": (50,)},
        serve | {"hidden_size": (256,), "seq_len": (150,)},  # at batch 1 the problem for devices
    ]


@preset
def deepbench_gru() -> Iterable[Grid]:
    """Baidu DeepBench, GRU: the training set, hidden 512 to 2816, batch 32 and 64, and the inference set of servers,
    batch 1 to 4; 1 to 1500 steps, hours on a CPU. It has no GRU for small devices. Source: baidu-research/DeepBench,
    code/kernels/rnn_problems.h. DeepBench skips the input product; here it is included, and the candidate has a tanh,
    as cuDNN's."""
    long: Grid = {"hidden_size": (1536, 2048, 2560, 2816), "seq_len": (187, 375, 750, 1500)}
    train: Grid = {"network": ("gru",), "mode": BOTH_MODES, "batch_size": (32,)}
    serve: Grid = {"network": ("gru",), "mode": ("inference",), "batch_size": (1, 2, 4)}
    return [
        train | long,
        train | {"hidden_size": (512,), "seq_len": (1,)},
        train | {"hidden_size": (1024,), "seq_len": (1500,), "batch_size": (32, 64)},
        serve | long,
        serve | {"hidden_size": (512,), "seq_len": (1,)},
        serve | {"hidden_size": (1024,), "seq_len": (1500,)},
    ]


@preset
def glample() -> Iterable[Grid]:
    """The Theano, Torch and TensorFlow comparison of 2016: 30 steps, batch 32 and 128, hidden 128, 512, 1024.
    Source: glample/rnn-benchmarks, README."""
    return [{"hidden_size": (128, 512, 1024), "batch_size": (32, 128), "seq_len": (30,), "mode": BOTH_MODES}]


@preset
def haste() -> Iterable[Grid]:
    """Haste's grid: LSTM and GRU, 50 steps, batch (its N) 1 to 128, hidden (H) 128 to 4096, input (C) 64 to 512. Takes
    hours on a CPU. Source: lmnt-com/haste, benchmarks/benchmark_lstm.cc and benchmark_gru.cc."""
    return [
        {
            "network": ("gru", "lstm"),
            "batch_size": (1, 16, 32, 64, 128),
            "hidden_size": (128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096),
            "input_size": (64, 128, 256, 512),
            "seq_len": (50,),
            "mode": BOTH_MODES,
        }
    ]


@preset
def published() -> Iterable[Grid]:
    """What others measured on many cores of a CPU (give `--threads`); the report shows their figures beside its own.
    Source: apache/mxnet#12893 and pytorch/pytorch#7903, an LSTM; apache/mxnet#11399, a tanh RNN."""
    lstm: Grid = {"network": ("lstm",), "mode": ("inference",)}
    return [
        lstm | {"batch_size": (64,), "seq_len": (50,), "hidden_size": (500,), "mode": BOTH_MODES},
        lstm | {"batch_size": (128,), "seq_len": (25,), "hidden_size": (512,)},
        lstm | {"batch_size": (16,), "seq_len": (25,), "hidden_size": (1024,)},
        {"network": ("rnn-tanh",), "batch_size": (20,), "seq_len": (300,), "hidden_size": (800,), "mode": BOTH_MODES},
    ]
