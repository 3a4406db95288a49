"""Runs against misbehaving implementations, kills, full disks and resumption: nothing measured is lost."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import bench.store.files
from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.host.process import WorkerDied, WorkerRefused, findings
from bench.run.plan import CasePlan, CaseSamples
from bench.run.progress import Listener
from bench.run.runner import Runner
from bench.store.files import BrokenFile
from bench.store.folder import begin, create, discard, newest
from bench.store.manifest import FAILED, LEFT_OUT, MEASURED, UNAVAILABLE, CellRecord, Manifest, read_manifest
from bench.store.passes import pass_files
from bench.table.cells import cells
from bench.table.comparison import DISTURBED
from bench.table.lines import lines_of
from bench.table.reading import read_run
from tests import warm
from tests.synthetic import MACHINE, blocks

CASE = Case(hidden_size=8, input_size=8, seq_len=8)
ONE_CASE: dict[str, Any] = {"seq_len": (8,), "hidden_size": (8,), "mode": ("inference",)}
SMALLEST = ["--preset=smoke", "--impl=whole", "--hidden-size=8", "--seq-len=2", "--mode=inference", "--no-explain"]
FAULTY = "tests/faulty.py:"


def start(reports: Path, implementations: str, **settings: Any) -> Runner:
    """A runner for the smallest of runs."""
    options: dict[str, Any] = {"preset": "smoke", "passes": 2, "overrides": ONE_CASE, "timeout": 60.0} | settings
    folder = create(reports, "smoke")
    return Runner(folder, begin(folder, Settings(implementations=implementations, **options)), Listener())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one pass, which no test changes."""
    runner = start(tmp_path_factory.mktemp("finished"), "manual,whole", passes=1)
    runner.run()
    return runner.folder


def statuses(manifest: Manifest) -> dict[str, tuple[str, str]]:
    """Status and reason by implementation, the path left away."""
    return {cell.implementation.removeprefix(FAULTY): (cell.status, cell.reason) for cell in manifest.cells}


def test_the_rest_of_a_run_goes_on(tmp_path: Path) -> None:
    """Every misbehaving implementation becomes a row with its reason, and the good ones are measured."""
    names = [
        "Raises",
        "OffAtStep3",
        "NotANumber",
        "WrongShape",
        "ChangesInputs",
        "KeepsState",
        "KeepsResults",
        "LeaksMemory",
        "NeedsOneLayer",
        "NoForward",
        "Absent",
        "Dies",
        "TakesMemory",
        "Prints",
    ]
    broken = tmp_path / "broken.py"
    broken.write_text("import not_there")
    own = [*(FAULTY + name for name in names), f"{broken}:Mine"]
    runner = start(tmp_path, ",".join(["manual", *own, "whole-no-cudnn", "whole"]), passes=1)
    runner.run()
    found = statuses(runner.manifest)
    reasons = {
        "Raises": "ZeroDivisionError: divided by the weather",
        "OffAtStep3": "outputs differs first at step 3",
        "NotANumber": "outputs has NaN, first at step 0",
        "WrongShape": "outputs has the shape (1, 8, 8), it must be (8, 1, 8)",
        "ChangesInputs": "changes its inputs",
        "KeepsState": "differs from its first call",
        "KeepsResults": "keeps something of an earlier call",
        "LeaksMemory": "leaks memory: each of 5 calls in a row left 256 bytes or more behind",
        "NoForward": "NotImplementedError",
        "Absent": "tests/faulty.py has no class Absent",
        f"{broken}:Mine": f"{broken} does not import: ModuleNotFoundError: No module named 'not_there'",
        "Dies": "killed by SIGKILL",
        "TakesMemory": "out of memory",
    }
    for name, reason in reasons.items():
        assert found[name][0] == FAILED, name
        assert reason in found[name][1], name
    assert found["NeedsOneLayer"] == (UNAVAILABLE, "made for another network")
    assert found["whole-no-cudnn"] == (UNAVAILABLE, "runs only on cuda")
    assert [found[name][0] for name in ("manual", "whole", "Prints")] == [MEASURED] * 3
    table = cells(read_run(runner.folder)).set_index("implementation")
    assert list(table.index) == [cell.implementation for cell in runner.manifest.cells]
    assert (table.loc[["manual", "whole", f"{FAULTY}Prints"], "passes"] == 1).all()
    assert table.loc[[name if "/" in name else FAULTY + name for name in reasons], "seconds"].isna().all()


@pytest.mark.usefixtures("hang")
def test_a_hanging_implementation_is_given_up(tmp_path: Path) -> None:
    """Silence ends the worker; after two cells the implementation's others are not tried."""
    overrides = ONE_CASE | {"seq_len": (2, 4, 8)}
    runner = start(tmp_path, f"{FAULTY}Hangs,whole", overrides=overrides, passes=1)
    runner.run()
    reasons = [cell.reason for cell in runner.manifest.cells if cell.status == FAILED]
    assert len(reasons) == 3
    assert reasons[0] == reasons[1] == "no answer for 60 s"
    assert reasons[2].startswith("not tried")
    assert sum(cell.status == MEASURED for cell in runner.manifest.cells) == 3


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FailsWhenMeasured", "in pass 1: RuntimeError: tired"),
        ("DiesWhenMeasured", "in pass 1: the process was killed"),
    ],
)
def test_failure_in_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    """What passes the survey and fails in a pass is a failed row that says in which pass."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("FAULTY_MARK", str(mark))
    runner = start(tmp_path, f"manual,{FAULTY}{name},whole", overrides=ONE_CASE | {"seq_len": (4, 8)}, passes=1)
    runner._survey()
    runner._save("running")
    mark.touch()
    runner.run()
    found = [cell for cell in runner.manifest.cells if cell.implementation == FAULTY + name]
    assert [cell.status for cell in found] == [FAILED] * 2
    assert all(cell.reason.startswith(reason) for cell in found)
    others = [cell for cell in runner.manifest.cells if cell not in found]
    assert all(cell.status == MEASURED for cell in others)


def test_calls_that_last_too_long_are_left_out(tmp_path: Path) -> None:
    """A cell whose call would last longer than --max-call is listed with how long it would take."""
    runner = start(tmp_path, "manual", overrides=ONE_CASE | {"seq_len": (2, 1024)}, max_call=2e-3, passes=1)
    runner.run()
    by_length = {cell.case.split("-T")[1][:4]: cell for cell in runner.manifest.cells}
    assert by_length["0002"].status == MEASURED
    assert by_length["1024"].status == LEFT_OUT
    assert "more than --max-call" in by_length["1024"].reason


def test_killed_and_resumed(tmp_path: Path) -> None:
    """kill -9 in the middle of the passes: what is there can be read, and a resumed run ends with all of them."""
    command = [sys.executable, "-m", "bench", "run", *SMALLEST, "--passes=4", f"--reports={tmp_path}"]
    process = warm.Process(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/passes/pass-001.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (folder,) = (tmp_path / "runs").iterdir()
    kept = [path.read_bytes() for path in pass_files(folder)]
    assert 1 <= len(kept) < 4
    assert read_manifest(folder).status == "running"
    part = warm.run([sys.executable, "-m", "bench", "report", str(folder)], check=True)
    assert (folder / "index.html").is_file(), part.stderr
    warm.run([*command[:4], "--resume", str(folder), "--no-explain", "--reports", str(tmp_path)], check=True)
    assert read_manifest(folder).status == "finished"
    assert len(pass_files(folder)) == 4
    assert [path.read_bytes() for path in pass_files(folder)][: len(kept)] == kept
    assert cells(read_run(folder))["passes"].tolist() == [4]


def test_a_run_is_not_resumed_on_another_machine(finished: Path, tmp_path: Path) -> None:
    """Its passes would not be of one kind: the refusal names what differs, and the passes stay as they are."""
    folder = shutil.copytree(finished, tmp_path / "run")
    manifest = read_manifest(folder)
    manifest.machine["torch"] = "1.0"
    manifest.settings["passes"] = 2
    with pytest.raises(ValueError, match=r"begun on another machine or software.*torch 1.0 then"):
        Runner(folder, manifest, Listener()).run()
    assert [path.name for path in pass_files(folder)] == ["pass-001.json"]


def test_only_an_empty_run_folder_is_discarded(finished: Path, tmp_path: Path) -> None:
    """One that holds a pass is left as it is."""
    kept = sorted(finished.rglob("*"))
    discard(finished)
    assert sorted(finished.rglob("*")) == kept
    empty = create(tmp_path, "empty")
    (empty / "run.json").write_text("{}")
    discard(empty)
    assert not empty.exists()


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends with exit code 130, a report of the part, and how to go on."""
    command = [sys.executable, "-m", "bench", "run", *SMALLEST, "--passes=40", f"--reports={tmp_path}"]
    process = warm.Process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/passes/pass-001.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "--resume" in out
    assert "Traceback" not in out + err
    (folder,) = (tmp_path / "runs").iterdir()
    assert read_manifest(folder).status == "interrupted"
    assert (folder / "index.html").is_file()


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up during the second pass is an error that names the file; the first pass is intact."""
    runner = start(tmp_path, "whole")
    real = bench.store.files.write_atomically

    def write(path: Path, content: bytes) -> None:
        if path.name == "pass-002.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, content)

    monkeypatch.setattr(bench.store.files, "write_atomically", write)
    with pytest.raises(OSError, match=r"pass-002\.json"):
        runner.run()
    assert [path.name for path in pass_files(runner.folder)] == ["pass-001.json"]
    assert cells(read_run(runner.folder))["passes"].tolist() == [1]
    assert read_manifest(runner.folder).status == "interrupted"


def test_precision_adds_passes_only_where_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the cells that want more passes get them, with their baseline, until each has what it wanted."""
    case_2, case_8 = (f"cpu-float32-inference-tanh-I0008-H0008-L01-B0001-T000{t}-O0000-t01" for t in (2, 8))
    wanted = {(case_2, "whole"): 2, (case_8, "whole"): 4}
    monkeypatch.setattr("bench.table.cells.passes_wanted", lambda folder, precision: wanted)
    runner = start(tmp_path, "manual,looped,whole", overrides=ONE_CASE | {"seq_len": (2, 8)}, precision=0.03)
    runner.run()
    table = cells(read_run(runner.folder)).set_index(["case", "implementation"])["passes"]
    assert table.to_dict() == {
        (case_2, "manual"): 2, (case_2, "looped"): 2, (case_2, "whole"): 2,
        (case_8, "manual"): 4, (case_8, "looped"): 2, (case_8, "whole"): 4,
    }  # fmt: skip


def test_the_budget_ends_a_run(tmp_path: Path) -> None:
    """A budget that is spent leaves two passes, the least that show a spread, and says so."""
    runner = start(tmp_path, "whole", passes=9, budget=0.001)
    notes: list[str] = []
    runner.listener.note = notes.append  # type: ignore[method-assign, assignment]  # stands in for a method
    runner.run()
    assert len(pass_files(runner.folder)) == 2
    assert notes == ["the budget is spent after 2 of 9 passes"]


def test_pass_order_is_shuffled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases of a pass are taken in an order that depends on the pass."""
    runner = start(tmp_path, "whole", passes=4)
    ids = [dataclasses.replace(CASE, seq_len=steps).id for steps in range(1, 7)]
    runner.manifest.cells = [CellRecord(case, "whole", call_seconds=1e-3) for case in ids]
    runner.manifest.machine, runner.manifest.status = MACHINE, "running"
    taken: list[str] = []

    def measured(crew: object, plan: CasePlan, *_: object) -> CaseSamples:
        taken.append(plan.case)
        return CaseSamples(plan.case, {}, blocks([1e-4] * 8), {})

    monkeypatch.setattr("bench.run.runner.Crew", NoCrew)
    monkeypatch.setattr("bench.run.runner.measure", measured)
    runner.run()
    orders = [taken[k : k + 6] for k in range(0, 24, 6)]
    assert all(sorted(order) == ids for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_ledger_adds_up_to_the_run(finished: Path) -> None:
    """What the run's own time went into is written down, measuring among it; and so are the lines of code."""
    manifest = read_manifest(finished)
    assert [cell.lines for cell in manifest.cells] == [lines_of("manual"), lines_of("whole")]
    ledger = manifest.ledger
    assert {"imports", "parity", "survey", "memory", "build", "measured", "other"} <= set(ledger)
    assert all(seconds >= 0 for seconds in ledger.values())


def test_a_missing_device_is_refused(tmp_path: Path) -> None:
    """A device that is asked for by name and is not here refuses the run."""
    with pytest.raises(WorkerRefused, match="no mps here; this machine has cpu"):
        start(tmp_path, "whole", devices=("mps",)).run()


def test_a_worker_that_cannot_start(tmp_path: Path) -> None:
    """The reason holds the exit code and the worker's last words."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(WorkerDied, match="exit code 3; last words: no such luck"):
        list(findings({"kind": "survey"}, 10, tmp_path / "log", python=str(broken)))


def test_a_worker_that_says_nothing(tmp_path: Path) -> None:
    """It is given up after the timeout, by the clock, and ended."""
    silent, pid = tmp_path / "python", tmp_path / "pid"
    silent.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 600\n")
    silent.chmod(0o755)
    with pytest.raises(WorkerDied, match="no answer for 1 s"):
        list(findings({"kind": "survey"}, 0.6, tmp_path / "log", python=str(silent)))
    assert not pid.exists() or not psutil.pid_exists(int(pid.read_text()))


def test_pass_files_are_small(finished: Path) -> None:
    """At most 50 kB for a cell and pass."""
    (path,) = pass_files(finished)
    assert path.stat().st_size < 50_000 * len(json.loads(path.read_text())["benchmarks"])


# Disturbed passes


def told(share: float, seconds: float = 1e-3) -> CaseSamples:
    """What a crew gives of a case of which something else had the core for this share of the time."""
    own = blocks([seconds] * 8, 2, waited=[seconds * share] * 8)
    return CaseSamples(CASE.id, {"whole": own}, blocks([1e-4] * 8), {})


class NoCrew:
    """No processes."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> NoCrew:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ready(self) -> dict[str, Any]:
        """The machine that the run was begun on."""
        return MACHINE


def disturbed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: list[CaseSamples], **settings: Any
) -> tuple[Runner, list[str]]:
    """A run whose crews give these cases in turn, and the notes that a listener got; nothing is measured."""
    runner = start(tmp_path, "whole", **settings)
    runner.manifest.machine = MACHINE
    runner.manifest.cells = [CellRecord(CASE.id, "whole", call_seconds=1e-3)]
    runner.manifest.status = "running"
    notes: list[str] = []
    monkeypatch.setattr(runner.listener, "note", notes.append)
    left = iter(cases)
    monkeypatch.setattr("bench.run.runner.Crew", NoCrew)
    monkeypatch.setattr("bench.run.runner.measure", lambda *_: next(left))
    runner.run()
    assert next(left, None) is None, "all were asked for"
    return runner, notes


def test_a_disturbed_pass_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, in a process of its own; the calmer one counts, the other stays in the file, and it is said."""
    runner, notes = disturbed_run(tmp_path, monkeypatch, [told(0.0), told(0.6, 7e-3), told(0.1, 2e-3)])
    run = read_run(runner.folder)
    assert sorted(run.samples["seconds"].unique()) == [1e-3, 2e-3]
    assert run.taken_again == {CASE.id: 1}
    aside = json.loads(pass_files(runner.folder)[1].read_text())["rnn_bench"]["set_aside"]
    assert aside[0]["extra_info"]["seconds"] == [7e-3] * 8
    assert len(notes) == 1
    assert "had the core for up to 60% of the time; taking 1 of 1 cases again" in notes[0]


def test_it_is_taken_again_once_and_by_evidence_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is worse: the first counts, whatever either says of the time, and there is no third."""
    runner, _ = disturbed_run(tmp_path, monkeypatch, [told(0.5, 9e-3), told(0.8, 1e-3)], passes=1)
    run = read_run(runner.folder)
    assert run.samples["seconds"].unique().tolist() == [9e-3]
    assert run.taken_again == {CASE.id: 1}


def test_a_spent_budget_takes_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is counts, with its warning."""
    runner, notes = disturbed_run(tmp_path, monkeypatch, [told(0.6)], passes=1, budget=1e-6)
    (warnings,) = cells(read_run(runner.folder))["warnings"]
    assert DISTURBED in [each.kind for each in warnings]
    assert notes == []


# Going on


def test_a_run_that_is_killed_in_its_survey_can_be_gone_on_with(tmp_path: Path) -> None:
    """It is the newest, and so `latest`, though no report points to it; a finished one that is older is not."""
    older = start(tmp_path, "whole", passes=1)
    older.run()
    runner = start(tmp_path, "whole", passes=1)

    def killed() -> None:
        raise SystemExit(137)

    runner._survey = killed  # type: ignore[method-assign]  # stands in for a kill -9 at that moment
    with pytest.raises(SystemExit):
        runner.run()
    assert newest(tmp_path) == runner.folder
    manifest = read_manifest(newest(tmp_path))
    assert manifest.status == "surveying"
    Runner(runner.folder, manifest, Listener()).run()
    assert read_manifest(runner.folder).status == "finished"


def test_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    """One line that says where it was looked for."""
    with pytest.raises(BrokenFile, match="there is no run under"):
        newest(tmp_path)
