"""Everything that may go wrong with a comparison, planted: how this gate ends, and how plain pytest-benchmark does.

A fault must not end as a green that means nothing, nor in a traceback; docs/gate.md gives both scores, and a test
here holds it to these tables.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.gate import pairs
from bench.gate.comparable import Surveyed
from bench.gate.pair import Crews, Pair, Plan
from bench.gate.pairs import measure_pairs
from bench.gate.sides import Side
from bench.store.manifest import CellRecord
from bench.table.observation import ratio_of_means
from bench.table.outcome import UNCHANGED
from tests.gate.plain import GREEN, NO_END, RED, STEADY, TRACEBACK, ending
from tests.gate.repository import AFTER_A_WHILE, ROOT, SMALLEST, SOUND, Ended, Repository
from tests.synthetic import write_run

WRONG = (
    SOUND
    + """
    def forward(self, inputs, hidden):
        outputs, state = super().forward(inputs, hidden)
        return outputs * 2, state
"""
)
NEVER = (
    SOUND
    + """
    def __init__(self, shape):
        from rnn_impls.interface import Unavailable
        raise Unavailable("not here")
"""
)
CLOCK = """
import itertools, time
from rnn_impls.whole import Whole

ticks = itertools.count()
time.perf_counter = lambda: {reading}


class Mine(Whole):
    '''one `nn.RNN` call, and a clock that is not one'''
"""


def edited(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def saved_runs(tmp_path: Path, change: Callable[[Path], None]) -> Ended:
    """`bench compare` of a run and its twin, of which the second was changed."""
    runs = [write_run(tmp_path / name, presets=("smoke",), seed=seed) for name, seed in (("a", 1), ("b", 2))]
    change(runs[1])
    return Repository(tmp_path, git=False).bench("compare", *map(str, runs))


def machine(**changed: object) -> Callable[[Path], Ended]:
    """The second run is of another machine."""

    def fault(tmp_path: Path) -> Ended:
        return saved_runs(
            tmp_path, lambda run: edited(run / "run.json", lambda found: found["machine"].update(changed))
        )

    return fault


def first_pass(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], Ended]:
    """The second run's first pass file is changed."""
    return lambda tmp_path: saved_runs(tmp_path, lambda run: edited(run / "passes" / "pass-001.json", change))


def committed(tmp_path: Path, base: str, head: str, *arguments: str) -> Ended:
    """The gate in a repository whose last commit holds `base`, its working tree `head`."""
    repository = Repository(tmp_path / "theirs").write(base).commit().write(head)
    return repository.gate(*arguments)


def missing_on_one_side(tmp_path: Path) -> Ended:
    """The second run has one implementation less."""

    def drop(content: dict[str, Any]) -> None:
        content["cells"] = [cell for cell in content["cells"] if cell["implementation"] != "whole"]

    return saved_runs(tmp_path, lambda run: edited(run / "run.json", drop))


def installed_in_its_place(tmp_path: Path) -> Ended:
    """The file that is gated puts an installed copy of the repository's library before its source."""
    library = "from rnn_impls.whole import Whole as Mine\n"
    repository = Repository(tmp_path / "theirs")
    for place in (tmp_path / "installed" / "tinyrnn", repository.folder / "src" / "tinyrnn"):
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(library)
    adapter = f"import sys\nsys.path.insert(0, {str(tmp_path / 'installed')!r})\nfrom tinyrnn import Mine\n"
    return repository.write(adapter).commit().gate()


def gone_from_one_side(tmp_path: Path) -> Ended:
    """A checkout of this suite, as far as a gate can tell, whose working tree has lost what is measured."""
    repository = Repository(tmp_path / "theirs")
    (repository.folder / "rnn_impls").mkdir()
    repository.write("", "rnn_impls/__init__.py").write(SOUND).commit()
    shutil.rmtree(repository.folder / "rnn_impls")
    return repository.gate()


def base_lacks_it(tmp_path: Path) -> Ended:
    """The base commit is empty."""
    return Repository(tmp_path / "theirs").write("", "other.py").commit().write(SOUND).gate()


def truncated(tmp_path: Path) -> Ended:
    """A pass file ends half-way."""

    def cut(run: Path) -> None:
        path = run / "passes" / "pass-002.json"
        path.write_text(path.read_text()[:2000])

    return saved_runs(tmp_path, cut)


def unknown_base(tmp_path: Path) -> Ended:
    """There is no such commit."""
    return Repository(tmp_path / "theirs").write(SOUND).commit().gate(base="nosuch")


def no_git(tmp_path: Path) -> Ended:
    """The folder is no repository."""
    return Repository(tmp_path / "theirs", git=False).write(SOUND).gate()


def uncommitted(tmp_path: Path) -> Ended:
    """The working tree differs from its commit by an empty line; of the pairs nothing is asked."""
    with simulated():
        return committed(tmp_path, SOUND, SOUND + "\n")


def load_half_way(tmp_path: Path) -> Ended:
    """From the middle of the pairs on everything takes twice as long: simulated, since a test must not wait."""
    with simulated(load_from=4):
        sides = Side("base"), Side("head")
        outcome = measure_pairs(sides, Settings(preset="gate", budget=60), 0.03, Path("log"))
    assert {verdict.verdict for verdict in outcome.verdicts} == {UNCHANGED}
    return Ended(outcome.exit_code(strict=True), "within")


@contextmanager
def simulated(load_from: float = math.inf) -> Iterator[None]:
    """No gate has workers: a machine is simulated on which both sides are alike, which from some pair on has a load;
    blocks of a round share its mood."""
    draw, numbers = random.Random(3), itertools.count()
    case = Case(hidden_size=8, input_size=8, seq_len=2).id
    record = CellRecord(case, "whole", call_seconds=1e-4)

    def measured(crews: Crews, plans: dict[Any, Plan], order: random.Random) -> Pair:
        busy = next(numbers) >= load_from
        base, head = [], []
        for _ in range(20):
            mood = (2.0 if busy else 1.0) * draw.lognormvariate(0, 0.3)
            base.append(1e-4 * mood * draw.lognormvariate(0, 0.04))
            head.append(1e-4 * mood * draw.lognormvariate(0, 0.04))
        return Pair(dict.fromkeys(plans, ratio_of_means(head, base).log))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "measure_pair", measured)
        patch.setattr(pairs, "survey", lambda *_: [Surveyed(records={(case, "whole"): record})] * 2)
        patch.setattr(pairs, "Crews", FakeCrews)
        yield


class FakeCrews:
    """No processes."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> FakeCrews:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def set_first(content: dict[str, Any], value: object) -> None:
    """Give the first sample of a pass this value."""
    content["benchmarks"][0]["extra_info"]["seconds"][0] = value


Fault = tuple[Callable[[Path], Ended], int, str]

FAULTS: dict[str, Fault] = {
    "benchmark missing on one side": (missing_on_one_side, 3, r"only run .* has it"),
    "nothing selected": (lambda tmp: committed(tmp, NEVER, NEVER), 3, "no cell that both"),
    "base doesn't have the implementation": (base_lacks_it, 3, "does not have it"),
    "base fails parity": (lambda tmp: committed(tmp, WRONG, SOUND), 3, "not equal to the reference"),
    "a worker killed mid-run": (
        lambda tmp: committed(tmp, SOUND, AFTER_A_WHILE.format(what="os.kill(os.getpid(), signal.SIGKILL)")),
        3,
        "killed by SIGKILL",
    ),
    "a worker that hangs": (
        lambda tmp: committed(tmp, SOUND, AFTER_A_WHILE.format(what="hang()"), "--timeout", "50s"),
        3,
        "no answer for 50 s",
    ),
    "NaN sample": (first_pass(lambda content: set_first(content, float("nan"))), 2, r"seconds\[0\] is nan"),
    "zero sample": (lambda tmp: committed(tmp, SOUND, CLOCK.format(reading="1.0")), 3, "changes time.perf_counter"),
    "changed torch": (machine(torch="2.12.0"), 3, "torch: 2.13.0 then, 2.12.0 now"),
    "changed threads": (
        lambda tmp: committed(tmp, SOUND, AFTER_A_WHILE.format(what="torch.set_num_threads(2)")),
        3,
        "changes torch's number of threads from 1 to 2",
    ),
    "changed TF32": (machine(tf32=True), 3, "tf32: False then, True now"),
    "changed CPU": (machine(cpu="Another"), 3, "cpu: Imaginary CPU 9000 then"),
    "changed GPU": (machine(gpu="Another"), 3, "gpu: None then, Another now"),
    "dirty tree": (uncommitted, 0, "and uncommitted changes"),
    "base ref unknown": (unknown_base, 2, "git knows no such commit"),
    "no git": (no_git, 2, "not a git repository"),
    "truncated run file": (truncated, 2, "not JSON, or cut off"),
    "duplicate ids": (
        first_pass(lambda content: content["benchmarks"].append(content["benchmarks"][0])),
        2,
        "is the second of",
    ),
    "too few pairs": (
        lambda tmp: committed(tmp, SOUND, SOUND, "--budget", "0.1s"),
        3,
        "a first look takes 6|was spent",
    ),
    "other load starting half-way": (load_half_way, 0, "within"),
    "clock going backwards": (
        lambda tmp: committed(tmp, SOUND, CLOCK.format(reading="-1e-3 * next(ticks)")),
        3,
        "changes time.perf_counter",
    ),
    "installed code measured in place of the tree's": (
        installed_in_its_place,
        3,
        "tinyrnn is imported from",
    ),
    "nothing of the repository named": (
        lambda tmp: Repository(tmp / "theirs").write(SOUND).commit().bench("gate", "--base", "HEAD", *SMALLEST),
        2,
        "--impl: say what of this repository to compare",
    ),
    "implementations gone from one side": (gone_from_one_side, 3, "has no rnn_impls/, which HEAD"),
}
"""What is planted; the exit code stated for it; what has to be said."""


@pytest.mark.usefixtures("hang")
@pytest.mark.parametrize("name", FAULTS)
def test_the_gate_ends_as_stated(name: str, tmp_path: Path) -> None:
    """With the stated exit code and reason, without a traceback, a worktree or a process left."""
    fault, code, said = FAULTS[name]
    ended = fault(tmp_path)
    assert ended.code == code, ended.text
    assert re.search(said, " ".join(ended.text.split())), ended.text


def dropped(path: Path, keys: tuple[str, ...]) -> None:
    """Change a machine's fields in a saved file of plain pytest-benchmark."""
    edited(path, lambda content: content["machine_info"]["cpu"].update(dict.fromkeys(keys, "another")))


Ends = Callable[[Path], str]
ONE, TWO = {"manual": STEADY}, {"manual": STEADY, "whole": STEADY}
HALF_WAY = {"manual": STEADY, "whole": [seconds * 1.5 for seconds in STEADY]}


@functools.cache
def _unchanged() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return ending(Path(folder), ONE, ONE)[0]


def unchanged(_: Path) -> str:
    """A run held against its like, as where what is planted leaves no trace that pytest-benchmark looks at."""
    return _unchanged()


PEER: dict[str, tuple[Ends, str, str]] = {
    "benchmark missing on one side": (lambda tmp: ending(tmp, ONE, TWO)[0], GREEN, "not compared, not said"),
    "nothing selected": (lambda tmp: ending(tmp, ONE, {"manual": "skip"})[0], GREEN, "nothing compared, not said"),
    "base doesn't have the implementation": (
        lambda tmp: ending(tmp, ONE, {"whole": STEADY})[0],
        GREEN,
        "not compared, not said",
    ),
    "base fails parity": (unchanged, GREEN, "nobody looks"),
    "a worker killed mid-run": (lambda tmp: ending(tmp, ONE, {"manual": "die"})[0], TRACEBACK, "dies without a word"),
    "a worker that hangs": (lambda tmp: ending(tmp, ONE, {"manual": "hang"})[0], NO_END, "hangs"),
    "NaN sample": (
        lambda tmp: ending(tmp, ONE, {"manual": [float("nan")] * 3})[0],
        TRACEBACK,
        "its statistics stumble",
    ),
    "zero sample": (lambda tmp: ending(tmp, ONE, {"manual": [0.0] * 3})[0], GREEN, "a great improvement"),
    "changed torch": (unchanged, GREEN, "not recorded"),
    "changed threads": (unchanged, GREEN, "not recorded"),
    "changed TF32": (unchanged, GREEN, "not recorded"),
    "changed CPU": (
        lambda tmp: ending(tmp, ONE, ONE, lambda saved: dropped(saved, ("brand_raw",)))[0],
        GREEN,
        "a warning, and green",
    ),
    "changed GPU": (unchanged, GREEN, "not recorded"),
    "dirty tree": (unchanged, GREEN, "recorded, not said"),
    "base ref unknown": (lambda tmp: ending(tmp, ONE, ONE, compare="0099")[0], TRACEBACK, "at the very end"),
    "no git": (unchanged, GREEN, "not needed"),
    "truncated run file": (
        lambda tmp: ending(tmp, ONE, ONE, _cut)[0],
        TRACEBACK,
        "of the JSON reader",
    ),
    "duplicate ids": (
        lambda tmp: ending(tmp, ONE, ONE, lambda saved: edited(saved, _doubled))[0],
        GREEN,
        "the last one counts",
    ),
    "too few pairs": (lambda tmp: ending(tmp, {"manual": [1e-3]}, {"manual": [1e-3]})[0], GREEN, "one round is enough"),
    "other load starting half-way": (lambda tmp: ending(tmp, TWO, HALF_WAY)[0], TRACEBACK, "fails, nothing changed"),
    "clock going backwards": (lambda tmp: ending(tmp, ONE, {"manual": [-1e-3] * 3})[0], GREEN, "a great improvement"),
    "installed code measured in place of the tree's": (
        unchanged,
        GREEN,
        "what is imported is not looked at",
    ),
    "nothing of the repository named": (unchanged, GREEN, "whatever is collected"),
    "implementations gone from one side": (unchanged, GREEN, "what is installed serves"),
}
"""The nearest thing to each fault in plain pytest-benchmark; how it ends, and how docs/gate.md puts it."""

GOOD_ENOUGH = {"no git", "dirty tree"}
"""Faults that are none to pytest-benchmark, which needs no git and allows a dirty tree as this gate does."""


def _cut(path: Path) -> None:
    path.write_text(path.read_text()[:500])


def _doubled(content: dict[str, Any]) -> None:
    content["benchmarks"].append(content["benchmarks"][0])


@pytest.mark.long
@pytest.mark.parametrize("name", PEER)
def test_the_peer_ends_as_the_docs_say(name: str, tmp_path: Path) -> None:
    """Should pytest-benchmark mend one of these, this fails, and docs/gate.md is to be changed."""
    how, stated, _ = PEER[name]
    assert how(tmp_path) == stated


def test_the_docs_have_both_scores() -> None:
    """Its table has every fault, with the exit code of this gate and how the peer ends."""
    assert set(FAULTS) == set(PEER)
    page = (ROOT / "docs" / "gate.md").read_text()
    for name, (_, code, _) in FAULTS.items():
        assert f"| {name} | {code} | {PEER[name][1]}: {PEER[name][2]} |" in page, name
    good = sum(PEER[name][1] == RED or name in GOOD_ENOUGH for name in PEER)
    assert f"{len(FAULTS)} of {len(FAULTS)} here, {good} of {len(PEER)} there" in page
