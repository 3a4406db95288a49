"""Case x Implementation -> something to call."""

from __future__ import annotations

import itertools
import time
from contextlib import nullcontext

import torch
from torch import Tensor

from bench.cases.case import STREAMING, TRAINING, Case
from bench.host.clock import Reading, clock_for
from bench.host.machine import CONTROL_ON_CUDA
from bench.measure import state
from bench.measure.alternate import check_reading
from bench.measure.calling import call_of, takes_lengths
from bench.measure.capture import captured
from bench.measure.problem import Feed, Given, Problem, loss, network_shape
from rnn_impls.interface import Implementation, Unavailable
from rnn_impls.states import State

HAS_TF32 = (8, 0)
"""Compute capability from which on there is TF32 (CUDA C++ Programming Guide, "Alternate Floating Point")."""


class Workload:
    """One Implementation, built and loaded for one Case, ready to be called.

    `build_seconds` is what its own construction and its `prepare` took, compiling included; importing its file, loading
    the weights and what adapts a bare module are not its own. `given` is what its calls are given, in turn and again
    from the start: the problem's own inputs, until `renew` is called. `forward` is one call as the Case makes it
    (`bench.measure.calling`). Raises `Unavailable` when the implementation does not run on the Case's device or refuses
    its network, and whatever the implementation itself raises.
    """

    def __init__(
        self, case: Case, implementation: type[Implementation], problem: Problem, feed: Feed | None = None
    ) -> None:
        """`feed` is where `renew` takes inputs from; one of its own is made where none is given."""
        if implementation.devices and case.device not in implementation.devices:
            raise Unavailable(f"runs only on {', '.join(implementation.devices)}")
        if implementation.networks and case.network not in implementation.networks:
            raise Unavailable(f"computes only {', '.join(implementation.networks)}")
        if takes_lengths(implementation) and not case.ragged:
            raise Unavailable("made for batches of several lengths (--lengths uniform:0.2)")
        if case.flush_denormal and not state.flushes_denormals():
            raise Unavailable("this processor can't be told to flush denormals")
        if case.tf32 and torch.cuda.get_device_capability() < HAS_TF32:
            raise Unavailable("this GPU has no TF32")
        self.case = case
        self.problem = problem
        self.given: list[Given] = [(problem.inputs, problem.hidden)]
        self._feed = feed
        shape = network_shape(case)
        start = time.perf_counter()
        self.module = implementation(shape)
        construction = time.perf_counter() - start
        if self.module.adapted_seconds is not None:
            construction = self.module.adapted_seconds
        self.module.to(device=case.device, dtype=getattr(torch, case.dtype))
        self.module.load(problem.weights)
        # cuDNN chooses its algorithm by this flag, not by whether a graph is recorded.
        self.module.train(case.mode == TRAINING)
        start = time.perf_counter()
        self.module.prepare(problem.inputs[:1] if case.mode == STREAMING else problem.inputs, problem.hidden)
        self.build_seconds = construction + time.perf_counter() - start + self.module.compile_seconds
        self.forward = call_of(case, self.module, problem)

    def renew(self, calls: int, at: int = -1, angle: float = 0.0) -> None:
        """Put inputs that were never there before for so many calls; see `Feed.fill`."""
        self._feed = self._feed or Feed(self.problem)
        self.given = self._feed.fill(calls, at, angle)

    def __call__(self, calls: int, keep: list[object] | None = None) -> None:
        """Run it `calls` times; what the last call gives is put into `keep`, if there is such a list, and let go of
        otherwise, as what all others give: letting go is part of a call.

        The contexts are entered once, so that they are no part of what is timed.
        """
        call = self.train_once if self.case.mode == TRAINING else self.forward
        kept = 0 if keep is None else 1
        given = itertools.cycle(self.given)
        with nullcontext() if self.case.mode == TRAINING else torch.inference_mode():
            for inputs, hidden in itertools.islice(given, calls - kept):
                call(inputs, hidden)
            if keep is not None:
                keep.append(call(*next(given)))

    def train_once(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """Clear the gradients, forward, loss, backward: inputs (T, B, I), hidden (L, B, H) -> outputs (T, B, O or H),
        hidden (L, B, H)."""
        self.module.zero_grad(set_to_none=True)
        outputs, last = self.forward(inputs, hidden)
        loss(outputs, self.problem.target, self.case.loss, self.problem.lengths).backward()
        return outputs, last


class Control:
    """The fixed workload that is alternated with all implementations: 32 steps of `tanh(b + h W)` at hidden 128.

    It is part operator calls and part matrix products, as the implementations are, and never changes: a time divided by
    the control's, taken within milliseconds of it, can be compared between runs. Change it, and rename it.
    """

    NAME = "control-1"
    STEPS, BATCH, HIDDEN = 32, 1, 128

    def __init__(self, device: str) -> None:
        draw = torch.Generator().manual_seed(0)
        bound = 1 / self.HIDDEN**0.5
        self.weight = torch.empty(self.HIDDEN, self.HIDDEN).uniform_(-bound, bound, generator=draw).to(device)
        self.bias = torch.empty(self.HIDDEN).uniform_(-bound, bound, generator=draw).to(device)
        self.hidden = torch.empty(self.BATCH, self.HIDDEN).uniform_(-1, 1, generator=draw).to(device)

    def __call__(self, calls: int) -> None:
        """Run it `calls` times."""
        with torch.inference_mode():
            for _ in range(calls):
                hidden = self.hidden
                for _ in range(self.STEPS):
                    hidden = torch.tanh(torch.addmm(self.bias, hidden, self.weight))


class CapturedControl(Control):
    """The same work captured as a CUDA graph. Launched one by one its 64 kernels would take the host longer than the
    device, and the time of whoever keeps the device busy would be divided by the host's."""

    NAME = CONTROL_ON_CUDA

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._launch = captured(lambda: super(CapturedControl, self).__call__(1))

    def __call__(self, calls: int) -> None:
        """Launch it `calls` times."""
        for _ in range(calls):
            self._launch()


def control_for(device: str) -> Control:
    """The control of a device type."""
    return CapturedControl(device) if device == "cuda" else Control(device)


LONG_CALL_SECONDS = 0.02
"""A call that lasts longer is made once to see how long: it only decides how many rounds a pass gets."""


def seconds_per_call(run: Workload, device: str, spend: float = 0.01) -> float:
    """The best of a few calls, less their waiting, over about `spend` seconds, with new inputs each time; a rough
    figure, never a sample.

    Raises BadSample for a time that cannot be: with such a clock nothing can be measured.
    """
    clock = clock_for(device)
    run.renew(1)
    best = _checked(clock.time(run, 1))
    if best > LONG_CALL_SECONDS:  # warm or not makes little difference to it
        return best
    spent = 0.0
    for _ in range(9):
        run.renew(1)
        seconds = _checked(clock.time(run, 1))
        best, spent = min(best, seconds), spent + seconds
        if spent > spend:
            break
    return best


def _checked(reading: Reading) -> float:
    check_reading(reading)
    return reading.seconds - (reading.evidence.waited_seconds or 0.0)
