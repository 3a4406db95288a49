"""What becomes of the shards of a sweep, by an executor whose jobs end as planted, on a clock that only moves when one
looks at them; and how Cases become shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.store.files import BrokenFile, read_json, write_json
from bench.sweep import attempts as starts
from bench.sweep.attempts import Attempt, attempts_path, read_attempts, used, write_attempts
from bench.sweep.attend import Attendant, Refused
from bench.sweep.balance import balanced, case_costs, estimated_seconds
from bench.sweep.executor import GONE, PENDING, RUNNING, Job, NoAnswer, Task
from bench.sweep.planning import begin, plan
from bench.sweep.probing import Probe, differing, skew, suite_version, told_of_skew
from bench.sweep.standing import AT_WORK, DONE, ENDED, GIVEN_UP, WAITING, Row, rows_of
from bench.sweep.sweepfile import (
    CANCELLED,
    FAILED,
    FINISHED,
    PROBE,
    REFUSED,
    SHARDS,
    STOPPED,
    attended,
    create,
    find,
    read_sweep,
    write_sweep,
)
from bench.sweep.watch import Watch, line, table

SETTINGS = Settings("smoke", devices=("cpu",), implementations="manual,whole", passes=2)


@dataclass
class Planted:
    """An executor whose jobs wait for one look, run for another, and then end as planted for their shard: a list of
    how, one for each start; the last stays. A second is a look."""

    folder: Path
    ends: dict[int, list[str]]
    time: float = 1000.0
    silent: bool = False
    probed: bool = False
    cancelled: list[str] = field(default_factory=list)
    avoided: list[str] = field(default_factory=list)
    after: str = ""
    words: str = ""
    pause: float = 1.0
    grace: float = 3.0
    detachable: bool = True

    def __post_init__(self) -> None:
        self._jobs: dict[str, tuple[Task, int, str]] = {}
        self._begun: dict[int, int] = {}

    def clock(self) -> float:
        """The time of the last look."""
        return self.time

    def probe(self) -> str:
        """A job that ends at once, where there is one."""
        return "1" if self.probed else ""

    def submit(self, tasks: Sequence[Task], after: str = "", avoid: Sequence[str] = ()) -> list[str]:
        """Take them."""
        self.after, self.avoided = after, list(avoid)
        ids = [f"{len(self._jobs) + k + 10}" for k in range(len(tasks))]
        self._jobs |= {job: (task, 0, self._next(task)) for job, task in zip(ids, tasks, strict=True)}
        return ids

    def _next(self, task: Task) -> str:
        """How the next start of a shard ends."""
        begun = self._begun[task.shard] = self._begun.get(task.shard, 0) + 1
        return self.ends[task.shard][:begun][-1]

    def jobs(self, ids: Sequence[str]) -> dict[str, Job]:
        """One look further."""
        self.time += 1
        if self.silent:
            raise NoAnswer("Slurm doesn't answer: connection refused")
        return {job: self._look(job) if job in self._jobs else Job(GONE, "FAILED", "node9") for job in ids}

    def cancel(self, ids: Sequence[str]) -> None:
        """Note it."""
        self.cancelled += ids

    def close(self) -> None:
        """Nothing."""

    def last_words(self, job: str) -> str:
        """As planted."""
        return self.words

    def _look(self, job: str) -> Job:
        task, age, end = self._jobs[job]
        self._jobs[job] = task, age + 1, end
        if age == 0 or end == "forever":
            return Job(PENDING, "PENDING", reason="Resources")
        path = attempts_path(self.folder, f"shard-{task.shard:03}")
        there = read_attempts(path)
        if age == 1:
            if end != "unstarted":
                there.append(Attempt(task.submission, job, "node1", self.time, folder=f"shard-{task.shard:03}"))
                write_attempts(path, there)
            return Job(RUNNING, "RUNNING", "node1")
        return self._end(job, task, end, there, path)

    def _end(self, job: str, task: Task, end: str, there: list[Attempt], path: Path) -> Job:
        outcome, said = {
            "done": (starts.DONE, "COMPLETED"),
            "failed": (starts.FAILED, "FAILED"),
            "refused": (starts.REFUSED, "FAILED"),
            "ended": (starts.ENDED, "CANCELLED"),
            "broken": (starts.BROKEN, "FAILED"),
            "requeued": (starts.REQUEUED, "PENDING"),
            "lost": (starts.RUNNING, "NODE_FAIL"),
            "late": (starts.DONE, "COMPLETED"),
            "unstarted": ("", "CANCELLED"),
        }[end]
        if outcome and self._jobs[job][1] == (5 if end == "late" else 3):
            there[-1].outcome, there[-1].reason = outcome, f"planted: {end}"
            write_attempts(path, there)
        if end == "requeued":
            self._jobs[job] = task, 1, self._next(task)
            return Job(PENDING, "PENDING", reason="BeginTime")
        if outcome == starts.DONE:
            passes = self.folder / SHARDS / f"shard-{task.shard:03}" / "passes"
            passes.mkdir(parents=True, exist_ok=True)
            for number in (1, 2):
                (passes / f"pass-{number:03}.json").write_text("{}")
        return Job(GONE, said, "node1")


def made(tmp_path: Path, shards: int = 2, attempts: int = 3) -> Path:
    """The folder of a sweep that is about to begin."""
    folder = create(tmp_path, "smoke")
    write_sweep(folder, begin(folder, SETTINGS, plan(SETTINGS, shards), "local", {}, attempts, False))
    return folder


def attend(folder: Path, executor: Planted, looks: int = 60) -> tuple[Attendant, list[Row], list[str]]:
    """Look until the sweep ends, or so often; the attendant, the last rows, and what was noted."""
    notes: list[str] = []
    attendant = Attendant(folder, executor, notes.append, executor.clock)
    attendant.begin()
    rows: list[Row] = []
    for _ in range(looks):
        rows = attendant.look()
        if attendant.sweep.status != "running":
            break
    return attendant, rows, notes


def test_all_shards_that_go_well_are_done(tmp_path: Path) -> None:
    """Each is submitted once; the sweep is finished, and its file says so."""
    folder = made(tmp_path)
    _, rows, notes = attend(folder, Planted(folder, {1: ["done"], 2: ["done"]}))
    assert [(row.state, row.passes) for row in rows] == [(DONE, 2), (DONE, 2)]
    there = read_sweep(folder)
    assert there.status == FINISHED
    assert [len(shard.submissions) for shard in there.shards] == [1, 1]
    assert notes == []


@pytest.mark.parametrize("end", ["failed", "refused", "ended", "lost", "unstarted"])
def test_a_shard_that_goes_wrong_goes_on(tmp_path: Path, end: str) -> None:
    """Whether it failed, its node would not do, it was cancelled, its node was lost or it never began: it is submitted
    again, alone."""
    folder = made(tmp_path)
    ends = {1: ["done"], 2: [end, "done"]}
    executor = Planted(folder, ends)
    _, rows, notes = attend(folder, executor)
    assert [row.state for row in rows] == [DONE, DONE]
    there = read_sweep(folder)
    assert there.status == FINISHED
    assert [len(shard.submissions) for shard in there.shards] == [1, 2]
    assert notes == [f"shard-002: submitted again as job {there.shards[1].submissions[1].job}"]
    assert executor.cancelled == [there.shards[1].submissions[0].job], "what may be left of it ends"
    assert executor.avoided == (["node1"] if end == "refused" else [])


@pytest.mark.parametrize("end", ["failed", "lost", "ended", "unstarted", "requeued"])
def test_a_shard_that_always_goes_wrong_is_given_up(tmp_path: Path, end: str) -> None:
    """After as many starts as it may have; the others go on, and the sweep ends as failed."""
    folder = made(tmp_path, attempts=3)
    executor = Planted(folder, {1: [end], 2: ["failed", "done"]})
    if end == "requeued":
        executor.ends[1] = ["requeued", "requeued", "failed"]
    _, rows, _ = attend(folder, executor)
    assert [row.state for row in rows] == [GIVEN_UP, DONE]
    there = read_sweep(folder)
    assert there.status == FAILED
    found = read_attempts(attempts_path(folder, "shard-001"))
    assert used(found, len(there.shards[0].submissions)) == 3
    assert f"begun {len(found)} of 3 times" in rows[0].note


def test_a_shard_whose_time_is_over_waits_and_goes_on(tmp_path: Path) -> None:
    """In the queue again as the same job, it is left alone; nobody needs to be there for it."""
    folder = made(tmp_path)
    _, rows, notes = attend(folder, Planted(folder, {1: ["requeued", "done"], 2: ["done"]}))
    assert [row.state for row in rows] == [DONE, DONE]
    assert len(read_sweep(folder).shards[0].submissions) == 1
    assert [attempt.outcome for attempt in read_attempts(attempts_path(folder, "shard-001"))] == ["requeued", "done"]
    assert notes == []


def test_the_word_of_a_shard_may_arrive_later_than_the_news_of_its_end(tmp_path: Path) -> None:
    """A file that a network file system is late with is waited for; even the last start is not given up at once."""
    folder = made(tmp_path, shards=1, attempts=1)
    _, rows, _ = attend(folder, Planted(folder, {1: ["late"]}))
    assert [row.state for row in rows] == [DONE]
    assert len(read_sweep(folder).shards[0].submissions) == 1


def test_a_shard_that_is_done_leaves_no_job_in_the_queue(tmp_path: Path) -> None:
    """Slurm took its node for lost, and put its job in the queue again; the node finished it all the same."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["forever"], 2: ["done"]})
    attendant, _, _ = attend(folder, executor, looks=3)
    write_attempts(attempts_path(folder, "shard-001"), [Attempt(0, "10", "node1", 0.0, starts.DONE)])
    for _ in range(3):
        rows = attendant.look()
    assert [row.state for row in rows] == [DONE, DONE]
    assert executor.cancelled == ["10"]
    assert read_sweep(folder).status == FINISHED


def test_a_job_that_waits_for_ever_is_shown_as_such(tmp_path: Path) -> None:
    """With the scheduler's reason, and for how long; nothing is submitted in its place."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["forever"], 2: ["done"]})
    attendant, _, _ = attend(folder, executor, looks=10)
    executor.time += 3600
    rows = attendant.look()
    assert attendant.sweep.status == "running"
    assert (rows[0].state, rows[0].note, rows[0].passes) == (WAITING, "PENDING: Resources", 0)
    assert rows[1].state == DONE
    assert len(attendant.sweep.shards[0].submissions) == 1
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(table(rows, executor.clock()))
    assert "PENDING: Resources, for 60 min" in captured.get()
    assert line(rows[0]).startswith("shard-001: waiting, 0 of 2 passes, job 10 (PENDING: Resources)")


def test_a_scheduler_that_does_not_answer_is_no_news_of_any_job(tmp_path: Path) -> None:
    """Nothing is submitted meanwhile, and what the files say is shown; then it goes on."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["done"], 2: ["done"]})
    attendant, _, _ = attend(folder, executor, looks=2)
    executor.silent = True
    for _ in range(50):
        rows = attendant.look()
    assert attendant.silence == "Slurm doesn't answer: connection refused"
    assert [row.state for row in rows] == [AT_WORK, AT_WORK]
    executor.silent = False
    rows = [attendant.look() for _ in range(5)][-1]
    assert [row.state for row in rows] == [DONE, DONE]
    assert attendant.silence == ""


def test_what_is_not_taken_is_tried_again(tmp_path: Path) -> None:
    """A scheduler that refuses a shard for a while costs it no attempt."""
    folder = made(tmp_path, shards=1)
    executor = Planted(folder, {1: ["failed", "done"]})
    notes: list[str] = []
    attendant = Attendant(folder, executor, notes.append, executor.clock)
    attendant.begin()
    taken = executor.submit

    def refuse(tasks: Sequence[Task], after: str = "", avoid: Sequence[str] = ()) -> list[str]:
        raise ValueError("sbatch refuses: too many jobs")

    executor.submit = refuse  # type: ignore[method-assign] # for as long as it refuses
    for _ in range(50):
        attendant.look()
    assert notes == ["shard-001: not submitted again yet: sbatch refuses: too many jobs"] * 2, "every 30 s"
    executor.submit = taken  # type: ignore[method-assign] # the sweep ends
    for _ in range(40):
        rows = attendant.look()
    assert [row.state for row in rows] == [DONE]
    assert len(read_attempts(attempts_path(folder, "shard-001"))) == 2


def test_a_cancelled_sweep_is_left_alone(tmp_path: Path) -> None:
    """Whoever attends it sees the mark, and submits nothing in the place of jobs that go."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["done"], 2: ["lost"]})
    attendant, _, _ = attend(folder, executor, looks=2)
    (folder / CANCELLED).touch()
    attendant.look()
    assert read_sweep(folder).status == STOPPED
    rows = rows_of(folder, read_sweep(folder), {})
    assert [row.state for row in rows] == [DONE, ENDED]
    assert [len(shard.submissions) for shard in attendant.sweep.shards] == [1, 1]


def test_a_broken_file_is_named_and_waited_for(tmp_path: Path) -> None:
    """No other start would mend it: the shard is given up with the file's name, the others go on; whoever has taken it
    away comes back, and it goes on."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["broken", "done"], 2: ["done"]})
    attendant, rows, _ = attend(folder, executor)
    assert [row.state for row in rows] == [GIVEN_UP, DONE]
    assert rows[0].note == f"planted: broken; take it away, then --attach {folder.name} goes on"
    assert len(attendant.sweep.shards[0].submissions) == 1
    again = Attendant(folder, executor, print, executor.clock)
    again.come_back()
    for _ in range(10):
        rows = again.look()
    assert [row.state for row in rows] == [DONE, DONE]
    assert read_sweep(folder).status == FINISHED


def test_who_comes_back_may_allow_more_attempts(tmp_path: Path) -> None:
    """A shard that was given up goes on; without, it stays so."""
    folder = made(tmp_path, shards=1, attempts=1)
    executor = Planted(folder, {1: ["failed", "done"]})
    assert attend(folder, executor)[1][0].state == GIVEN_UP
    for attempts, state in ((None, GIVEN_UP), (2, DONE)):
        again = Attendant(folder, executor, print, executor.clock)
        again.come_back(attempts)
        for _ in range(10):
            (row,) = again.look()
        assert row.state == state


def test_what_only_waited_here_was_no_attempt(tmp_path: Path) -> None:
    """A sweep without Slurm that is interrupted again and again never gives a shard up that has not begun; a start that
    a person interrupted is none either."""
    folder = made(tmp_path, attempts=1)
    executor = Planted(folder, {1: ["forever"], 2: ["forever"]}, detachable=False)
    attend(folder, executor, looks=3)
    for _ in range(4):
        again = Attendant(folder, executor, print, executor.clock)
        again.come_back()
        rows = again.look()
        again.leave()
    assert [row.state for row in rows] == [WAITING, WAITING]
    assert len(again.sweep.shards[0].submissions) == 1
    assert executor.cancelled[-2:] == [shard.submissions[-1].job for shard in again.sweep.shards]
    assert used([Attempt(0, "a", "n", 0.0, starts.INTERRUPTED)], 1) == 0


# The probe


def answered(folder: Path, **changes: object) -> None:
    """The probe's answer, with changes."""
    Probe(folder)()
    write_json(folder / PROBE, read_json(folder / PROBE) | {"time": 1001.0} | changes)


def test_shards_wait_for_the_probe(tmp_path: Path) -> None:
    """They are submitted at once, but begin after it; a good answer lets them, and is asked for once."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["done"], 2: ["done"]}, probed=True)
    answered(folder)
    (folder / PROBE).rename(folder / "later")
    attendant = Attendant(folder, executor, print, executor.clock)
    attendant.begin()
    assert executor.after == "1"
    attendant.look()
    (folder / "later").rename(folder / PROBE)
    for _ in range(10):
        rows = attendant.look()
    assert [row.state for row in rows] == [DONE, DONE]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": "node n7 can't write to /shared"}, "node n7 can't write to /shared"),
        (
            {"node": "n7", "versions": {"python": "3.9.0", "suite": suite_version()}},
            "node n7 has other software than the machine that submitted: python 3.9.0 instead of",
        ),
        ({"node": "n7", "offset": 3600.0}, "the clock of node n7 is 3600 s ahead: no time in a file could be believed"),
    ],
)
def test_a_bad_answer_forbids_the_sweep(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """In one line, with every job cancelled, and nothing measured."""
    folder = made(tmp_path)
    answered(folder, **changes)
    executor = Planted(folder, {1: ["done"], 2: ["done"]}, probed=True)
    with pytest.raises(Refused, match=message):
        attend(folder, executor)
    assert executor.cancelled == ["1", "10", "11"]
    assert read_sweep(folder).status == REFUSED
    assert not any((folder / SHARDS).iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", r"the folder .* is not shared with node node9: nothing that the probe job 1 wrote there has arrived"),
        ("ModuleNotFoundError: no bench", "the probe job 1 failed on node node9: ModuleNotFoundError: no bench"),
    ],
)
def test_a_probe_without_an_answer_forbids_the_sweep(tmp_path: Path, words: str, message: str) -> None:
    """Where not even its log arrives, the folder isn't shared; where it does, its last line is the reason. A file that
    is late is waited for."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["forever"], 2: ["forever"]}, probed=True, words=words)
    attendant = Attendant(folder, executor, print, executor.clock)
    attendant.begin()
    for _ in range(3):
        attendant.look()
    with pytest.raises(Refused, match=message):
        attendant.look()
    assert not any((folder / SHARDS).iterdir())


def test_an_answer_to_another_sweep_is_none(tmp_path: Path) -> None:
    """A file that was left behind, with another nonce, doesn't allow anything."""
    folder = made(tmp_path)
    answered(folder, nonce="0123")
    executor = Planted(folder, {1: ["forever"], 2: ["forever"]}, probed=True)
    with pytest.raises(Refused, match="is not shared"):
        attend(folder, executor)


def test_a_clock_that_is_a_little_off_is_said_and_noted(tmp_path: Path) -> None:
    """More than two seconds: once, by the node's name, and in the sweep's file."""
    folder = made(tmp_path)
    there = read_sweep(folder)
    answered(folder, node="n7", offset=there.offset - 5.0)
    executor = Planted(folder, {1: ["done"], 2: ["done"]}, probed=True)
    _, _, notes = attend(folder, executor)
    assert notes == read_sweep(folder).notes == ["the clock of node n7 is 5 s behind"]


@pytest.mark.parametrize(
    ("offset", "node_offset", "at", "seconds"),
    [
        (0.5, 0.5, 150.0, 0.0),  # both half a second ahead of the folder's clock
        (0.0, 7.0, 150.0, 7.0),  # by the stamps, however long the job waited
        (0.0, 0.0, 90.0, -10.0),  # each stamps its own files: it answered before it was submitted
        (0.0, 0.0, 205.0, 5.0),  # or after its answer was seen
    ],
)
def test_skew(offset: float, node_offset: float, at: float, seconds: float) -> None:
    """Of a job that was submitted at 100 s and whose answer was seen at 200 s."""
    assert skew(offset, node_offset, at, 100.0, 200.0) == seconds


def test_a_skew_below_two_seconds_is_not_worth_a_word() -> None:
    """Clocks of a cluster differ by that."""
    assert told_of_skew("n", 2.0) == told_of_skew("n", -2.0) == ""
    assert told_of_skew("n", 2.6) == "the clock of node n is 3 s ahead"


def test_what_is_not_known_of_a_version_does_not_differ() -> None:
    """A machine that only submits may lack torch."""
    assert differing({"python": "3.12"}, {"python": "3.12", "torch": "2.13"}) == ""
    assert differing({"torch": "2.12"}, {"torch": "2.13"}) == "torch 2.13 instead of 2.12"


# Shards


def test_the_costliest_case_costs_most() -> None:
    """More steps, wider states and training cost more; what is longer than --max-call is looked at once."""
    small = Case(hidden_size=32, input_size=32, seq_len=8)
    by_size = [small, Case(hidden_size=512, input_size=512, seq_len=512), Case(hidden_size=1024, seq_len=512)]
    costs = [estimated_seconds(case, 3, SETTINGS) for case in by_size]
    assert costs == sorted(costs) and costs[0] < costs[2]
    training = Case(hidden_size=1024, seq_len=512, mode="training")
    assert estimated_seconds(training, 3, SETTINGS) > costs[2]
    huge = Case(hidden_size=2048, input_size=2048, seq_len=2048, batch_size=512, mode="training")
    short = Settings("smoke", passes=50, max_call=0.001)
    assert estimated_seconds(huge, 3, short) < 3 * 50 * estimated_seconds(huge, 1, Settings("smoke", max_call=1e9))


def test_all_implementations_of_a_case_are_in_one_shard() -> None:
    """A shard holds whole Cases: together all of them, each once, in the preset's order."""
    shards = plan(SETTINGS, 3)
    ids = list(case_costs(SETTINGS))
    assert sorted(case for shard in shards for case in shard.cases) == sorted(ids)
    for shard in shards:
        assert shard.cases == [case for case in ids if case in shard.cases]
    cells = Settings.from_dict(SETTINGS.as_dict() | {"cases": shards[0].cases}).cells()
    assert len(cells) == 2 * len(shards[0].cases)


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0, 1e4), min_size=1, max_size=40),
    st.integers(min_value=1, max_value=12),
)
def test_shards_are_balanced(costs: dict[str, float], shards: int) -> None:
    """Every Case once, no shard empty, and the fullest has at most 4/3 of the least possible (Graham)."""
    parts = balanced(costs, shards)
    assert sorted(name for part in parts for name in part) == sorted(costs)
    assert len(parts) == min(shards, len(costs)) and all(parts)
    loads = [sum(costs[name] for name in part) for part in parts]
    ordered = sorted(costs.values(), reverse=True)
    pair = sum(ordered[len(parts) - 1 : len(parts) + 1]) if len(ordered) > len(parts) else 0.0
    least = max(sum(ordered) / len(parts), ordered[0], pair)
    bound = (4 / 3 - 1 / (3 * len(parts))) * least + 1e-6
    assert max(loads) <= bound or max(loads) <= least + ordered[len(parts)], "LPT's own bound"


# Files


def test_a_sweep_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Its file, with submissions and probe; one that is cut off, or of another schema, is named."""
    folder = made(tmp_path)
    executor = Planted(folder, {1: ["done"], 2: ["done"]}, probed=True)
    answered(folder)
    attendant, _, _ = attend(folder, executor)
    assert read_sweep(folder) == attendant.sweep
    path = folder / "sweep.json"
    whole = path.read_text()
    for text, message in (
        (whole[:-20], "not JSON, or cut off"),
        (whole.replace('"schema": 1', '"schema": 9'), "schema 9; this version reads 1"),
        (whole.replace('"seconds"', '"second"'), "the field shards or one beside it is not as expected"),
    ):
        path.write_text(text)
        with pytest.raises(BrokenFile, match=f"{path}: {message}"):
            read_sweep(folder)


def test_sweeps_are_found(tmp_path: Path) -> None:
    """By path, by id, as the latest; an unknown one names those that there are."""
    with pytest.raises(BrokenFile, match=r"latest: no sweep.*there is none"):
        find("latest", tmp_path)
    first, second = made(tmp_path), made(tmp_path)
    assert first != second
    assert find("latest", tmp_path) == second
    assert find(first.name, tmp_path) == find(str(first), tmp_path) == first
    with pytest.raises(BrokenFile, match=f"known are {first.name}, {second.name}"):
        find("other", tmp_path)


def test_one_process_attends_a_sweep(tmp_path: Path) -> None:
    """Another is told so; once the first has left, it may."""
    folder = made(tmp_path)
    with (
        attended(folder),
        pytest.raises(ValueError, match="is attended by another process; --status"),
        attended(folder),
    ):
        pass
    with attended(folder):
        assert (folder / ".attended").exists()


# The view


def test_without_a_terminal_there_is_a_line_for_each_change() -> None:
    """Never the same one twice; the scheduler's silence has one, and its end."""
    console = Console(width=100, force_terminal=False)
    rows = [Row("shard-001", AT_WORK, "n1", 0, 5, 3, 8, "7"), Row("shard-002", WAITING, of_passes=5, job="8")]
    with console.capture() as captured, Watch(console, lambda: 0.0) as watch:
        watch.show(rows)
        watch.show(rows)
        watch.show([Row("shard-001", AT_WORK, "n1", 1, 5, 0, 8, "7"), rows[1]], "Slurm doesn't answer")
        watch.show([Row("shard-001", DONE, "n1", 5, 5, 0, 0, "7"), rows[1]])
    assert captured.get().splitlines() == [
        "shard-001: running on n1, 0 of 5 passes, job 7",
        "shard-002: waiting, 0 of 5 passes, job 8",
        "shard-001: running on n1, 1 of 5 passes, job 7",
        "Slurm doesn't answer",
        "shard-001: done on n1, 5 of 5 passes, job 7",
        "the scheduler answers again",
    ]


def test_a_table_that_does_not_fit_shows_what_matters() -> None:
    """Failed, running and waiting shards before those that are done; the summary counts all."""
    rows = [Row(f"shard-{k:03}", DONE, of_passes=5) for k in range(1, 30)]
    rows += [Row("shard-030", GIVEN_UP, note="planted"), Row("shard-031", AT_WORK, "n1", 2, 5, 3, 8, "7")]
    console = Console(width=100, force_terminal=False)
    with console.capture() as captured:
        console.print(table(rows, 0.0, room=4))
    told = captured.get()
    assert "shard-030" in told and "planted" in told and "3 of 8" in told
    assert "29 done, 1 failed, 1 running; 27 not shown" in told
