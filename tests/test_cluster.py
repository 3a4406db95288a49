"""`cluster-cuda`: its steps in an emulation, that the kernel compiles, and what it refuses."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnn_impls import cluster_cuda, lateness, registry
from rnn_impls.cluster_cuda import KEPT, SOURCE, ClusterCuda, Layout
from rnn_impls.interface import NetworkShape, Unavailable
from tests.emulated import Floats, Stuck, emulated


def problem(hidden: int, batch: int, steps: int) -> tuple[Floats, Floats, Floats]:
    """matrix (H, H), given (T, B, H), first (B, H), by chance."""
    chance = np.random.default_rng(0)
    sizes = (hidden, hidden), (steps, batch, hidden), (batch, hidden)
    matrix, given, first = (chance.standard_normal(size, dtype=np.float32) for size in sizes)
    return matrix / np.sqrt(hidden, dtype=np.float32), given, first


def by_hand(matrix: Floats, given: Floats, first: Floats) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The states (T, B, H), in float64."""
    state, states = first.astype(np.float64), []
    for added in given:
        state = np.tanh(added + state @ matrix.T.astype(np.float64))
        states.append(state)
    return np.stack(states)


@pytest.mark.parametrize(
    ("hidden", "layout", "batch", "steps"),
    [
        (512, Layout(512, 1, 4), 1, 5),
        (512, Layout(512, 2, 4), 3, 4),
        (512, Layout(512, 4, 4), 4, 4),
        (300, Layout(512, 1, 4), 1, 4),
        (1024, Layout(1024, 1, 5), 1, 4),
        (1001, Layout(1024, 2, 5), 2, 4),
        (1024, Layout(1024, 4, 4), 3, 3),
        (20, Layout(512, 1, 4), 1, 1),
    ],
)
def test_the_steps_of_a_cluster_give_the_states(hidden: int, layout: Layout, batch: int, steps: int) -> None:
    """Whatever warp runs first, and whatever arrives last; padded rows, columns and sequences, too."""
    given = problem(hidden, batch, steps)
    np.testing.assert_allclose(emulated(layout, *given), by_hand(*given), atol=2e-6)


@pytest.mark.parametrize("seed", range(1, 5))
def test_other_orders_change_no_bit(seed: int) -> None:
    """Each sum is made by one warp in one order, so that the result tells nothing of who came first."""
    given, layout = problem(512, 2, 6), Layout(512, 2, 4)
    np.testing.assert_array_equal(emulated(layout, *given, seed=seed), emulated(layout, *given))


def test_one_copy_of_the_state_would_not_do() -> None:
    """The emulation notices what the two copies are for: a state that is overwritten while it is read."""
    given, wrong = problem(512, 1, 6), 0
    wanted = by_hand(*given)
    for seed in range(3):
        try:
            found = emulated(Layout(512, 1, 4), *given, seed=seed, copies=1)
        except (Stuck, AssertionError):
            wrong += 1
        else:
            wrong += not np.allclose(found, wanted, atol=2e-6)
    assert wrong == 3


def test_infinite_states_stay_in_their_rows() -> None:
    """Beyond H the state is zero even then: a padded row's zero weights times infinity would be NaN for all."""
    given = problem(300, 1, 3)
    given[1][0, 0, 7] = np.inf  # whose tanh is 1
    np.testing.assert_allclose(emulated(Layout(512, 1, 4), *given), by_hand(*given), atol=2e-6)


@pytest.mark.parametrize(
    ("hidden", "batch", "width", "sequences", "blocks"),
    [(1, 1, 512, 1, 16), (512, 8, 512, 1, 128), (513, 16, 1024, 2, 128), (1024, 64, 1024, 4, 256)],
)
def test_a_layout_fits(hidden: int, batch: int, width: int, sequences: int, blocks: int) -> None:
    """Eight clusters where they can have all sequences, in the memory that a block has."""
    layout = Layout.of(hidden, batch)
    assert (layout.width, layout.sequences, layout.blocks(batch)) == (width, sequences, blocks)
    assert layout.fits


def test_a_network_that_does_not_fit_is_refused() -> None:
    """With the size that would."""
    with pytest.raises(Unavailable, match="16 processors hold the weights of hidden 1024 at most"):
        Layout.of(1025, 1)


@pytest.mark.parametrize(
    ("training", "dtype", "reason"),
    [(True, torch.float32, "made for inference"), (False, torch.float64, "float32, bfloat16 and float16")],
)
def test_what_it_is_not_made_for_is_a_row(training: bool, dtype: torch.dtype, reason: str) -> None:
    """Unavailable, with a reason."""
    module = ClusterCuda(NetworkShape(3, 4)).to(dtype).train(training)
    with pytest.raises(Unavailable, match=reason):
        module.prepare(torch.zeros(2, 1, 3, dtype=dtype), torch.zeros(1, 1, 4, dtype=dtype))


def test_another_gpu_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without clusters, or with others."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    with pytest.raises(Unavailable, match=r"capability 9\.0 \(H100, H200\), this one has 8\.0"):
        cluster_cuda.kernel(Layout.of(512, 1), torch.float32, False, 0)


def test_a_kernel_that_can_not_be_built_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the last line of what the compiler or torch says."""

    def compiling(*_: object) -> None:
        raise RuntimeError("Kernel compilation failed:\nrecurrence.cu(7): error: no such thing\n")

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "_compile_kernel", compiling)
    with pytest.raises(Unavailable, match=r"can't be built: recurrence\.cu\(7\): error: no such thing"):
        cluster_cuda.kernel(Layout.of(512, 1), torch.float32, False, 0)


class Compiled:
    """A kernel that does what the emulation does."""

    def __init__(self) -> None:
        self.func, self.shared, self.launches = 7, 0, 0

    def set_shared_memory_config(self, count: int) -> None:
        """Keep it."""
        self.shared = count

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: list[Any], shared_mem: int) -> None:
        """One launch, with arguments in the order of the source's."""
        matrix, given, first, states, late, steps, batch, hidden, patience = args
        assert (steps, batch, hidden) == given.shape
        assert all(tensor.is_contiguous() for tensor in (matrix, given, first, states))
        assert late.dtype == torch.int32 and 0 < patience < 2**31
        layout = Layout.of(hidden, batch)
        assert (grid, block, shared_mem, self.shared) == (
            (layout.blocks(batch), 1, 1),
            (256, 1, 1),
            *[layout.shared] * 2,
        )
        self.launches += 1
        states.copy_(torch.from_numpy(emulated(layout, matrix.numpy(), given.numpy(), first.numpy())))


def test_the_launch_gives_the_kernel_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers through the whole implementation, with an emulated kernel, beside the network step by step."""
    made, allowed = Compiled(), []

    class Driver:
        """Takes attributes."""

        def cuFuncSetAttribute(self, *attribute: int) -> int:  # noqa: N802 # the driver's name
            """Keep it."""
            allowed.append(attribute)
            return 0

    sources: list[tuple[str, ...]] = []

    def compiling(*source: str) -> Compiled:
        sources.append(source)
        return made

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.cuda, "device", nullcontext)
    monkeypatch.setattr(torch.cuda, "_compile_kernel", compiling)
    monkeypatch.setattr("torch.cuda._utils._get_gpu_runtime_library", Driver)
    cluster_cuda.kernel.cache_clear()
    shape = NetworkShape(3, 40, 2)
    module, plain = ClusterCuda(shape).eval(), registry.load("manual")(shape).eval()
    chance = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(size, generator=chance) / 5 for name, size in shape.weight_shapes().items()}
    for each in (module, plain):
        each.load(weights)
    inputs, hidden = torch.randn(4, 3, 3, generator=chance), torch.randn(2, 3, 40, generator=chance)
    module.prepare(inputs, hidden)
    with torch.inference_mode():
        for found, wanted in zip(module(inputs, hidden), plain(inputs, hidden), strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    cluster_cuda.kernel.cache_clear()
    assert allowed == [(7, 14, 1)]
    assert made.launches == 4
    assert module.chosen == "own kernel"
    assert [name for _, name in sources] == ["recurrence"]
    assert sources[0][0].startswith("#define WIDTH 512\n#define SEQUENCES 1\n#define KEPT 4\n#define TYPE 0\n")


def test_waiting_in_vain_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told once, at `prepare`, instead of results that are none."""
    monkeypatch.setattr(cluster_cuda, "launched", lambda given, *_: given)
    module = ClusterCuda(NetworkShape(3, 4)).eval()
    given = torch.zeros(2, 1, 3), torch.zeros(1, 1, 4)
    lateness.flag(torch.device("cpu")).fill_(1)
    with pytest.raises(RuntimeError, match="waited for each other in vain"):
        module.prepare(*given)
    module.prepare(*given)


def test_the_source_takes_its_arguments_in_this_order() -> None:
    """What the launch gives by position."""
    text = SOURCE.read_text(encoding="utf-8")
    head = re.sub(r"//.*", "", text[text.index("    recurrence(") : text.index("extern __shared__")])
    names = re.findall(r"(\w+)\s*[,)]", head[head.index("(") :])
    assert names == ["matrix", "given", "first", "states", "late", "steps", "batch", "hidden", "patience"]


@pytest.mark.long
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc")
@pytest.mark.parametrize("dtype", cluster_cuda.TYPES)
@pytest.mark.parametrize(("width", "sequences"), list(KEPT))
def test_the_source_compiles_without_a_spill(width: int, sequences: int, dtype: torch.dtype, tmp_path: Path) -> None:
    """A weight that does not stay in its register would be read again at every step."""
    source = tmp_path / "recurrence.cu"
    source.write_text(Layout(width, sequences, KEPT[width, sequences]).source(dtype, relu=False))
    told = subprocess.run(
        ["nvcc", "-arch=sm_90", "-cubin", "-Xptxas", "-v", "-o", str(tmp_path / "made"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in told.stderr
    assert "warning" not in told.stderr
