"""Why a faster library did not take a call for a sequence, by what the call was given.

The rules are those of torch 2.13, aten/src/ATen/native/RNN.cpp: `use_mkldnn` and `lstm` for oneDNN, `use_cudnn` with
`cudnn_is_acceptable` for cuDNN. Its flags are no part of what a call is given; see `bench.why.kernel.look`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.why.kernel.seen import Given

LIBRARIES = {"cpu": "oneDNN", "cuda": "cuDNN"}
"""What torch hands a sequence to, by device type."""

OFF, UNKNOWN = "switched off", "refused"


def refusal(given: Sequence[Given], device: str) -> str:
    """Why the device's library took none of these calls, in a few words; empty where what they were given allows it."""
    reasons = [_onednn(each) if device == "cpu" else _cudnn(each) for each in given]
    return reasons[0] if reasons and all(reasons) else ""


def _onednn(given: Given) -> str:  # noqa: PLR0911 # a rule a return
    if not torch.backends.mkldnn.is_available():
        return "not in this build"
    if given.name != "aten::lstm":
        return "only LSTM"
    if given.packed:
        return "packed sequence"
    if given.dtype not in ("float32", "bfloat16", "float16"):
        return given.dtype
    if given.dtype != "float32" and not takes(given.dtype):
        return f"{given.dtype} on this CPU"
    if given.dtype == "float16" and given.graph:
        return "float16 with gradients"
    if given.projected:
        return "projections"
    return "empty input" if 0 in given.shape else ""


def takes(dtype: str) -> bool:
    """Whether oneDNN computes in this half precision, `bfloat16` or `float16`, on this CPU."""
    name = {"bfloat16": "_is_mkldnn_bf16_supported", "float16": "_is_mkldnn_fp16_supported"}[dtype]
    return bool(getattr(torch.ops.mkldnn, name)())


def _cudnn(given: Given) -> str:
    if not torch.backends.cudnn.is_available():
        return "not in this build"
    if given.dtype not in ("float32", "float64", "float16", "bfloat16"):
        return given.dtype
    if given.dtype == "bfloat16" and torch.cuda.get_device_capability()[0] < 8:
        return "bfloat16 on this GPU"
    return "empty input" if 0 in given.shape else ""
