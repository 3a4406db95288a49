"""`fused-cpu` of a GRU and of an LSTM: its own kernel, and what it hands over to."""

from __future__ import annotations

import pytest
import torch

from bench.cases.case import Case
from bench.measure.parity import check
from bench.measure.reference import Reference
from rnn_impls.fused_cpu import FusedCPU

BOTH = pytest.mark.parametrize("network", ["gru", "lstm"])
MODES = pytest.mark.parametrize("mode", ["inference", "training"])


class Own(FusedCPU):
    """`fused-cpu` that never hands over"""

    hands_over = False


@BOTH
@MODES
@pytest.mark.parametrize(
    ("hidden_size", "batch_size", "seq_len", "threads"), [(3, 1, 4, 1), (37, 5, 9, 1), (130, 2, 70, 1), (520, 3, 3, 2)]
)
def test_the_fused_kernel_computes_it(
    network: str, mode: str, hidden_size: int, batch_size: int, seq_len: int, threads: int
) -> None:
    """With less than a panel, with parts of one, beyond a piece of the input products, and shared by two threads."""
    case = Case(
        mode=mode, network=network, input_size=hidden_size + 2, hidden_size=hidden_size, batch_size=batch_size,
        seq_len=seq_len, threads=threads,
    )  # fmt: skip
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert check(Reference.of(case), Own) < 1e-5
    finally:
        torch.set_num_threads(before)


@BOTH
@MODES
@pytest.mark.parametrize("chosen", ["own kernel", "stacked-grad", "whole"])
def test_whatever_is_chosen_computes_it(network: str, mode: str, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel, and both that it may hand over to."""
    monkeypatch.setattr("rnn_impls.fused_cpu.fastest", lambda tried: chosen)
    case = Case(
        mode=mode, network=network, input_size=3, hidden_size=4, batch_size=2, seq_len=5, num_layers=2, output_size=3
    )
    assert check(Reference.of(case), FusedCPU) < 1e-5
