"""Packed: a batch of sequences of several lengths, without its padding.

A batch is one tensor, so sequences that are shorter than the longest are padded, and whoever runs over it computes the
padding, too. `pack_padded_sequence` takes it out: what is left of step 1 of all sequences, then of step 2, and so on,
each with as many sequences as still go on. `nn.RNN`, `nn.GRU` and `nn.LSTM` take that, multiply each step by W_hh for
those alone, and give the state at each sequence's own end. `pad_packed_sequence` puts the padding back.

When it helps: where a step is long, so that computing it for fewer sequences saves more than taking apart and putting
together costs; and where the state at each end is what is asked for. When it doesn't: where a step costs as much for
one sequence as for all, as at small sizes; and on the CPU for an `nn.LSTM`, which oneDNN runs only unpacked.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnn_impls.states import State
from rnn_impls.whole import Whole


class Packed(Whole):
    """one `nn.RNN` call for a packed batch, of sequences in any order"""

    takes_lengths: ClassVar[bool] = True
    bidirectional: ClassVar[bool] = False
    are_sorted: ClassVar[bool] = False
    """Whether it relies on the longest sequence coming first."""

    def forward(self, inputs: Tensor, hidden: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """inputs (T, B, I), hidden (L, B, H), lengths (B,) -> outputs (T, B, O or H), hidden (L, B, H) at each end.
        Without lengths all sequences have T steps."""
        if lengths is None:
            return super().forward(inputs, hidden)
        packed = pack_padded_sequence(inputs, lengths, enforce_sorted=self.are_sorted)  # (sum of lengths, I)
        outputs, hidden = self.rnn(packed, hidden)
        if self.head is not None:
            outputs = outputs._replace(data=self.head(outputs.data))  # (sum of lengths, O)
        padded, _ = pad_packed_sequence(outputs, total_length=len(inputs))  # (T, B, O or H)
        return padded, hidden


class PackedSorted(Packed):
    """the same of a batch that comes sorted, longest first"""

    are_sorted: ClassVar[bool] = True
