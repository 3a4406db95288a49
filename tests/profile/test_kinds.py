"""Kinds of operators and of kernels, by their names."""

from __future__ import annotations

import pytest

from bench.why.profile.trace import (
    ALLOCATION,
    AUTOGRAD,
    COPY,
    ELEMENTWISE,
    OUTSIDE,
    PRODUCT,
    VIEW,
    WORK,
    WRAPPER,
    kernel_kind,
    kind_of,
)

KINDS = {
    PRODUCT: ["aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm", "aten::mv", "aten::_cudnn_rnn"],
    COPY: ["aten::copy_", "aten::cat", "aten::fill_", "aten::zero_", "aten::index_select", "aten::gather"],
    ALLOCATION: ["aten::empty", "aten::empty_strided", "aten::resize_"],
    VIEW: ["aten::t", "aten::view", "aten::unbind", "aten::as_strided", "aten::detach", "aten::broadcast_tensors"],
    WRAPPER: [
        "aten::linear",
        "aten::matmul",
        "aten::stack",
        "aten::rnn_tanh",
        "aten::rnn_relu",
        "aten::zeros",
        "mine::kernel",
        "Torch-Compiled Region",
    ],
    AUTOGRAD: [
        "AddmmBackward0",
        "TanhBackward0",
        "torch::autograd::AccumulateGrad",
        "autograd::engine::evaluate_function: TanhBackward0",
    ],
    ELEMENTWISE: ["aten::tanh", "aten::relu", "aten::add", "aten::sum", "aten::tanh_backward", "aten::no_such_thing"],
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind, names in KINDS.items() for name in names])
def test_operators(name: str, kind: str) -> None:
    """What is not known computes element by element if it is torch's, and else calls what does."""
    assert kind_of(name) == kind


def test_work_is_what_computes_or_moves() -> None:
    """Nothing else is counted as an operator."""
    assert set(WORK) == {PRODUCT, ELEMENTWISE, COPY}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ampere_sgemm_32x32_sliced1x4_tn", PRODUCT),
        ("void gemv2T_kernel_val<int, int, float>", PRODUCT),
        ("void RNN_blockPersist_fp_LSTM<float>", PRODUCT),
        ("cutlass_80_simt_sgemm_128x32_8x5_nn_align1", PRODUCT),
        ("nvjet_tst_64x8_64x16_1x4_h_bz_TNT", PRODUCT),
        ("triton_tem_fused_addmm_0", PRODUCT),
        ("triton_poi_fused_tanh_0", ELEMENTWISE),
        ("void elemWiseRNNcell<float, float, float, (cudnnRNNMode_t)1>", ELEMENTWISE),
        ("void LSTM_elementWise_fp<float, float, float>", ELEMENTWISE),
        ("recurrence", OUTSIDE),
        ("Memcpy HtoD (Pageable -> Device)", COPY),
        ("Memset (Device)", COPY),
        ("void at::native::(anonymous namespace)::CatArrayBatchedCopy<float>", COPY),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>>", COPY),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::tanh_kernel_cuda>", ELEMENTWISE),
    ],
)
def test_kernels(name: str, kind: str) -> None:
    """By the words in their names, where the operator that launched them is not known."""
    assert kernel_kind(name) == kind
