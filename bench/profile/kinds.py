"""What an operator does, by the name it has in a trace."""

from __future__ import annotations

import re

PRODUCT, ELEMENTWISE, COPY, ALLOCATION = "product", "elementwise", "copy", "allocation"
VIEW, WRAPPER, AUTOGRAD, OUTSIDE = "view", "wrapper", "autograd", "outside"
"""A view makes a tensor of the same memory; a wrapper does its work by calling others; OUTSIDE is Python, or whatever
the profiler does not see into."""

WORK = (PRODUCT, ELEMENTWISE, COPY)
"""Kinds that compute or move data: what is counted as an operator."""

_PRODUCTS = """mm addmm bmm baddbmm mv addmv dot vdot addr ger addbmm _addmm_activation mkldnn_linear _cudnn_rnn
_cudnn_rnn_backward mkldnn_rnn_layer mkldnn_rnn_layer_backward _scaled_mm convolution_overrideable mkldnn_convolution
cudnn_convolution _thnn_fused_lstm_cell _mixed_dtypes_linear"""
_COPIES = """copy_ cat _cat fill_ zero_ index_select gather scatter_ index index_put_ _index_put_impl_ masked_fill_ roll
flip constant_pad_nd slice_backward select_backward _foreach_copy_ _foreach_zero_ tril triu"""
_ALLOCATIONS = """empty empty_like empty_strided new_empty new_empty_strided resize_ resize_as_ set_ record_stream"""
_VIEWS = """as_strided as_strided_ t transpose view select unsqueeze squeeze expand unbind slice narrow permute alias
detach detach_ _reshape_alias resolve_conj resolve_neg split split_with_sizes chunk unfold _unsafe_view expand_as
view_as swapaxes diagonal real lift_fresh is_nonzero item _local_scalar_dense unflatten flatten movedim requires_grad_
cudnn_is_acceptable result_type broadcast_tensors broadcast_to"""
_WRAPPERS = """linear matmul rnn_tanh rnn_relu rnn_tanh_cell rnn_relu_cell stack clone contiguous to _to_copy reshape
zeros zeros_like ones ones_like full full_like new_zeros repeat einsum nll_loss nll_loss_nd hstack vstack concat
convolution _convolution conv2d log_softmax softmax ones_like_ rand randn pad tensordot"""

_KINDS = {
    f"aten::{name}": kind
    for kind, names in ((PRODUCT, _PRODUCTS), (COPY, _COPIES), (ALLOCATION, _ALLOCATIONS), (VIEW, _VIEWS),
                        (WRAPPER, _WRAPPERS))
    for name in names.split()
}  # fmt: skip
_NODE = re.compile(r"^autograd::|Backward\d*$|AccumulateGrad$|^torch::autograd::")


def kind_of(name: str) -> str:
    """The kind of an operator. One that is not known computes element by element, as nearly all of torch's do; names
    that are none of torch's own operators are wrappers, for what they call is what counts."""
    known = _KINDS.get(name) or _KINDS.get(name.removesuffix("_"))  # addmm_ is addmm, in place
    if known:
        return known
    if _NODE.search(name):
        return AUTOGRAD
    return ELEMENTWISE if name.startswith("aten::") else WRAPPER


def kernel_kind(name: str) -> str:
    """The kind of a CUDA kernel by its name, for those whose operator can't be told: cuDNN's and cuBLAS's products
    have `gemm`, `RNN` or `dot` in theirs."""
    text = name.lower()
    if any(word in text for word in ("gemm", "gemv", "rnn", "cutlass", "splitk", "dot_kernel", "xmma")):
        return PRODUCT
    copies = ("memcpy", "memset", "copy", "catarray", "fillfunctor")
    return COPY if any(word in text for word in copies) else ELEMENTWISE
