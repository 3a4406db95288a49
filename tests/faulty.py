"""Implementations that misbehave, one way each, for tests."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.whole import Whole


class Raises(Whole):
    """raises when called"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Raise."""
        raise ZeroDivisionError("divided by the weather")


class OffAtStep3(Whole):
    """is wrong from step 3 on"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Add a little to step 3."""
        outputs, last = super().forward(inputs, hidden)
        outputs = outputs.clone()
        outputs[3:4] += 0.01
        return outputs, last


class NotANumber(Whole):
    """returns NaN"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply by NaN."""
        outputs, last = super().forward(inputs, hidden)
        return outputs * float("nan"), last


class WrongShape(Whole):
    """returns batch first"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Turn the outputs over."""
        outputs, last = super().forward(inputs, hidden)
        return outputs.transpose(0, 1), last


class ChangesInputs(Whole):
    """overwrites its inputs"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compute, then clear the inputs."""
        results = super().forward(inputs, hidden)
        inputs.zero_()
        return results


class NeedsOneLayer(Whole):
    """refuses networks it is not made for"""

    def __init__(self, shape: NetworkShape) -> None:
        raise Unavailable("made for another network")


class NoForward(Implementation):
    """forgets to say how it runs"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.whole = Whole(shape)

    def weight_map(self) -> dict[str, Tensor]:
        """Those of `Whole`."""
        return self.whole.weight_map()


class Dies(Whole):
    """kills its process"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Send the signal that the kernel sends when memory runs out."""
        os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(inputs, hidden)


def hang() -> None:
    """Sleep for an hour; the file named in FAULTY_HANG is there from the moment that this begins."""
    if sign := os.environ.get("FAULTY_HANG"):
        Path(sign).touch()
    time.sleep(3600)


class Hangs(Whole):
    """never returns"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Hang."""
        hang()
        return super().forward(inputs, hidden)


class TakesMemory(Whole):
    """asks for more memory than there is"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Ask for a quarter of an exabyte."""
        torch.empty(2**58, dtype=torch.uint8)
        return super().forward(inputs, hidden)


class FailsWhenMeasured(Whole):
    """works in the survey and raises in the passes"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Raise from the moment that the file named in FAULTY_MARK is there."""
        if os.path.exists(os.environ.get("FAULTY_MARK", "")):
            raise RuntimeError("tired")
        return super().forward(inputs, hidden)


class DiesWhenMeasured(Whole):
    """works in the survey and kills its process in the passes"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Die from the moment that the file named in FAULTY_MARK is there."""
        if os.path.exists(os.environ.get("FAULTY_MARK", "")):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(inputs, hidden)


class Prints(Whole):
    """writes to standard output while it runs"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Say something that is no finding."""
        print("hello from an implementation", flush=True)
        return super().forward(inputs, hidden)


class LeaksMemory(Whole):
    """keeps every output it has ever given"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.kept: list[Tensor] = []

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the outputs, in training with all that they were made of."""
        outputs, last = super().forward(inputs, hidden)
        self.kept.append(outputs)
        return outputs, last


class KeepsState(Whole):
    """goes on from where its last call ended"""

    kept: Tensor | None = None

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Start from the kept state if there is one."""
        outputs, last = super().forward(inputs, hidden if self.kept is None else self.kept)
        self.kept = last.detach().clone()
        return outputs, last


class KeepsResults(Whole):
    """computes once, and then answers from memory"""

    kept: tuple[Tensor, Tensor] | None = None

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compute when there is nothing yet."""
        self.kept = self.kept or super().forward(inputs, hidden)
        return self.kept


# What would win by a short cut


class RemembersLast(Whole):
    """returns a copy of its last results when its inputs are equal to its last inputs"""

    hits = 0
    kept: tuple[Tensor, ...] = ()

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Compare by value."""
        if self.kept and torch.equal(self.kept[0], inputs) and torch.equal(self.kept[1], hidden):
            RemembersLast.hits += 1
            return self.kept[2].clone(), self.kept[3].clone()
        outputs, last = super().forward(inputs, hidden)
        self.kept = (inputs.clone(), hidden.clone(), outputs.detach().clone(), last.detach().clone())
        return outputs, last


class RemembersAll(Whole):
    """remembers all results by the values of the inputs"""

    hits = 0

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.known: dict[tuple[bytes, bytes], tuple[Tensor, Tensor]] = {}

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Look it up."""
        key = inputs.numpy().tobytes(), hidden.numpy().tobytes()
        if key in self.known:
            RemembersAll.hits += 1
        else:
            outputs, last = super().forward(inputs, hidden)
            self.known[key] = outputs.detach(), last.detach()
        outputs, last = self.known[key]
        return outputs.clone(), last.clone()


class RightForAWhile(Whole):
    """is right for 40 calls, and returns zeros after"""

    calls = 0

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Count the calls."""
        self.calls += 1
        if self.calls > 40:
            steps, batch, _ = inputs.shape
            return torch.zeros(steps, batch, self.shape.hidden_size), torch.zeros_like(hidden)
        return super().forward(inputs, hidden)


class NoGradientsLater(Whole):
    """trains for 40 calls, and returns the right outputs with gradients that are zeros after"""

    calls = 0

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Cut the graph, but for a part that weighs nothing."""
        outputs, last = super().forward(inputs, hidden)
        self.calls += 1
        if self.calls > 40 and torch.is_grad_enabled():
            outputs = outputs.detach() + 0 * outputs
        return outputs, last


class Lazy(Tensor):
    """A tensor that could compute when it is looked at."""


class ReturnsLazily(Whole):
    """returns tensors of a kind of its own"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Dress the results up."""
        outputs, last = super().forward(inputs, hidden)
        return outputs.as_subclass(Lazy), last


class WorksElsewhere(Whole):
    """has a child process do work for it"""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        # In a session of its own, so that it is found neither by its group nor by its parent.
        self.child = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)


class TakesAnotherCore(Whole):
    """goes to another core than the one it shares"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Use any core there is."""
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        return super().forward(inputs, hidden)


# What would take others along


def _measured() -> bool:
    """From the moment that the file named in FAULTY_MARK is there."""
    return os.path.exists(os.environ.get("FAULTY_MARK", ""))


class ExitsWhenMeasured(Whole):
    """ends its process, with a code that means success, in the passes"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Leave without a word."""
        if _measured():
            os._exit(0)
        return super().forward(inputs, hidden)


class CrashesWhenMeasured(Whole):
    """reads at address 0 in the passes"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """A segmentation fault."""
        if _measured():
            ctypes.string_at(0)
        return super().forward(inputs, hidden)


class HangsWhenMeasured(Whole):
    """never returns in the passes"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Hang."""
        if _measured():
            hang()
        return super().forward(inputs, hidden)


class SetsThreads(Whole):
    """gives itself two threads"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """At every call."""
        torch.set_num_threads(2)
        return super().forward(inputs, hidden)


class ReadsInput(Whole):
    """reads from standard input"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """There is nothing to read; what is told to the worker is told elsewhere."""
        assert sys.stdin.read() == ""
        return super().forward(inputs, hidden)
