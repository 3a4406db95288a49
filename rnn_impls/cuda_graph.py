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
from rnn_impls.states import State, like, tensors
from rnn_impls.whole import Whole

Call = Callable[[Tensor, State], tuple[Tensor, State]]

WARM_UP = 3
"""Calls before a capture, in which libraries choose algorithms and get their memory, as they may not while it lasts."""


class Recording:
    """A call captured: `forward` plays it, `backward` the backward pass that belongs to it."""

    def __init__(
        self, call: Call, inputs: Tensor, hidden: State, parameters: tuple[Tensor, ...], training: bool
    ) -> None:
        """Capture `call` for inputs like these: (T, B, I) and (L, B, H), or (h, c) of an LSTM; with `training` its
        backward pass, too."""
        self.given = [
            each.detach().clone().requires_grad_(training and each.requires_grad) for each in (inputs, *tensors(hidden))
        ]
        self.training, self.replays = training, 0
        self._of_results: list[Tensor] = []
        self._gradients: list[Tensor | None] = []
        arguments = (*self.given, *parameters)

        def flat() -> tuple[Tensor, ...]:
            first, *states = self.given
            outputs, last = call(first, like(hidden, states))
            return outputs, *tensors(last)

        wanted = tuple(tensor for tensor in arguments if tensor.requires_grad)
        with torch.set_grad_enabled(training):
            self._warm_up(flat, wanted if training else ())
            self._forward = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._forward):
                results = flat()
            self._results = [result.detach() for result in results]
            if training:
                self._of_results = [torch.zeros_like(result) for result in results]
                self._backward = torch.cuda.CUDAGraph()
                # From the same pool of memory, since it reads what the forward pass has left there.
                with torch.cuda.graph(self._backward, pool=self._forward.pool()):
                    found = iter(torch.autograd.grad(results, wanted, self._of_results))
                self._gradients = [next(found) if tensor.requires_grad else None for tensor in arguments]

    def _warm_up(self, call: Callable[[], tuple[Tensor, ...]], wanted: tuple[Tensor, ...]) -> None:
        """On a stream beside the current one, as captures are."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                results = call()
                if wanted:
                    torch.autograd.grad(results, wanted, [torch.zeros_like(result) for result in results])
        torch.cuda.current_stream().wait_stream(stream)

    @torch.no_grad()
    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Inputs and states -> outputs (T, B, O or H) and states. Raises ValueError for shapes other than the captured
        ones."""
        for name, held, given in zip(("inputs", "hidden", "cell"), self.given, arguments, strict=False):
            if held.shape != given.shape:  # copying would broadcast
                raise ValueError(f"captured for {name} of {tuple(held.shape)}, given {tuple(given.shape)}")
            held.copy_(given)
        self._forward.replay()
        self.replays += 1
        return tuple(result.clone() for result in self._results)

    @torch.no_grad()
    def backward(self, *of_results: Tensor | None) -> list[Tensor | None]:
        """Gradients of the results, None for zeros -> those of inputs, states, and each parameter."""
        for held, given in zip(self._of_results, of_results, strict=True):
            if given is None:
                held.zero_()
            else:
                held.copy_(given)
        self._backward.replay()
        return [None if gradient is None else gradient.clone() for gradient in self._gradients]


class Replay(torch.autograd.Function):
    """A recording as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, recording: Recording, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Inputs (T, B, I), states, and the parameters, for autograd to know -> the recording's results."""
        ctx.set_materialize_grads(False)
        results = recording.forward(*arguments[: len(recording.given)])
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

    def prepare(self, inputs: Tensor, hidden: State) -> None:
        """Capture the call, in training with its backward pass."""
        super().prepare(inputs, hidden)
        self._recording = None  # lets go of its memory before another is made
        self._recording = Recording(super().forward, inputs, hidden, tuple(self.parameters()), self.training)

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Play it. Raises RuntimeError before `prepare`, which is what captures."""
        recording = self._recording
        if recording is None:
            raise RuntimeError("nothing is captured yet: call prepare first")
        if not (torch.is_grad_enabled() and recording.training):
            outputs, *last = recording.forward(inputs, *tensors(hidden))
        else:
            outputs, *last = Replay.apply(recording, inputs, *tensors(hidden), *self.parameters())
        return outputs, like(hidden, last)


class CudaGraph(Captured, Whole):
    """one `nn.RNN` call for the whole sequence, captured as a CUDA graph"""


class CudaGraphStep(Captured, Manual):
    """the cell written by hand, all its steps captured as one CUDA graph"""
