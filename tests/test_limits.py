"""What the machine allows: measured on planted clocks, kept, read back, shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cases.case import DTYPES
from bench.host.clock import HostClock, Reading, Run
from bench.host.machine import describe
from bench.host.process import WorkerDied
from bench.report import limits_table
from bench.run import kept
from bench.run.progress import Listener
from bench.store.files import BrokenFile
from bench.why.limits import best, cpu, cuda, sitting
from bench.why.limits.cpu import probes
from bench.why.limits.limits import Limits, cache_bytes, fingerprint, read_limits, unit, write_limits
from rnn_impls.interface import Unavailable
from tests.test_explanation import Notes

MACHINE = {"cpu": "Imaginary CPU 9000", "cores": 2, "torch": "2.13.0"}


class PlantedClock:
    """A clock by which every call lasts what the test says; `overhead` is added to each call, slow blocks come in."""

    def __init__(self, seconds: Callable[[Any], float], moods: tuple[float, ...] = (1.0,)) -> None:
        self.seconds, self.moods, self.blocks = seconds, moods, 0
        self.called: list[Any] = []

    def time(self, run: Run, calls: int) -> Reading:
        """Run once, to see what is called; the rest is arithmetic."""
        self.called.clear()
        run(1)
        mood = self.moods[self.blocks % len(self.moods)]
        self.blocks += 1
        return Reading(calls * mood * self.seconds(self.called[-1] if self.called else None))


def test_the_best_of_many_blocks_counts() -> None:
    """Blocks in which the machine was slow leave no trace."""
    clock = PlantedClock(lambda _: 2e-6, moods=(1.0, 3.0, 1.7))
    assert best.best_seconds(clock, lambda: None) == pytest.approx(2e-6)


def test_a_block_is_as_many_calls_as_fill_it() -> None:
    """Short calls are made many times, long ones once."""
    assert best.calls_of(PlantedClock(lambda _: 1e-6), lambda: None) >= best.BLOCK_SECONDS / 2 / 1e-6
    assert best.calls_of(PlantedClock(lambda _: 1.0), lambda: None) == 1


def test_a_slope_is_free_of_what_a_call_costs() -> None:
    """1 µs a call and 100 GB/s: the difference of two sizes gives the rate, whatever the call costs."""
    clock = PlantedClock(lambda size: 1e-6 + size / 1e11)
    small, large = (lambda: clock.called.append(2**15)), (lambda: clock.called.append(2**18))
    assert best.slope(clock, small, large, 2**18 - 2**15) == pytest.approx(1e11)


def test_a_slope_that_leads_nowhere_is_none() -> None:
    """A larger call that takes no longer has no rate, and no infinite one."""
    assert best.slope(PlantedClock(lambda _: 1e-6), lambda: None, lambda: None, 1e6) is None


@pytest.mark.parametrize("threads", [1, 4])
def test_arrays_lie_in_the_level_they_are_named_after(threads: int) -> None:
    """The large one fits its level, the small one no longer fits the level before."""
    caches = {"L1": 48 * 2**10, "L2": 2**20, "L3": 32 * 2**20}
    spans = cpu.spans(caches, threads)
    inner = 0
    for level, (small, large) in spans.items():
        whole = caches.get(level, 2**40) * (1 if level in cpu.SHARED else threads)
        assert inner <= small < large <= whole
        inner = whole
    assert list(spans)[-1] == "memory"


def test_without_caches_there_is_still_a_memory() -> None:
    """A system that does not tell its caches has one level."""
    assert list(cpu.spans({}, 1)) == ["memory"]


def test_caches_are_read_from_the_systems_files(tmp_path: Path) -> None:
    """Data and unified caches count, instructions don't, and what can't be read is left out."""
    for number, (level, kind, size) in enumerate(
        [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"), ("3", "Unified", "32M")]
    ):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    (tmp_path / "index9").mkdir()
    assert cache_bytes(tmp_path) == {"L1": 48 * 2**10, "L2": 2**20, "L3": 32 * 2**20}
    assert cache_bytes(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("compiler", [True, False])
def test_every_limit_of_the_cpu_is_measured(compiler: bool) -> None:
    """By the real clock on small caches, so that it is quick; each name once, each value a positive number. Without a
    compiler torch's operators stand in for the probes."""
    own = probes() if compiler else None
    small = {"L1": 2**15, "L2": 2**17, "L3": 2**20}
    with torch.inference_mode():
        found = [*cpu.cpu_limits(HostClock(), 1, small, own)]
    found += [*cpu.call_limits(HostClock(), own)]
    names = [name for name, _ in found]
    assert len(set(names)) == len(names)
    wanted = {f"cpu.{kind}.{dtype}.t1" for kind in ("product", "peak") for dtype in DTYPES}
    wanted |= {f"cpu.matvec.{level}.t1" for level in (*small, "memory")}
    wanted |= {"cpu.call.operator", "cpu.call.module", "cpu.call.node", "cpu.chain.add"}
    assert wanted <= set(names)
    assert all(value > 0 for _, value in found)
    assert all(unit(name) for name in names)


def test_probes_do_as_much_as_they_say() -> None:
    """The loops compute what their counts promise: float64 has half of the lanes, and a thread as much as the other."""
    own = probes()
    _, narrow = own.products("float32", 1) or (None, 0.0)
    _, wide = own.products("float64", 1) or (None, 0.0)
    _, two = own.products("float32", 2) or (None, 0.0)
    assert narrow == 2 * wide > 0
    assert two == 2 * narrow
    assert own.products("bfloat16", 1) is None
    call, count = own.reading(2**14, 1)
    call()
    assert count == 2**22
    assert own.additions()[1] > 0


def test_without_a_compiler_the_limits_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that a bound without probes may be beaten."""

    def none_here() -> Any:
        raise Unavailable("there is no C++ compiler (c++)")

    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(sitting, "probes", none_here)
    assert sitting._probes(lambda event, **found: told.append((event, found))) is None
    [(event, found)] = told
    assert (event, found["name"]) == ("missing", "cpu.probes")
    assert "no C++ compiler" in found["reason"]
    assert "beaten" in found["reason"]


def test_the_limits_of_cuda_are_measured_alike() -> None:
    """The part that needs no CUDA of its own, on the CPU with tiny sizes: names, and TF32 as it was before."""
    with torch.inference_mode():
        names = [name for name, value in cuda.cuda_limits(HostClock(), 2**26, "cpu", scale=256) if value > 0]
    assert {f"cuda.product.{dtype}" for dtype in DTYPES} | {"cuda.product.float32-tf32"} <= set(names)
    assert {"cuda.copy.memory", "cuda.copy.host"} <= set(names)
    assert torch.backends.cuda.matmul.allow_tf32 is False


def test_a_part_that_fails_is_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing piece of torch costs its own part alone."""

    def broken(*_: object) -> Any:
        yield "cpu.product.float32.t1", 1e9
        raise RuntimeError("no such kernel\nand more")

    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(sitting, "cpu_limits", broken)
    monkeypatch.setattr(sitting, "cache_bytes", dict)
    monkeypatch.setattr(sitting, "probes", lambda: None)
    sitting.measure_limits(["cpu"], [1], lambda event, **found: told.append((event, found)))
    missing = {found["name"]: found["reason"] for event, found in told if event == "missing"}
    assert missing == {
        "cpu.cache": "the system does not tell the sizes of its caches",
        "cpu, 1 threads": "RuntimeError: no such kernel",
        "cuda": "there is no CUDA device here",
    }
    assert ("limit", {"name": "cpu.product.float32.t1", "value": 1e9}) in told
    assert any(found.get("name") == "cpu.call.operator" for _, found in told)


def planted(**values: list[float]) -> Limits:
    """Limits with these values; `__` stands for a dot."""
    return Limits(dict(MACHINE), "2026-11-23T12:00:00+00:00", {k.replace("__", "."): v for k, v in values.items()})


def test_the_most_favourable_value_is_the_highest_rate_and_the_least_time() -> None:
    """A machine that was slow for a while allows no less than at its best."""
    found = planted(cpu__peak__float32__t1=[2e11, 2.5e11], cpu__call__operator=[1.1e-6, 0.9e-6])
    assert found.best("cpu.peak.float32.t1") == 2.5e11
    assert found.best("cpu.call.operator") == 0.9e-6
    assert found.best("cpu.peak.float64.t1") is None
    assert found.threads() == [1]


def test_limits_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Unrounded."""
    found = planted(cpu__peak__float32__t1=[2.123456789e11])
    found.facts["cpu.cache.L1"], found.missing["cuda"] = 49152, "none here"
    write_limits(tmp_path / "l.json", found)
    assert read_limits(tmp_path / "l.json") == found


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"schema": 9}, "schema 9"),
        ({"values": {"nonsense": [1.0]}}, "nonsense"),
        ({"values": {"cpu.peak.float32.t1": [-1.0]}}, "cpu.peak.float32.t1"),
        ({"values": {"cpu.peak.float32.t1": ["fast"]}}, "cpu.peak.float32.t1"),
        ({"values": []}, "values"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_broken_file_is_named_with_its_field(tmp_path: Path, change: dict[str, Any], names: str) -> None:
    """One line that says which file and what in it."""
    path = tmp_path / "l.json"
    write_limits(path, planted(cpu__peak__float32__t1=[1e11]))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BrokenFile, match=names) as raised:
        read_limits(path)
    assert str(path) in str(raised.value)


def test_another_torch_is_another_machine() -> None:
    """What decides speed is in the fingerprint, what does not isn't."""
    assert fingerprint(MACHINE) == fingerprint(MACHINE | {"governor": "powersave"})
    assert fingerprint(MACHINE) != fingerprint(MACHINE | {"torch": "2.14.0"})


class Measuring:
    """Stands for measuring in fresh processes, and counts how often that is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        monkeypatch.setattr(kept, "findings", self.findings)

    def findings(self, job: dict[str, Any], timeout: float, log: Path) -> Any:
        """What a worker would tell."""
        self.times += 1
        yield {"event": "ready", "machine": MACHINE}
        yield {"event": "facts", "facts": {"cpu.cache.L1": 49152}}
        for count in (1, *job["threads"]):
            yield {"event": "limit", "name": f"cpu.peak.float32.t{count}", "value": 1e11 * self.times}
        yield {"event": "missing", "name": "cuda", "reason": "none"}
        yield {"event": "end", "ledger": {}}


def test_limits_are_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time they come from the file; a broken one is measured anew, with a note."""
    measuring = Measuring(monkeypatch)
    listener = Notes()
    first = kept.limits_of(MACHINE, tmp_path, listener)
    assert measuring.times == kept.PROCESSES
    assert first.values == {"cpu.peak.float32.t1": [1e11, 2e11, 3e11]}
    assert (first.facts, first.missing, first.machine) == ({"cpu.cache.L1": 49152}, {"cuda": "none"}, MACHINE)
    assert kept.limits_of(MACHINE, tmp_path, listener) == first
    assert measuring.times == kept.PROCESSES
    kept.kept_path(tmp_path, MACHINE).write_text("{")
    kept.limits_of(MACHINE, tmp_path, listener)
    assert measuring.times == 2 * kept.PROCESSES
    assert "measured anew" in listener.notes[0]


def test_a_thread_count_that_is_not_kept_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with four threads needs the limits of four."""
    measuring = Measuring(monkeypatch)
    kept.limits_of(MACHINE, tmp_path, Listener())
    found = kept.limits_of(MACHINE, tmp_path, Listener(), threads=[4])
    assert measuring.times == 2 * kept.PROCESSES
    assert found.threads() == [1, 4]


def test_limits_are_measured_anew_when_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--again` adds a sitting to the kept ones; without it they are as they were, and the path is this machine's."""
    measuring = Measuring(monkeypatch)
    found, path = kept.this_machine(tmp_path, False, Listener())
    again, same = kept.this_machine(tmp_path, True, Listener())
    assert measuring.times == 2 * kept.PROCESSES
    assert (path, same) == (kept.kept_path(tmp_path, describe()),) * 2
    assert found.values != again.values
    first = found.values["cpu.peak.float32.t1"]
    assert again.values["cpu.peak.float32.t1"] == [*first, *(1e11 * k for k in (4, 5, 6))]
    assert kept.this_machine(tmp_path, False, Listener()) == (again, path)


def test_a_machine_that_cannot_be_measured_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is kept."""

    def dies(*_: object) -> Any:
        raise WorkerDied("the process was killed by SIGILL")

    monkeypatch.setattr(kept, "findings", dies)
    with pytest.raises(WorkerDied):
        kept.limits_of(MACHINE, tmp_path, Listener())
    assert not (tmp_path / "limits").exists()


def test_the_table_says_what_each_limit_is() -> None:
    """In words, best first, the worst of the processes in brackets, thread counts side by side."""
    found = planted(
        cpu__peak__float32__t1=[2e11, 2.5e11],
        cpu__peak__float32__t2=[4e11, 5e11],
        cpu__stream__L2__t1=[2.4e11],
        cpu__call__operator=[1.2e-6, 0.9e-6],
        cuda__call__graph=[3e-6],
    )
    found.facts["cpu.cache.L1"], found.missing["mps"] = 49152, "nobody asked"
    text = limits_table.markdown(found)
    assert "| | 1 thread | 2 threads |" in text
    assert "| CPU: fastest products here, float32 | 250 GFLOP/s (200) | 500 GFLOP/s (400) |" in text
    assert "| CPU: reading from L2 | 240 GB/s |  |" in text
    assert "| CPU: one eager operator | 900 ns (1.2 µs) |  |" in text
    assert "| CUDA: launch of a captured graph | 3 µs |  |" in text
    assert "L1 48 KiB" in text
    assert "Not measured: mps: nobody asked." in text
