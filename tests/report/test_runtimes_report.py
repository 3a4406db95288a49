"""Beside torch, in the page and the summary: who wins across runtimes, what they cost, and a step by each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.report.build import build
from bench.report.pictures.scene import Scene
from bench.report.topics.runtimes import DOWNLOAD_MB, TITLE, topic
from bench.report.topics.topic import Topic
from bench.table.cells import cells
from bench.table.reading import read_run
from rnn_impls.registry import BESIDE_TORCH
from tests.synthetic import write_run

STEP = {"whole": 3e-6, "fused-cpu": 1e-6, "onnxruntime": 0.9e-6, "numba": 4e-6}
"""Seconds of a step at hidden 64; at 256 `onnxruntime` takes twice as long as `fused-cpu`."""


def truth(case: Case, name: str) -> float:
    """Seconds of a call."""
    slower = 2 / 0.9 if name == "onnxruntime" and case.hidden_size == 256 else 1
    return case.seq_len * STEP[name] * slower


def written(folder: Path, names: tuple[str, ...] = tuple(STEP), **more: Any) -> Path:
    """A run of two cases, on a machine without moods."""
    sizes = [Case(hidden_size=hidden, input_size=hidden, seq_len=128) for hidden in (64, 256)]
    calm: dict[str, Any] = {"noise": 1e-3, "moods": 0.0, "spread": 1e-3, "truth": truth, "implementations": names}
    return write_run(folder, cases=sizes, **(calm | more))


def of(folder: Path) -> Topic | None:
    """The section of a run."""
    run = read_run(folder)
    return topic(run, Scene(cells(run), run.manifest))


def test_the_answer_comes_first(tmp_path: Path) -> None:
    """Who wins, then over whom by how much, then the price; no sentence is long."""
    found = of(written(tmp_path / "run"))
    assert found is not None and found.finding
    assert found.said[:2] == [
        "Across runtimes `onnxruntime` is the fastest in 1 of 2 cases, `fused-cpu` in 1.",
        "The fastest runtime of a case beats `whole` in 2 of 2.",
    ]
    assert found.said[2].startswith("At most `onnxruntime` is 3.33") and found.said[2].endswith("hidden 64, 128 steps.")
    assert found.said[3] == "The fastest runtime of a case beats `fused-cpu` in 1 of 2, loses in 1."
    assert found.said[4].startswith("At most `onnxruntime` is 1.11") and "faster than `fused-cpu`" in found.said[4]
    assert found.said[5].startswith("At most `onnxruntime` is 2.0") and "slower than `fused-cpu`" in found.said[5]
    assert found.said[6] == "`onnxruntime` downloads 37 MB, runs an exported model, and does not train."
    assert found.said[7].startswith("`numba` downloads 64 MB")
    assert all(len(sentence.split()) <= 25 for sentence in found.said)


def test_each_case_is_a_row_and_each_implementation_a_column(tmp_path: Path) -> None:
    """Torch's first; the time of a step with its interval."""
    found = of(written(tmp_path / "run"))
    assert found is not None
    assert [column.title for column in found.columns] == ["Case", "whole", "fused-cpu", "onnxruntime", "numba"]
    texts = [[entry.text for entry in row] for row in found.rows]
    assert [row[0] for row in texts] == ["hidden 64, 128 steps", "hidden 256, 128 steps"]
    assert texts[0][1].startswith("3.00 µs [") and texts[0][3].startswith("900 ns [")
    assert texts[1][3].startswith("2.00 µs [")


def test_what_is_not_measured_is_a_dash(tmp_path: Path) -> None:
    """And nothing is said of one that nobody could run."""
    found = of(written(tmp_path / "run", broken={"fused-cpu": ("unavailable", "no compiler")}))
    assert found is not None
    assert "fused-cpu" not in [column.title for column in found.columns]
    assert not [sentence for sentence in found.said if "fused-cpu" in sentence]


def test_one_pass_decides_nothing(tmp_path: Path) -> None:
    """There is no interval; times are shown."""
    found = of(written(tmp_path / "run", passes=1))
    assert found is not None
    assert found.said[0].startswith("Between torch and `onnxruntime` and `numba` nothing is decided")
    assert found.rows[0][1].text == "3.00 µs"


def test_how_it_ran_is_said(tmp_path: Path) -> None:
    """By what the run recorded of the usual case."""
    folder = written(tmp_path / "run")
    content = json.loads((folder / "run.json").read_text())
    for cell in content["cells"]:
        if cell["implementation"] == "numba":
            cell["chosen"] = "numba 0.68.1, 0 threads of its own, nothing copied"
    (folder / "run.json").write_text(json.dumps(content))
    found = of(folder)
    assert found is not None
    assert "`numba` ran as numba 0.68.1, 0 threads of its own, nothing copied." in found.said


@pytest.mark.usefixtures("no_png")
def test_page_and_summary_have_it(tmp_path: Path) -> None:
    """The same sentences in both, and the first among the findings."""
    folder = written(tmp_path / "run")
    html, text = build(folder).read_text(), (folder / "summary.md").read_text()
    section = html.partition('<section id="runtimes">')[2].partition("</section>")[0]
    assert f"<h2>{TITLE}</h2>" in section and '<a href="#runtimes">' in html
    assert section.count("<tr>") == 1 + 2
    assert text.count("Across runtimes `onnxruntime`") == 2


def test_nothing_is_said_of_other_runs(report: Path) -> None:
    """Neither a section nor a link."""
    assert TITLE not in (report / "index.html").read_text() and TITLE not in (report / "summary.md").read_text()


def test_each_has_a_price() -> None:
    """Whatever is beside torch."""
    assert set(DOWNLOAD_MB) == set(BESIDE_TORCH)
