"""The backward pass as it is and with denormals flushed, round by round in one process.

    for each round:
        for each of the two, in random order:
            tell the processor what to do with denormals
            make n training calls, with the clock read before each backward pass and after it

A ratio is the median over rounds, of which a neighbour disturbs a few; a process gives one. Flushing holds for the
thread that asks for it, so only Cases of one thread are measured.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.cases.case import Case
from bench.measure import state
from bench.measure.alternate import calls_per_block, no_garbage_collection
from bench.measure.fault import reason_of
from bench.measure.parity import check
from bench.measure.problem import Problem, loss
from bench.measure.reference import Reference
from bench.measure.workload import Workload, seconds_per_call
from bench.why.denormals.count import count
from rnn_impls import registry

LEAST_ROUNDS, MOST_ROUNDS = 3, 15
SECONDS = 0.25
"""Aimed at for a cell in a process; calls of a second take what LEAST_ROUNDS of them take."""

Read = Callable[[], float]


@dataclass
class Times:
    """Seconds of a backward pass and of a whole call, a value for each round, by whether denormals are flushed."""

    backward: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    call: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})


def alternated(workload: Workload, rounds: int, calls: int, order: random.Random, read: Read) -> Times:
    """Time a workload in training both ways. The processor is left as it is without flushing."""
    found = Times()
    for number in range(-1, rounds):  # the first round warms up
        for flushed in order.sample((False, True), 2):
            workload.renew(calls)
            torch.set_flush_denormal(flushed)
            try:
                backward, call = _block(workload, read)
            finally:
                torch.set_flush_denormal(False)
            if number >= 0:
                found.backward[flushed].append(backward / calls)
                found.call[flushed].append(call / calls)
    return found


def _block(workload: Workload, read: Read) -> tuple[float, float]:
    """A training call for each of the inputs at hand: seconds of all backward passes, and of all calls."""
    problem, backward, call = workload.problem, 0.0, 0.0
    for inputs, hidden in workload.given:
        workload.module.zero_grad(set_to_none=True)
        start = read()
        outputs, _ = workload.forward(inputs, hidden)
        total = loss(outputs, problem.target, workload.case.loss, problem.lengths)
        between = read()
        total.backward()
        end = read()
        backward, call = backward + end - between, call + end - start
        del outputs, total
    return backward, call


def measure(case: Case, name: str, with_parity: bool) -> dict[str, Any]:
    """The pairs of one cell, as `bench.why.denormals.table_file.Flushing` has them; or the reason why there are none,
    whatever the implementation raises."""
    found: dict[str, Any] = {"case": case.id, "implementation": name}
    try:
        implementation = registry.load(name)
        workload = Workload(case, implementation, Problem.of(case))
        seconds = seconds_per_call(workload, case.device)
        calls = calls_per_block(seconds)
        rounds = min(MOST_ROUNDS, max(LEAST_ROUNDS, round(SECONDS / (2 * calls * seconds))))
        times = alternated(workload, rounds, calls, random.Random(0), time.perf_counter)
        for what, each in (("backward", times.backward), ("call", times.call)):
            found[what] = [pair(each)]
        if with_parity:
            torch.set_flush_denormal(True)
            found["parity_error"] = check(Reference.of(case), implementation)
    except Exception as error:  # a user's implementation may raise anything; the other cells are still measured
        found["reason"] = reason_of(error)
    finally:
        torch.set_flush_denormal(False)
    return found


def pair(times: dict[bool, list[float]]) -> list[float]:
    """Seconds as it is and flushed: their ratio is the median of the rounds' ratios, the second their median."""
    flushed = statistics.median(times[True])
    return [flushed * statistics.median(map(_ratio, times[False], times[True])), flushed]


def _ratio(one: float, other: float) -> float:
    return one / other


def measure_cells(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Measure the cells of a job: tells `start`, then `denormals` with the record, for each; with `first`, how
    many there are in each Case, and how right the results are when they are flushed."""
    counted: dict[str, dict[str, Any]] = {}
    with no_garbage_collection():
        for case_id, name in job["cells"]:
            case = Case.parse(case_id)
            tell("start", case=case_id, implementation=name)
            state.arrange(case)
            if job.get("first") and case_id not in counted:
                counted[case_id] = vars(count(case))
            tell("denormals", record=measure(case, name, bool(job.get("first"))), count=counted.get(case_id))
