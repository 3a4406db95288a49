"""A machine's fingerprint, where on it a pass was measured, and a run narrowed down to some of its Cases."""

import os

import pytest

from bench.cases.settings import Settings
from bench.host import identity
from bench.host.identity import differences

NODE = {"cpu": "EPYC", "cores": 64, "torch": "2.13.0", "memory_bytes": 270_000_000_000, "gpu": None}


def test_a_fingerprint_is_of_the_facts_alone() -> None:
    """Their order, what is not known, and a few pages of memory do not change it; another torch does."""
    same = {**dict(reversed(NODE.items())), "memory_bytes": 269_999_000_000, "cudnn": None}
    assert identity.fingerprint(same) == identity.fingerprint(NODE)
    assert identity.fingerprint(NODE | {"torch": "2.14.0"}) != identity.fingerprint(NODE)
    assert len(identity.fingerprint(NODE)) == identity.DIGITS


def test_nodes_of_one_kind_do_not_differ() -> None:
    """By a thousandth of the memory they don't, by a quarter of it they do."""
    assert not differences(NODE, NODE | {"memory_bytes": 269_900_000_000})
    assert differences(NODE, NODE | {"memory_bytes": 200_000_000_000}) == {
        "memory_bytes": (270_000_000_000, 200_000_000_000)
    }


def test_a_place_names_node_boot_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is Slurm's name for it, and empty outside; the cores are the last of those allowed."""
    monkeypatch.setattr("bench.host.machine._cores_at_start", [3, 5, 8])
    monkeypatch.setenv("SLURMD_NODENAME", "node7")
    found = identity.place(2)
    assert found["node"] == "node7"
    assert found["cores"] == ([5, 8] if hasattr(os, "sched_setaffinity") else [])
    monkeypatch.delenv("SLURMD_NODENAME")
    assert identity.place(1) == found | {"node": "", "cores": found["cores"][-1:]}


def test_settings_narrowed_down_keep_whole_cases() -> None:
    """Of the Cases named all implementations are there, and no other Case; settings of before know no `cases`."""
    whole = Settings("smoke", devices=("cpu",))
    chosen = whole.cells()[-1][0].id
    part = Settings("smoke", devices=("cpu",), cases=(chosen,))
    assert part.cells() == [(case, name) for case, name in whole.cells() if case.id == chosen]
    assert Settings.from_dict(part.as_dict()).cases == (chosen,)
    before = {name: value for name, value in whole.as_dict().items() if name != "cases"}
    assert Settings.from_dict(before).cells() == whole.cells()
