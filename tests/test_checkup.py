"""`python -m bench check` and `new`: parity alone, in words, with an exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.cases.presets import PRESETS
from bench.host import machine
from bench.host.clock import Ledger
from bench.host.process import environment
from bench.report.checked import checked, verdict
from bench.run.checkup import KINDS, Checkup, Outcome, cases, varying
from bench.store.manifest import DIFFERS, EQUAL, FAILED, MEASURED, UNAVAILABLE
from bench.table.cells import cells
from bench.table.reading import read_run
from bench.worker import jobs
from tests import warm
from tests.command import bench, process

ROOT = Path(__file__).resolve().parent.parent
FAULTY = f"{ROOT}/tests/faulty.py:"
KIND = ["--device=cpu", "--mode=inference", "--nonlinearity=tanh", "--batch-size=2", "--input-size=5"]
ONE = [*KIND, "--num-layers=1", "--output-size=0", "--seq-len=7"]


def told(name: str) -> list[tuple[str, dict[str, Any]]]:
    """What a worker's job tells of an implementation on one case; done here, without a worker."""
    found: list[tuple[str, dict[str, Any]]] = []
    case = Case(input_size=5, hidden_size=8, batch_size=2, seq_len=7)
    job = {"kind": "check", "implementation": name, "cases": [case.id]}
    try:
        jobs.check(jobs.Desk(job, ["cpu"], Ledger(), lambda event, **more: found.append((event, more)), ()))
    finally:
        machine.unpin()
    return found


def examined(name: str) -> Outcome:
    """The outcome of the one case."""
    (start, _), (checked, found) = told(name)
    assert (start, checked) == ("start", "checked")
    return Outcome(Case.parse(found["case"]), found["status"], found["reason"], found["error"])


def assert_one_line(code: int, out: str, err: str, message: str) -> None:
    """Wrong usage: exit 2, one line on standard error that holds the message."""
    assert (code, out) == (2, ""), err
    assert re.search(message, err), err
    assert len(err.strip().splitlines()) == 1


def test_the_cases_are_one_of_each_kind() -> None:
    """Both modes, both nonlinearities, one sequence and several, a step and several, a wide input, a head, layers."""
    found = cases(["cpu"], {})
    assert len(found) == len(set(found)) == 18
    assert found == sorted(found)
    for axis, values in (
        ("mode", {"inference", "training"}),
        ("network", {"rnn-tanh", "rnn-relu"}),
        ("batch_size", {1, 3}),
        ("seq_len", {1, 7}),
        ("num_layers", {1, 2}),
        ("output_size", {0, 5}),
    ):
        assert {getattr(case, axis) for case in found} == values
    assert any(case.input_size > case.hidden_size for case in found)
    assert KINDS.name not in PRESETS, "it is no preset to measure"


def test_axes_replace_the_choice() -> None:
    """Those given, and those alone; the wide input stays wide."""
    found = cases(["cpu"], {"hidden_size": (64,), "mode": ("training",)})
    assert len(found) == 9
    assert {(case.hidden_size, case.mode) for case in found} == {(64, "training")}
    assert {case.input_size for case in found} == {64, 69}
    assert {case.input_size for case in cases(["cpu"], {"input_size": (3,)})} == {3}
    assert {case.device for case in cases(["cpu", "cuda"], {})} == {"cpu", "cuda"}
    assert varying(found) == ["network", "input_size", "num_layers", "batch_size", "seq_len", "output_size"]


@pytest.mark.parametrize(
    ("statuses", "text", "sound"),
    [
        ([EQUAL, EQUAL], "`X` computes the network: equal in all 2 cases.", True),
        ([EQUAL, UNAVAILABLE], "`X` computes the network: equal in its only case; it declines 1.", True),
        ([EQUAL, DIFFERS, FAILED], "`X` differs in 1 and fails in 1 of 3 cases.", False),
        ([DIFFERS, UNAVAILABLE], "`X` differs in 1 of 1 case; it declines 1.", False),
        ([FAILED], "`X` fails in 1 of 1 case.", False),
        ([UNAVAILABLE], "`X` runs in none of the 1 cases: nothing is known of it.", False),
    ],
)
def test_the_verdict(statuses: list[str], text: str, sound: bool) -> None:
    """One sentence; what declines everything is not called sound."""
    found = Checkup([Outcome(Case(), status) for status in statuses])
    assert verdict("X", found.counts) == text
    assert found.is_sound is sound


def shown(found: Checkup, width: int = 80) -> list[str]:
    """The lines of a checkup of `path/to/own.py:X`."""
    return [line.text for line in checked("path/to/own.py:X", found, width)]


def test_each_distinct_outcome_is_told_once() -> None:
    """With how many cases it met and which; of reasons that differ in numbers the first, with its case."""
    found = Checkup()
    for k, case in enumerate(cases(["cpu"], {})):
        if case.num_layers == 2:
            found.outcomes.append(Outcome(case, UNAVAILABLE, "made for one layer"))
        elif case.network == "rnn-relu":
            found.outcomes.append(Outcome(case, DIFFERS, f"outputs differs first at step {k}, unit 0: 0.{k} not 1"))
        else:
            found.outcomes.append(Outcome(case, EQUAL, "", 1e-8 * k))
    assert shown(found) == [
        "`X` differs in 4 of 16 cases; it declines 2.",
        "",
        "not equal in 4 cases (rnn-relu):",
        "    outputs differs first at step 0, unit 0: 0.0 not 1; first at hidden 8, 1",
        "      step, rnn-relu, batch 3, inference",
        "",
        "declined in 2 cases (2 layers):",
        "    made for one layer",
        "",
        "equal in 12 cases (rnn-tanh, 1 layer): largest error 1.7e-07",
        "",
        "Held against the network in float64: CPU, float32, hidden 8, 1 thread.",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_lines_fit_and_no_word_is_broken(width: int) -> None:
    """Whatever the width: the words are those of the reason, each whole."""
    reason = "RuntimeError: " + " ".join(f"word{k}-and-hyphens-{'x' * (k % 9)}" for k in range(40))
    found = Checkup([Outcome(case, FAILED, reason) for case in cases(["cpu"], {})])
    lines = shown(found, width)
    assert max(map(len, lines)) <= width
    assert reason in " ".join(" ".join(lines).split())


def test_what_mends_it_comes_after_the_verdict() -> None:
    """What it says of the class, the lines, and what was seen when they were tried."""
    found = Checkup([Outcome(case, FAILED, "no") for case in cases(["cpu"], {})], taken=["batch first"])
    found.lines = {"batch_first": "batch_first = True", "sizes": 'sizes = {\n    "a": "b",\n}'}
    found.mended = Counter({EQUAL: 12, DIFFERS: 2, UNAVAILABLE: 4})
    assert shown(found)[:9] == [
        "`X` fails in 18 of 18 cases.",
        "Called batch first.",
        "",
        "It has the batch first and has other names for the sizes. Add to `X`:",
        "    batch_first = True",
        "    sizes = {",
        '        "a": "b",',
        "    }",
        "Tried: like that it is equal in 12 of 14 cases, wrong in 2; it then declines 4.",
    ]


def test_a_sound_implementation(tmp_path: Path) -> None:
    """Exit 0: the verdict, those that it declines with their reasons, what to type next; nothing is written."""
    (tmp_path / "cell.py").write_text(BARE)
    code, out, err = process("check", "cell.py:Bare", "--mode", "training", "--device", "cpu", folder=tmp_path)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "`Bare` computes the network: equal in all 6 cases; it declines 3."
    assert "declined in 2 cases (rnn-relu):" in lines
    assert "declined in 1 case (2 layers):" in lines
    (equal,) = [line for line in lines if line.startswith("equal in ")]
    assert equal.startswith("equal in 6 cases (rnn-tanh, 1 layer): largest error ")
    assert float(equal.rpartition(" ")[2]) < 1e-5
    assert lines[-1] == "    python -m bench run --impl default,cell.py:Bare"
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["cell.py"]


BARE = '''
import torch
from torch import nn

class Bare(nn.Module):
    """a bare module"""
    weight_map = {name + "_l0": "cell." + name for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)

    def forward(self, inputs, hidden):
        state, outputs = hidden[0], []
        for step in inputs:
            state = self.cell(step, state)
            outputs.append(state)
        return torch.stack(outputs), state.unsqueeze(0)
'''


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("Raises", FAILED, r"ZeroDivisionError: divided by the weather \(faulty\.py, line \d+\)"),
        (
            "OffAtStep3",
            DIFFERS,
            r"outputs differs first at step 3, sequence 0, unit 0: .* instead of .*allowed 1e-04",
        ),
        ("NotANumber", DIFFERS, r"outputs has NaN, first at step 0"),
        ("WrongShape", DIFFERS, r"outputs has the shape \(2, 7, 8\), it must be \(7, 2, 8\)"),
        ("ChangesInputs", DIFFERS, r"changes its inputs in place"),
        ("KeepsState", DIFFERS, r"differs from its first call: outputs differs first at step 0"),
        ("KeepsResults", DIFFERS, r"keeps something of an earlier call: with other inputs, outputs differs"),
        ("NoForward", FAILED, r"NotImplementedError"),
        ("TakesMemory", FAILED, r"out of memory: .*\(faulty\.py, line \d+\)"),
        ("NeedsOneLayer", UNAVAILABLE, r"made for another network$"),
    ],
)
def test_what_is_wrong_is_said(name: str, status: str, message: str) -> None:
    """What differs and where, or what was raised and at which line; in one line."""
    outcome = examined(FAULTY + name)
    assert outcome.status == status
    assert re.match(message, outcome.reason), outcome.reason
    assert "\n" not in outcome.reason


def test_a_case_that_is_wrong_is_exit_1(tmp_path: Path) -> None:
    """With the line, the conclusion, and no traceback; a killed process is a line, too."""
    code, out, err = process("check", f"{FAULTY}Dies", *ONE, folder=tmp_path)
    assert (code, err) == (1, "")
    assert out.splitlines()[:4] == [
        "`Dies` fails in 1 of 1 case.",
        "",
        "failed in 1 case:",
        "    the process was killed by SIGKILL, perhaps for want of memory",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RemembersLast", "remembers its results: it runs fewer operators for inputs that it was given before"),
        ("SetsThreads", "changes torch's number of threads from 1 to 2 when it is called"),
    ],
)
def test_what_a_run_would_find_is_said_beforehand(name: str, message: str) -> None:
    """Short cuts, and what it does to its process."""
    found = examined(f"tests/faulty.py:{name}")
    assert (found.status, found.reason) == (FAILED, message)


def test_what_is_changed_at_import_is_said_of_every_case(tmp_path: Path) -> None:
    """It imports, and so is no wrong usage; but nobody could be measured beside it."""
    path = tmp_path / "own.py"
    path.write_text("import torch\ntorch.set_default_dtype(torch.float64)\nfrom rnn_impls.whole import Whole as X\n")
    found = examined(f"{path}:X")
    message = "changes the default dtype from torch.float32 to torch.float64 when it is imported"
    assert (found.status, found.reason) == (FAILED, message)


def test_what_is_the_same_in_all_cases_is_said_once(tmp_path: Path) -> None:
    """With how many cases it met."""
    (tmp_path / "own.py").write_text(
        "from rnn_impls.whole import Whole\n\n\nclass X(Whole):\n    def forward(self, inputs, hidden):\n"
        "        raise ValueError('no')\n"
    )
    code, out, err = bench("check", "own.py:X", "--device", "cpu", folder=tmp_path)
    assert code == 1, err
    assert out.splitlines()[:4] == [
        "`X` fails in 18 of 18 cases.",
        "",
        "failed in 18 cases:",
        "    ValueError: no (own.py, line 6)",
    ]


@pytest.mark.usefixtures("hang")
def test_a_hang_and_a_crash_cost_their_cases(tmp_path: Path) -> None:
    """After two of them the others are not tried; what is equal before is still said."""
    (tmp_path / "odd.py").write_text(HANGS)
    several = [*ONE[:-1], "--seq-len=1,2,3,4", "--timeout=50s"]
    code, out, err = bench("check", "odd.py:Odd", *several, folder=tmp_path)
    assert (code, err) == (1, "")
    assert out.splitlines()[0] == "`Odd` fails in 3 of 4 cases."
    told = " ".join(out.split())
    assert "failed in 1 case (2 steps): no answer for 50 s" in told
    assert "failed in 1 case (3 steps): the process ended with exit code 5" in told
    assert "failed in 1 case (4 steps): not tried, its process was lost on 2 cases before" in told
    assert "equal in 1 case (1 step): largest error" in told


HANGS = """
import os
from rnn_impls.whole import Whole
from tests.faulty import hang

class Odd(Whole):
    def forward(self, inputs, hidden):
        if len(inputs) == 2:
            hang()
        if len(inputs) == 3:
            os._exit(5)
        return super().forward(inputs, hidden)
"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise RuntimeError('boom\\nand more')", r"own\.py does not import: RuntimeError: boom$"),
        ("import not_there", r"own\.py does not import: ModuleNotFoundError: No module named 'not_there'"),
        ("class X(:", r"own\.py does not import: SyntaxError: invalid syntax \(own\.py, line 1\)"),
        ("raise SystemExit(3)", r"own\.py does not import: SystemExit: 3"),
        ("Y = 1", r"own\.py has no class X"),
        ("X = 1", r"X in .*own\.py is not a subclass of rnn_impls\.interface\.Implementation or torch\.nn\.Module"),
        ("from torch import nn; X = nn.RNN(3, 4)", r"X in .*own\.py is a module that is built already"),
    ],
)
def test_what_cannot_be_loaded_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """One line that names the file and the reason."""
    path = tmp_path / "own.py"
    path.write_text(content)
    ((event, found),) = told(f"{path}:X")
    assert event == "refused"
    assert re.search(message, found["reason"]), found
    assert "\n" not in found["reason"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("raise RuntimeError('boom')", r"^error: own\.py does not import: RuntimeError: boom$"),
        ("import os; os._exit(4)", r"^error: own\.py:X does not import: the process ended with exit code 4$"),
    ],
)
def test_what_does_not_import_is_exit_2(tmp_path: Path, content: str, message: str) -> None:
    """Also when it takes the process down."""
    (tmp_path / "own.py").write_text(content)
    assert_one_line(*process("check", "own.py:X", *ONE, folder=tmp_path), message)


@pytest.mark.usefixtures("hang")
def test_a_file_that_never_ends_importing_is_exit_2(tmp_path: Path) -> None:
    """After the timeout."""
    (tmp_path / "own.py").write_text("from tests.faulty import hang; hang()")
    found = bench("check", "own.py:X", *ONE, "--timeout", "50s", folder=tmp_path)
    assert_one_line(*found, r"own\.py:X does not import: no answer for 50 s")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py:X"], r"^error: nowhere\.py:X: there is no file nowhere\.py"),
        (["nope"], r"unknown implementation 'nope'; known are manual"),
        (["here.py"], r"here\.py: say which class of the file, as in here\.py:MyRNN"),
        (["default"], r"default: check one at a time, such as manual"),
        (["manual", "--hidden-size", "x"], r"--hidden-size 'x': write numbers as"),
        (["manual", "--device", "mps"], r"no mps here"),
        (["manual", "--timeout", "soon"], r"'soon' is no time"),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    """One line and exit 2."""
    assert_one_line(*bench("check", *arguments, folder=tmp_path), message)


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C is exit 130, in one line; the process that hangs is gone with it."""
    mark = tmp_path / "mark"
    (tmp_path / "own.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(3600)\n"
    )
    command = [sys.executable, "-m", "bench", "check", "own.py:X"]
    process = warm.Process(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


# A starting file


def test_new_then_check_then_run(tmp_path: Path) -> None:
    """What `new` writes passes `check` as it is, and a run measures it."""
    code, out, err = bench("new", "fast.py", folder=tmp_path)
    assert code == 0, err
    assert "python -m bench check fast.py:MyRNN" in out
    text = (tmp_path / "fast.py").read_text()
    assert "my_rnn.py" not in text
    assert "python -m bench check fast.py:MyRNN" in text
    code, out, err = bench("check", "fast.py:MyRNN", "--device", "cpu", folder=tmp_path)
    assert code == 0, out + err
    assert out.splitlines()[0] == "`MyRNN` computes the network: equal in all 16 cases; it declines 2."
    small = "--preset smoke --hidden-size 8 --seq-len 2 --mode inference --passes 2 --device cpu --no-explain"
    code, _, err = bench("run", "--impl", "manual,fast.py:MyRNN", *small.split(), folder=tmp_path)
    assert code == 0, err
    table = cells(read_run(tmp_path / "reports" / "latest")).set_index("implementation")
    assert table["status"].to_dict() == {"manual": MEASURED, "fast.py:MyRNN": MEASURED}


def test_new_overwrites_nothing(tmp_path: Path) -> None:
    """A file that is there is left as it is; a name or a folder that can't be is said; each is exit 2."""
    (tmp_path / "mine.py").write_text("precious")
    assert_one_line(*bench("new", "mine.py", folder=tmp_path), r"mine\.py is there already; it is left as it is")
    assert (tmp_path / "mine.py").read_text() == "precious"
    assert_one_line(*bench("new", "mine.txt", folder=tmp_path), r"mine\.txt: name a Python file, such as my_rnn\.py")
    assert_one_line(*bench("new", "no/mine.py", folder=tmp_path), r"no/mine\.py: there is no folder no")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
