"""Captured: all kernels of a call recorded once as a CUDA graph, and launched together from then on.

On a GPU the cell written by hand spends its time on the CPU: several microseconds of Python and dispatch for each
kernel, and each kernel is done in two. A CUDA graph is a recording of what was launched, with all its arguments;
playing it is one call, and the device goes from kernel to kernel without asking. That makes a loop of T steps one
launch: `cuda-graph-step` captures the loop of `manual`, `cuda-graph` the one call of `whole`. In training there are
two recordings, one of the forward pass and one of the backward pass.

The price: a recording holds addresses, not names. It reads the inputs where they were when it was made, so each call
begins with copying them there, and it leaves its results where the next call overwrites them, so each call ends with
copying them out; both are timed. Shapes can't change, nor can anything depend on a value. Its memory stays its own.

When it helps: many small kernels, so long sequences and small hidden sizes; the stepped loop most of all. When it
doesn't: where kernels last longer than their launches, or there are few of them, as in one call of cuDNN in inference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnn_impls.interface import Implementation, NetworkShape
from rnn_impls.manual import Manual
from rnn_impls.whole import Whole

Call = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

WARM_UP = 3
"""Calls before a capture, in which libraries choose algorithms and get their memory, as they may not while it lasts."""


class Recording:
    """A call captured: `forward` plays it, `backward` the backward pass that belongs to it."""

    def __init__(
        self, call: Call, inputs: Tensor, hidden: Tensor, parameters: tuple[Tensor, ...], training: bool
    ) -> None:
        """Capture `call` for inputs like these: (T, B, I) and (L, B, H); with `training` its backward pass, too."""
        self.inputs = inputs.detach().clone().requires_grad_(training and inputs.requires_grad)
        self.hidden = hidden.detach().clone().requires_grad_(training and hidden.requires_grad)
        self.training, self.replays = training, 0
        self._of_results: tuple[Tensor, Tensor] | None = None
        self._gradients: list[Tensor | None] = []
        arguments = (self.inputs, self.hidden, *parameters)
        wanted = tuple(tensor for tensor in arguments if tensor.requires_grad)
        with torch.set_grad_enabled(training):
            self._warm_up(call, wanted if training else ())
            self._forward = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._forward):
                results = call(self.inputs, self.hidden)
            self._results = results[0].detach(), results[1].detach()
            if training:
                self._of_results = torch.zeros_like(results[0]), torch.zeros_like(results[1])
                self._backward = torch.cuda.CUDAGraph()
                # From the same pool of memory, since it reads what the forward pass has left there.
                with torch.cuda.graph(self._backward, pool=self._forward.pool()):
                    found = iter(torch.autograd.grad(results, wanted, self._of_results))
                self._gradients = [next(found) if tensor.requires_grad else None for tensor in arguments]

    def _warm_up(self, call: Call, wanted: tuple[Tensor, ...]) -> None:
        """On a stream beside the current one, as captures are."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                results = call(self.inputs, self.hidden)
                if wanted:
                    torch.autograd.grad(results, wanted, [torch.zeros_like(result) for result in results])
        torch.cuda.current_stream().wait_stream(stream)

    @torch.no_grad()
    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (T, B, O or H) and hidden (L, B, H). Raises ValueError for shapes other than the captured ones."""
        for name, held, given in (("inputs", self.inputs, inputs), ("hidden", self.hidden, hidden)):
            if held.shape != given.shape:  # copying would broadcast
                raise ValueError(f"captured for {name} of {tuple(held.shape)}, given {tuple(given.shape)}")
            held.copy_(given)
        self._forward.replay()
        self.replays += 1
        return self._results[0].clone(), self._results[1].clone()

    @torch.no_grad()
    def backward(self, of_outputs: Tensor | None, of_hidden: Tensor | None) -> list[Tensor | None]:
        """Gradients of the two results, None for zeros -> those of inputs, hidden, and each parameter."""
        assert self._of_results is not None
        for held, given in zip(self._of_results, (of_outputs, of_hidden), strict=True):
            if given is None:
                held.zero_()
            else:
                held.copy_(given)
        self._backward.replay()
        return [None if gradient is None else gradient.clone() for gradient in self._gradients]


class Replay(torch.autograd.Function):
    """A recording as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, recording: Recording, inputs: Tensor, hidden: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        """inputs (T, B, I), hidden (L, B, H), and the parameters, for autograd to know -> the recording's results."""
        ctx.set_materialize_grads(False)
        results = recording.forward(inputs, hidden)
        ctx.recording, ctx.replay = recording, recording.replays
        return results

    @staticmethod
    def backward(ctx: Any, *of_results: Tensor | None) -> tuple[Tensor | None, ...]:
        """Raises RuntimeError where another forward pass has overwritten what this one left for its backward pass."""
        if ctx.replay != ctx.recording.replays:
            raise RuntimeError("a captured forward pass must be followed by its own backward pass, not by another")
        return None, *ctx.recording.backward(*of_results)


class Captured(Implementation):
    """Any implementation, captured when it is prepared; to be named before it among the bases of a class."""

    devices = ("cuda",)

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self._recording: Recording | None = None

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Capture the call, in training with its backward pass."""
        super().prepare(inputs, hidden)
        self._recording = None  # lets go of its memory before another is made
        self._recording = Recording(super().forward, inputs, hidden, tuple(self.parameters()), self.training)

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Play it. Raises RuntimeError before `prepare`, which is what captures."""
        recording = self._recording
        if recording is None:
            raise RuntimeError("nothing is captured yet: call prepare first")
        if not (torch.is_grad_enabled() and recording.training):
            return recording.forward(inputs, hidden)
        outputs, last = Replay.apply(recording, inputs, hidden, *self.parameters())
        return outputs, last


class CudaGraph(Captured, Whole):
    """one `nn.RNN` call for the whole sequence, captured as a CUDA graph"""


class CudaGraphStep(Captured, Manual):
    """the cell written by hand, all its steps captured as one CUDA graph"""
