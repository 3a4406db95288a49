"""`compare`: any two functions, tried, sent to fresh processes, timed in alternation, and told."""

from __future__ import annotations

import inspect
import json
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import bench
from bench.functions import comparing, magic, sending, trial
from bench.functions.comparing import compare
from bench.functions.result import Result, load, rows_of
from bench.host.process import WorkerDied, environment
from bench.store.files import BrokenFile
from bench.table.comparison import ONE_PROCESS, UNCHECKED

ROOT = Path(__file__).parent.parent


def doubled(x: Any) -> Any:
    """One of two that are equal."""
    return x + x


def twice(x: Any) -> Any:
    """The other."""
    return 2 * x


def tripled(x: Any) -> Any:
    """One that differs."""
    return 3 * x


def nothing(x: Any) -> None:
    """Returns None."""


def raising(x: Any) -> Any:
    """Raises."""
    raise RuntimeError("out of cheese\nsecond line")


def changing(x: list[int]) -> Any:
    """Changes what it is given."""
    x.append(1)
    return x


def of_two(x: Any, y: Any) -> Any:
    """Needs one argument more."""
    return x


def generating(x: Any) -> Iterator[Any]:
    """Runs nothing when it is called."""
    yield x


def planted(ratio: float, passes: int = 4, rounds: int = 12, sizes: int = 1) -> pd.DataFrame:
    """The samples of `mine` and `theirs`, which takes `ratio` times as long, on a machine of changing speed."""
    draw = random.Random(3)
    found = []
    for number in range(1, passes + 1):
        for size in range(sizes):
            speeds = [draw.uniform(0.8, 1.25) for _ in range(rounds)]

            def blocks(call: float, speeds: list[float] = speeds) -> dict[str, Any]:
                seconds = [call * speed * draw.uniform(0.999, 1.001) for speed in speeds]
                known = {"waited_seconds": [0.0] * rounds, "switches": [0] * rounds, "event_seconds": []}
                return {"calls": 10, "seconds": seconds, **known}

            samples = {"mine": blocks(1e-4), "theirs": blocks(1e-4 * ratio)}
            found.append((number, {"size": size, "samples": samples, "control": blocks(2e-4), "failures": {}}))
    return rows_of(found)


def result(ratio: float = 1.05, sizes: tuple[Any, ...] = (64,)) -> Result:
    """One with a known truth."""
    return Result(("mine", "theirs"), "theirs", sizes, planted(ratio, sizes=len(sizes)), 4)


def test_the_public_names() -> None:
    """What `from bench import ...` gives, with its signature, which scripts depend on."""
    assert bench.__all__ == ["Result", "compare", "load"]
    assert bench.compare is compare and bench.load is load and bench.Result is Result
    told = {name: p.default for name, p in inspect.signature(bench.compare).parameters.items()}
    assert told == {
        "functions": inspect.Parameter.empty, "inputs": None, "sizes": None, "check": trial.equal, "baseline": "",
        "passes": 5, "seconds": 0.5, "threads": 1, "timeout": 120.0,
    }  # fmt: skip
    public = {name for name in vars(Result) if not name.startswith("_")}
    assert public == {
        "functions", "baseline", "sizes", "samples", "passes", "warnings", "reason", "machine",
        "to_frame", "to_markdown", "to_latex", "plot", "save",
    } - {"functions", "baseline", "sizes", "samples", "passes"}  # fmt: skip # without a default: in instances alone
    assert list(inspect.signature(bench.load).parameters) == ["path"]
    with pytest.raises(AttributeError, match="no attribute 'compair'"):
        _ = bench.compair


@pytest.mark.parametrize("ratio", [1.05, 1.0, 0.5])
def test_a_planted_ratio_is_found(ratio: float) -> None:
    """To within its interval, though the machine's speed changes by half from round to round."""
    frame = result(ratio).to_frame()
    mine, theirs = frame.to_dict("records")
    assert mine["speedup"] == pytest.approx(ratio, rel=1e-3)
    assert mine["speedup_low"] <= ratio * 1.0005 and mine["speedup_high"] >= ratio * 0.9995
    assert (theirs["speedup"], theirs["passes"], theirs["rounds"]) == (1.0, 4, 48)
    assert mine["standing"] == ("fastest" if ratio > 1.03 else "tie" if ratio == 1.0 else "slower")


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1.05, "At 64 `mine` is 1.05"),
        (0.5, "At 64 `mine` is 2.00"),
        (1.0, "At 64 `mine` and `theirs` tie, to within 3%."),
    ],
)
def test_the_answer_comes_first(ratio: float, said: str) -> None:
    """The first line says who is faster, by how much, over what."""
    first = str(result(ratio)).splitlines()[0]
    assert first.startswith(said)
    assert ("faster than `theirs`" in first, "slower than `theirs`" in first) == (ratio == 1.05, ratio == 0.5)


def test_three_functions_have_a_fastest() -> None:
    """It is named with its speed-up over the baseline."""
    samples = planted(1.5)
    third = samples[samples["implementation"] == "mine"].assign(implementation="third")
    third = third.assign(seconds=third["seconds"] / 2)
    both = Result(("mine", "third", "theirs"), "theirs", (None,), pd.concat([samples, third]), 4)
    assert str(both).splitlines()[0].startswith("`third` is the fastest, 3.00")


def test_every_form_of_the_table_says_the_same() -> None:
    """Markdown, LaTeX with booktabs, and HTML, whose names are escaped."""
    samples = planted(1.5).replace({"implementation": {"mine": "a_b <c>"}})
    odd = Result(("a_b <c>", "theirs"), "theirs", (64,), samples, 4)
    ratio = str(odd).splitlines()[0].split("is ")[1].split("×")[0]
    for text in (odd.to_markdown(), odd.to_latex(), odd._repr_html_()):
        assert ratio in text
    assert odd.to_latex().startswith("\\begin{tabular}") and "\\toprule" in odd.to_latex()
    assert "a\\_b" in odd.to_latex() and "$\\times$" in odd.to_latex()
    assert "a_b &lt;c&gt;" in odd._repr_html_() and "<c>" not in odd._repr_html_()
    assert odd.to_markdown().splitlines()[1].startswith("| --- |")


def test_a_picture_shows_the_intervals() -> None:
    """A point with its interval for each size, and a line at 1."""
    axes = result(1.5, (64, 4096)).plot()
    points = axes.lines[0]
    assert list(np.asarray(points.get_xdata())) == [64, 4096]
    assert np.asarray(points.get_ydata()) == pytest.approx([1.5, 1.5], rel=0.01)
    assert axes.get_xscale() == "log" and axes.get_legend_handles_labels()[1] == ["mine"]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Every sample and estimate, and warnings; a file that is cut off, or of something else, is named."""
    path = tmp_path / "found.json"
    first = Result(
        ("mine", "theirs"), "theirs", (64, "long"), planted(1.05, sizes=2), 4, trial_warnings(), "it is a lambda", {}
    )
    first.save(path)
    again = load(path)
    pd.testing.assert_frame_equal(again.samples, first.samples, check_dtype=False)
    pd.testing.assert_frame_equal(again.to_frame(), first.to_frame())
    assert (again.sizes, again.warnings, again.reason) == (first.sizes, first.warnings, first.reason)
    assert str(again) == str(first)
    path.write_text(path.read_text()[:200])
    with pytest.raises(BrokenFile, match=r"found\.json: not JSON, or cut off"):
        load(path)
    path.write_text(json.dumps({"schema": 99}))
    with pytest.raises(BrokenFile, match="schema 99"):
        load(path)


def trial_warnings() -> tuple[Any, ...]:
    """Both that a Result may carry as a whole."""
    from bench.table.comparison import EstimateWarning

    return EstimateWarning(ONE_PROCESS), EstimateWarning(UNCHECKED)


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ({"a": tripled, "b": twice}, r"`a` differs from `b` at 3: "),
        ({"a": raising, "b": twice}, r"`a` raises RuntimeError: out of cheese at 3$"),
        ({"a": nothing, "b": twice}, r"`a` returns None at 3: nothing to check"),
        ({"a": twice, "b": nothing}, r"`b` returns None at 3: nothing to check"),
        ({"a": of_two, "b": twice}, r"`a` at 3: missing a required argument: 'y'; inputs gives 1"),
        ({"a": generating, "b": twice}, r"`a` gives a generator at 3, which has not run yet"),
        ({"a": twice}, "compare takes two functions or more, not 1"),
        ({"a": twice, "b": 3}, "`b` is a int, not a function"),
        ({"a": twice, 3: twice}, "functions are named by text, not by 3"),
    ],
)
def test_functions_that_can_not_be_compared(functions: Any, said: str) -> None:
    """One line with the name of the function, and the size, before anything is timed."""
    with pytest.raises(ValueError, match=said) as raised:
        compare(functions, inputs=lambda size: (torch.ones(size),), sizes=[3])
    assert "\n" not in str(raised.value)


def test_a_function_that_changes_its_inputs() -> None:
    """Its second call would get others than its first; the argument is named."""
    with pytest.raises(ValueError, match="`a` changes its inputs: argument 0; let it work on a copy"):
        compare({"a": changing, "b": changing}, inputs=lambda: ([0],), baseline="a")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sizes": []}, "sizes is empty"),
        ({"sizes": [1], "inputs": None}, "sizes without inputs"),
        ({"inputs": lambda size: 3}, "inputs at 1 gives a int, not a tuple"),
        ({"inputs": lambda size: size.missing}, "inputs at 1 raises AttributeError"),
        ({"passes": 0}, "passes must be more than 0, not 0"),
        ({"seconds": -1}, "seconds must be more than 0, not -1"),
        ({"baseline": "c"}, "baseline 'c' is not among a, b"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], said: str) -> None:
    """One line that names the option."""
    asked: dict[str, Any] = {"inputs": lambda size: (size,), "sizes": [1]} | options
    with pytest.raises(ValueError, match=said):
        compare({"a": doubled, "b": twice}, **asked)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        (torch.ones(2), torch.ones(2) + 1e-9, True),
        (torch.ones(2), torch.zeros(2), False),
        ({"a": [1.0]}, {"a": [1.0]}, True),
        ("text", "text", True),
        (2, 2.0, True),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        ("text", "other", False),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_equal_knows_more_than_tensors(actual: Any, expected: Any, same: bool) -> None:
    """Tensors to within their tolerance, sequences and mappings of them, and anything that has ==."""
    if same:
        trial.equal(actual, expected)
    else:
        with pytest.raises(AssertionError):
            trial.equal(actual, expected)


def test_a_check_may_answer_instead_of_raising() -> None:
    """`torch.equal` returns False, and that is a difference."""
    with pytest.raises(ValueError, match="`a` differs from `b`: equal gives False"):
        compare({"a": tripled, "b": twice}, inputs=lambda: (torch.ones(2),), check=torch.equal)


def test_what_is_imported_is_sent_by_name() -> None:
    """A function of a module goes by where it can be imported from; a lambda can't, and says why."""
    sent = sending.send({"a": doubled, "b": twice}, [(torch.ones(2),)])
    assert sent.script is None
    assert pickle.loads(sent.content)["functions"]["a"] is doubled
    with pytest.raises(sending.NotSendable, match="`b` can't be imported elsewhere: it is a lambda"):
        sending.send({"a": doubled, "b": lambda x: x}, [(1,)])
    with pytest.raises(sending.NotSendable, match="the inputs can't be sent"):
        sending.send({"a": doubled, "b": twice}, [(lambda: 0,)])


def test_the_device_is_that_of_the_inputs() -> None:
    """Wherever in them a tensor lies, and of modules that are compared."""
    meta = torch.ones(2, device="meta")
    assert sending.device_of([(1, torch.ones(2)), [{"x": 3}]]) == "cpu"
    assert sending.device_of([(1, [{"x": meta}])]) == "meta"
    assert sending.device_of([torch.nn.Linear(2, 2, device="meta")]) == "meta"


def quick(functions: dict[str, Callable[..., Any]], **options: Any) -> Result:
    """As short as it can be."""
    asked: dict[str, Any] = {"inputs": lambda: (torch.ones(8),), "passes": 2, "seconds": 0.01} | options
    return compare(functions, **asked)


def test_functions_of_a_module_are_timed_in_fresh_processes() -> None:
    """Two passes, no warning of one process, and the machine that it was."""
    found = quick({"a": doubled, "b": twice}, inputs=lambda size: (torch.ones(size),), sizes=[8, 16])
    assert not found.reason and found.passes == 2
    assert set(found.samples["pass"]) == {1, 2} and set(found.samples["case"]) == {"0", "1"}
    assert found.to_frame()["seconds"].between(1e-8, 1e-2).all()
    assert found.machine is not None and found.machine["torch"] == torch.__version__


def test_a_lambda_is_timed_here_with_a_warning() -> None:
    """The result carries it, says why, and this process is left as it was."""
    threads = torch.get_num_threads()
    found = quick({"a": lambda x: x + x, "b": twice})
    assert [warning.kind for warning in found.warnings] == [ONE_PROCESS]
    assert "`a` can't be imported elsewhere: it is a lambda." in str(found)
    assert "measured within one process" in str(found)
    assert torch.get_num_threads() == threads


def test_unchecked_functions_say_so() -> None:
    """Without a check even None will do, and the result carries that nobody looked."""
    found = quick({"a": nothing, "b": lambda x: None}, check=None)
    assert {warning.kind for warning in found.warnings} == {ONE_PROCESS, UNCHECKED}


def test_a_function_that_raises_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was tried and was right; what it raises when it is timed is a line with its name."""
    calls = iter(range(3))

    def tired(x: Any) -> Any:
        next(calls)
        return 2 * x

    with pytest.raises(ValueError, match=r"`a` raises StopIteration.*, while it was timed"):
        quick({"a": tired, "b": twice})


def test_a_process_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is told with the pass."""

    def dying(*_: object) -> Iterator[dict[str, Any]]:
        raise WorkerDied("the process was killed by SIGSEGV")
        yield {}

    monkeypatch.setattr(comparing, "findings", dying)
    with pytest.raises(RuntimeError, match="pass 1: the process was killed by SIGSEGV, while the functions took turns"):
        quick({"a": doubled, "b": twice})


SCRIPT = """
import torch
from bench import compare

print("begun", __name__)

def f(x):
    return x + x

def g(x):
    return 2 * x

result = compare({{"mine": f, "theirs": g}}, inputs=lambda size: (torch.randn(size, 64),), sizes=[4],
                 check=torch.testing.assert_close, passes=2, seconds=0.01)
print("reason", repr(result.reason), result.passes)
{more}
"""


def run_script(path: Path, text: str, *how: str) -> str:
    """What a script prints."""
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, *(how or (path.name,))], cwd=path.parent, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_is_run_again_as_far_as_its_call(tmp_path: Path) -> None:
    """Its functions are measured in fresh processes, without a guard in it, and it goes on once alone."""
    told = run_script(tmp_path / "script.py", SCRIPT.format(more="print('the end')"))
    assert told.splitlines() == ["begun __main__", "reason '' 2", "the end"]
    assert run_script(tmp_path / "script.py", SCRIPT.format(more=""), "-m", "script").startswith("begun __main__")


def test_a_second_call_in_a_script(tmp_path: Path) -> None:
    """What it compares is not defined by the first: it is measured all the same, and says why within one process."""
    more = """
def h(x):
    return x * 2

print(compare({"h": h, "g": g}, inputs=lambda: (torch.ones(4),), passes=2, seconds=0.01).reason)
"""
    told = run_script(tmp_path / "script.py", SCRIPT.format(more=more))
    assert "a fresh process can't have them: AttributeError" in told


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f() g()", ["f()", "g()"]),
        ("f(x, 1)  g(x, y=2)", ["f(x, 1)", "g(x, y=2)"]),
        ("[i for i in x] 'a b'.split()", ["[i for i in x]", "'a b'.split()"]),
    ],
)
def test_expressions_of_a_line(text: str, found: list[str]) -> None:
    """Parted at spaces, where each part is Python."""
    assert magic.expressions(text) == found


@pytest.mark.parametrize(("line", "said"), [("f( g()", "no Python expression"), ("f()", "nothing to compare")])
def test_a_line_that_can_not_be_compared(line: str, said: str) -> None:
    """What is wrong with it, and how it is written."""
    with pytest.raises(ValueError, match=f"{said}.*%compare"):
        magic.run(line, {"f": lambda: 1})


def test_the_line_means_what_the_notebook_means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are those of the notebook, and each expression is called anew."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(magic, "compare", asked.update)
    magic.run("--unchecked f(n) n+1", {"f": lambda n: n * 2, "n": 21})
    assert (asked["f(n)"](), asked["n+1"](), asked["check"]) == (42, 22, None)
