"""Presets: named, documented sets of Cases.

To add a preset, write a function that returns its grids, say in its docstring what it is for and where its numbers
come from, and mark it with `@preset`. A grid maps axes (fields of `Case`) to their values; what it leaves out keeps
the default of `Case`. An `input_size` of `HIDDEN` makes the input as wide as the hidden state.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bench.cases.case import FIELDS, Case
from rnn_impls import networks

HIDDEN = "hidden"
Grid = dict[str, tuple[Any, ...]]
BOTH_MODES = ("inference", "training")
OTHERS = tuple(name for name in networks.BUILTIN if name != networks.DEFAULT)
"""Torch's networks beside the tutorial's."""


PASSES = 5
CASE_SECONDS = 0.3
"""A ratio then repeats to under 1 % within the process, well below the 2 to 3 % by which processes differ: time is
better spent on more passes than on longer ones."""


def powers(first: int, last: int) -> tuple[int, ...]:
    """first, 2 first, 4 first ... up to last."""
    return tuple(itertools.takewhile(lambda n: n <= last, (first * 2**k for k in itertools.count())))


@dataclasses.dataclass(frozen=True)
class Preset:
    """A name, what it is for and where its numbers come from, and its grids.

    `passes` is how many a run of it takes unless told otherwise, `case_seconds` the length aimed at for a Case in one
    of them; `implementations` are those that it is about.
    """

    name: str
    about: str
    grids: tuple[Grid, ...]
    passes: int = PASSES
    case_seconds: float = CASE_SECONDS
    implementations: str = "default"

    def cases(self, device: str, overrides: Grid | None = None) -> list[Case]:
        """Its Cases on a device, with some axes replaced; sorted, each once."""
        found: set[Case] = set()
        for grid in self.grids:
            found.update(_expand({"input_size": (HIDDEN,)} | grid | (overrides or {}) | {"device": (device,)}))
        return sorted(found)


PRESETS: dict[str, Preset] = {}


Build = Callable[[], Iterable[Grid]]


def preset(build: Build, **fields: Any) -> Build:
    """Register the preset that a function describes, under the function's name with dashes, with further fields."""
    name = build.__name__.replace("_", "-")
    about = " ".join((build.__doc__ or "").split())
    PRESETS[name] = Preset(name, about, tuple(build()), **fields)
    return build


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
    lengths = ("uniform:0.9", "uniform:0.7", "uniform:0.5", "uniform:0.1", "zipf:1.2")
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


@preset
def glample() -> Iterable[Grid]:
    """The Theano, Torch and TensorFlow comparison of 2016: 30 steps, batch 32 and 128, hidden 128, 512, 1024.
    Source: glample/rnn-benchmarks, README."""
    return [{"hidden_size": (128, 512, 1024), "batch_size": (32, 128), "seq_len": (30,), "mode": BOTH_MODES}]


def _expand(grid: Grid) -> Iterable[Case]:
    """Every combination of a grid's values as a Case."""
    if unknown := set(grid) - set(FIELDS):
        raise ValueError(f"unknown axis {', '.join(sorted(unknown))}; known are {', '.join(FIELDS)}")
    for values in itertools.product(*grid.values()):
        fields = dict(zip(grid, values, strict=True))
        if fields["input_size"] == HIDDEN:
            fields["input_size"] = fields.get("hidden_size", Case.hidden_size)
        yield Case(**fields)
