"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest

from tests import warm


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a CUDA device the tests that need one are one line, which says how many are not run."""
    on_gpu = [item for item in items if item.get_closest_marker("cuda")]
    if on_gpu and not _has_cuda():
        first, *others = on_gpu
        first.add_marker(pytest.mark.skip(f"no CUDA device here: {len(on_gpu)} tests of CUDA are not run"))
        left = {id(item) for item in others}
        items[:] = [item for item in items if id(item) not in left]


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session", autouse=True)
def _cheap_processes() -> None:
    """Workers that a test starts from its own process are forked. One thread computes, so that pytest's workers don't
    wait for each other; and what the imports left is not looked through again at each garbage collection, of which the
    tests of leaks make hundreds."""
    import torch

    warm.install()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
