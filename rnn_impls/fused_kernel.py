"""The kernel of `fused-cpu`, its functions called on tensors."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from rnn_impls.building import NATIVE, built

SOURCE = Path(__file__).with_name("fused_cpu.cpp")
WIDTHS = {
    "native": NATIVE,
    "avx2": ("-mavx2", "-mfma", "-mno-avx512f"),
    "portable": (),
}
"""Flags that choose the vectors: the widest that the machine has, AVX2's, and those that every machine has."""

_SIZE, _POINTER, _FLAG = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int


class Kernel:
    """The functions of the kernel, on tensors: float32, contiguous, on the CPU."""

    def __init__(self, path: Path, built_in: float) -> None:
        """`path` is the library's, `built_in` the seconds that building it took, whenever that was."""
        self.built_in = built_in
        self._library = ctypes.CDLL(str(path))
        for name, arguments in {
            "packed": (_POINTER, _SIZE, _SIZE, *[_FLAG] * 3, _POINTER),
            "forward": (*[_POINTER] * 6, *[_SIZE] * 4, *[_FLAG] * 3),
            "backward": (*[_POINTER] * 4, *[_SIZE] * 3, *[_FLAG] * 2),
            "gru_forward": (*[_POINTER] * 8, *[_SIZE] * 4, *[_FLAG] * 2),
            "gru_backward": (*[_POINTER] * 6, *[_SIZE] * 3, _FLAG),
            "lstm_forward": (*[_POINTER] * 10, *[_SIZE] * 4, *[_FLAG] * 2),
            "lstm_backward": (*[_POINTER] * 8, *[_SIZE] * 3, _FLAG),
            "weight_gradient": (_POINTER, _SIZE, *[_POINTER] * 2, *[_SIZE] * 3, _FLAG),
            "packed_items": (_SIZE, _SIZE, *[_FLAG] * 2),
        }.items():
            function = getattr(self._library, name)
            function.argtypes, function.restype = arguments, None
        self._library.packed_items.restype = _SIZE
        self.lanes: int = self._library.lanes()

    def packed(self, matrix: Tensor, *, as_is: bool = False, halved: bool = False) -> Tensor:
        """A matrix laid out in panels, its transpose unless `as_is`; `halved` rounds it to bfloat16."""
        return self._packed(matrix, 1, as_is, halved)

    def packed_gates(self, matrix: Tensor, gates: int, *, halved: bool = False) -> Tensor:
        """A matrix (gates x H, I), its transpose laid out in panels of the same units in all gates, 1, 3 or 4."""
        return self._packed(matrix, gates, False, halved)

    def _packed(self, matrix: Tensor, gates: int, as_is: bool, halved: bool) -> Tensor:
        matrix = matrix.detach().contiguous()
        depth, columns = matrix.shape if as_is else matrix.shape[::-1]
        items = self._library.packed_items(depth, columns // gates, gates, halved)
        found = torch.empty(items, dtype=torch.int16 if halved else torch.float32)
        self._library.packed(matrix.data_ptr(), *matrix.shape, gates, as_is, halved, found.data_ptr())
        return found

    def forward(
        self, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, relu: bool, threads: int
    ) -> Tensor:
        """inputs (T, B, I), state (B, H), W_ih and W_hh in panels, bias (H) -> states (T, B, H)."""
        inputs, state = inputs.contiguous(), state.contiguous()
        steps, batch, width = inputs.shape
        hidden = state.shape[1]
        states = torch.empty(steps, batch, hidden)
        self._library.forward(
            inputs.data_ptr(), state.data_ptr(), w_ih.data_ptr(), w_hh.data_ptr(), bias.data_ptr(), states.data_ptr(),
            steps, batch, width, hidden, relu, w_hh.dtype is torch.int16, threads,
        )  # fmt: skip
        return states

    def backward(self, of_states: Tensor, states: Tensor, w_hh: Tensor, relu: bool, threads: int) -> Tensor:
        """d loss / d states (T, B, H), states (T, B, H), W_hh in panels as it is -> g (T, B, H), the gradient of what
        the nonlinearity is taken of."""
        of_states = of_states.contiguous()
        found, (steps, batch, hidden) = torch.empty_like(states), states.shape
        self._library.backward(
            of_states.data_ptr(), states.data_ptr(), w_hh.data_ptr(), found.data_ptr(), steps, batch, hidden, relu,
            threads,
        )  # fmt: skip
        return found

    def gru_forward(
        self, inputs: Tensor, state: Tensor, w_ih: Tensor, w_hh: Tensor, biases: tuple[Tensor, Tensor], keep: bool,
        threads: int,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """inputs (T, B, I), state (B, H), the panels of W_ih and W_hh, b_ih and b_hh (3 H) -> states (T, B, H); and
        with `keep` r, z, n and W_hn h' + b_hn of every step, (T, B, 4 H)."""
        inputs, state = inputs.contiguous(), state.contiguous()
        steps, batch, width = inputs.shape
        hidden = state.shape[1]
        states = torch.empty(steps, batch, hidden)
        kept = torch.empty(steps, batch, 4 * hidden) if keep else None
        b_ih, b_hh = biases
        bias, b_hn = b_ih.clone(), b_hh[2 * hidden :].contiguous()
        bias[: 2 * hidden] += b_hh[: 2 * hidden]
        self._library.gru_forward(
            inputs.data_ptr(), state.data_ptr(), w_ih.data_ptr(), w_hh.data_ptr(), bias.data_ptr(), b_hn.data_ptr(),
            states.data_ptr(), _pointer(kept), steps, batch, width, hidden, w_hh.dtype is torch.int16, threads,
        )  # fmt: skip
        return states, kept

    def gru_backward(
        self, of_states: Tensor, before: Tensor, kept: Tensor, w_hh: Tensor, threads: int
    ) -> tuple[Tensor, Tensor]:
        """d loss / d states (T, B, H), the states that steps began with (T, B, H), what forward kept, W_hh in panels as
        it is -> the gradients d_n, d_r, d_z and r d_n of the sums before the gates, (T, B, 4 H): the first three are
        those of the input's products, the last three those of the state's; and of the first state (B, H)."""
        of_states, (steps, batch, hidden) = of_states.contiguous(), before.shape
        found, of_first = torch.empty_like(kept), torch.empty(batch, hidden)
        self._library.gru_backward(
            of_states.data_ptr(), before.data_ptr(), kept.data_ptr(), w_hh.data_ptr(), found.data_ptr(),
            of_first.data_ptr(), steps, batch, hidden, threads,
        )  # fmt: skip
        return found, of_first

    def lstm_forward(
        self, inputs: Tensor, hidden: Tensor, cell: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor, keep: bool,
        threads: int,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:  # fmt: skip
        """inputs (T, B, I), hidden and cell (B, H), the panels of W_ih and W_hh, bias (4 H) -> states (T, B, H) and
        the last cell (B, H); and with `keep` what backward needs: i, f, g and o of every step (T, B, 4 H), and the
        cells from the first that was given to the last (T + 1, B, H)."""
        inputs, hidden, cell, bias = (each.contiguous() for each in (inputs, hidden, cell, bias))
        (steps, batch, width), size = inputs.shape, hidden.shape[1]
        states, last = torch.empty(steps, batch, size), torch.empty(batch, size)
        gates = torch.empty(steps, batch, 4 * size) if keep else None
        cells = torch.empty(steps + 1, batch, size) if keep else None
        self._library.lstm_forward(
            inputs.data_ptr(), hidden.data_ptr(), cell.data_ptr(), w_ih.data_ptr(), w_hh.data_ptr(), bias.data_ptr(),
            states.data_ptr(), last.data_ptr(), _pointer(gates), _pointer(cells), steps, batch, width, size,
            w_hh.dtype is torch.int16, threads,
        )  # fmt: skip
        return states, last, None if gates is None or cells is None else (gates, cells)

    def lstm_backward(
        self, of_states: Tensor | None, of_last: Tensor | None, kept: tuple[Tensor, Tensor], w_hh: Tensor, threads: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """d loss / d states (T, B, H) and d loss / d the last cell (B, H), none for zeros, what forward kept, W_hh in
        panels as it is -> the gradients of the sums before the gates (T, B, 4 H), of hidden and of cell (B, H)."""
        of_states, of_last = (each if each is None else each.contiguous() for each in (of_states, of_last))
        gates, cells = kept
        found, of_hidden, of_cell = torch.empty_like(gates), torch.empty_like(cells[0]), torch.empty_like(cells[0])
        self._library.lstm_backward(
            _pointer(of_states), _pointer(of_last), gates.data_ptr(), cells.data_ptr(), w_hh.data_ptr(),
            found.data_ptr(), of_hidden.data_ptr(), of_cell.data_ptr(), *gates.shape[:2], cells.shape[2], threads,
        )  # fmt: skip
        return found, of_hidden, of_cell

    def weight_gradient(self, g: Tensor, entered: Tensor, threads: int, out: Tensor | None = None) -> Tensor:
        """g (T B, H), whose rows may be parts of longer ones, and what entered each step (T B, I)
        -> g^T entered (H, I), the gradient of a weight, in `out` where it is given."""
        count, hidden = g.shape
        if g.stride(1) != 1:
            g = g.contiguous()
        found = torch.empty(hidden, entered.shape[1]) if out is None else out
        entered = entered.contiguous()
        self._library.weight_gradient(
            g.data_ptr(), g.stride(0), entered.data_ptr(), found.data_ptr(), count, hidden, entered.shape[1], threads
        )
        return found


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


@cache
def kernel(width: str = "native") -> Kernel:
    """The kernel with vectors of this width, a key of WIDTHS.

    Raises Unavailable where there is no compiler, or it fails.
    """
    return Kernel(*built(SOURCE, WIDTHS[width]))
