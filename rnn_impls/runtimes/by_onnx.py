"""Exported: the whole network as an ONNX model, run by ONNX Runtime.

Whoever deploys a network leaves Python's training behind. ONNX Runtime reads the network as a graph of one node a
layer, lays the weights out once for its own kernels, and runs a call without autograd, dispatcher or allocator between.
Its threads wait for work by spinning, which slows down whatever shares their cores: here they don't, and there are as
many as a Case has threads.

When it helps: small networks in inference, where a call of torch's costs more than its products. When it doesn't: in
training, which it does not do; for a cell of one's own, which has no node.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from rnn_impls.runtimes.foreign import Foreign, array, arrays, flushes_denormals
from rnn_impls.runtimes.onnx_model import model_bytes
from rnn_impls.states import State, like


class OnnxRuntime(Foreign):
    """the network exported to ONNX Runtime (needs `onnxruntime`)"""

    requires: ClassVar[dict[str, str]] = {"onnx": "1.15", "onnxruntime": "1.17"}
    extra: ClassVar[str] = "onnxruntime"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Open a session with as many threads as torch has, none of which spins."""
        runtime = self.packages["onnxruntime"]
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        for name, value in {
            "session.intra_op.allow_spinning": "0",
            "session.inter_op.allow_spinning": "0",
            "session.set_denormal_as_zero": str(int(flushes_denormals())),  # it sets the calling thread by this
        }.items():
            options.add_session_config_entry(name, value)
        head = [array(each) for each in self.head.parameters()] if self.head is not None else []
        exported = model_bytes(self.packages["onnx"], self.shape, self.matrices(), head, (len(inputs), inputs.shape[1]))
        self._session: Any = runtime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
        self._names = [each.name for each in self._session.get_inputs()]

    def refusals(self) -> tuple[type[Exception], ...]:
        """Its own errors, such as of an operator or an opset that this version does not know."""
        raised = vars(self.packages["onnxruntime"].capi.onnxruntime_pybind11_state).values()
        return tuple(each for each in raised if isinstance(each, type) and issubclass(each, Exception))

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One run of the session; it reads the tensors where they are, and its results are theirs who asked."""
        given = dict(zip(self._names, [array(inputs), *arrays(hidden)], strict=True))
        outputs, *last = map(torch.from_numpy, self._session.run(None, given))
        return outputs, like(hidden, last)
