"""Implementations whose true ratio is known: the same call made 20, 21 and 40 times."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from rnn_impls.whole import Whole


class Times20(Whole):
    """one `nn.RNN` call, made 20 times"""

    times: ClassVar[int] = 20

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Make the call as often as the class says; the results are those of the last."""
        for _ in range(self.times):
            results = super().forward(inputs, hidden)
        return results


class Times20Again(Times20):
    """the same, by another name: as fast as `Times20`"""


class Times21(Times20):
    """one `nn.RNN` call, made 21 times: 20/21 as fast as `Times20`"""

    times: ClassVar[int] = 21


class Times40(Times20):
    """one `nn.RNN` call, made 40 times: half as fast as `Times20`"""

    times: ClassVar[int] = 40
