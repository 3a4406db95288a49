"""Exported: the whole network as the same ONNX model, compiled by OpenVINO.

OpenVINO compiles a graph for the CPU that it finds. On one that computes in bfloat16 it does so without being asked;
here it is told to compute in float32, and parity would notice. Its results lie in memory of its own, which the next
call overwrites, so that they are copied out; that is timed, since a user would have to.

When it helps: inference on CPUs of Intel, and larger batches. When it doesn't: in training, which it does not do.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from rnn_impls.runtimes.foreign import Foreign, array, arrays, flushes_denormals
from rnn_impls.runtimes.onnx_model import model_bytes
from rnn_impls.states import State, like


class OpenVino(Foreign):
    """the network exported to OpenVINO (needs `openvino`)"""

    requires: ClassVar[dict[str, str]] = {"onnx": "1.15", "openvino": "2024.0"}
    extra: ClassVar[str] = "openvino"
    copies: ClassVar[tuple[str, ...]] = ("results",)
    needs: ClassVar[tuple[str, ...]] = ("onnx", "openvino")

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Compile for float32, one stream, and as many threads as torch has."""
        core = self.packages["openvino"].Core()
        head = [array(each) for each in self.head.parameters()] if self.head is not None else []
        exported = model_bytes(self.packages["onnx"], self.shape, self.matrices(), head, (len(inputs), inputs.shape[1]))
        how = {
            "EXECUTION_MODE_HINT": "ACCURACY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "CPU_DENORMALS_OPTIMIZATION": flushes_denormals(),  # it sets the calling thread by this
        }
        self._compiled: Any = core.compile_model(core.read_model(exported), "CPU", how)
        self._request = self._compiled.create_infer_request()

    def refusals(self) -> tuple[type[Exception], ...]:
        """All of its errors are this one's."""
        return (RuntimeError,)

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One request; it reads the tensors where they are, and copies its results out."""
        given = dict(enumerate([array(inputs), *arrays(hidden)]))
        found = self._request.infer(given, share_inputs=True, share_outputs=False)
        outputs, *last = (torch.from_numpy(found[k]) for k in range(len(given)))
        return outputs, like(hidden, last)
