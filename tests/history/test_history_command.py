"""`python -m bench history`: what a terminal and the page show, and what is said of input that is none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from bench.history import shifts
from bench.history.summary import read_all
from tests.command import bench
from tests.gate.repository import SMALLEST, SOUND, Repository
from tests.gate.test_gate_command import TWICE
from tests.history import planted
from tests.history.planted import CELLS, FORTY
from tests.synthetic import write_run

FILES = ("index.html", "history.csv", "changes.json")


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty commits with planted changes."""
    return planted.write(tmp_path_factory.mktemp("history") / "forty", **FORTY)


def test_the_answer_comes_first(forty: Path, tmp_path: Path) -> None:
    """How many changes, and the last of them; then each; then where the page is."""
    code, out, err = bench("history", str(forty), "--output", str(tmp_path / "page"))
    assert (code, err) == (0, "")
    lines, text = out.splitlines(), " ".join(out.split())
    said = "5 changes in 4 of 8 cells over 40 commits; the last: `whole` at hidden 128, 64 steps became faster, −10."
    assert text.startswith(said)
    assert "torch 2.13.0 → 2.14.0 changed 8 cells." in text
    assert any("operators" in line and "130 → 195" in line for line in lines)
    assert text.endswith(f"Page: {tmp_path / 'page' / 'index.html'}")
    assert any(line.startswith("    ") and "--bisect" in line for line in lines)


def test_the_same_runs_give_the_same_bytes(forty: Path, tmp_path: Path) -> None:
    """The page, every point, every change."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        assert bench("history", str(forty), "--output", str(folder))[0] == 0
    for name in FILES:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_the_files_hold_every_point_and_change(forty: Path, tmp_path: Path) -> None:
    """As the summaries have them."""
    assert bench("history", str(forty), "--output", str(tmp_path))[0] == 0
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert len(rows) == 40 * len(CELLS)
    summaries, _ = read_all([forty])
    ratios = {(each.run, cell.cell): cell.ratio for each in summaries for cell in each.cells}
    found = {(row["run"], (row["case"], row["implementation"])): float(row["control_ratio"]) for row in rows}
    assert found == ratios
    assert {row["operators"] for row in rows} == {"130.0", "195.0"}
    told = json.loads((tmp_path / "changes.json").read_text())
    assert len(told["changes"]) == 13
    assert sum(bool(change["causes"]) for change in told["changes"]) == 8
    assert told["changes"][0]["most_likely"][1]["commit"] == planted.commit(34)


def test_nothing_found_is_an_answer(tmp_path: Path) -> None:
    """And too few runs another."""
    folder = planted.write(tmp_path / "calm", seed=3)
    assert bench("history", str(folder), "--output", str(tmp_path / "page"))[1].startswith(
        "No change in 8 cells over 40"
    )
    folder = planted.write(tmp_path / "few", commits=5)
    code, out, _ = bench("history", str(folder), "--output", str(tmp_path / "page"))
    assert code == 0
    said = "No change can be told yet in 8 cells over 5 commits: it takes 12 runs of one machine."
    assert " ".join(out.split()).startswith(said)


def test_a_run_is_added(tmp_path: Path) -> None:
    """By its folder or id, into a folder that need not be there; without ruptures, too."""
    write_run(tmp_path / "reports" / "runs" / "one", presets=("smoke",))
    code, out, err = bench("history", "--add", "one", "--into", "kept/here", folder=tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith("Added: kept/here/")
    assert len(list((tmp_path / "kept" / "here").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such folder"),
        (["empty"], "there is no finished run in empty"),
        (["one"], "a history has at least two runs, and here is one alone: 2026-09-01T100000-gate"),
        (["cut"], "cut/2026-09-01T220000-gate.json: not JSON, or cut off"),
        (["unknown"], "meters has 'smell'; known are operators, nodes, allocations, peak_bytes, launches"),
        (["two", "--by", "size"], "--by size: known are commit and date"),
        (["two", "--bisect", "nosuch"], "--bisect nosuch: no change has this id; there are none"),
        (["--add", "x"], "--add RUN and --into FOLDER go together"),
        (["--into", "x"], "--add RUN and --into FOLDER go together"),
        (["--add", "nowhere", "--into", "x"], "nowhere: no run folder"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit code 2, and nothing is written or lost."""
    (tmp_path / "empty").mkdir()
    planted.write(tmp_path / "one", commits=1)
    planted.write(tmp_path / "two", commits=2)
    path = sorted(planted.write(tmp_path / "cut", commits=2).iterdir())[1]
    path.write_text(path.read_text()[:200])
    path = next(planted.write(tmp_path / "unknown", commits=2).iterdir())
    path.write_text(path.read_text().replace('"nodes"', '"smell"'))
    before = sorted(tmp_path.rglob("*"))
    code, out, err = bench("history", *arguments, folder=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and said in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_without_ruptures_a_line_says_what_to_do(forty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2."""
    monkeypatch.setattr(shifts, "missing", lambda: "install ruptures")
    assert bench("history", str(forty)) == (2, "", "error: install ruptures\n")


def test_what_no_gate_can_tell_is_not_bisected(forty: Path, tmp_path: Path) -> None:
    """A change of software, and an exact meter, each by its own reason."""
    bench("history", str(forty), "--output", str(tmp_path))
    told = json.loads((tmp_path / "changes.json").read_text())["changes"]
    upgraded = next(change["id"] for change in told if change["causes"])
    meter = next(change["id"] for change in told if change["what"] == "operators")
    for wanted, said in ((upgraded, "machine or software changed there (torch)"), (meter, "operators, which is exact")):
        code, _, err = bench("history", str(forty), "--bisect", wanted)
        assert code == 2
        assert said in err


@pytest.mark.long
def test_the_commit_is_found_by_the_gate(tmp_path: Path) -> None:
    """In a repository that is not this suite's: the third of four commits makes the work three times as much."""
    repository = Repository(tmp_path / "theirs")
    sources = [SOUND, SOUND + "# a remark\n", TWICE, TWICE + "# another\n"]
    ids = [repository.write(source).commit().git("rev-parse", "HEAD").strip() for source in sources]
    case = next(cell for cell in _cases())
    folder = planted.write(tmp_path / "history", commits=24, cells=[(case, "mine.py:Mine")],
                           steps={(case, "mine.py:Mine"): [(12, 3.0)]})  # fmt: skip
    for number, path in enumerate(sorted(folder.iterdir())):
        content = json.loads(path.read_text())
        content["commit"]["id"] = ids[0] if number < 12 else ids[3]
        path.write_text(json.dumps(content))
    bench("history", str(folder), "--output", str(tmp_path / "page"))
    (change,) = json.loads((tmp_path / "page" / "changes.json").read_text())["changes"]
    ended = repository.bench("history", str(folder), "--bisect", change["id"], "--budget", "60s")
    assert ended.code == 1, ended.text
    assert ended.last_line == f"The first commit that has it is {ids[2][:9]}."


def _cases() -> list[str]:
    """The smallest case of the gate's tests."""
    from bench.cases.case import Case

    assert "--hidden-size" in SMALLEST
    return [Case(hidden_size=8, input_size=8, seq_len=2).id]
