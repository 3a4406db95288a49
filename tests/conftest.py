"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest

from tests import warm


@pytest.fixture(scope="session", autouse=True)
def _cheap_processes() -> None:
    """Workers that a test starts from its own process are forked; and what the imports left is not looked through again
    at each garbage collection, of which the tests of leaks make hundreds."""
    warm.install()
    gc.collect()
    gc.freeze()
