"""What ran in a call, by its events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.why.kernel.seen import ONEDNN, SCRIPT, SEQUENCES, Event, given_to, primitive
from bench.why.profile.trace import ELEMENTWISE, PRODUCT, kind_of

LOOP, FUSED_LOOP = "ATen's loop", "ATen's loop of fused cells"
CELL, FUSED_CELL = "ATen's cell", "ATen's fused cell"
OPERATORS, UNSEEN = "ATen's operators", "none of torch's"
STEPWISE = ", a step a call"

_CELLS = tuple(f"{name}_cell" for name in SEQUENCES)
_FUSED = ("aten::_thnn_fused_lstm_cell", "aten::_thnn_fused_gru_cell")
_CUDNN, _MIOPEN, _MPS = "aten::_cudnn_rnn", "aten::miopen_rnn", "aten::_lstm_mps"
_HEADS = ("aten::_log_softmax",)
_LIBRARIES = re.compile(r"gemm|gemv|cutlass|xmma|nvjet|cudnn|splitk|at::|cub::|rnn", re.IGNORECASE)
_TORCHS = ("aten", "prim", "prims", "autograd", "torch", "profiler", "c10", "c10d", "inductor")


@dataclass(frozen=True)
class Kernel:
    """`name` is what ran, `refused` why no faster one did; `looping` says that it was called, or calls others, step by
    step, so that the number of steps has no say in what runs."""

    name: str
    refused: str = ""
    looping: bool = False

    def __str__(self) -> str:
        """`ATen's loop; oneDNN: float64`."""
        return f"{self.name}; {self.refused}" if self.refused else self.name


@dataclass(frozen=True)
class Call:
    """What must be known of the call: its `steps` T and `layers` L, the products of its `head`, and the word of an
    implementation that `chosen` what to run, taken where no product of torch's goes step by step."""

    steps: int
    layers: int = 1
    head: int = 0
    chosen: str = ""


def named(events: Sequence[Event], call: Call) -> Kernel:  # noqa: PLR0911 # a kind of kernel a return
    """What ran, by events in order of their beginnings; why no faster one did is not asked here."""
    host = Counter(event.name for event in events if not event.device)
    given = given_to(events)
    # In a sequence of one step, one call of one step a layer is the whole.
    stepwise = len(given) > call.layers and all(each.steps == 1 for each in given)
    often = STEPWISE if stepwise else ""
    how = algorithm(events)
    if host["cudaGraphLaunch"]:
        return Kernel(f"CUDA graph of cuDNN ({how})" if how else "CUDA graph")
    if host[_CUDNN]:
        return Kernel((f"cuDNN ({how})" if how else "cuDNN") + often, looping=stepwise)
    if host[ONEDNN]:
        return Kernel(f"oneDNN ({primitive(events)}){often}", looping=stepwise)
    if host[_MIOPEN] or host[_MPS]:
        return Kernel(("MIOpen" if host[_MIOPEN] else "MPS") + often, looping=stepwise)
    fused = any(host[name] for name in _FUSED)
    if given:
        return Kernel((FUSED_LOOP if fused else LOOP) + often, looping=True)
    if any(host[name] for name in _CELLS):
        return Kernel(FUSED_CELL if fused else CELL, looping=True)
    return _apart(events, call)


def _apart(events: Sequence[Event], call: Call) -> Kernel:  # noqa: PLR0911 # a kind of kernel a return
    """What ran where nothing of torch's for a network was called: operators, what a compiler made of them, or a kernel
    of somebody's own."""
    operators = Counter(_short(event.name) for event in events if not event.device and _kind(event) == PRODUCT)
    product = f" ({operators.most_common(1)[0][0]})" if operators else ""
    looping = operators.total() - call.head >= call.steps * call.layers
    names = dict.fromkeys(event.name for event in events if not event.device)
    if any(name.startswith("Torch-Compiled Region") for name in names):
        return Kernel("torch.compile" + product * looping, looping=looping)
    if any(event.scope == SCRIPT for event in events):
        return Kernel("TorchScript" + product * looping, looping=looping)
    if looping:
        return Kernel(OPERATORS + product, looping=True)
    if call.chosen:
        return Kernel(call.chosen)
    if triton := by_the_driver(events):
        return Kernel(f"Triton ({triton})")
    if own := [name for name in names if re.match(r"\w+::\w", name) and name.split("::")[0] not in _TORCHS]:
        return Kernel(own[0])
    if operators.total() > call.head:
        return Kernel(OPERATORS + product)
    computing = any(_kind(event) == ELEMENTWISE and event.name not in _HEADS for event in events)
    return Kernel(OPERATORS if computing else UNSEEN)


def _kind(event: Event) -> str:
    return "" if event.device else kind_of(event.name)


def _short(name: str) -> str:
    return name.removeprefix("aten::").removesuffix("_")  # addmm_ is addmm, in place


def algorithm(events: Sequence[Event]) -> str:
    """cuDNN's algorithm by the names of its kernels on the device; empty where none of the known ones is there.

    `RNN_blockPersist_fp_GRU` and its like hold the weights on the chip over all steps (what `get_algo` of cudnn/RNN.cpp
    calls PERSIST_STATIC, and its variant SMALL_H); `elemWiseRNNcell`, `LSTM_elementWise_fp` and their like come once a
    step, between products (STANDARD). The two passes of a call may differ.
    """
    names = [event.name for event in events if event.device and "at::" not in event.name]
    persistent = any(re.search(r"persist", name, re.IGNORECASE) for name in names)
    standard = any(re.search(r"elemWiseRNNcell|(LSTM|GRU|RNN)_elementWise", name) for name in names)
    return " and ".join(["persistent"] * persistent + ["standard"] * standard)


def by_the_driver(events: Sequence[Event]) -> str:
    """The kernel that was launched as Triton launches its own, by the driver's `cuLaunchKernel` or `cuLaunchKernelEx`,
    and that is of no library of torch's; empty where there is none."""
    launches = {each.correlation for each in events if not each.device and each.name.startswith("cuLaunchKernel")}
    names = (each.name for each in events if each.device and each.correlation in launches)
    return next((name for name in names if not _LIBRARIES.search(name)), "")
