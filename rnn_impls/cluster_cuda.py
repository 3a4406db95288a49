"""Clusters: one kernel for all steps, the state passed on from processor to processor without global memory.

`persistent-triton` keeps W_hh on the chip, and exchanges the state through the cache that all processors share: a trip
to it and back each step, with all of them. GPUs of compute capability 9.0 have a shorter way. Up to 16 thread blocks
form a cluster, and write into each other's shared memory; such a store can tell a barrier in the memory where it
arrives how many bytes came (NVIDIA, "CUDA C++ Programming Guide", thread block clusters; PTX ISA, `st.async`). So a
block knows by its own barrier that its copy of the state is whole. There is no barrier across the GPU, no polling of
global memory, and nobody waits for a sequence that is none of its own: sequences don't depend on each other, so each
cluster takes SEQUENCES of them, and all clusters have the same weights.

Sixteen processors have to hold W_hh, 256 KiB each at hidden 1024 in float32, as much as the registers of one or nearly
its shared memory. So the columns are divided: five eighths in registers, the rest in shared memory, which is read once
a step. `cluster.cu`, beside this file, is the kernel, and says why two copies of the state are enough. The input
product runs ahead for all steps; states, sums and products are in float32 for all dtypes, and a state is rounded to the
dtype before it is passed on.

When it helps: inference of few sequences of a large network, hidden 512 to 1024; smaller ones are padded to 512. When
it doesn't: batches, of which 132 processors hold no more than eight clusters at a time; the others wait. In bfloat16 it
takes as long as in float32, since tensor cores would need eight sequences at once. Inference only: what a backward pass
needs besides is not written. Larger networks don't fit.

Sixteen is more blocks than a GPU has to offer; it is asked for as "non-portable". NVRTC, which comes with torch,
compiles the source at the first use; torch looks for the CUDA toolkit's headers then, though none is included.

Experimental: it compiles, and an emulation of its steps is tested; it has not been run on a GPU yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnn_impls import lateness
from rnn_impls.interface import Unavailable
from rnn_impls.weights import PlainElman

SOURCE = Path(__file__).with_name("cluster.cu")
TYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
"""dtype -> TYPE of the kernel."""

OWN = "own kernel"
"""What runs, as it is recorded: by its launch it could be one of Triton's."""

BLOCKS, THREADS = 16, 256
WIDTHS = (512, 1024)
"""What hidden is rounded up to: a warp's rows are sent four at a time, so a block has 32 of them at least."""

KEPT = {(512, 1): 4, (512, 2): 4, (512, 4): 4, (1024, 1): 5, (1024, 2): 5, (1024, 4): 4}
"""(WIDTH, SEQUENCES) -> groups of columns in registers: the most without a spill, by `ptxas -v` of CUDA 13.0."""

MOST_SHARED = 226 * 1024
"""Bytes of shared memory: the 227 KiB of a block (CUDA C++ Programming Guide, capability 9.0), less its barriers."""

NON_PORTABLE = 14
"""CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED of cuda.h: clusters of more than 8 blocks."""

PATIENCE = 1_000_000_000
"""Nanoseconds after which a thread waits for the state no more."""


@dataclass(frozen=True)
class Layout:
    """The kernel's constants, by which its memory is laid out."""

    width: int
    sequences: int
    kept: int
    scope: str = "cluster"
    """Of the wait's acquire. PTX asks for `cluster`, which also empties each processor's cache; what is waited for lies
    in shared memory, where `cta` may do."""

    @classmethod
    def of(cls, hidden: int, batch: int) -> Layout:
        """For H units and B sequences: as few to a cluster as let eight clusters have them all, four at most. Raises
        Unavailable for networks that don't fit."""
        width = next((width for width in WIDTHS if hidden <= width), 0)
        if not width:
            raise Unavailable(f"{BLOCKS} processors hold the weights of hidden {WIDTHS[-1]} at most")
        sequences = 1 if batch <= 8 else 2 if batch <= 16 else 4
        return cls(width, sequences, KEPT[width, sequences])

    @property
    def rows(self) -> int:
        """Of a warp."""
        return self.width // BLOCKS // (THREADS // 32)

    @property
    def shared(self) -> int:
        """Bytes of shared memory: the weights that are not in registers, and two copies of the state."""
        spare = (self.width // 128 - self.kept) * self.rows * THREADS * 16
        return spare + 2 * self.sequences * self.width * 4

    @property
    def fits(self) -> bool:
        """Whether a block can have its memory."""
        return self.shared <= MOST_SHARED

    def blocks(self, batch: int) -> int:
        """Of all clusters that B sequences take."""
        return -(-batch // self.sequences) * BLOCKS

    def source(self, dtype: torch.dtype, relu: bool) -> str:
        """The kernel's, with its constants before it."""
        defined = {"WIDTH": self.width, "SEQUENCES": self.sequences, "KEPT": self.kept}
        defined |= {"TYPE": TYPES[dtype], "RELU": int(relu)}
        head = "".join(f"#define {name} {value}\n" for name, value in defined.items())
        head += f'#define SCOPE "{self.scope}"\n'
        return head + SOURCE.read_text(encoding="utf-8")


@cache
def kernel(layout: Layout, dtype: torch.dtype, relu: bool, device: int) -> Any:
    """The kernel, compiled and allowed its memory and its clusters. Raises Unavailable where that fails."""
    from torch.cuda import _utils

    capability = torch.cuda.get_device_capability(device)
    if capability != (9, 0):
        raise Unavailable(
            "made for GPUs of compute capability 9.0 (H100, H200), this one has {}.{}".format(*capability)
        )
    try:
        with torch.cuda.device(device):
            made = torch.cuda._compile_kernel(layout.source(dtype, relu), "recurrence")
            made.set_shared_memory_config(layout.shared)
            _utils._check_cuda(_utils._get_gpu_runtime_library().cuFuncSetAttribute(made.func, NON_PORTABLE, 1))
    except (AttributeError, OSError, RuntimeError) as error:  # an older torch, no toolkit, no NVRTC, no such clusters
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise Unavailable(f"the kernel can't be built: {reason}") from error
    return made


def launched(given: Tensor, first: Tensor, matrix: Tensor, relu: bool, layout: Layout) -> Tensor:
    """What is added to the products (T, B, H), state (B, H), W_hh (H, H) -> states (T, B, H)."""
    steps, batch, hidden = given.shape
    states = torch.empty_like(given)
    tensors = (matrix.detach(), given, first.contiguous(), states, lateness.flag(given.device))
    kernel(layout, given.dtype, relu, given.get_device())(
        grid=(layout.blocks(batch), 1, 1),
        block=(THREADS, 1, 1),
        args=[*tensors, steps, batch, hidden, PATIENCE],
        shared_mem=layout.shared,
    )
    return states


class ClusterCuda(PlainElman):
    """experimental, never run on a GPU yet: one CUDA kernel for all steps, in clusters of 16 blocks (inference)"""

    devices = ("cuda",)
    needs = ("the CUDA toolkit",)

    def prepare(self, inputs: Tensor, hidden: Tensor) -> None:
        """Compile the kernel for these sizes, and run it once. Raises Unavailable for what it can't do, and
        RuntimeError where its threads wait for each other in vain."""
        if self.training:
            raise Unavailable("made for inference")
        if inputs.dtype not in TYPES:
            raise Unavailable("the kernel is written for float32, bfloat16 and float16")
        Layout.of(self.shape.hidden_size, inputs.shape[1])
        with torch.inference_mode():
            outputs, _ = self(inputs, hidden)
        lateness.require_none(outputs.device)
        self.chosen = OWN

    def layer(self, number: int, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One launch."""
        w_ih, w_hh, bias = self.own(number)
        layout = Layout.of(self.shape.hidden_size, inputs.shape[1])
        ahead = functional.linear(inputs, w_ih, bias)  # (T, B, H)
        states = launched(ahead, state, w_hh, self.nonlinearity == "relu", layout)
        return states, states[-1]
