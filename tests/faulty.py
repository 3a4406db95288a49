"""Implementations that misbehave, one way each, for tests."""

from __future__ import annotations

import os
import signal
import time

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


class Hangs(Whole):
    """never returns"""

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Sleep for an hour."""
        time.sleep(3600)
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
