"""The benchmarks that pytest collects: `pytest bench`, one test per cell.

The first test of a Case measures all selected implementations of it together, in alternation; each test then plays its
own samples back to pytest-benchmark, whose statistics, JSON, storage, comparison and tables work on them as on
any others. One pytest process is one pass: see `bench.measure.alternate` for why its spread is not the error.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cases.case import Case
from bench.run.session import PlaybackClock, Session
from bench.store.manifest import FAILED, MEASURED
from bench.store.passes import extra_info

clock = PlaybackClock()

# The tests turn warnings into errors; an implementation that warns is still worth its time.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.benchmark(timer=clock.read, disable_gc=False, warmup=False)
def test_rnn(rnn_case: str, implementation: str, rnn_session: Session, benchmark: BenchmarkFixture) -> None:
    """Play back one cell's samples; skip it where it cannot run, fail it where it does not compute the network."""
    case = Case.parse(rnn_case)
    benchmark.group = case.short
    record, found = rnn_session.measured(rnn_case, implementation)
    if record.status == FAILED:
        pytest.fail(f"{implementation}: {record.reason}", pytrace=False)
    if record.status != MEASURED or found is None:
        pytest.skip(f"{implementation} {record.status}: {record.reason}")
    samples = found.samples[implementation]
    benchmark.extra_info.update(extra_info(case, implementation, samples, found.control, record))
    clock.load(samples["seconds"])
    benchmark.pedantic(clock.play, rounds=len(samples["seconds"]), iterations=1)
