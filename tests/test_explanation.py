"""A run that explains itself: what is made, what is kept, and that a part that fails costs only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case, Cell
from bench.host.process import WorkerDied
from bench.report.build import build
from bench.report.operators import with_reasons
from bench.report.pictures.scene import Scene
from bench.report.why import why
from bench.run import explanation, kept
from bench.run.explanation import Explaining, expected_seconds, explain, profiled_cells
from bench.run.kept import gradients_path, kept_gradients, kept_path
from bench.run.plan import STARTING_SECONDS
from bench.run.progress import Listener
from bench.store.files import BrokenFile
from bench.store.manifest import read_manifest
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.why.limits.limits import read_limits
from bench.why.profile.record import Profile, read_profile
from tests.report.test_build import Page
from tests.synthetic import LEFT_OUT, LIMITS, MACHINE, gradients, profile_record, write_run


class Pieces:
    """Stand for what explains a run, and remember how they were asked; a piece named in `dies` raises WorkerDied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dies: tuple[str, ...] = (), missing: str = "") -> None:
        self.dies, self.missing = dies, missing
        self.asked: dict[str, Any] = {}
        for name in ("limits_of", "profiled", "kept_gradients"):
            monkeypatch.setattr(explanation, name, getattr(self, name))

    def limits_of(self, machine: dict[str, Any], cache: Path, listener: Listener, threads: list[int]) -> Any:
        """Limits."""
        self.asked["limits"] = (machine, cache, threads)
        if "limits" in self.dies:
            raise WorkerDied("the process was killed by SIGILL")
        return LIMITS

    def profiled(self, cells: list[Cell], log: Path, *, steps: int, folder: Path | None, listener: Listener) -> Profile:
        """A profile."""
        self.asked["profile"] = (cells, log, steps, folder)
        found = [profile_record(Case.parse(case), name, {}) for case, name in cells]
        return Profile([], self.missing) if self.missing else Profile(found)

    def kept_gradients(self, cache: Path, torch_version: str, listener: Listener) -> dict[str, Any]:
        """Gradients."""
        self.asked["gradients"] = (cache, torch_version)
        if "gradients" in self.dies:
            raise WorkerDied("no answer for 120 s")
        return gradients()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A measured run, of which one implementation was left out."""
    broken = {"looped": (LEFT_OUT, "one call takes 9 s")}
    return write_run(tmp_path / "reports" / "runs" / "run", presets=("smoke",), passes=2, broken=broken)


class Notes(Listener):
    """Remembers what is worth a line."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Remember."""
        self.notes.append(text)


def explained(folder: Path, **options: Any) -> list[str]:
    """Explain it -> the notes."""
    listener = Notes()
    explain(folder, read_manifest(folder), folder.parents[1], listener, Explaining(**{"every": True, **options}))
    return listener.notes


def test_three_files_are_written_and_the_ledger_grows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the samples; the run's own time for each is put down, in the file as well."""
    pieces = Pieces(monkeypatch)
    before = read_manifest(folder)
    assert explained(folder) == []
    after = read_manifest(folder)
    assert set(after.ledger) == {*before.ledger, "limits", "profile", "gradients"}
    assert all(after.ledger[name] == before.ledger[name] for name in before.ledger)
    assert (after.cells, after.settings, after.status) == (before.cells, before.settings, before.status)
    run = read_run(folder)
    assert run.limits == LIMITS and run.gradients == gradients()
    assert run.profile is not None and len(run.profile.records) == 16
    assert pieces.asked["limits"] == (MACHINE, folder.parents[1], [1])
    assert pieces.asked["gradients"] == (folder.parents[1], "2.13.0")


def test_only_what_was_measured_is_profiled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was left out would take as long now; traces are kept only where they are wanted."""
    pieces = Pieces(monkeypatch)
    explained(folder)
    cells, log, steps, into = pieces.asked["profile"]
    assert {name for _, name in cells} == {"manual", "whole"} and len(cells) == 16
    assert (log, steps, into) == (folder / "logs" / "profile.log", 16, None)
    assert not (folder / "traces").exists()
    explained(folder, traces=True, steps=5)
    assert pieces.asked["profile"][2:] == (5, folder / "traces")
    assert (folder / "traces").is_dir()


def test_one_length_is_profiled_unless_all_are_asked_for(tmp_path: Path) -> None:
    """Of 1, 8, 64 and 512 steps the one nearest to 64, and 512, which is the same when cut at 32."""
    manifest = read_manifest(write_run(tmp_path, passes=2))
    chosen = profiled_cells(manifest, Explaining())
    assert {Case.parse(case).seq_len for case, _ in chosen} == {64, 512}
    assert len(chosen) == len(manifest.cells) / 2
    assert len(profiled_cells(manifest, Explaining(every=True))) == len(manifest.cells)
    assert {Case.parse(case).seq_len for case, _ in profiled_cells(manifest, Explaining(steps=100))} == {64}


def test_what_is_kept_is_not_waited_for(tmp_path: Path) -> None:
    """The estimate counts limits and gradients only where they have to be measured, and each profiled call once."""
    manifest = read_manifest(write_run(tmp_path, passes=2))
    before = expected_seconds(manifest, tmp_path, Explaining())
    for path in (kept_path(tmp_path, manifest.machine), gradients_path(tmp_path, manifest.machine["torch"])):
        path.parent.mkdir()
        path.touch()
    after = expected_seconds(manifest, tmp_path, Explaining())
    assert before - after == explanation.LIMITS_SECONDS + explanation.GRADIENTS_SECONDS
    every = expected_seconds(manifest, tmp_path, Explaining(every=True))
    assert every - after == pytest.approx(2 * (after - STARTING_SECONDS))


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured is used, and it is said that it is not kept."""
    Measuring(monkeypatch)
    (tmp_path / "cache").write_text("a file where a folder should be")
    listener = Notes()
    assert kept_gradients(tmp_path / "cache", "2.13.0", listener) == gradients()
    (note,) = listener.notes
    assert note.startswith("not kept: ")


def test_a_second_time_adds_to_the_ledger(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run is explained anew, over the files that were there."""
    Pieces(monkeypatch)
    explained(folder)
    first = read_manifest(folder).ledger
    explained(folder)
    second = read_manifest(folder).ledger
    assert set(first) == set(second)
    assert all(second[name] > first[name] for name in ("limits", "profile", "gradients"))


def said(folder: Path) -> list[str]:
    """What the report says is missing, and the sentences about why."""
    run = read_run(folder)
    table = with_reasons(cells(run), run.profile)
    found = why(run, Scene(table, run.manifest))
    return [*found.notes, *(finding.text for finding in found.findings)]


@pytest.mark.usefixtures("no_png")
def test_a_death_in_limits_is_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is there, the report is written, and it says that floors are missing, and why."""
    Pieces(monkeypatch, dies=("limits",))
    assert "no limits: the process was killed by SIGILL" in explained(folder)
    assert read_limits(folder / "limits.json").missing == {"all": "the process was killed by SIGILL"}
    missing, *findings = said(folder)
    assert missing == "No floors: what this machine allows could not be measured: the process was killed by SIGILL."
    assert "Python and dispatch take" in findings[0]
    assert missing in " ".join(Page(build(folder)).text.split())


def test_a_death_in_gradients_is_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, and a sentence in its place."""
    Pieces(monkeypatch, dies=("gradients",))
    assert "no gradients: no answer for 120 s" in explained(folder)
    assert not (folder / "gradients.json").exists()
    missing, *findings = said(folder)
    assert missing == "No gradients: how far back they reach was not measured for this run."
    assert "comes nearest to the floor" in findings[-1]


def test_a_profile_without_a_worker_is_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there and holds the reason."""
    Pieces(monkeypatch, missing="no worker can be had: exit code 3")
    assert "no profile: no worker can be had: exit code 3" in explained(folder)
    assert read_profile(folder / "profile.json").missing == "no worker can be had: exit code 3"
    assert said(folder)[0] == "No profile: no worker can be had: exit code 3."


def test_time_is_put_down_also_where_it_ends_in_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is the caller's; what was spent until then is known."""
    Pieces(monkeypatch)

    def full(*_: object, **__: object) -> Profile:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(explanation, "profiled", full)
    manifest = read_manifest(folder)
    with pytest.raises(OSError, match="No space"):
        explain(folder, manifest, folder.parents[1], Listener(), Explaining())
    assert {"limits", "profile"} <= set(manifest.ledger) and "gradients" not in manifest.ledger


class Measuring:
    """Stands for measuring gradients in a fresh process, and counts how often that is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *events: dict[str, Any]) -> None:
        self.times = 0
        self.events = events or ({"event": "ready"}, {"event": "gradients", "found": gradients()}, {"event": "end"})
        monkeypatch.setattr(kept, "findings", self.findings)

    def findings(self, job: dict[str, Any], timeout: float, log: Path) -> Any:
        """What a worker would tell."""
        assert job == {"kind": "gradients"}
        self.times += 1
        yield from self.events


def test_gradients_are_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time they come from the file; another torch has another file."""
    measuring = Measuring(monkeypatch)
    assert kept_gradients(tmp_path, "2.13.0+cpu", Listener()) == gradients()
    assert kept_gradients(tmp_path, "2.13.0+cpu", Listener()) == gradients()
    assert measuring.times == 1
    assert [path.name for path in (tmp_path / "gradients").iterdir()] == ["torch-2.13.0+cpu.json"]
    kept_gradients(tmp_path, "2.14.0", Listener())
    assert measuring.times == 2


@pytest.mark.parametrize("text", ["{", json.dumps({"schema": 99})])
def test_a_broken_file_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Cut off, or of another version: it is replaced."""
    measuring = Measuring(monkeypatch)
    kept_gradients(tmp_path, "2.13.0", Listener())
    (tmp_path / "gradients" / "torch-2.13.0.json").write_text(text)
    assert kept_gradients(tmp_path, "2.13.0", Listener()) == gradients()
    assert measuring.times == 2
    assert kept_gradients(tmp_path, "2.13.0", Listener()) == gradients()
    assert measuring.times == 2


def test_a_version_cannot_lead_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a part of a file's name, whatever it holds."""
    Measuring(monkeypatch)
    kept_gradients(tmp_path, "../../2.13 odd", Listener())
    (path,) = (tmp_path / "gradients").iterdir()
    assert path.name == "torch-..-..-2.13-odd.json"


def test_a_worker_without_a_word_of_gradients_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is kept."""
    Measuring(monkeypatch, {"event": "ready"}, {"event": "end"})
    with pytest.raises(WorkerDied, match="without a word of gradients"):
        kept_gradients(tmp_path, "2.13.0", Listener())
    assert not (tmp_path / "gradients").exists()


def test_what_is_kept_can_be_read_by_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file under reports is a gradients.json; one that is broken beside a run is named."""
    Measuring(monkeypatch)
    kept_gradients(tmp_path, "2.13.0", Listener())
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=2)
    (folder / "gradients.json").write_bytes((tmp_path / "gradients" / "torch-2.13.0.json").read_bytes())
    assert read_run(folder).gradients == gradients()
    (folder / "gradients.json").write_text("{")
    with pytest.raises(BrokenFile, match=r"gradients\.json"):
        read_run(folder)
