"""Bucketed: a batch of sequences of several lengths, in a few parts of sequences that are about equally long.

Each part, a bucket, is padded to its own longest sequence alone, and is one call. With k buckets of as many sequences
each most of the padding is gone, and every call is one of a plain batch: whatever is fast for those stays fast, such as
oneDNN's `nn.LSTM`, which takes no packed ones. The price is k calls of fewer sequences each, the steps of which are
nearly as long where they are bound by calling or by reading the weights; and taking the batch apart.

When it helps: long steps and much padding, most of all with an `nn.LSTM` on the CPU. When it doesn't: where a step
costs as much for a quarter of the batch as for all of it, such as in a loop in Python at small sizes.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls.interface import Implementation
from rnn_impls.manual import Manual
from rnn_impls.states import State, ended, like, mapped, tensors
from rnn_impls.whole import Whole


class InBuckets(Implementation):
    """Any implementation, called once for each bucket; to be named before it among the bases of a class."""

    takes_lengths: ClassVar[bool] = True
    bidirectional: ClassVar[bool] = False
    buckets: ClassVar[int] = 4

    def forward(self, inputs: Tensor, hidden: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """inputs (T, B, I), hidden (L, B, H), lengths (B,) in any order -> outputs (T, B, O or H), zeros beyond the
        ends; hidden (L, B, H) after each bucket's padding. Without lengths all sequences have T steps."""
        if lengths is None:
            return super().forward(inputs, hidden)
        order = lengths.argsort(descending=True)
        found, states = [], []
        for members in order.tensor_split(min(self.buckets, len(order))):  # (B / k,)
            own, there = lengths[members], members.to(inputs.device)  # longest first
            steps = int(own[0])
            outputs, last = super().forward(inputs[:steps].index_select(1, there), mapped(partial(_of, there), hidden))
            outputs = ended(outputs, own)  # (t, B / k, O or H)
            found.append(functional.pad(outputs, (0, 0, 0, 0, 0, len(inputs) - steps)))  # (T, B / k, O or H)
            states.append(tensors(last))
        back = order.argsort().to(inputs.device)
        joined = [_of(back, torch.cat(parts, 1)) for parts in zip(*states, strict=True)]
        return _of(back, torch.cat(found, 1)), like(hidden, joined)


def _of(members: Tensor, batch: Tensor) -> Tensor:
    """These sequences of a batch (L or T, B, ...)."""
    return batch.index_select(1, members)


class Bucketed(InBuckets, Whole):
    """one `nn.RNN` call for each of four buckets of sequences of like length"""


class BucketedManual(InBuckets, Manual):
    """the cell written by hand, over each of four buckets of sequences of like length"""
