"""Beside torch: the network exported to a runtime of another kind, or written in another language for arrays.

foreign        what they share: torch's weights, whether a package is there, inference in float32
onnx_model     the network as an ONNX model, for those that read one
by_onnx        `onnxruntime`
by_vino        `openvino`
by_jax         `jax-scan`, in training, too
by_numba       `numba`

None is imported unless it is selected, and each is measured in a process of its own: what a runtime's threads do to
torch's reaches nobody else.
"""
