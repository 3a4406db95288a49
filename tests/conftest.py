"""What holds for all tests."""

from __future__ import annotations

import pytest

from tests import warm


@pytest.fixture(scope="session", autouse=True)
def _warm_workers() -> None:
    """Workers that a test starts from its own process are forked."""
    warm.install()
