"""The Slurm that the tests in this folder share, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slurm.cluster import Cluster, Unavailable, kept


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two idle nodes; skips where Slurm isn't installed or doesn't start."""
    try:
        with kept(tmp_path_factory.mktemp("slurm")) as started:
            yield started
    except Unavailable as why:
        pytest.skip(f"no Slurm: {why}")
