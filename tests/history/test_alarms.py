"""The proof of the history: that it counts what it says it counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.proof import alarms, labelled, unchanged
from bench.report.readme import ROOT

(PROOF,) = (ROOT / "reports" / "reference").glob("*/history-proof")


def test_the_table_is_that_of_its_figures() -> None:
    """What docs show is made of what was measured."""
    found = json.loads((PROOF / "alarms.json").read_text())
    assert alarms.markdown(found) == (PROOF / "alarms.md").read_text()


@pytest.mark.parametrize("kind", ["simulated", "recorded"])
def test_the_stated_rate_is_what_unchanged_series_show(kind: str) -> None:
    """Of all series of a kind together, between half a percent and two."""
    rows = json.loads((PROOF / "alarms.json").read_text())[kind]
    rate = sum(row["alarms"] for row in rows) / sum(row["series"] for row in rows)
    assert 0.005 <= rate <= 0.02


def test_alarms_are_counted() -> None:
    """Of planted steps all, of calm series none; plain PELT sees the steps, too."""
    rng = np.random.default_rng(2)
    calm = alarms.a_history("normal", 30, rng)
    steps = [each + np.repeat([0.0, 0.2 * (k + 1)], 15) for k, each in enumerate(alarms.a_history("normal", 30, rng))]
    row = alarms.alarms("both", [calm, steps])
    assert (row["series"], row["runs"], row["alarms"]) == (16, [30], 8)
    assert row["plain"] >= 8


def test_large_changes_are_hits_and_none_are_not() -> None:
    """At both ends of the picture's curve."""
    rng = np.random.default_rng(3)
    assert alarms.hits("a step in the middle", 10.0, 3, rng) == 1.0
    assert alarms.hits("ten runs, then undone", 0.0, 3, rng) == 0.0


def test_labels_are_those_of_levels() -> None:
    """An outlier is none; a regression and its fix are two, where the values say so."""
    found: dict[str, tuple[np.ndarray[tuple[int], np.dtype[np.float64]], list[int]]] = {}
    for name, logs, places in labelled.series():
        found.setdefault(name.partition(",")[0], (logs, places))
    assert found["an outlier"][1] == found["banding"][1] == found["scatter changes"][1] == []
    logs, (begin, end) = found["ten runs of 30 %"]
    assert end - begin == 10
    assert logs[begin:end].mean() - logs[:begin].mean() == pytest.approx(np.log(1.3), abs=0.05)


def test_recorded_series_are_those_of_one_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gates with a slowdown planted are left out, and cells of too few pairs."""
    rows = [
        {"kind": "peer"},
        {"delay": 0.05, "cells": [{"logs": [0.0] * 20}]},
        {"delay": 0.0, "cells": [{"logs": [0.0] * 20}, {"logs": [0.0] * 3}]},
        {"delay": 0.0, "cells": [{"logs": [0.0] * 3}]},
    ]
    folder = tmp_path / "machine" / "trust"
    folder.mkdir(parents=True)
    (folder / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(unchanged, "ROOT", tmp_path)
    ((name, histories), (_, made_up)) = unchanged.recorded(0)
    assert name == "pairs of unchanged gates, machine, trust"
    assert [[len(logs) for logs in history] for history in histories] == [[20]]
    assert made_up == []
